"""What a failed attempt leads to, class by class."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.channels.format.channel import Attempts, Retry
from engine.channels.retry import (
    CONNECTION_DOWN,
    FailureClass,
    Scope,
    backoff,
    class_of,
    consequence,
    is_alarming,
)
from engine.errors import (
    AmbiguousError,
    CredentialsError,
    DeliveryError,
    NotNowError,
    PermanentError,
    TransientError,
)

PATIENT = Retry()


def after(failure, tries=1, retry=PATIENT, draw=0.5):
    return consequence(failure, tries, retry, draw)


@given(tries=st.integers(1, 10_000), draw=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_longer_than_the_ceiling(tries, draw):
    assert 0 <= backoff(tries, PATIENT, draw) <= 300


def test_waits_double_up_to_five_minutes():
    steady = Retry(jitter=False)

    waits = [backoff(tries, steady, 0) for tries in range(1, 12)]

    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300


def test_fixed_waits_do_not_grow():
    fixed = Retry(backoff="fixed", first=timedelta(seconds=10))

    assert {backoff(tries, fixed, 0.3) for tries in range(1, 9)} == {10.0}


@pytest.mark.parametrize("tries", [1, 50, 100_000])
def test_a_transient_failure_is_tried_again_for_ever(tries):
    assert after(TransientError("no answer", "no-answer"), tries).wait_seconds


def test_a_site_may_limit_transient_tries():
    few = Retry(attempts=Attempts(transient=3))
    failure = TransientError("no answer", "no-answer")

    assert after(failure, 3, few).wait_seconds is not None
    assert after(failure, 4, few).wait_seconds is None


@pytest.mark.parametrize(
    ("failure", "tries"),
    [(AmbiguousError("mismatch", "x"), 3), (NotNowError("locked", "x"), 10)],
)
def test_bounded_classes_are_parked_when_their_tries_are_used_up(failure, tries):
    assert after(failure, tries).wait_seconds is not None
    assert after(failure, tries + 1).wait_seconds is None


def test_a_permanent_failure_is_parked_at_once():
    assert after(PermanentError("refused", "x")).wait_seconds is None


def test_not_now_tries_are_spread_over_an_hour():
    failure = NotNowError("locked", "record-locked")

    waits = [after(failure, tries).wait_seconds for tries in range(1, 11)]

    assert sum(waits) == pytest.approx(3600)
    assert all(later == pytest.approx(2 * sooner) for sooner, later in pairwise(waits))


def test_credentials_pause_the_destination():
    ended = after(CredentialsError("HTTP 401", "http-401", status=401))

    assert (ended.pause, ended.scope) == (True, Scope.DESTINATION)


@pytest.mark.parametrize("code", sorted(CONNECTION_DOWN))
def test_when_the_connection_is_down_every_lane_waits(code):
    assert after(TransientError("down", code)).scope is Scope.DESTINATION


def test_when_one_document_gets_no_answer_only_its_lane_waits():
    assert after(TransientError("no answer", "no-answer")).scope is Scope.LANE


def test_a_receiver_that_asks_for_patience_gets_it():
    busy = TransientError("busy", "http-503", status=503, retry_after_seconds=77)

    assert (after(busy).wait_seconds, after(busy).scope) == (77, Scope.DESTINATION)


def test_a_not_now_delivery_may_be_stepped_over():
    failure = NotNowError("locked", "record-locked")

    assert after(failure).scope is Scope.LANE
    assert after(failure, retry=Retry(not_now="skip")).scope is Scope.NOBODY


def test_an_unclassified_delivery_error_goes_to_a_person():
    assert class_of(DeliveryError("odd", "odd")) is FailureClass.PERMANENT


def test_an_alarm_is_due_after_five_minutes_or_fifty_tries():
    assert not is_alarming(49, 299)
    assert is_alarming(50, 0)
    assert is_alarming(1, 300)
