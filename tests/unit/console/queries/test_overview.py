"""The figures of the first screen."""

from datetime import timedelta

from engine.console.queries.overview import Process, warnings
from tests.stored import NOON


def told(detail, *, alive=True):
    return Process("here", "edge", "edge", 1, alive, NOON, detail)


def test_what_living_processes_warn_of_is_said_in_sentences():
    soon = (NOON + timedelta(days=9, hours=1)).isoformat()
    detail = {
        "certificates": {"his": soon, "later": "2099-01-01T00:00:00+00:00"},
        "tls_problems": {"his": "tls profile his: his.pem cannot be read"},
        "disk": {"percent": 91.5, "full": False},
        "failing": ["adt/fhir"],
        "problems": {"oru": "port 2575 is in use"},
    }

    full: dict[str, object] = {"disk": {"percent": 99.9, "full": True}}

    said = warnings([told(detail), told({}, alive=False)], NOON)
    [of_the_disk] = warnings([told(full)], NOON)

    assert said == [
        "certificate of tls profile his: 9 days left",
        "the disk is 91.5 % full",
        "tls profile his: his.pem cannot be read",
        "adt/fhir has failed for long",
        "port 2575 is in use",
    ]
    assert "no message is taken" in of_the_disk
