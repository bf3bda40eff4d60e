"""protocol.md 3.1, what stands inside a block: odd bytes, sizes, other formats."""

import tracemalloc

import pytest
from lxml import etree

from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.linear_time import chunk_seconds
from tests.listening import Peer, adt, answers, codes


def test_E15_nul_bytes_are_kept_as_they_came(strict):
    body = adt() + b"NTE|1||a\x00b\r"
    peer = Peer(strict=strict)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("nul_byte",)


def test_E15_a_channel_may_reject_nul_bytes(strict):
    peer = Peer(strict=strict, hl7={"nul_bytes": "reject"})

    peer.hear(enclose(adt() + b"NTE|1||a\x00b\r"))

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"102" in peer.sent


@pytest.mark.parametrize("control", [b"\t", b"\x01", b"\x1f"])
def test_E16_control_characters_are_kept_and_flagged(control, strict):
    body = adt() + b"NTE|1||a" + control + b"b\r"
    peer = Peer(strict=strict)

    peer.hear(enclose(body))

    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("control_char",)


def test_E17_a_byte_order_mark_before_msh_is_kept_and_flagged(strict):
    body = b"\xef\xbb\xbf" + adt()
    peer = Peer(strict=strict)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("byte_order_mark",)


def test_E17_a_byte_order_mark_before_the_block_does_no_harm(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\xef\xbb\xbf" + enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le"])
def test_E18_wide_characters_are_refused_with_a_reason(codec, strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt().decode("ascii").encode(codec)))

    assert codes(peer.sent) == [("AR", "")]
    assert b"charset not supported by MLLP" in peer.sent
    assert peer.verdicts == [Verdict.QUARANTINED]


@pytest.mark.parametrize("excess", [-1, 0])
def test_E19_a_message_up_to_the_limit_is_accepted(excess, strict):
    body = adt()
    body += b"x" * (10_000 + excess - len(body))
    peer = Peer(mllp={"max_size": 10_000}, strict=strict)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]


def test_E19_a_message_over_the_limit_is_refused_and_the_connection_drained(strict):
    peer = Peer(mllp={"max_size": 10_000}, strict=strict)

    for _ in range(40):
        peer.hear(b"\x0b" + adt() + b"x" * 1_000 if not peer.heard else b"x" * 1_000)

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"104" in peer.sent
    assert len(peer.journalled[0]) < 200
    peer.clock.advance(5)
    assert peer.closed


def test_E19_memory_for_a_large_message_stays_under_three_times_its_size(strict):
    size = 8_000_000
    peer = Peer(strict=strict, mllp={"max_size": size + 1_000})
    piece = b"x" * 65_536
    tracemalloc.start()

    peer.hear(b"\x0b" + adt())
    for _ in range(size // len(piece)):
        peer.hear(piece)
    peer.hear(b"\r\x1c\r")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert codes(peer.sent) == [("AA", "M1")]
    assert peak <= 3 * size


@pytest.mark.parametrize(("chunk", "size"), [(1_460, 1_000_000), (1, 10_000)])
def test_E20_work_is_linear_in_small_chunks(chunk, size, strict):
    least = min(chunk_seconds(size, chunk, strict=strict) for _ in range(3))

    assert chunk_seconds(8 * size, chunk, strict=strict) <= 24 * least


def test_E30_xml_with_a_control_id_is_journalled_and_named(strict):
    body = b"<?xml version='1.0'?><ADT_A01><MSH><MSH.10>M1</MSH.10></MSH></ADT_A01>"
    peer = Peer(strict=strict)

    peer.hear(enclose(body))

    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].control_id == "M1"
    [answer] = answers(peer.sent)
    root = etree.fromstring(answer)
    where = {"v2": "urn:hl7-org:v2xml"}
    assert root.findtext("v2:MSA/v2:MSA.1", namespaces=where) == "AA"
    assert root.findtext("v2:MSA/v2:MSA.2", namespaces=where) == "M1"


def test_E30_xml_without_a_control_id_is_refused_without_a_name(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"))

    assert codes(peer.sent) == [("AR", "")]
    assert peer.verdicts == [Verdict.QUARANTINED]
