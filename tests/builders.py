"""Makers of what tests start from; every argument has a default that works."""


def er7(*segments, end="\r", encoding="ascii"):
    """Return segments as the bytes of one message."""
    return "".join(segment + end for segment in segments).encode(encoding)


def msh(**fields):
    """Return MSH; ``f10="X"`` sets MSH-10, ``delimiters`` sets MSH-1 and MSH-2."""
    mark, encoding = fields.pop("delimiters", ("|", "^~\\&"))
    values = {
        "f3": "LAB",
        "f4": "HOSP",
        "f5": "ENGINE",
        "f6": "SITE",
        "f7": "20300101120000",
        "f9": "ADT^A01^ADT_A01",
        "f10": "MSG1",
        "f11": "P",
        "f12": "2.5.1",
        **fields,
    }
    last = max(int(name[1:]) for name in values)
    parts = [values.get(f"f{number}", "") for number in range(3, last + 1)]
    return mark.join(["MSH", encoding, *parts]).replace("^", encoding[0])


def adt_a01(*more, family="Doe", given="Ann", number="100482", header=None):
    """Return an admission of an invented patient as bytes."""
    return er7(
        header or msh(),
        "EVN|A01|20300101120000",
        f"PID|1||{number}^^^HOSP^MR||{family}^{given}^^^^^L||19800229|F",
        "PV1|1|I|WARD^101^1^HOSP",
        *more,
        encoding="utf-8",
    )
