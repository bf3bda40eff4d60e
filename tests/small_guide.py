"""A guide of a few rows, in the layout of HL7's tables, written for the tests."""

HEADINGS = "HL7 v2,,,,,,Condition,,,FHIR\nSort,Identifier,Name\n"
NAMES = {
    "messages": "HL7 Message - FHIR R4_ {} - Sheet1.csv",
    "segments": "HL7 Segment - FHIR R4_ {} - Sheet1.csv",
    "datatypes": "HL7 Data Type - FHIR R4_ {} - Sheet1.csv",
    "codesystems": "HL7 Concept Map_ {} - Sheet1.csv",
}


def row(source, target, *, when="", datatype="", vocabulary="", constant=""):
    """Return one row of a segment or data type map."""
    cells = ["1", source, "", "", "", "", when, "", "", target, "", "", "", "",
             datatype, vocabulary, constant]  # fmt: skip
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def use(segment, target, mapping, when=""):
    """Return one row of a message map."""
    cells = ["1", f"ADT_A01.{segment}", "", "", "", "", when, "", "", target, mapping]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


TABLES = {
    ("messages", "ADT_A01"): [
        use("PID", "Patient[1]", "PID[Patient]"),
        use("PV1", "Encounter[1]", "PV1[Encounter]", 'IF PV1-2 NOT EQUALS "N"'),
        use("PV2", "Encounter[1]", "PV2[Encounter]"),
    ],
    ("segments", "PID[Patient]"): [
        row("PID-3", "identifier[2]", datatype="CX[Identifier]"),
        row("PID-5", "name[1]", datatype="XPN[HumanName]"),
        row("PID-8", "gender", datatype="CWE[Code]", vocabulary="Administrative Sex"),
        row("PID-7", "birthDate"),
        row("PID-16", "maritalStatus", datatype="CWE[CodeableConcept]"),
        row("PID-30", "deceasedBoolean", when="IF PID-29 NOT VALUED"),
        row("PID-25", "multipleBirthInteger"),
        row("PID-24", "multipleBirthBoolean", when="IF the feed says so"),
        row("PID-31", "extension[1].url", constant='"urn:id:constant"'),
    ],
    ("segments", "PV1[Encounter]"): [
        row("PV1-7", "participant[1].individual(Practitioner)",
            datatype="XCN[Practitioner]"),
        row("PV1-7", "participant[1].type.coding.code", constant='"ATND"'),
        row("PV1-42", "location[4].location(Location)", datatype="PL[Location]",
            constant='"reserved"'),
        row("PV1-25", "period.start"),
        row("PV1-28", "period.start"),
    ],
    ("segments", "PV2[Encounter]"): [row("PV2-9", "period.end")],
    ("datatypes", "CX[Identifier]"): [
        row("CX.1", "value"),
        row("CX.4", "system", datatype="HD[uri]"),
        row("CX.5", "type.coding.code"),
    ],
    ("datatypes", "HD[uri]"): [
        row("HD.1", "$value"),
        row("HD.2", "$value", when='IF HD.1 NOT VALUED AND IF HD-3 = "ISO"'),
    ],
    ("datatypes", "XPN[HumanName]"): [
        row("XPN.1", "[1].family", datatype="FN[HumanName]"),
        row("XPN.2", "[1].given[1]"),
    ],
    ("datatypes", "FN[HumanName]"): [row("FN.1", "$this")],
    ("datatypes", "CWE[CodeableConcept]"): [
        row("CWE.1", "coding[1].code"),
        row("CWE.7", "coding[1].version"),
    ],
    ("datatypes", "CWE[code]"): [row("CWE.1", "$this")],
    ("datatypes", "XCN[Practitioner]"): [
        row("XCN.1", "identifier[1].value"),
        row("XCN.2", "name", datatype="FN[HumanName]"),
    ],
    ("codesystems", "AdministrativeSex"): ["F,Female,HL70001,,,,female"],
}  # fmt: skip


def files():
    """Return the tables as `read_guide` takes them."""
    return [
        (folder, NAMES[folder].format(name), HEADINGS + "\n".join(rows) + "\n")
        for (folder, name), rows in TABLES.items()
    ]


def write_guide(folder):
    """Write the tables below a folder, as ``--ig`` reads them."""
    for part, name, text in files():
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / name).write_text(text, encoding="utf-8")
    return folder
