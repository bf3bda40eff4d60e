"""What the map and the matcher make of every message, as hashes: builds must agree.

Run: ``PYTHONHASHSEED=0 python -m tests.build_digest FOLDER... > FILE``

Each message below the folders is mapped twice, cold and with all remembered, in two
contexts; one line tells the hash of its Bundles, losses, findings, told times and
removals, or the error with its code. Then all of them are decided by the matcher, in
both modes, and one line tells each decision with its evidence. Files of the Python
source and of the compiled build are compared by `make compiled-test`.
"""

import sys
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.errors import EngineError
from engine.hl7 import parse
from engine.identity import Reading, decide, registration_of
from engine.peers.sending import split
from engine.transforms.fhir import MapContext, map_message, transaction, write_json
from engine.transforms.fhir.bundle import message_bundle
from engine.transforms.fhir.compiled import is_compiled
from engine.transforms.fhir.feed import forget
from engine.transforms.fhir.mapped import MapOptions
from tests.fhir_messages import admission, laboratory_report
from tests.memory_index import BALANCED, SAFE, MemoryIndex

SEEN = {".hl7", ".txt", ".er7"}
SWITCHES = MapOptions(
    profile="us-core",
    source_message="inline",
    unknown_trigger="nearest",
    snapshot=("AL1", "DG1", "IN1"),
)
CONTEXTS = (
    MapContext(site="plain"),
    MapContext(
        site="switched",
        time_zone=ZoneInfo("America/New_York"),
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        authorities={"HOSP": "urn:oid:1.2.3.4"}.get,
        options=SWITCHES,
    ),
)


def messages(folders):
    """Yield every message with a name for it."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in SEEN:
                for number, data in enumerate(split(path.read_bytes())):
                    yield f"{path.relative_to(folder)}#{number}", data
    for number in range(100):
        yield f"admission {number}", admission(number)
        yield f"report {number}", laboratory_report(number)


def hashed(*parts):
    """Return a hash of bytes and of what anything else says of itself."""
    found = sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else repr(part).encode())
    return found.hexdigest()


def refused(error):
    """Return what kind of error it was, and a hash of its sentence."""
    return f"{type(error).__name__} {getattr(error, 'code', '')} {hashed(str(error))}"


def mapped(data, context):
    """Return a hash of all that the map makes of a message, or its error."""
    try:
        message = parse(data)
        made = map_message(message, context)
    except EngineError as error:
        return refused(error)
    entries = [
        (each.full_url, each.method, each.criteria, each.segment, each.nulls,
         sorted(each.removed.items()), each.presumed, each.as_of, each.renamed,
         each.parts, each.known_as, sorted(each.said or ()), each.kind)
        for each in made.entries
    ]  # fmt: skip
    before = (
        write_json(transaction(made.entries)),
        write_json(message_bundle(made.entries)),
    )
    for number, each in enumerate(made.entries):
        if each.method == "PUT":
            each.move(f"urn:uuid:moved-{number}", "q")
    return hashed(
        message.encode(), made.losses, made.findings, sorted(made.unmapped),
        made.told, entries, *before, write_json(transaction(made.entries)),
    )  # fmt: skip


def decided(found, model):
    """Yield a line for each registration: what was decided, with its evidence."""
    index, minted = MemoryIndex(), count(1)
    for number, (name, data) in enumerate(found, 1):
        try:
            intake = registration_of(
                parse(data), Reading(), lambda: f"P{next(minted)}", number
            )
            if intake.registration is None:
                yield f"{name} nobody {intake.findings}"
                continue
            decision = decide(intake.registration, index, model)
            index.apply(decision)
        except EngineError as error:
            yield f"{name} {refused(error)}"
        else:
            yield f"{name} {decision.outcome} {hashed(decision)}"


def lines(found):
    """Yield every line."""
    for context in CONTEXTS:
        forget()
        for turn in ("cold", "warm"):
            for name, data in found:
                yield f"{context.site} {turn} {name} {mapped(data, context)}\n"
    for mode, model in (("safe", SAFE), ("balanced", BALANCED)):
        for line in decided(found, model):
            yield f"{mode} {line}\n"


def main():
    """Write the lines, and which build it was."""
    found = list(messages([Path(each) for each in sys.argv[1:]]))
    sys.stdout.writelines(lines(found))
    build = "compiled" if is_compiled() else "Python source"
    sys.stderr.write(f"{len(found)} messages, {build}\n")


if __name__ == "__main__":
    main()
