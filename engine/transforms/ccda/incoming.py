"""A C-CDA document that came in: its header, written into the message that carries it.

From then on it is an MDM message like any other: filtered, edited, identified by its
PID, mapped to a DocumentReference, delivered.

Spec:
    cda.md 5 (read backwards); HL7 v2.5.1, chapters 3 and 9.
"""

import base64
from typing import Final

from engine.errors import TransformError
from engine.hl7.finding import Finding
from engine.hl7.message import Message
from engine.hl7.path import parse_path
from engine.hl7.segment import Segment
from engine.transforms.ccda.elements import HL7, NAMESPACES
from engine.transforms.ccda.enclosing import TOO_MANY, documents_of
from engine.transforms.ccda.linkage import Node
from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.unpacking import Package, is_package
from engine.transforms.document_forms import looks_like_document

_H: Final = {"h": HL7, "s": NAMESPACES["xmlns:sdtc"]}
_HEADER: Final = "/h:ClinicalDocument"
_PATIENT: Final = f"{_HEADER}/h:recordTarget/h:patientRole"
_VISIT: Final = f"{_HEADER}/h:componentOf/h:encompassingEncounter"
_WRITER: Final = f"{_HEADER}/h:author/h:assignedAuthor[h:assignedPerson]"
_SIGNER: Final = f"{_HEADER}/h:legalAuthenticator/h:assignedEntity"
_PARENT: Final = f"{_HEADER}/h:relatedDocument"
_SSN: Final = "2.16.840.1.113883.4.1"

_SEX: Final = {"M": "M", "F": "F", "UN": "O"}
_NAME_USE: Final = {"L": "L", "P": "N"}
_ADDRESS_USE: Final = {"HP": "H", "H": "H", "WP": "B", "TMP": "C"}
_PHONE_USE: Final = {"HP": "PRN", "MC": "PRN", "WP": "WPN"}
_EVENTS: Final = {"RPLC": "T10", "APND": "T06"}
_SYSTEMS: Final = {
    "2.16.840.1.113883.6.1": "LN",
    "2.16.840.1.113883.6.96": "SCT",
    "2.16.840.1.113883.6.238": "CDCREC",
    "2.16.840.1.113883.5.2": "HL70002",
}


def opened(message: Message) -> Message:
    """Write what a document tells of its patient and itself into its message.

    A message without a C-CDA document stays as it is. One that names its patient keeps
    what it says; then the document must be of the same one. Where OBX-5 holds a zip
    file, the document in it takes its place.

    Raises:
        TransformError: the document or the zip file is refused, or the document is
            another patient's.
    """
    if message.message_type != "MDM":
        return message
    for obx in message.all("OBX"):
        _unpack(message, obx)
        if (document := document_in(obx)) is not None:
            root = read_document(document)
            if message.first("PID") is None:
                _Carrier(message, root).fill()
            else:
                _compare(message, root)
    return message


def document_in(obx: Segment) -> bytes | None:
    """Return the C-CDA document of an OBX, or None where it holds something else."""
    content = _embedded(obx)
    return content if looks_like_document(content) else None


def _embedded(obx: Segment) -> bytes:
    """Return what an ED value holds; nothing where it is no base64."""
    if obx.text(2) != "ED" or obx.text(5, 4).casefold() != "base64":
        return b""
    try:
        return base64.b64decode(obx.text(5, 5), validate=False)
    except ValueError:
        return b""


def _unpack(message: Message, obx: Segment) -> None:
    """Put the document OBX-4 counts in the place of the zip file it came in.

    Raises:
        TransformError: the zip file cannot be read or holds no such document.
    """
    content = _embedded(obx)
    if not is_package(content) or obx.text(5, 3).casefold() != "zip":
        return
    number = obx.text(4) or "1"
    if number == str(TOO_MANY):
        sentence = "the package is refused: it is too large for its many documents"
        raise TransformError(sentence, "package-size")
    package = Package(content)
    places = documents_of(package)
    if not number.isdecimal() or int(number) > len(places):
        sentence = "the package is refused: it holds no C-CDA document"
        raise TransformError(sentence, "package-empty")
    document = package.content(places[int(number) - 1])
    held = base64.b64encode(document).decode("ascii")
    obx.put(5, f"^application^xml^Base64^{held}")
    if others := package.others(places):
        sentence = f"{others} other files of the package stay with the message received"
        message.findings.append(Finding("package-rest", "OBX-5", sentence))


def _compare(message: Message, root: Node) -> None:
    """Refuse a document whose patient has another number of the same authority."""
    pid = message.first("PID")
    said = pid.repetitions(3) if pid is not None else []
    sent = {(each.text(4, 2), each.text(1)) for each in said if each.text(4, 2)}
    told = {
        (one.get("root"), one.get("extension"))
        for one in _all(root, f"{_PATIENT}/h:id")
    }
    shared = {root for root, _ in sent} & {root for root, _ in told}
    if shared and not sent & told:
        raise TransformError(
            "the document in OBX-5 is about another patient than PID-3",
            "document-other-patient",
        )


class _Carrier:
    """Fills one message from one document."""

    def __init__(self, message: Message, root: Node) -> None:
        self.message = message
        self.root = root

    def fill(self) -> None:
        """Write MSH-4, MSH-9, EVN-2, PID, PV1 and TXA."""
        at = next(
            place
            for place, each in enumerate(self.message.segments)
            if each.id == "TXA"
        )
        visit = _first(self.root, _VISIT)
        for name in ("PID", "PV1"):
            if name == "PID" or visit is not None:
                self.message.insert(at, self.message.new_segment(name))
                at += 1
        self._sender()
        self.put("EVN-2", self.message["MSH-7"])
        self._patient()
        if visit is not None:
            self._visit()
        self._document()

    def put(self, path: str, text: str | None) -> None:
        """Write a value where there is one."""
        if text:
            self.message.set_text(parse_path(path), text)

    def _sender(self) -> None:
        keeper = (
            f"{_HEADER}/h:custodian/h:assignedCustodian"
            "/h:representedCustodianOrganization"
        )
        if self.message["MSH-4"]:
            return
        self.put("MSH-4.1", _text(self.root, f"{keeper}/h:name"))
        for found in _all(self.root, f"{keeper}/h:id[@root and not(@extension)]")[:1]:
            self.put("MSH-4.2", found.get("root"))
            self.put("MSH-4.3", "ISO")

    # ---- PID

    def _patient(self) -> None:
        self.put("PID-1", "1")
        self._identifiers()
        person = f"{_PATIENT}/h:patient"
        for number, name in enumerate(_told(self.root, f"{person}/h:name"), 1):
            self._name(f"PID-5[{number}]", name)
        self.put("PID-7", _value(self.root, f"{person}/h:birthTime"))
        sex = _code(self.root, f"{person}/h:administrativeGenderCode")
        self.put("PID-8", _SEX.get(sex, ""))
        races = f"{person}/*[self::h:raceCode or self::s:raceCode]"
        for number, race in enumerate(_told(self.root, races), 1):
            self._coded(f"PID-10[{number}]", race)
        for number, place in enumerate(_told(self.root, f"{_PATIENT}/h:addr"), 1):
            self._address(f"PID-11[{number}]", place)
        self._telecoms()
        language = f"{person}/h:languageCommunication/h:languageCode"
        self.put("PID-15.1", _code(self.root, language))
        for field, kind in ((16, "maritalStatusCode"), (22, "ethnicGroupCode")):
            for found in _told(self.root, f"{person}/h:{kind}")[:1]:
                self._coded(f"PID-{field}", found)
        self._death(person)

    def _identifiers(self) -> None:
        """Write PID-3; an id without a number of its authority names nobody."""
        found = _told(self.root, f"{_PATIENT}/h:id")
        whole = [one for one in found if one.get("root") and one.get("extension")]
        for number, one in enumerate(whole, 1):
            self._identifier(f"PID-3[{number}]", one)
        if len(whole) < len(found):
            sentence = "an id of the patient has no number of its authority"
            self.message.findings.append(Finding("id-incomplete", "PID-3", sentence))

    def _death(self, person: str) -> None:
        self.put("PID-29", _value(self.root, f"{person}/s:deceasedTime"))
        dead = _value(self.root, f"{person}/s:deceasedInd")
        self.put("PID-30", {"true": "Y", "false": "N"}.get(dead, ""))

    def _identifier(self, path: str, one: Node) -> None:
        root = one.get("root", "")
        self.put(f"{path}.1", one.get("extension"))
        self.put(f"{path}.4.1", one.get("assigningAuthorityName"))
        self.put(f"{path}.4.2", root)
        self.put(f"{path}.4.3", "ISO")
        self.put(f"{path}.5", "SS" if root == _SSN else "PI")

    def _name(self, path: str, name: Node) -> None:
        given = [_said(one) for one in name.findall(f"{{{HL7}}}given")]
        parts = {
            1: _part(name, "family"),
            2: given[0] if given else "",
            3: " ".join(filter(None, given[1:])),
            4: _part(name, "suffix"),
            5: _part(name, "prefix"),
            7: _NAME_USE.get(name.get("use", "").split(" ")[0], "L"),
        }
        if not any(parts[number] for number in (1, 2)):
            parts[1] = _said(name)  # a name in one piece
        for number, value in parts.items():
            self.put(f"{path}.{number}", value)

    def _address(self, path: str, place: Node) -> None:
        lines = [_said(one) for one in place.findall(f"{{{HL7}}}streetAddressLine")]
        parts = {
            1: lines[0] if lines else "",
            2: ", ".join(lines[1:]),
            3: _part(place, "city"),
            4: _part(place, "state"),
            5: _part(place, "postalCode"),
            6: _part(place, "country"),
            7: _ADDRESS_USE.get(place.get("use", "").split(" ")[0], ""),
        }
        for number, value in parts.items():
            self.put(f"{path}.{number}", value)

    def _telecoms(self) -> None:
        number = 0
        for one in _told(self.root, f"{_PATIENT}/h:telecom"):
            scheme, _, rest = one.get("value", "").partition(":")
            if not rest:
                continue
            number += 1
            path = f"PID-13[{number}]"
            if scheme == "mailto":
                self.put(f"{path}.2", "NET")
                self.put(f"{path}.3", "Internet")
                self.put(f"{path}.4", rest)
                continue
            self.put(f"{path}.1", rest)
            self.put(f"{path}.2", _PHONE_USE.get(one.get("use", ""), ""))
            self.put(f"{path}.3", "CP" if one.get("use") == "MC" else "PH")

    def _coded(self, path: str, one: Node) -> None:
        self.put(f"{path}.1", one.get("code"))
        self.put(f"{path}.2", one.get("displayName"))
        self.put(f"{path}.3", _SYSTEMS.get(one.get("codeSystem", "")))

    # ---- PV1 and TXA

    def _visit(self) -> None:
        self.put("PV1-1", "1")
        self.put("PV1-2", "U")
        for one in _told(self.root, f"{_VISIT}/h:id[@extension]")[:1]:
            self.put("PV1-19.1", one.get("extension"))
            self.put("PV1-19.4.2", one.get("root"))
            self.put("PV1-19.4.3", "ISO")
        time = f"{_VISIT}/h:effectiveTime"
        begun = _value(self.root, f"{time}/h:low") or _value(self.root, time)
        self.put("PV1-44", begun)
        self.put("PV1-45", _value(self.root, f"{time}/h:high"))
        self.put("PV1-36.1", _code(self.root, f"{_VISIT}/h:dischargeDispositionCode"))

    def _document(self) -> None:
        for one in _told(self.root, f"{_HEADER}/h:code")[:1]:
            self._coded("TXA-2", one)
        self.put("TXA-3", "AP")
        made = _value(self.root, f"{_HEADER}/h:effectiveTime")
        self.put("TXA-4", made)
        self.put("TXA-6", made)
        for path, where in (("TXA-9", _WRITER), ("TXA-22", _SIGNER)):
            for role in _all(self.root, where)[:1]:
                self._person(path, role)
        self._number("TXA-12", f"{_HEADER}/h:id")
        self.put("TXA-17", "LA" if _first(self.root, _SIGNER) is not None else "")
        self.put("TXA-25", _text(self.root, f"{_HEADER}/h:title"))
        for parent in _all(self.root, _PARENT)[:1]:
            self._number("TXA-13", f"{_PARENT}/h:parentDocument/h:id")
            self.put("MSH-9.2", _EVENTS.get(parent.get("typeCode", "")))

    def _number(self, path: str, where: str) -> None:
        for one in _told(self.root, where)[:1]:
            self.put(f"{path}.1", one.get("extension") or one.get("root"))
            self.put(f"{path}.3", one.get("root"))
            self.put(f"{path}.4", "ISO")

    def _person(self, path: str, role: Node) -> None:
        for one in _told(role, "h:id[@extension]")[:1]:
            self.put(f"{path}.1", one.get("extension"))
            self.put(f"{path}.9.2", one.get("root"))
            self.put(f"{path}.9.3", "ISO")
        for name in _told(role, "h:assignedPerson/h:name")[:1]:
            self.put(f"{path}.2", _part(name, "family") or _said(name))
            self.put(f"{path}.3", _part(name, "given"))


def _all(node: Node, path: str) -> list[Node]:
    found = node.xpath(path, namespaces=_H)
    return list(found) if isinstance(found, list) else []  # type: ignore[arg-type]


def _told(node: Node, path: str) -> list[Node]:
    """Return the elements at a path that have a value."""
    return [one for one in _all(node, path) if not one.get("nullFlavor")]


def _first(node: Node, path: str) -> Node | None:
    return next(iter(_all(node, path)), None)


def _value(node: Node, path: str) -> str:
    return next((one.get("value", "") for one in _told(node, path)), "")


def _code(node: Node, path: str) -> str:
    return next((one.get("code", "") for one in _told(node, path)), "")


def _text(node: Node, path: str) -> str:
    return next((_said(one) for one in _told(node, path)), "")


def _part(node: Node, name: str) -> str:
    found = node.find(f"{{{HL7}}}{name}")
    return "" if found is None else _said(found)


def _said(node: Node) -> str:
    return " ".join(" ".join(map(str, node.itertext())).split())
