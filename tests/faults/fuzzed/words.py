"""Pieces of what each reader reads, so that chance comes past its first check."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

WORDS: Final[Mapping[str, Sequence[bytes]]] = MappingProxyType(
    {
        "deframe": [b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", b"\n", b"\x0b\x0b"],
        "er7_message": [
            *(
                b"|",
                b"^",
                b"~",
                b"\\",
                b"&",
                b"\r",
                b"\n",
                b"\r\n",
                b"PID|",
                b"OBX|1|NM|",
            ),
            *(
                b'""',
                b"\\X0D\\",
                b"2.5.1",
                b"ADT^A01",
                b"\xe9",
                b"\x1b$B",
                b"UNICODE UTF-8",
            ),
        ],
        "escape": [b"\\", b"\\F\\", b"\\X41\\", b"\\.br\\", b"\\C2842\\", b"\xc3\xa9"],
        "charset": [
            b"\x1b$B",
            b"\x1b(B",
            b"0l",
            b"\xa4\xa4",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
        ],
        "expression": [
            *(
                b"PID-5.1",
                b" == ",
                b'"A"',
                b"(",
                b")",
                b" and ",
                b" not ",
                b"1.5",
                b", ",
            ),
            *(
                b"lower(",
                b"startswith(",
                b"PID-3[*]",
                b" in ",
                b"'",
                b"#",
                b" if ",
                b"^",
            ),
        ],
        "channel": [
            *(
                b"source:\n",
                b"  mllp: {port: 2575}\n",
                b"destinations:\n",
                b"  - name: x\n",
            ),
            *(
                b"    file: {path: out}\n",
                b"edit:\n",
                b"  - set: PID-8\n",
                b"    to: ",
                b'"',
            ),
            *(
                b"&a ",
                b"*a",
                b"!!python/object:x ",
                b"? ",
                b"[",
                b"}",
                b"\t",
                b"\xe9",
                b"<<: ",
            ),
        ],
        "batch": [
            b"FHS|^~\\&|",
            b"BHS|^~\\&|",
            b"MSH|^~\\&|",
            b"BTS|2",
            b"FTS|1",
            b"\r",
            b"\n",
        ],
        "answer": [
            *(
                b"MSH|^~\\&|H|H|E|E|2030||ACK|1|P|2.5.1",
                b"\rMSA|",
                b"AA|",
                b"CA|",
                b"AE|",
            ),
            *(b"MSG1", b"MSG", b"\r", b"|", b"ERR|||207|F", b"\n", b"^"),
        ],
        "cda": [
            *(b"<recordTarget><patientRole>", b"</patientRole></recordTarget>"),
            *(
                b'<id root="1.2" extension="7"/>',
                b"<patient>",
                b"</patient>",
                b"<!DOCTYPE",
            ),
            *(b"<name><given>A</given>", b"</name>", b'<birthTime value="2030"/>'),
            *(b"<component><structuredBody><component><section><text>",),
            *(b"</text></section></component></structuredBody></component>",),
            *(b"<script>", b"</script>", b"<table>", b"</table>", b"<td onclick='x'/>"),
            *(
                b"&lt;b&gt;",
                b"<linkHtml href='javascript:x'>y</linkHtml>",
                b"PK\x03\x04",
            ),
            *(b"<?x y?>", b"<![CDATA[", b"]]>", b"\xef\xbb\xbf", b"\r", b"|^~\\&"),
        ],
        "fhir_json": [
            *(
                b'"identifier":[{"system":"urn:oid:1.2","value":"1"}]',
                b",",
                b'"name":[',
            ),
            *(
                b'{"family":"A"}',
                b"]",
                b'"birthDate":"2030-13-01"',
                b'"gender":1',
                b"{",
            ),
            *(
                b'"link":[{"type":"replaced-by","other":{"reference":',
                b"}",
                b"[",
                b'"\\ud8',
            ),
            *(
                b'"parameter":[{"name":["resource"],"resource":',
                b"1e999",
                b"NaN",
                b"9" * 25,
            ),
            *(
                b'"entry":[{"response":{"status":"200"}}]',
                b'"type":"searchset"',
                b"null",
            ),
            *(b'"issue":[{"code":"required"}]', b'"meta":{"versionId":', b"\xff", b":"),
        ],
        "fhir_xml": [
            *(b'<identifier><system value="urn:oid:1.2"/>', b'<value value="1"/>'),
            *(b"</identifier>", b"<name>", b'<family value="A"/>', b"</name>"),
            *(b'<birthDate value="1958-01-30"/>', b'<gender value="female"/>'),
            *(b'<active value="true"/>', b'<extension url="u">', b"</extension>"),
            *(b'<multipleBirthInteger value="2"/>', b'<meta><lastUpdated value="'),
            *(b'2030-01-02T03:04:05Z"/></meta>', b"<!DOCTYPE x>", b"&#55296;", b"&x;"),
            *(b'<text><div xmlns="http://www.w3.org/1999/xhtml">', b"</div></text>"),
            *(b"<contained>", b"</contained>", b"<![CDATA[", b"<?x?>", b' id="a"'),
        ],
        "attachment": [b"%PDF-1.7", b"=", b"QUJD", b" ", b"\r\n", b"<script>", b"\x00"],
    }
)

MEMBERS: Final = (
    *("resourceType", "identifier", "system", "value", "name", "family", "given"),
    *("birthDate", "_birthDate", "gender", "address", "line", "telecom", "use", "type"),
    *("link", "other", "reference", "meta", "lastUpdated", "security", "versionId"),
    *(
        "active",
        "deceasedBoolean",
        "multipleBirthInteger",
        "extension",
        "url",
        "coding",
    ),
    *("parameter", "resource", "count", "valueInteger", "entry", "response", "status"),
    *("issue", "code", "expression", "id"),
    *("period", "period.start", "identifier#1", "deceasedDateTime"),
)
"""Names in JSON that a reader of FHIR looks at."""

VALUES: Final = (
    *("Patient", "Parameters", "urn:oid:1.2", "1", "1958-01-30", "2030-02-31", "200"),
    *("replaced-by", "Patient?identifier=urn:oid:1.2|7", "searchset", "R", "old"),
    *("2030-01-02T03:04:05Z", "\ud800", "a|b^c~d\\e&f\rg", "resource", "", "female"),
)
"""What may stand there."""

_TREE: Final = (
    *(
        "recordTarget",
        "patientRole",
        "patient",
        "id",
        "name",
        "given",
        "family",
        "addr",
    ),
    *(
        "telecom",
        "birthTime",
        "component",
        "structuredBody",
        "section",
        "text",
        "title",
    ),
    *("table", "tr", "td", "list", "item", "content", "linkHtml", "renderMultiMedia"),
    *("nonXMLBody", "componentOf", "encompassingEncounter", "effectiveTime", "low"),
    *("author", "assignedAuthor", "assignedPerson", "relatedDocument", "code", "br"),
)
TAGS: Final = (*(f"{{urn:hl7-org:v3}}{name}" for name in _TREE), "script", "style")
"""Elements of a document, and two that are none."""
