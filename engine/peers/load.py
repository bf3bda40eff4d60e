"""Messages for measurements: cheap to make, the same for the same numbers."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

MESSAGES_PER_PERSON: Final = 5
_STARTS: Final = (
    *("Alder", "Bram", "Cobble", "Dande", "Elder", "Fern", "Goose", "Hazel", "Ink"),
    *("Juni", "Kettle", "Linden", "Mari", "Nettle", "Oaken", "Pumper", "Quartz"),
    *("Rose", "Salt", "Thorn", "Umber", "Velvet", "Willow", "Yarrow", "Zinnia"),
)
_ENDS: Final = (
    *("bank", "berry", "bough", "brook", "bury", "combe", "croft", "dale", "field"),
    *("flower", "ford", "gate", "grove", "ham", "hollow", "leaf", "ley", "low"),
    *("marsh", "mere", "mont", "moss", "ridge", "shaw", "stead", "stone", "thorpe"),
    *("ton", "vale", "water", "well", "wick", "wood", "worth"),
)
_GIVEN: Final = {
    "F": ("Ada", "Bea", "Cleo", "Dora", "Etta", "Fern", "Greta", "Hope", "Iris"),
    "M": ("Abel", "Bert", "Cyril", "Dale", "Emil", "Finn", "Glen", "Hugo", "Ivo"),
}


def admissions(first: int, count: int, prefix: str) -> Iterator[bytes]:
    """Yield ADT^A01 of 11 segments and about 1.6 kB; a fifth are of new persons.

    Persons come again after everybody else of their group of a hundred, so that two
    messages of one person are not neighbours.
    """
    for number in range(first, first + count):
        group, place = divmod(number, 100 * MESSAGES_PER_PERSON)
        yield _admission(f"{prefix}{number:07d}", group * 100 + place % 100)


def _admission(control_id: str, person: int) -> bytes:
    spread = (person * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    sex = "FM"[spread >> 7 & 1]
    family = _STARTS[(spread >> 11) % len(_STARTS)] + _ENDS[(spread >> 19) % len(_ENDS)]
    given = _GIVEN[sex][(spread >> 31) % len(_GIVEN[sex])]
    middle = chr(65 + (spread >> 37) % 26)
    born = date(1930, 1, 1) + timedelta(days=(spread >> 41) % 33_000)
    street = f"{spread % 9000 + 1} Imaginary Lane^Apt {spread % 40 + 1}"
    address = f"{street}^Samplebury^VT^05999^USA^H"
    phone = f"802-555-{(spread >> 23) % 10000:04d}^PRN^PH"
    sent = "20260302001500+0000"
    attending = "1002^Stethos^Oscar^A^^Dr.^MD^^GENHOSP^L^^^NPI"
    return (
        f"MSH|^~\\&|HIS|GENERAL|INTEROP|GENERAL|{sent}||ADT^A01^ADT_A01|{control_id}"
        "|P|2.5.1|||AL|NE|USA|UNICODE UTF-8\r"
        f"EVN|A01|{sent}||ADM|REG01^Clerk^Rita^^^^^^GENHOSP|{sent}\r"
        f"PID|1||{person:08d}^^^GENHOSP^MR||{family}^{given}^{middle}^^^^L"
        f"|Maiden^Name|{born:%Y%m%d}|{sex}||2106-3^White^CDCREC|{address}||{phone}"
        f"~^NET^Internet^{given.lower()}.{person}@example.org|^WPN^PH^^1^802^5550199"
        f"|en^English^ISO639|M^Married^HL70002||A{person:08d}^^^GENHOSP^AN\r"
        "PD1|||Fictionville Family Practice^L^^^^GENHOSP^XX^^^FFP\r"
        f"NK1|1|{family}^Casey^C^^^^L|SPO^Spouse^HL70063|{address}|{phone}"
        "||C^Emergency Contact^HL70131\r"
        f"PV1|1|I|2WEST^214^A^GENERAL^^BED^MAIN^2|E|||{attending}"
        f"|1003^Bandage^Beatrix^^^Dr.^^^GENHOSP||MED||||7|||{attending}|IP"
        f"|V{person:08d}^^^GENHOSP^VN|||||||||||||||||||||||||{sent}\r"
        "PV2||PRIV^Private|CHEST PAIN^Chest pain on exertion|||||20260302|20260305|3\r"
        "AL1|1|DA^Drug allergy^HL70127|7980^Penicillin G^RXNORM|SV^Severe^HL70128"
        "|Hives|19990101\r"
        "AL1|2|FA^Food allergy^HL70127|PNUT^Peanut^L|SV^Severe^HL70128|Swelling\r"
        "DG1|1||I20.9^Angina pectoris, unspecified^I10C|Angina|20260302|A\r"
        "IN1|1|PPO^PPO plan|INS001|Placeholder Health Plan|PO Box 999^^Testerton^OR"
        f"^97999|||GRP1001||||20260101|20261231|||{family}^{given}|SEL^Self^HL70063\r"
    ).encode()
