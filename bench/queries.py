"""Time of one question to a filled patient index: PDQ and PIX over HL7 v2, FHIR.

Run: ``python bench/queries.py [--persons 1000000] [--store FOLDER] [--questions 300]``.
It fills a store with invented persons (kept in ``--store`` for the next run), then
asks each kind of question in turn and prints wall and CPU milliseconds, the durable
audit row of every question included. Goal: p95 of PDQ and of ``$match`` at most 10 ms
at a million.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import accumulate, chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvicorn

from engine.channels.collector import collect_rarely
from engine.channels.format.channel import Channel, Query, Source
from engine.channels.format.endpoints import MllpSource
from engine.channels.queries.answering import Answering
from engine.channels.queries.directory import Directory
from engine.console.site import create_app
from engine.console.surroundings import Surroundings
from engine.identity.decision import Decision, Outcome, Reason, RecordChange
from engine.identity.index import Identifier
from engine.identity.matching import keys_of
from engine.identity.registration import Registration
from engine.identity.traits import Traits
from engine.settings import Settings
from engine.store import tokens
from engine.store.audit import Order
from engine.store.database import Database, open_database
from engine.store.patient_changes import apply
from engine.store.patients import SqlPatientIndex, mint, shipped

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BATCH = 20_000
BIRTHS = date(1920, 1, 1)
GOAL_MS = 10.0
RARE_SHARE = 0.3


def main() -> None:
    """Fill, ask and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.store or Path(scratch)
        folder.mkdir(exist_ok=True)
        database = open_database(f"sqlite:///{folder}", bytes(32), role="console")
        fill(database, options.persons)
        ask_all(database, options.persons, options.questions)
        database.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--store", type=Path)
    return parser.parse_args()


# ---- invented persons, the same for the same number


def _weighted(trait: str) -> tuple[list[str], list[int]]:
    counts = shipped().names[trait]
    return list(counts), list(accumulate(counts.values()))


FAMILIES, GIVENS = _weighted("family"), _weighted("given")


def person(number: int) -> Traits:
    """Return the traits of person ``number``."""
    rng = random.Random(number)  # noqa: S311 - invented people
    family = rng.choices(FAMILIES[0], cum_weights=FAMILIES[1])[0]
    if rng.random() < RARE_SHARE:  # names beyond the shipped ones, as any city has them
        family += rng.choice("aeiou") + rng.choice("lmnrst")
    born = BIRTHS + timedelta(days=rng.randrange(38_000))
    return Traits(
        given=rng.choices(GIVENS[0], cum_weights=GIVENS[1])[0],
        middle=rng.choice("abcdefghijklmnopqrstuvwyz"),
        family=family,
        birth=f"{born:%Y%m%d}",
        sex=rng.choice("MF"),
        number=str(rng.randrange(1, 9_999)),
        street=f"{rng.choice(FAMILIES[0])} st",
        city="salem",
        state="or",
        zip5=f"{97_000 + rng.randrange(900)}",
        phone=f"503{rng.randrange(2_000_000, 9_999_999)}",
    )


def fill(database: Database, count: int) -> None:
    """Register persons who are nobody's double, as far as they are missing."""
    with database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        there = index.frequencies("", "").records
    began, numbers = time.process_time(), iter(range(there, count))
    while some := list(islice(numbers, BATCH)):
        with database.engine() as connection:
            index = SqlPatientIndex(connection, database.sealer)
            for number in some:
                apply(index, _new(index, number), NOON, shipped())
            index.flush()
        print(f"\rfilled {some[-1] + 1:,}", end="", file=sys.stderr)
    if count > there:
        spent = time.process_time() - began
        print(f"\rfilled {count - there:,} in {spent:.0f} s of CPU", file=sys.stderr)
    database.checkpoint()


def _new(index: SqlPatientIndex, number: int) -> Decision:
    traits, eid = person(number), mint()
    numbers = (Identifier("HOSP", "MR", str(number)),)
    registration = Registration(numbers, traits, eid, message=number + 1)
    keys = tuple(keys_of(traits, index, shipped()))
    change = RecordChange(None, eid, traits, numbers, keys_added=keys)
    return Decision(
        registration, Outcome.NEW, eid, (Reason.NO_CANDIDATE,), change=change
    )


# ---- questions


def ask_all(database: Database, persons: int, questions: int) -> None:
    """Ask every kind of question about some of so many persons; print the times."""
    collect_rarely()  # as the processes do that answer
    rng = random.Random(7)  # noqa: S311 - the same questions every time
    people = [person(rng.randrange(persons)) for _ in range(questions)]
    print(f"{persons:,} persons; wall and CPU milliseconds of one question")
    print(f"{'':34}{'p50':>8}{'p95':>8}{'p99':>8}{'CPU':>8}")
    directory = Directory("bench", "urn:bench", shipped())
    for name, ask in chain(v2(database, directory), fhir(database, directory)):
        measured(name, ask, people)


Ask = Callable[[Traits], int]


def v2(database: Database, directory: Directory) -> Iterator[tuple[str, Ask]]:
    """Yield PDQ questions as a listener of queries answers them."""
    source = Source(mllp=MllpSource(port=1))
    channel = Channel(name="q", source=source, query=Query(answer=("pix", "pdq")))
    answering = Answering(database, _no_site, lambda: NOON, lambda: "R")
    answering._directories[channel.revision] = directory  # noqa: SLF001 - no files here

    def pdq(*parts: str) -> Ask:
        def ask(who: Traits) -> int:
            asked = "~".join(parts).format(**who._asdict(), stem=who.family[:4])
            data = (
                "MSH|^~\\&|A|B|||2030||QBP^Q22^QBP_Q21|1|P|2.5.1\r"
                f"QPD|IHE PDQ Query|T|{asked}\rRCP|I|25^RD\r"
            )
            answer = answering.answer(channel, data.encode(), "bench") or b""
            return answer.count(b"\rPID|")

        return ask

    family, given = "@PID.5.1^{family}", "@PID.5.2^{given}"
    yield (
        "PDQ family, given, birth, sex",
        pdq(family, given, "@PID.7^{birth}", "@PID.8^{sex}"),
    )
    yield "PDQ family and birth", pdq(family, "@PID.7^{birth}")
    yield "PDQ family and given", pdq(family, given)
    yield "PDQ family* and birth", pdq("@PID.5.1^{stem}*", "@PID.7^{birth}")
    yield "PDQ birth alone", pdq("@PID.7^{birth}")
    yield "PDQ phone", pdq("@PID.13^{phone}")
    yield "PDQ family alone, 25 of many", pdq(family)
    yield "PDQ family*, 25 of many", pdq("@PID.5.1^{stem}*")
    yield "PDQ family* and given*", pdq("@PID.5.1^{stem}*", "@PID.5.2^{given}*")


def _no_site() -> object:
    raise AssertionError("the directory is there already")


def fhir(database: Database, directory: Directory) -> Iterator[tuple[str, Ask]]:
    """Yield questions over HTTP, each on a connection that stays open."""
    settings = Settings(folder=Path(), site="bench", identity_system="urn:bench")
    here = Surroundings(settings, database, directory, lambda: NOON)
    config = uvicorn.Config(create_app(here), port=0, log_config=None, ws="none")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with database.engine() as connection:
        secret = tokens.issue(
            connection,
            database.sealer,
            "bench",
            ["view-phi"],
            NOON + timedelta(days=1),
            Order("bench", NOON),
        )
    http = HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {secret}"}

    def send(path: str, body: str, kind: str) -> int:
        http.request("POST", path, body, headers | {"Content-Type": kind})
        answer = http.getresponse()
        found = json.loads(answer.read())
        if answer.status != HTTPStatus.OK:
            raise SystemExit(f"{path}: {answer.status} {found}")
        return len(found.get("entry", []))

    def match(who: Traits) -> int:
        patient = {
            "resourceType": "Patient",
            "name": [{"family": who.family, "given": [who.given]}],
            "birthDate": f"{date.fromisoformat(who.birth)}",
            "gender": {"M": "male", "F": "female"}[who.sex],
            "address": [
                {"line": [f"{who.number} {who.street}"], "postalCode": who.zip5}
            ],
        }
        body = {"parameter": [{"name": "resource", "resource": patient}]}
        return send("/fhir/Patient/$match", json.dumps(body), "application/fhir+json")

    def search(who: Traits) -> int:
        body = f"family={who.family}&birthdate={date.fromisoformat(who.birth)}"
        form = "application/x-www-form-urlencoded"
        return send("/fhir/Patient/_search", body, form)

    yield "$match over HTTP", match
    yield "PDQm family and birth over HTTP", search
    server.should_exit = True


def measured(name: str, ask: Ask, people: list[Traits]) -> None:
    """Ask for everybody, and print how long one question took."""
    found = ask(people[0])
    times, cpu, missed = [], time.process_time(), 0
    for who in people:
        began = time.perf_counter()
        found = ask(who)
        times.append((time.perf_counter() - began) * 1000)
        missed += not found
    spent = (time.process_time() - cpu) / len(people) * 1000
    times.sort()
    cells = [times[int(len(times) * share)] for share in (0.5, 0.95, 0.99)]
    told = "".join(f"{each:>8.1f}" for each in (*cells, spent))
    late = "  over the goal" if cells[1] > GOAL_MS else ""
    lost = f"  {missed} answered without anybody" if missed else ""
    print(f"{name:34}{told}{late}{lost}")


if __name__ == "__main__":
    main()
