"""The site's own copy of HL7's schema and Schematron, which ``[cda] rules`` names.

Every file of the folder is named in ``[cda.rules-sha256]`` with its digest, so that
what judges documents is what somebody once looked at.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from lxml import etree

from engine.errors import ConfigurationError
from engine.settings import Settings
from engine.transforms.ccda.published_rules import PublishedRules
from engine.transforms.ccda.schematron import Schematron

SCHEMAS: Final = ("CDA_SDTC.xsd", "CDA.xsd")
"""Names of the file a CDA schema begins with, the one with extensions first."""


def published_rules(settings: Settings) -> PublishedRules | None:
    """Return what ``[cda] rules`` names; None where it names nothing.

    Raises:
        ConfigurationError: the folder, a digest or a file is wrong.
    """
    named = settings.cda.get("rules")
    if not named:
        return None
    given = settings.cda.get("rules-sha256")
    digests = given if isinstance(given, dict) else {}
    said = tuple(sorted((str(name), str(digest)) for name, digest in digests.items()))
    return _read((settings.folder / str(named)).resolve(), said)


@cache
def _read(folder: Path, said: tuple[tuple[str, str], ...]) -> PublishedRules:
    files = _verified(folder, dict(said))
    begins = [name for wanted in SCHEMAS for name in files if Path(name).name == wanted]
    if not begins:
        raise ConfigurationError(f"[cda] rules: no {SCHEMAS[0]} in {folder}")
    try:
        schema = etree.XMLSchema(etree.parse(folder / begins[0], _parser()))
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        raise ConfigurationError(f"[cda] rules: {begins[0]}: {error}") from error
    looked_up = {
        Path(name).name: content
        for name, content in files.items()
        if name.endswith(".xml")
    }
    rules = []
    for name, content in files.items():
        if name.endswith(".sch"):
            try:
                rules.append(Schematron(content, looked_up))
            except ConfigurationError as error:
                raise ConfigurationError(f"[cda] rules: {name}: {error}") from error
    return PublishedRules(schema, tuple(rules))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False)


def _verified(folder: Path, said: dict[str, str]) -> dict[str, bytes]:
    """Return the files of the folder by name; each is the one that was named."""
    if not folder.is_dir():
        raise ConfigurationError(f"[cda] rules: {folder} is no folder")
    found = {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.suffix in {".xsd", ".sch", ".xml"}
    }
    digests = {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }
    if digests != said:
        wrong = [
            f'"{name}" = "{it}"' for name, it in digests.items() if said.get(name) != it
        ]
        gone = [f"{name} is missing" for name in sorted(said.keys() - digests.keys())]
        told = "; ".join([*gone, *wrong])
        raise ConfigurationError(
            f"[cda.rules-sha256] does not name what lies in {folder}; if the files are"
            f" the right ones, write: {told}"
        )
    return found
