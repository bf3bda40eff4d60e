"""What a site says once about its documents: the ``[cda]`` settings and its OIDs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.transforms.ccda.published_rules import PublishedRules

OID: Final = re.compile(
    r"(?:[01]\.(?:[12]?\d|3\d)|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))*"
)
UUID_FORM: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
MAX_OID: Final = 64
EXAMPLE_ARC: Final = "2.999"


def is_oid(text: str) -> bool:
    """Whether a text is a well-formed object identifier that CDA can carry."""
    return len(text) <= MAX_OID and OID.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, which may stand where an OID does."""
    return UUID_FORM.fullmatch(text) is not None


def is_example(oid: str) -> bool:
    """Whether an OID belongs to the arc for examples, which identifies nothing."""
    return oid == EXAMPLE_ARC or oid.startswith(f"{EXAMPLE_ARC}.")


@dataclass(frozen=True, slots=True)
class Custodian:
    """The organization that keeps the documents and stands behind the author device.

    ``phone`` is a URL such as ``tel:+1-555-555-1000``; ``""`` is not known.
    """

    name: str
    id: str
    phone: str = ""
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class CdaSite:
    """Everything a rendering needs to know about the site.

    ``root`` is the OID below which document, set and fallback ids hang. ``enterprise``
    is the OID of the enterprise identifier and ``enterprise_system`` the URI that the
    identity step writes into ``Patient.identifier``. ``oids`` turns systems into OIDs,
    ``note_types`` further note types into LOINC codes, and ``no_known`` what the feeds
    send for "nothing is known" into SNOMED CT statements. ``max_attachment`` is in
    bytes, before base64. ``rules`` are the site's copy of the published ones.
    """

    root: str
    enterprise: str
    custodian: Custodian
    enterprise_system: str = ""
    language: str = "en-US"
    companion_guide: bool = True
    max_attachment: int = 7_000_000
    oids: Mapping[str, str] = field(default_factory=dict)
    note_types: Mapping[str, str] = field(default_factory=dict)
    no_known: Mapping[str, str] = field(default_factory=dict)
    engine_version: str = "0.1.0"
    rules: PublishedRules | None = None


def site_faults(site: CdaSite) -> list[str]:
    """Return what a ``cda`` destination of this site would trip over, as sentences."""
    faults = [
        f"[cda] {key} {value!r} is not a well-formed OID"
        for key, value in _oids_of(site).items()
        if not is_oid(value)
    ]
    faults += [
        f"[cda] {key} {value!r} lies below {EXAMPLE_ARC}, the arc for examples"
        for key, value in _oids_of(site).items()
        if is_example(value)
    ]
    if not site.custodian.name.strip():
        faults.append("[cda.custodian] name is missing")
    faults += [
        f"oids table: {oid!r} is not a well-formed OID"
        for oid in site.oids.values()
        if not is_oid(oid)
    ]
    return faults


def _oids_of(site: CdaSite) -> dict[str, str]:
    return {
        "root": site.root,
        "enterprise": site.enterprise,
        "custodian.id": site.custodian.id,
    }
