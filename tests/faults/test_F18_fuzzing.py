"""F18: any bytes for every reader of bytes; the oracles are in `fuzzed.targets`.

Guided by coverage, for longer: ``make fuzz TARGET=deframe SECONDS=600``.
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edge_ledger import ROOT
from tests.faults.fuzzed.targets import TARGETS, timed

WORDS = {
    "deframe": [b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", b"\n", b"\x0b\x0b"],
    "er7_message": [
        *(b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\r\n", b"PID|", b"OBX|1|NM|"),
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
    "charset": [b"\x1b$B", b"\x1b(B", b"0l", b"\xa4\xa4", b"\xff\xfe", b"\xef\xbb\xbf"],
    "expression": [
        *(b"PID-5.1", b" == ", b'"A"', b"(", b")", b" and ", b" not ", b"1.5", b", "),
        *(b"lower(", b"startswith(", b"PID-3[*]", b" in ", b"'", b"#", b" if ", b"^"),
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
        *(b"MSH|^~\\&|H|H|E|E|2030||ACK|1|P|2.5.1", b"\rMSA|", b"AA|", b"CA|", b"AE|"),
        *(b"MSG1", b"MSG", b"\r", b"|", b"ERR|||207|F", b"\n", b"^"),
    ],
    "attachment": [b"%PDF-1.7", b"=", b"QUJD", b" ", b"\r\n", b"<script>", b"\x00"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_F18_no_bytes_break_a_reader(name):
    words = st.lists(st.sampled_from(WORDS[name]) | st.binary(max_size=8), max_size=40)
    target = TARGETS[name]

    @settings(max_examples=100 if name == "channel" else 300, deadline=None)
    @given(data=words.map(b"".join))
    def any_bytes(data):
        timed(target, data)

    any_bytes()


def test_F18_every_target_is_fuzzed_at_night():
    [line] = re.findall(
        r"^FUZZED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )

    assert line.split() == sorted(TARGETS)
