"""Character sets: every value of table 0211, and what senders write instead."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TransformError
from engine.hl7 import euc_tw, parse
from engine.hl7.charsets import codec_for, control_characters, decode, encode
from tests.builders import er7, msh

SAMPLES = [
    ("ASCII", "Doe"),
    ("8859/1", "Müller"),
    ("8859/2", "Łódź"),
    ("8859/3", "Ħamrun"),
    ("8859/4", "Šiauliai"),
    ("8859/5", "Иван"),
    ("8859/6", "محمد"),
    ("8859/7", "Ελένη"),
    ("8859/8", "שרה"),
    ("8859/9", "Ayşe"),
    ("8859/15", "Œuvre €"),
    ("UNICODE UTF-8", "Ünïcødé 山田 😀"),
    ("UNICODE", "Müller"),
    ("ISO IR6", "Doe"),
    ("ISO IR14", "Doe ｱｲｳ"),
    ("ISO IR87", "山田^太郎"),
    ("ISO IR159", "丂"),
    ("GB 18030-2000", "张三丂"),
    ("KS X 1001", "김철수"),
    ("BIG-5", "功許蓋"),
    ("CNS 11643-1992", "陳龜籲乂乜ⅷ␀"),
    ("UTF-8", "Müller"),
    ("UTF8", "Müller"),
    ("ISO-8859-1", "Müller"),
    ("8859-1", "Müller"),
    ("ISO8859/15", "€"),
    ("Windows-1252", "“Müller”"),
    ("SHIFT_JIS", "表示ソ"),
]


@pytest.mark.parametrize(("name", "text"), SAMPLES)
def test_every_set_is_read_written_and_kept_byte_for_byte(name, text):
    codec = codec_for(name)
    data = er7(msh(f18=name), f"PID|||1||{text}|x", encoding=codec)
    message = parse(data)

    assert message.segments[1].raw(5) == text
    assert message["PID-6"] == "x"
    assert message.charset == codec
    assert message.findings == []
    assert message.encode() == data

    message.segments[1].put(7, "1980")

    assert message.encode() == er7(
        msh(f18=name), f"PID|||1||{text}|x|1980", encoding=codec
    )


@given(data=st.binary(), declared=st.sampled_from([*(n for n, _ in SAMPLES), "", "X"]))
def test_decoding_never_fails_and_never_replaces(data, declared):
    found = decode(data, [declared] if declared else [], "8859/1")

    assert "\ufffd" not in found.text or "\ufffd".encode(found.codec) in data
    if found.codec in {"ascii", "utf-8", "iso8859-1"}:
        assert found.text.encode(found.codec) == data


@pytest.mark.parametrize(
    ("declared", "data", "codec", "code"),
    [
        ([], b"Doe", "ascii", None),
        ([], "é".encode(), "utf-8", "charset_assumed"),
        ([], b"\xe9", "iso8859-1", "charset_assumed"),
        (["ASCII"], b"\xe9", "iso8859-1", "charset_mismatch"),
        (["ASCII"], "é".encode(), "utf-8", "charset_mismatch"),
        (["UNICODE UTF-8"], b"\xe9", "iso8859-1", "charset_mismatch"),
        (["UNICODE"], b"\xe9", "iso8859-1", "charset_mismatch"),
        (["UNICODE UTF-8"], b"Doe", "utf-8", None),
        (["KLINGON"], b"Doe", "utf-8", "charset_unknown"),
        (["CNS 11643-1992"], "\u81fa".encode("big5"), "cp950", "charset_mismatch"),
        (["CNS 11643-1992"], b"\x8e\xa3\xa1\xa1", "iso8859-1", "charset_mismatch"),
        (["BIG-5"], "\u81fa\u7063".encode(), "utf-8", "charset_mismatch"),
        (["ASCII", "ISO IR87"], b"\x1b$B;3\x1b(B", "iso2022_jp_ext", None),
        (["ISO IR87"], "山".encode("cp932"), "cp932", "charset_mismatch"),
        (["8859/1", "ISO IR87"], b"\xe9", "iso8859-1", None),
    ],
)
def test_the_declared_set_is_tried_first_and_a_mismatch_is_told(
    declared, data, codec, code
):
    found = decode(data, declared, "8859/1")

    assert found.codec == codec
    assert [finding.code for finding in found.findings] == ([code] if code else [])


def test_the_channels_fallback_reads_what_nothing_else_explains():
    assert decode(b"\xb1", [], "8859/2").text == "ą"
    assert decode(b"\xb1\xff", [], "UNICODE UTF-8").codec == "iso8859-1"
    assert decode(b"\xb1", [], "KLINGON").codec == "iso8859-1"


def test_a_channel_can_force_a_set():
    data = er7(msh(), "PID|||1||Łódź", encoding="iso8859-2")

    assert parse(data, charset="8859/2")["PID-5"] == "Łódź"


def test_delimiters_inside_a_kanji_are_not_delimiters():
    names = "日本"  # 0x467C and 0x4B5C: a bar and a backslash
    data = er7(
        msh(f4=names, f18="~ISO IR87"), f"PID|||1||{names}^x", encoding="iso2022_jp"
    )
    message = parse(data)

    assert b"|K" in data
    assert message["MSH-4"] == names
    assert message["PID-5"] == names
    assert message["PID-5.2"] == "x"


def test_a_character_without_a_place_is_an_error_unless_transliterated():
    with pytest.raises(TransformError) as caught:
        encode("Dvořák", "iso8859-1")
    assert caught.value.code == "unrepresentable"

    assert encode("Dvořák", "iso8859-1", "transliterate") == b"Dvor\xe1k"
    with pytest.raises(TransformError):
        encode("山", "iso8859-1", "transliterate")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"a\rb\nc\x1b$B", ""), (b"a\tb", "control_char"), (b"a\0\tb", "nul_byte")],
)
def test_control_characters_are_found(data, code):
    assert control_characters(data) == code


@pytest.mark.parametrize(("name", "text"), SAMPLES)
def test_the_codec_of_a_message_is_a_name_for_its_set(name, text):
    codec = codec_for(name) or ""

    assert codec_for(codec) == codec
    assert decode(text.encode(codec), [codec]) == (text, codec, ())


def test_every_character_of_cns_11643_is_read_as_it_is_written():
    rows = range(0xA1, 0xFF)
    pairs = [bytes([row, column]) for row in rows for column in rows]
    known = 0
    for data in (*pairs, *(b"\x8e\xa2" + pair for pair in pairs)):
        try:
            text = data.decode(euc_tw.NAME)
        except UnicodeDecodeError:
            continue
        known += 1
        assert text.encode(euc_tw.NAME) == data

    assert known == 5867 + 7650
    assert b"\x8e\xa1\xc4\xe3".decode(euc_tw.NAME) == b"\xc4\xe3".decode(euc_tw.NAME)


def test_cns_11643_agrees_with_the_table_of_the_system():
    iconv = shutil.which("iconv")
    if iconv is None:
        pytest.skip("there is no iconv here to compare with")
    text = "臺北市立聯合醫院陳籲龜乂乜"

    told = subprocess.run(  # noqa: S603 - the system's own program
        [iconv, "-f", "UTF-8", "-t", "EUC-TW"],
        input=text.encode(), capture_output=True, check=True,
    )  # fmt: skip

    assert told.stdout == text.encode(euc_tw.NAME)


def test_what_cns_11643_planes_1_and_2_lack_is_an_error():
    with pytest.raises(UnicodeEncodeError):
        "a𠀋".encode(euc_tw.NAME)
    with pytest.raises(UnicodeDecodeError):
        b"a\x8e\xa3\xc4\xe3".decode(euc_tw.NAME)
