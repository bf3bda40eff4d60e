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


def adt_patient(number="1", **given):
    """Return an ADT message about an invented patient, with every trait to set.

    ``about`` are segments after PID; ``prior`` makes an MRG segment; ``pairs`` repeats
    PID and MRG: (number, prior).
    """
    values = {
        "trigger": "A04",
        "authority": "HOSP",
        "family": "Abernethy",
        "given": "Rosalind",
        "middle": "",
        "birth": "19800229",
        "sex": "F",
        "ssn": "",
        "address": "",
        "phone": "",
        "mother": "",
        "multiple": "",
        "order": "",
        "death": "",
        "sent": "20300101120000",
        "control_id": "",
        "about": (),
        "name_type": "",
        "prior": "",
        "pairs": (),
        "kind": "ADT",
        **given,
    }
    trigger, authority, sent = (values[n] for n in ("trigger", "authority", "sent"))
    control = values["control_id"] or f"{trigger}-{authority}-{number}-{sent}"
    pid = [""] * 31
    pid[0], pid[1], pid[3] = "PID", "1", f"{number}^^^{authority}^MR"
    pid[5] = f"{values['family']}^{values['given']}^{values['middle']}"
    pid[7], pid[8], pid[11] = values["birth"], values["sex"], values["address"]
    pid[13], pid[19], pid[21] = values["phone"], values["ssn"], values["mother"]
    pid[24] = values["multiple"] or ("Y" if values["order"] else "")
    pid[25] = values["order"]
    pid[29] = values["death"]
    if values["name_type"]:
        pid[5] += f"^^^^{values['name_type']}"
    segments = ["|".join(pid).rstrip("|"), *values["about"]]
    if values["prior"]:
        segments.append(f"MRG|{values['prior']}^^^{authority}^MR")
    for other, prior in values["pairs"]:
        segments.append(f"PID|2||{other}^^^{authority}^MR")
        segments.append(f"MRG|{prior}^^^{authority}^MR")
    event = f"{values['kind']}^{trigger}"
    return er7(
        msh(f4=authority, f7=sent, f9=event, f10=control),
        f"EVN|{trigger}|{sent}",
        *segments,
        encoding="utf-8",
    )
