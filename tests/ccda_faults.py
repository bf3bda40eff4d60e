"""Ways to spoil a document, each a class of faults, and who sees them.

Every class takes a document and a source of chance, and spoils one place.
"""

import random

from lxml import etree

from engine.transforms.ccda.checks import check
from tests.ccda_facts import validator

H = "{urn:hl7-org:v3}"
NS = {"h": "urn:hl7-org:v3"}
RULES = ("r2.1", "r2.1cg")


def pick(root, chance, path):
    found = root.xpath(path, namespaces=NS)
    return chance.choice(found) if found else None


def drop(path):
    def spoil(root, chance):
        node = pick(root, chance, path)
        node.getparent().remove(node)

    return spoil


def put(path, **attributes):
    def spoil(root, chance):
        node = pick(root, chance, path)
        for name, value in attributes.items():
            node.set(name, value)

    return spoil


def swap(root, chance):
    """Two unlike siblings of the header or of a statement change places."""
    parents = [
        node
        for node in root.iter(f"{H}*")
        if len({child.tag for child in node}) > 1
        and node.tag[len(H) :] in ("ClinicalDocument", "observation", "act", "section")
    ]
    node = chance.choice(parents)
    places = [n for n in range(len(node) - 1) if node[n].tag != node[n + 1].tag]
    place = chance.choice(places)
    node.insert(place, node[place + 1])


def empty_text(root, chance):
    node = pick(root, chance, "//h:section/h:text")
    for child in list(node):
        node.remove(child)
    node.text = ""


def dashed(root, chance):
    node = pick(root, chance, "//h:effectiveTime[@value]")
    node.set("value", "2024-01-02")


def reverse(root, chance):
    node = pick(root, chance, "//h:effectiveTime[h:low/@value and h:high/@value]")
    node.find(f"{H}low").set("value", "20991231")


def duplicate_id(root, chance):
    first, second = chance.sample(root.xpath("//h:text//*[@ID]", namespaces=NS), 2)
    first.set("ID", second.get("ID"))


def html(root, chance):
    node = pick(root, chance, "//h:section/h:text")
    etree.SubElement(node, f"{H}div").text = "said"


def empty_name(root, chance):
    node = pick(root, chance, "//h:patient/h:name/*")
    node.text = " "


def demote(root, chance):
    """Every template of one place loses its later versions."""
    for node in root.xpath("//h:templateId[@extension]", namespaces=NS):
        node.getparent().remove(node)


def wrong_section(root, chance):
    notes = "2.16.840.1.113883.10.20.22.2.65"  # its code may be any type of note
    other = f"//h:section[not(h:templateId/@root='{notes}')]/h:code"
    pick(root, chance, other).set("code", "11506-3")


HEADER = (
    "/*/*[self::h:realmCode or self::h:typeId or self::h:id or self::h:code or "
    "self::h:title or self::h:effectiveTime or self::h:confidentialityCode or "
    "self::h:languageCode or self::h:recordTarget or self::h:custodian]"
)
REQUIRED = (
    "//h:component[h:section[h:templateId[contains('"
    "2.16.840.1.113883.10.20.22.2.6.1 2.16.840.1.113883.10.20.22.2.1.1 "
    "2.16.840.1.113883.10.20.22.2.5.1 2.16.840.1.113883.10.20.22.2.3.1 "
    "2.16.840.1.113883.10.20.22.2.4.1 2.16.840.1.113883.10.20.22.2.17', @root)]]]"
)
CLASSES = {
    "drop a header element": drop(HEADER),
    "drop a required section": drop(REQUIRED),
    "drop a status": drop("//h:entry//h:statusCode"),
    "drop a time": drop(
        "//h:observation[h:templateId/@root='2.16.840.1.113883.10.20.22.4.2' or "
        "h:templateId/@root='2.16.840.1.113883.10.20.22.4.4']/h:effectiveTime"
    ),
    "drop an id": drop("//h:entry//h:observation[not(h:value/@code)]/h:id"),
    "drop a section text": drop("//h:section/h:text"),
    "empty a section text": empty_text,
    "another template extension": put(
        "//h:templateId[@extension]", extension="2012-01-01"
    ),
    "swap siblings": swap,
    "dashed date": dashed,
    "impossible date": put("//h:effectiveTime[@value]", value="20241399"),
    "impossible zone": put("//h:effectiveTime[@value]", value="20240102103000+2900"),
    "reversed interval": reverse,
    "wrong section code": wrong_section,
    "bogus LOINC": put(
        "//h:code[@codeSystem='2.16.840.1.113883.6.1' and @code]", code="12345-1"
    ),
    "bogus gender": put("//h:administrativeGenderCode", code="Q"),
    "bogus unit": put("//h:value[@unit]", unit="furlong"),
    "non-numeric quantity": put("//h:value[@unit]", value="many"),
    "nullFlavor beside a value": put("//h:value[@value]", nullFlavor="UNK"),
    "dangling reference": put("//h:entry//h:reference", value="#nowhere"),
    "duplicate ID": duplicate_id,
    "HTML in the narrative": html,
    "malformed root": put("//h:id[@root]", root="NORTH"),
    "empty name": empty_name,
    "all templates demoted to R1.1": demote,
}


def seen(root, folder):
    """What the reference validator and our own checks say, by stage or row."""
    path = folder / "spoiled.xml"
    path.write_bytes(etree.tostring(root))
    found: set[str] = set()
    for rules in RULES:
        report = validator().validate(path, rules)
        found.update(each.stage for each in (*report.errors, *report.warnings))
    tree = etree.parse(path).getroot()
    return found | {finding.code for finding in check(tree, companion_guide=True)}


def survivors(document, name, trials, folder):
    """The trials of one class that nobody saw."""
    unseen = []
    for seed in range(trials):
        root = etree.fromstring(document)
        CLASSES[name](root, random.Random(f"{name} {seed}"))  # noqa: S311 - test data
        if not seen(root, folder):
            unseen.append(seed)
    return unseen
