"""Cutting files into messages, numbering them, reading answers."""

from engine.peers.sending import Feed, Tally, read_answer, read_messages, split

ONE = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|ID1|P|2.5.1\rPID|1\r"
TWO = ONE.replace(b"ID1", b"ID2")


def test_a_file_with_line_feeds_becomes_messages_with_carriage_returns():
    content = ONE.replace(b"\r", b"\r\n") + b"\n\n" + TWO.replace(b"\r", b"\n")

    assert split(content) == [ONE, TWO]


def test_mllp_blocks_in_a_file_are_taken_off():
    assert split(b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r") == [ONE, TWO]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    (tmp_path / "b.hl7").write_bytes(TWO)
    (tmp_path / "a.hl7").write_bytes(ONE)

    assert read_messages(tmp_path) == [ONE, TWO]


def test_past_the_last_message_the_first_comes_again_with_a_new_control_id():
    feed = Feed([ONE, TWO], last=4)

    assert [feed.message(number)[0] for number in range(1, 5)] == [
        "ID1",
        "ID2",
        "ID1R1",
        "ID2R1",
    ]
    assert feed.message(3)[1] == ONE.replace(b"ID1", b"ID1R1")


def test_a_feed_ends_at_its_last_number():
    feed = Feed([ONE, TWO], first=2)

    assert [feed.next_number(), feed.next_number()] == [2, None]


def test_a_rate_spaces_the_messages_evenly():
    feed = Feed([ONE], first=5, per_second=4)
    feed.began = 100.0

    assert [feed.due(5), feed.due(6), feed.due(9)] == [100.0, 100.25, 101.0]


def test_an_answer_tells_its_code_its_message_and_its_reason():
    answer = read_answer(
        b"MSH|^~\\&|X\rMSA|AE|ID1\rERR||PID^1^7|102^Data type error^HL70357|E\r"
    )

    assert (answer.code, answer.control_id) == ("AE", "ID1")
    assert answer.reason == "102 Data type error HL70357 PID 1 7"


def test_bytes_that_are_no_answer_are_counted_as_unreadable():
    assert read_answer(b"hello").code == "unreadable"


def test_a_tally_counts_accepted_and_refused_apart():
    tally = Tally()

    tally.count(read_answer(b"MSH|^~\\&|X\rMSA|AA|1\r"), 0.010)
    tally.count(read_answer(b"MSH|^~\\&|X\rMSA|AR|2\r"), 0.030)

    assert (tally.finished, tally.accepted) == (2, 1)
    assert tally.reasons[("AR", "")] == 1
    assert tally.milliseconds(0.99) == 30.0
