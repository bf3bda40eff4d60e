"""Messages for the FHIR map, and ways to look at what it makes of them."""

import json

from engine.hl7 import parse
from engine.transforms.fhir import (
    MapContext,
    MapOptions,
    map_message,
    transaction,
    write_json,
)
from tests.builders import er7

ZONE = "-0500"


def segment(name, **fields):
    """Return a segment; ``f3="X"`` sets field 3."""
    numbers = {int(key[1:]): value for key, value in fields.items()}
    last = max(numbers, default=0)
    return "|".join([name, *(numbers.get(n, "") for n in range(1, last + 1))])


def msh(kind="ADT^A01^ADT_A01", *, zone=ZONE, control="C1", **fields):
    sent = f"20240102030405{zone}"
    head = f"MSH|^~\\&|ADT1|HOSP^1.2.3^ISO|HUB|X|{sent}||{kind}|{control}|P|2.5.1"
    return head + "".join(f"|{value}" for value in fields.values())


def pid(**fields):
    base = {"f3": "100482^^^HOSP&1.2.3&ISO^MR", "f5": "Doe^Ann", "f7": "19800229"}
    return segment("PID", **{"f1": "1", "f8": "F", **base, **fields})


def pv1(**fields):
    base = {"f2": "I", "f3": "W^1^1", "f19": "V99^^^HOSP&1.2.3&ISO^VN"}
    return segment("PV1", **{"f1": "1", "f44": "20240101", **base, **fields})


def obr(**fields):
    base = {"f2": "P1^ADT1", "f3": "F1^LAB", "f4": "24323-8^Panel^LN", "f25": "F"}
    times = {"f7": "202401020304-0500", "f22": "20240102030405-0500"}
    return segment("OBR", **{"f1": "1", **base, **times, **fields})


def obx(kind="NM", value="1", **fields):
    base = {"f1": "1", "f2": kind, "f3": "2345-7^Glucose^LN", "f5": value, "f11": "F"}
    return segment("OBX", **{**base, **fields})


def adt(event="A01", *segments, zone=ZONE, structure="ADT_A01"):
    body = segments or (pid(), pv1())
    return er7(
        msh(f"ADT^{event}^{structure}", zone=zone),
        f"EVN|{event}|20240102030405{zone}",
        *body,
        encoding="utf-8",
    )


def oru(*results, order=None, zone=ZONE, control="C1"):
    return er7(
        msh("ORU^R01^ORU_R01", zone=zone, control=control),
        pid(),
        pv1(),
        segment("ORC", f1="RE", f2="P1^ADT1", f3="F1^LAB"),
        order or obr(),
        *results,
        encoding="utf-8",
    )


def mapped(data, *, context=None, **options):
    """Map bytes for a site called north."""
    base = context or MapContext(site="north", options=MapOptions(**options))
    return map_message(parse(data), base)


def bundle(data, **more):
    """Map bytes and read the transaction back as JSON."""
    return json.loads(write_json(transaction(mapped(data, **more).entries)))


def resources(data, kind, **more):
    """Return the resources of one type that a message makes."""
    rows = bundle(data, **more)["entry"]
    return [row["resource"] for row in rows if row["resource"]["resourceType"] == kind]


def resource(data, kind, **more):
    """Return the first resource of one type that a message makes."""
    return resources(data, kind, **more)[0]


def observation(*results, **more):
    """Return the Observation that an ORU with these OBX makes first."""
    data = results[0] if isinstance(results[0], bytes) else oru(*results)
    found = mapped(data, **more).all("Observation")
    first = min(found, key=lambda entry: entry.segment)
    return json.loads(write_json(first.resource))


def codes(concept):
    """Return the (system, code) pairs of a CodeableConcept."""
    return [(one["system"], one["code"]) for one in concept.get("coding", [])]


def losses(data, **more):
    """Return what was lost: path to reason."""
    return {loss.path: loss.reason for loss in mapped(data, **more).losses}


def extensions(element, name):
    """Return the extensions whose URL ends with a name."""
    found = element.get("extension", [])
    return [one for one in found if one["url"].endswith(name)]


def admission(number=0):
    """Return an admission as feeds send it: 11 segments, the person told by number."""
    mrn, name = f"{number:08}", f"Doe{number}^Ann^Q^^^^L"
    home = f"{number} Home Road^Flat 2^Town^ST^99999^USA^H"
    return er7(
        msh(control=f"C{number}"),
        f"EVN|A01|20240102030405{ZONE}||ADM|REG1^Clerk^Rita|20240102030405{ZONE}",
        pid(
            f3=f"{mrn}^^^HOSP^MR~D{mrn}^^^DMV^DL",
            f5=f"{name}~Roe{number}^Ann^^^^^M",
            f10="2106-3^White^HL70005",
            f11=f"{home}~PO Box 9^^Town^ST^99999^USA^M",
            f13=f"^PRN^PH^^1^555^55{number:05}~^NET^Internet^ann{number}@example.org",
            f16="M^Married^HL70002",
            f18=f"ACC{number}^^^HOSP^AN",
        ),
        "PD1|||HOSP CLINIC^^10001|5101^Primary^Paula^P^^Dr^MD^^NPI",
        f"NK1|1|Doe^Alex^A^^^^L|SPO^Spouse^HL70063|{home}|^PRN^PH^^1^555^5550199",
        pv1(
            f3="2000^2012^01^HOSP^^BED^MAIN^3",
            f7="4777^Attend^Aaron^A^^Dr^MD^^NPI",
            f10="MED",
            f17="4777^Attend^Aaron^A^^Dr^MD^^NPI",
            f19=f"V{number}^^^HOSP^VN",
        ),
        "PV2|||PAIN^Chest pain|||||20240102|20240105|3",
        "AL1|1|DA^Drug^HL70127|70618^Penicillin^RXNORM|SV^Severe^HL70128|Hives|19990101",
        "AL1|2|FA^Food^HL70127|256349002^Peanut^SCT|MO^Moderate^HL70128|Swelling",
        "DG1|1||I20.9^Angina pectoris^I10|Angina|20240102|A",
        f"IN1|1|PPO^Plan|INS1|Good Co|PO Box 9^^Town||||||||||||{name}|SEL^Self",
    )


def laboratory_report(number=0, results=30):
    """Return a report of numeric results, the person and the values told by number."""
    lines = [
        obx(
            "NM",
            f"{4 + line * 1.7 + number % 16 * 0.3:.1f}",
            f1=str(line + 1),
            f3=f"{700 + line}-8^Test {line}^LN^L{line}^Test^99LAB",
            f4=str(line // 10 + 1),
            f6="mg/dL^mg/dL^UCUM",
            f7="70-99",
            f8="N",
            f14=f"20240102000500{ZONE}",
            f16="TECH1^Tech^Tina",
        )
        for line in range(results)
    ]
    return er7(
        msh("ORU^R01^ORU_R01", control=f"R{number}"),
        pid(f3=f"{number:08}^^^HOSP^MR", f5=f"Doe{number}^Ann"),
        pv1(f19=f"V{number}^^^HOSP^VN"),
        segment("ORC", f1="RE", f2=f"P{number}^ADT1", f3=f"F{number}^LAB"),
        obr(f2=f"P{number}^ADT1", f3=f"F{number}^LAB", f24="HM"),
        *lines,
    )
