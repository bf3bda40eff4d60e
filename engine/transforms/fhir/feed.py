"""What a sender means by its words: its systems, its zone, its switches."""

from zoneinfo import ZoneInfo

from engine.hl7.datatypes import Hd
from engine.hl7.segment import Segment
from engine.transforms.fhir.mapped import Lookup, MapContext, MapOptions
from engine.transforms.fhir.systems import (
    OID,
    WELL_KNOWN,
    is_absolute,
    licence_system,
    local_system,
    standard_system,
    universal_uri,
)
from engine.transforms.fhir.times import Moment, moment, offset_of


class Feed:
    """The sender of one message, as the data types need to know it.

    ``cuts`` gathers the times of day that had to be cut to their date for want of a
    zone; whoever reads a field takes them from there into the loss report.
    """

    __slots__ = ("_authorities", "_offset", "_systems", "_zone", "cuts", "options",
                 "sender", "site")  # fmt: skip

    def __init__(self, context: MapContext, header: Segment) -> None:
        self.site = context.site
        self.sender = header.text(4) or header.text(3) or context.sender
        self.options: MapOptions = context.options
        self.cuts: list[str] = []
        self._authorities: Lookup = context.authorities
        self._systems: Lookup = context.systems
        self._zone: ZoneInfo | None = context.time_zone
        self._offset = offset_of(header.text(7))

    def moment(self, text: str) -> Moment:
        """Return a time as FHIR writes it, see `times.moment`."""
        found = moment(text, self._offset, self._zone)
        if found.cut:
            self.cuts.append(text)
        return found

    def date_time(self, text: str) -> str:
        """Return a dateTime; ``""`` where there is none or no rule reads it."""
        return self.moment(text).text if text else ""

    def code_system(self, mnemonic: str, oid: str = "") -> str:
        """Return the absolute URI of a coding's system.

        In order: an OID sent with the coding, the site's table, the settled mnemonics,
        the sender's own system.
        """
        if oid and (found := universal_uri(oid, "ISO")):
            return found
        return (
            self._systems(mnemonic)
            or standard_system(mnemonic)
            or self.own_codes(mnemonic)
        )

    def own_codes(self, name: str) -> str:
        """Return the URI of a code system that only this sender knows."""
        return local_system(self.site, self.sender, "codes", name)

    def identifier_system(self, authority: Hd, type_code: str = "") -> str:
        """Return the absolute URI of an identifier's system.

        In order: the site's table of assigning authorities, the universal id, the
        well-known systems, a URI minted for the sender.
        """
        namespace, universal_id, kind = authority
        if namespace and (found := self._authorities(namespace)):
            return found
        if universal_id and (found := universal_uri(universal_id, kind)):
            return found
        if namespace and is_absolute(namespace):
            return namespace
        if known := WELL_KNOWN.get(type_code) or WELL_KNOWN.get(namespace):
            return known
        if namespace and OID.fullmatch(namespace):
            return "urn:oid:" + namespace
        name = namespace.strip() or universal_id.strip() or type_code or "none"
        return local_system(self.site, self.sender, name)

    def licence_system(self, state: str) -> str:
        """Return the system of a driver's licence number issued by a state."""
        return licence_system(state) or self.identifier_system(Hd(state), "DL")
