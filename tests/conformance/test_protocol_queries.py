"""protocol.md E80 and section 4: answers that wait for what becomes of the message."""

from datetime import timedelta

import pytest
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from engine.channels.awaiting import Outcomes, endings
from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import enclose
from engine.store.delivery_state import Event
from tests.databases import each_setting
from tests.listening import ADMISSION, Peer, adt, answers, codes
from tests.processing import lines, process, states
from tests.stored import end, lease

QUERY = "QPD|IHE PDQ Query|Q1|@PID.5.1^Doe\rRCP|I\r"
FOUND = "MSA|AA|{name}\rQAK|Q1|OK\rQPD|IHE PDQ Query|Q1\rPID|1||7^^^HIS^MR||Doe\r"


def query(name="M1", **fields):
    return adt(name, body=QUERY, f9="QBP^Q22^QBP_Q21", **fields)


def response(name="M1", body=FOUND):
    """Return what the asked system answers to what it was sent."""
    head = "MSH|^~\\&|HIS|HOSP|REG|GEN|2030||RSP^K22^RSP_K21|R1|P|2.5.1\r"
    return (head + body.format(name=name)).encode()


class Asker(Peer):
    """A peer that waits for what becomes of its messages, on a real store."""

    def __init__(self, store, strict, folder, ack="delivered", **mllp):
        self.time = Clock()
        outcomes = Outcomes(lambda asked: execute(endings, store, asked), self.time)
        super().__init__(
            strict=strict, store=store, outcomes=outcomes, mllp={"ack": ack, **mllp}
        )
        self.store, self.lines = store, lines(folder)

    def work(self, answer=None, event=Event.ACCEPT, **fields):
        """Process, deliver with that answer, and let the edge look again."""
        process(self.store, self.lines)
        for each in lease(self.store, destination="his") if answer is not None else ():
            end(self.store, each, event, answer=answer, **fields)
        self.time.advance(0.1)


@each_setting
def test_E80_a_query_is_answered_by_the_system_it_goes_to(store, strict, tmp_path):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query()))
    asker.work()
    assert asker.sent == b""

    asker.work(response())

    assert answers(asker.sent) == [response()]
    assert states(store) == [("processed", "")]


@each_setting
def test_E80_in_enhanced_mode_the_answer_follows_its_accept_answer(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query(f15="AL", f16="AL")))
    assert codes(asker.sent) == [("CA", "M1")]

    asker.work(response())

    assert answers(asker.sent)[1:] == [response()]


@each_setting
def test_E80_the_answer_names_the_query_as_its_asker_named_it(store, strict, tmp_path):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query("a\\T\\b")))

    asker.work(response("OURS"))

    assert answers(asker.sent) == [response("a\\T\\b")]


@each_setting
def test_E80_a_plain_acknowledgment_is_not_passed_on(store, strict, tmp_path):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(adt(body=ADMISSION)))

    asker.work(b"MSH|^~\\&|HIS||||||ACK|R1|P|2.5.1\rMSA|AA|M1\r")

    assert codes(asker.sent) == [("AA", "M1")]
    assert answers(asker.sent)[0].startswith(b"MSH|^~\\&|||REG|GEN|")


@each_setting
def test_E80_without_an_answer_in_time_it_is_ae_207_and_stays_in_the_journal(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path, ack_wait=timedelta(seconds=3))
    asker.hear(enclose(query()))
    asker.work()

    asker.time.advance(3)

    [answer] = map(parse_acknowledgment, answers(asker.sent))
    assert (answer.code, answer.control_id) == ("AE", "M1")
    assert answer.errors[0].code == "207"
    assert states(store) == [("processed", "")]


@each_setting
def test_E80_asked_again_after_that_it_hears_the_answer_now_known(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path, ack_wait=timedelta(seconds=3))
    asker.hear(enclose(query()))
    asker.work()
    asker.time.advance(3)
    asker.work(response())

    asker.hear(enclose(query()))

    assert answers(asker.sent)[1:] == [response()]
    assert len(states(store)) == 1


@each_setting
def test_section_4_a_business_reject_of_the_destination_is_ae_with_its_cause(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query()))

    words = {"class_": "permanent", "code": "answered-ae", "sentence": "answered AE"}
    asker.work(b"", Event.PARK, **words)

    [answer] = map(parse_acknowledgment, answers(asker.sent))
    assert (answer.code, answer.control_id) == ("AE", "M1")
    assert [
        (each.code, each.text, each.application_code) for each in answer.errors
    ] == [("207", "answered AE", "answered-ae")]


REFUSED = "MSA|AE|{name}\rQAK|Q1|AE\rQPD|IHE PDQ Query|Q1\r"


@each_setting
def test_E80_a_refusal_that_is_more_than_an_acknowledgment_is_passed_on(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query()))

    words = {"class_": "permanent", "code": "answered-ae", "sentence": "answered AE"}
    asker.work(response(body=REFUSED), Event.PARK, **words)

    assert answers(asker.sent) == [response(body=REFUSED)]
    assert asker.notes["accepted_then_failed"] == 1


@each_setting
def test_E80_a_refusal_by_http_goes_to_who_asks_for_errors_only(
    store, strict, tmp_path
):
    asker = Asker(store, strict, tmp_path)
    asker.hear(enclose(query(f15="AL", f16="ER")))

    asker.work(response(body=REFUSED))  # taken with 200, and refused in its answer

    assert answers(asker.sent)[-1] == response(body=REFUSED)


@pytest.mark.parametrize(
    ("asked", "first"), [({}, []), ({"f15": "AL", "f16": "ER"}, ["CA"])]
)
@each_setting
def test_section_4_a_processing_fault_is_answered_with_its_place(
    store, strict, tmp_path, asked, first
):
    asker = Asker(store, strict, tmp_path, ack="processed")
    asker.lines = lines(tmp_path, strict=True)
    asker.hear(enclose(adt(body="EVN||2030\rPID|1\rPV1|1|I\r", **asked)))

    asker.work()

    *before, last = map(parse_acknowledgment, answers(asker.sent))
    assert [each.code for each in before] == first
    assert last.code == "AE"
    assert ("101", "PID^1^3") in [(each.code, each.location) for each in last.errors]
    assert [state for state, _ in states(store)] == ["error"]
