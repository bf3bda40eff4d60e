"""What persons want of channels and destinations."""

import dataclasses

import pytest

from engine.channels.format.channel import Channel, Destination, Source
from engine.channels.format.endpoints import FileDestination, MllpSource
from engine.channels.reporting import wishes_of
from engine.store.reports import Wanted
from engine.store.words import RunState
from tests.fakes import NOON

HIS = Destination(name="his", file=FileDestination(path="/x"))
ADT = Channel(name="adt", source=Source(mllp=MllpSource(port=1)), destinations=(HIS,))
MANUAL = dataclasses.replace(ADT, start="manual")


def wished(channel=ADT, **states):
    """``adt=RunState.PAUSED`` is the channel, ``his`` its destination."""
    places = {"adt": ("adt", ""), "his": ("adt", "his")}
    wanted = {
        places[name]: Wanted(*places[name], state, "", "ops", NOON)
        for name, state in states.items()
    }
    found = wishes_of(wanted, [channel])
    return bool(found.silenced), bool(found.paused)


@pytest.mark.parametrize(
    ("states", "rests"),
    [
        ({}, (False, False)),
        ({"adt": RunState.RUNNING}, (False, False)),
        ({"adt": RunState.PAUSED}, (True, False)),
        ({"adt": RunState.STOPPED}, (True, True)),
        ({"his": RunState.PAUSED}, (False, True)),
        ({"his": RunState.STOPPED}, (False, True)),
    ],
)
def test_what_rests_is_what_persons_want(states, rests):
    assert wished(**states) == rests


def test_a_manual_channel_waits_for_a_person():
    assert wished(MANUAL) == (True, False)
    assert wished(MANUAL, adt=RunState.RUNNING) == (False, False)
