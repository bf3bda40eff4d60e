"""protocol.md 3.2, character sets: from the block through the worker and out again."""

import pytest

from engine.hl7 import parse
from engine.hl7.charsets import codec_for
from engine.store.words import Verdict
from tests.builders import adt_a01, er7, msh
from tests.feeding import Feed
from tests.listening import adt, codes, fault, heard

COPY = {"set": "PID-9", "to": "PID-5.1"}
"""Reads the name, and writes it again beside: decoded once, encoded once."""

TABLE_0211 = {
    "ASCII": "Doe",
    "8859/1": "Müller",
    "8859/2": "Łódź",
    "8859/3": "Ħamrun",
    "8859/4": "Šiauliai",
    "8859/5": "Иван",
    "8859/6": "محمد",
    "8859/7": "Ελένη",
    "8859/8": "שרה",
    "8859/9": "Ayşe",
    "8859/15": "Œuvre €",
    "UNICODE": "Zoë",
    "UNICODE UTF-8": "Ünïcødé 山田 😀",
    "ISO IR6": "Doe",
    "ISO IR14": "Doe ｱｲｳ",
    "ISO IR87": "山田太郎",
    "ISO IR159": "丂丄",
    "GB 18030-2000": "张三丂",
    "KS X 1001": "김철수",
    "CNS 11643-1992": "陳龜籲乂乜",
    "BIG-5": "功許蓋",
    "JAS2020": "日本",
    "JIS X 0202": "表",
}
ALIASES = {
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "utf-8": "utf-8",
    "ISO-8859-1": "iso8859-1",
    "ISO8859-1": "iso8859-1",
    "8859-1": "iso8859-1",
    "UNICODE": "utf-8",
}
DOUBLE_BYTE = {"SHIFT_JIS": "cp932", "GB 18030-2000": "gb18030", "BIG-5": "big5"}


def named(family, charset="", encoding="utf-8", number="1", **fields):
    """Return an admission whose patient has this name, as bytes."""
    header = msh(f10=f"M{number}", f18=charset, **fields)
    pid = f"PID|1||{number}^^^HOSP^MR||{family}^Ann"
    return er7(header, "EVN|A01|2030", pid, "PV1|1|I", encoding=encoding)


def encoded_in(codec, *trails):
    """Return one character for each trail byte, whose second byte that is."""
    every = (chr(number) for number in range(0x3000, 0x9FA0))
    pairs = {each.encode(codec, "ignore")[1:]: each for each in every}
    return "".join(pairs[trail] for trail in trails)


# ---- MSH-18 absent


@pytest.mark.parametrize(
    ("family", "encoding", "flags"),
    [
        ("Doe", "ascii", []),
        ("Müller", "utf-8", ["charset_assumed"]),
        ("Müller", "iso8859-1", ["charset_assumed"]),
    ],
)
def test_E49_without_msh_18_it_is_ascii_then_utf_8_then_the_fallback(
    family, encoding, flags, strict, tmp_path
):
    feed = Feed(tmp_path, strict=strict)

    taken = feed.put(named(family, encoding=encoding))

    assert taken.message["PID-5.1"] == family
    assert taken.flags == flags
    assert taken.sent() == named(family, encoding=encoding)


def test_E49_the_fallback_is_the_channels_choice(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict, hl7={"charset-fallback": "8859/2"})

    taken = feed.put(named("Łódź", encoding="iso8859-2"))

    assert taken.message["PID-5.1"] == "Łódź"


# ---- every set, every alias


def test_E50_every_value_of_table_0211_is_read_written_and_kept(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict, edit=[COPY])
    assert len(TABLE_0211) >= 20

    for number, (name, family) in enumerate(TABLE_0211.items(), start=1):
        codec = codec_for(name) or ""
        data = named(family, name, codec, str(number))
        taken = feed.put(data)

        assert (taken.code, taken.state, taken.flags) == ("AA", "processed", []), name
        sent = taken.sent()
        assert sent.startswith(data[: data.index(b"^Ann")]), name
        assert parse(sent)["PID-9"] == family, name
        assert family.encode(codec) in sent.split(b"^Ann")[1], name


def test_E51_what_senders_write_instead_is_understood(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict)

    for number, (name, codec) in enumerate(ALIASES.items()):
        taken = feed.put(named("Müller", name, codec, str(number)))

        assert (taken.message["PID-5.1"], taken.flags) == ("Müller", []), name


def test_E51_unicode_alone_is_looked_at_before_it_is_believed(strict, tmp_path):
    taken = Feed(tmp_path, strict=strict).put(named("Müller", "UNICODE", "iso8859-1"))

    assert taken.message["PID-5.1"] == "Müller"
    assert taken.flags == ["charset_mismatch"]


# ---- what was declared is not what was sent


MISMATCHES = [
    ("ASCII", "iso8859-1", "charset_mismatch"),
    ("ASCII", "utf-8", "charset_mismatch"),
    ("UNICODE UTF-8", "iso8859-1", "charset_mismatch"),
    ("ISO IR87", "utf-8", "charset_mismatch"),
    ("KLINGON", "utf-8", "charset_unknown"),
]


@pytest.mark.parametrize(("declared", "real", "flag"), MISMATCHES)
def test_E52_other_bytes_than_declared_are_read_flagged_and_never_replaced(
    declared, real, flag, strict, tmp_path
):
    data = named("Müller", declared, real)

    taken = Feed(tmp_path, strict=strict).put(data)

    assert (taken.code, taken.state, taken.flags) == ("AA", "processed", [flag])
    assert taken.message["PID-5.1"] == "Müller"
    assert taken.sent() == data


@pytest.mark.parametrize(("declared", "real"), [each[:2] for each in MISMATCHES])
def test_E52_a_channel_may_have_them_quarantined_and_refused(declared, real, strict):
    options = {"strict": strict, "hl7": {"on_charset_mismatch": "quarantine"}}
    odd = adt(f18=declared, body="").rstrip(b"\r") + b"\rPID|1||1||" + "ü".encode(real)

    peer, fine = heard(odd, **options), heard(adt(f18=declared), **options)

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer) == ("199", "MSH^1^18")
    assert peer.verdicts == [Verdict.QUARANTINED]
    assert peer.journalled == [odd]
    assert codes(fine.sent) == [("AA", "M1")]


def test_E52_a_forced_set_is_what_counts_then(strict):
    options = {"on_charset_mismatch": "quarantine", "charset": "8859/1"}
    body = adt(f18="ASCII", body="PID|1||1||M\xfcller\r").decode().encode("latin-1")

    assert codes(heard(body, strict=strict, hl7=options).sent) == [("AA", "M1")]


def test_E52_each_flag_is_counted_for_its_feed(strict):
    peer = heard(b"\xef\xbb\xbf" + adt(body="NTE|1||a\tb\0\r"), strict=strict)

    counted = {name for name in peer.notes if name.startswith("flag_")}
    assert counted == {"flag_byte_order_mark", "flag_control_char", "flag_nul_byte"}


# ---- sets whose bytes look like delimiters


def test_E53_delimiters_count_only_where_iso_2022_is_in_ascii(strict, tmp_path):
    family = "日本語"  # 0x467C, 0x4B5C: a bar and a backslash
    data = named(family, "ASCII~ISO IR87", "iso2022_jp", f20="ISO 2022-1994")
    assert b"|K" in data.split(b"HOSP^MR")[1]

    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(data)

    assert (taken.state, taken.flags) == ("processed", [])
    assert taken.message["PID-5.1"] == family
    assert taken.message["PID-5.2"] == "Ann"
    assert taken.sent_message()["PID-9"] == family


def test_E53_escape_is_no_control_character_in_iso_2022(strict):
    options = {"hl7": {"control_characters": "reject"}, "strict": strict}
    kanji = "PID|1||1||日本\r".encode("iso2022_jp")

    declared = heard(adt(f18="~ISO IR87", body="") + kanji, **options)
    bare = heard(adt(body="") + kanji, **options)

    assert codes(declared.sent) == [("AA", "M1")]
    assert declared.journal.arrivals[0].findings == ()
    assert codes(bare.sent) == [("AR", "M1")]


@pytest.mark.parametrize(("declared", "codec"), DOUBLE_BYTE.items())
def test_E54_second_bytes_that_look_like_delimiters_are_none(
    declared, codec, strict, tmp_path
):
    family = encoded_in(codec, b"|", b"^", b"\\", b"~")
    data = named(family, declared, codec, f4=family)
    assert {0x7C, 0x5E, 0x5C} <= set(family.encode(codec))

    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(data)

    assert (taken.state, taken.flags) == ("processed", [])
    assert taken.message["MSH-4"] == taken.message["PID-5.1"] == family
    assert taken.message["PID-5.2"] == "Ann"
    assert taken.sent_message()["PID-9"] == family


@pytest.mark.parametrize(("declared", "codec"), DOUBLE_BYTE.items())
def test_E54_the_answer_repeats_such_a_sender_byte_for_byte(declared, codec, strict):
    sender = encoded_in(codec, b"|", b"^", b"\\")
    body = named("Doe", declared, codec, f4=sender)

    peer = heard(body, strict=strict)

    assert codes(peer.sent) == [("AA", "M1")]
    assert sender.encode(codec) in peer.sent.split(b"MSA")[0]


# ---- characters the receiver's set lacks


def to_his(**mllp):
    """Return a destination with other settings of its own."""
    place = {"host": "127.0.0.1", "port": 6661, **mllp}
    return [{"name": "his", "mllp": place}]


def test_E55_a_character_without_a_place_goes_to_the_error_queue(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict, destinations=to_his(charset="8859/1"))

    taken = feed.put(named("Dvořák"))

    assert taken.state == "error"
    assert taken.cause == ("render", "unrepresentable")
    assert "Dvo" not in taken.failure.sentence


@pytest.mark.parametrize(
    ("charset", "family", "written"),
    [
        ("ASCII", "Dvořák", rb"Dvo\XC599\\XC3A1\k"),
        ("8859/1", "Dvořák", b"Dvo\\C2D42\\\xf8\\C2842\\\xe1k"),
        ("8859/1", "山田", rb"\M2442\;3ED\C2842\ ".strip()),
        ("8859/2", "Ελ", b"\\C2D46\\\xc5\xeb\\C2842\\"),
    ],
)
def test_E55_or_is_written_as_an_escape_that_reads_back(
    charset, family, written, strict, tmp_path
):
    way = to_his(charset=charset, unrepresentable="escape")
    taken = Feed(tmp_path, strict=strict, destinations=way).put(named(family))

    assert b"||" + written + b"^Ann" in taken.sent()
    assert taken.sent_message()["PID-5.1"] == family


def test_E55_where_there_is_no_escape_either_it_is_the_error_queue(strict, tmp_path):
    way = to_his(charset="8859/1", unrepresentable="escape")

    taken = Feed(tmp_path, strict=strict, destinations=way).put(named("김"))

    assert taken.cause == ("render", "unrepresentable")


def test_E55_or_loses_its_accents_but_never_becomes_a_question_mark(strict, tmp_path):
    way = to_his(charset="ASCII", unrepresentable="transliterate")
    feed = Feed(tmp_path, strict=strict, destinations=way)

    assert feed.put(named("Dvořák")).sent_message()["PID-5.1"] == "Dvorak"
    assert feed.put(named("山田", number="2")).cause == ("render", "unrepresentable")


def test_E55_the_choice_holds_for_what_an_edit_writes_too(strict, tmp_path):
    edit = [{"set": "PID-5.1", "value": "Dvořák"}]
    way = to_his(unrepresentable="escape")

    taken = Feed(tmp_path, strict=strict, edit=edit, destinations=way).put(adt_a01())

    assert taken.sent_message()["PID-5.1"] == "Dvořák"
    assert taken.sent().isascii()


def test_E55_escapes_of_the_senders_set_mean_the_same_in_another(strict, tmp_path):
    family = "M\\XFC\\ller \\C2D42\\\xf8\\C2842\\ \\X0D\\ \\T\\"
    data = named(family, "ASCII~8859/1", "iso8859-1", f20="2.3")
    way = to_his(charset="UNICODE UTF-8")
    feed = Feed(tmp_path, strict=strict, destinations=way, hl7={"charset": "8859/1"})

    sent = feed.put(data).sent()

    assert "||Müller ř \\X0D\\ \\T\\^Ann".encode() in sent
    assert parse(sent)["PID-5.1"] == "Müller ř \r &"
    assert parse(sent)["MSH-18"] == "UNICODE UTF-8"
    assert parse(sent)["MSH-20"] == ""
