"""What ``[cda]`` and the code tables say about a site's documents."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from engine.channels.format.cda_rules import published_rules
from engine.errors import ConfigurationError
from engine.settings import Settings, read_size
from engine.transforms.ccda.site import CdaSite, Custodian, site_faults
from engine.transforms.code_tables import CodeTable

OIDS: Final = "oids"
NOTE_TYPES: Final = "note-types"
NO_KNOWN: Final = "no-known"
MAX_ATTACHMENT: Final = "7MB"
_KEYS: Final = frozenset(
    (
        *("root", "enterprise", "language", "templates", "max-attachment"),
        *("custodian", "rules", "rules-sha256"),
    )
)
_OF_CUSTODIAN: Final = {each.name.replace("_", "-"): each for each in fields(Custodian)}


@cache
def engine_version() -> str:
    """Return the version of the engine that is running."""
    try:
        return version("interop-engine")
    except PackageNotFoundError:
        return "0"


def cda_site(settings: Settings, tables: Mapping[str, CodeTable]) -> CdaSite | None:
    """Return what the site says; None where it writes no documents.

    Raises:
        ConfigurationError: the copy of the published rules cannot be used.
    """
    if "root" not in settings.cda:
        return None
    return replace(_described(settings, tables), rules=published_rules(settings))


def _described(settings: Settings, tables: Mapping[str, CodeTable]) -> CdaSite:
    """Return what the site says, without the rules that judge its documents."""
    cda = settings.cda
    return CdaSite(
        root=str(cda.get("root", "")),
        enterprise=str(cda.get("enterprise", "")),
        custodian=_custodian(cda.get("custodian")),
        enterprise_system=settings.identity_system,
        language=str(cda.get("language", "en-US")),
        companion_guide=cda.get("templates", "r2.1+cg4.1") == "r2.1+cg4.1",
        max_attachment=_size(cda) or 0,
        oids=_column(tables.get(OIDS)),
        note_types=_column(tables.get(NOTE_TYPES)),
        no_known=_column(tables.get(NO_KNOWN)),
        engine_version=engine_version(),
    )


def cda_faults(settings: Settings, tables: Mapping[str, CodeTable]) -> list[str]:
    """Return what keeps a site from writing documents, as sentences."""
    cda = settings.cda
    if "root" not in cda or "custodian" not in cda:
        return ["C-CDA documents need [cda] root and [cda.custodian]"]
    custodian = cda.get("custodian")
    given = custodian if isinstance(custodian, dict) else {}
    faults = [f"[cda] has no key {key}" for key in sorted(cda.keys() - _KEYS)]
    unknown = sorted(given.keys() - _OF_CUSTODIAN.keys())
    faults += [f"[cda.custodian] has no key {key}" for key in unknown]
    if _size(cda) is None:
        faults.append("[cda] max-attachment is no size; write it like 7MB")
    try:
        published_rules(settings)
    except ConfigurationError as error:
        faults.append(str(error))
    return faults + site_faults(_described(settings, tables))


def _size(cda: Mapping[str, object]) -> int | None:
    return read_size(str(cda.get("max-attachment", MAX_ATTACHMENT)))


def _custodian(found: object) -> Custodian:
    given = found if isinstance(found, dict) else {}
    known = {
        each.name: str(given[key])
        for key, each in _OF_CUSTODIAN.items()
        if key in given
    }
    return Custodian(**{"name": "", "id": "", **known})


def _column(table: CodeTable | None) -> dict[str, str]:
    """Return a table as code to meaning, its first row for each code."""
    rows = {} if table is None else table.rows
    return {code: found[0].values["to"] for code, found in rows.items()}
