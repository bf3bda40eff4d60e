"""HL7 v2 composite data types as plain values.

A component that was not sent, or was sent as HL7 null, is ``""``. Where a component has
subcomponents of its own it is the first of them, unless the value says otherwise. The
values are named tuples because a message makes a hundred of them.

Spec:
    HL7 v2.9 chapter 2A; earlier versions carry a prefix of the same components.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

from engine.hl7.segment import Repetition


class Hd(NamedTuple):
    """HD, hierarchic designator: an assigning authority, application or facility."""

    namespace: str = ""
    universal_id: str = ""
    universal_id_type: str = ""

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read a field of type HD, such as MSH-4."""
        return cls(*repetition.texts(3))

    @classmethod
    def within(cls, subcomponents: Sequence[str]) -> Self:
        """Read a component of type HD, such as CX.4."""
        return cls(*subcomponents[:3])


class Ei(NamedTuple):
    """EI, entity identifier: an order or specimen number."""

    identifier: str = ""
    namespace: str = ""
    universal_id: str = ""
    universal_id_type: str = ""

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read a field of type EI, such as OBR-2."""
        return cls(*repetition.texts(4))

    @classmethod
    def within(cls, subcomponents: Sequence[str]) -> Self:
        """Read a component of type EI, such as EIP.1 in SPM-2."""
        return cls(*subcomponents[:4])


class Cx(NamedTuple):
    """CX, extended composite identifier."""

    identifier: str
    check_digit: str
    check_digit_scheme: str
    assigning_authority: Hd
    type_code: str
    assigning_facility: Hd
    effective: str
    expiration: str
    jurisdiction: str
    agency: str

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PID-3."""
        found = repetition.texts(10)
        return cls._make(
            [
                *found[:3],
                Hd.within(repetition.sub(4)),
                found[4],
                Hd.within(repetition.sub(6)),
                *found[6:],
            ]
        )


class Xpn(NamedTuple):
    """XPN, extended person name; ``family_parts`` are the subcomponents of XPN.1."""

    family: str
    given: str
    further_given: str
    suffix: str
    prefix: str
    degree: str
    type_code: str
    representation: str
    context: str
    validity: str
    assembly: str
    effective: str
    expiration: str
    professional_suffix: str
    called_by: str
    family_parts: tuple[str, ...]

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PID-5."""
        return cls._make([*repetition.texts(15), tuple(repetition.sub(1))])


class Xad(NamedTuple):
    """XAD, extended address; ``street_parts`` are the subcomponents of XAD.1."""

    street: str
    other_designation: str
    city: str
    state: str
    postal_code: str
    country: str
    type_code: str
    other_geographic: str
    county: str
    census_tract: str
    representation: str
    validity: str
    effective: str
    expiration: str
    street_parts: tuple[str, ...]

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PID-11."""
        return cls._make([*repetition.texts(14), tuple(repetition.sub(1))])


class Xtn(NamedTuple):
    """XTN, extended telecommunication number."""

    number: str
    use: str
    equipment: str
    email: str
    country_code: str
    area_code: str
    local_number: str
    extension: str
    any_text: str
    extension_prefix: str
    speed_dial: str
    unformatted: str
    effective: str
    expiration: str
    expiration_reason: str
    protection: str
    shared_identifier: str
    preference: str

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PID-13."""
        return cls(*repetition.texts(18))


class Cwe(NamedTuple):
    """CWE, coded with exceptions; CE, CNE and CF carry a prefix of it."""

    code: str
    text: str
    system: str
    alternate_code: str
    alternate_text: str
    alternate_system: str
    version: str
    alternate_version: str
    original_text: str
    second_alternate_code: str
    second_alternate_text: str
    second_alternate_system: str
    second_alternate_version: str
    system_oid: str
    value_set_oid: str
    value_set_version: str
    alternate_system_oid: str
    alternate_value_set_oid: str
    alternate_value_set_version: str
    second_alternate_system_oid: str

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a coded field such as OBX-3."""
        return cls(*repetition.strings(20))

    @classmethod
    def within(cls, subcomponents: Sequence[str]) -> Self:
        """Read a component of type CWE, such as XCN.16."""
        padded = [*subcomponents[:20], *[""] * 20]
        return cls(*padded[:20])


class Xcn(NamedTuple):
    """XCN, extended composite identifier and name for persons."""

    identifier: str
    family: str
    given: str
    further_given: str
    suffix: str
    prefix: str
    degree: str
    source_table: str
    assigning_authority: Hd
    name_type: str
    check_digit: str
    check_digit_scheme: str
    type_code: str
    assigning_facility: Hd
    representation: str
    context: str
    validity: str
    assembly: str
    effective: str
    expiration: str
    professional_suffix: str
    family_parts: tuple[str, ...]

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PV1-7."""
        found = repetition.texts(21)
        return cls._make(
            [
                *found[:8],
                Hd.within(repetition.sub(9)),
                *found[9:13],
                Hd.within(repetition.sub(14)),
                *found[14:],
                tuple(repetition.sub(2)),
            ]
        )


class Xon(NamedTuple):
    """XON, extended composite name and identifier for organizations."""

    name: str
    type_code: str
    number: str
    check_digit: str
    check_digit_scheme: str
    assigning_authority: Hd
    identifier_type: str
    assigning_facility: Hd
    representation: str
    identifier: str

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as OBX-23."""
        found = repetition.texts(10)
        return cls._make(
            [
                *found[:5],
                Hd.within(repetition.sub(6)),
                found[6],
                Hd.within(repetition.sub(8)),
                *found[8:],
            ]
        )


class Pl(NamedTuple):
    """PL, person location."""

    point_of_care: str
    room: str
    bed: str
    facility: Hd
    status: str
    location_type: str
    building: str
    floor: str
    description: str
    identifier: Ei
    assigning_authority: Hd

    @classmethod
    def of(cls, repetition: Repetition) -> Self:
        """Read one repetition of a field such as PV1-3."""
        found = repetition.texts(9)
        return cls._make(
            [
                *found[:3],
                Hd.within(repetition.sub(4)),
                *found[4:],
                Ei.within(repetition.sub(10)),
                Hd.within(repetition.sub(11)),
            ]
        )
