"""Parser speed against python-hl7 and hl7apy, as ratios of medians of seven.

Run it with ``python bench/parser.py``. The goals (G7): reading MSH and twenty fields is
at least 20 times as fast as python-hl7 and 500 times as fast as hl7apy; reading an ORU
whole is at least 5 times as fast as python-hl7.
"""

import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import hl7
from hl7apy.parser import parse_message

from engine.hl7 import Message, parse
from engine.hl7.acknowledgment import acknowledge, read_header

ROUNDS = 7
SECONDS_PER_ROUND = 0.15
HEADER = (
    "MSH|^~\\&|LAB^1.2.3^ISO|HOSP^1.2.4^ISO|ENGINE|SITE|20300101120000+0100||"
    "{}|MSG00001|P|2.5.1|||AL|NE||UNICODE UTF-8\r"
)
PATIENT = (
    "PID|1||100482^^^HOSP&1.2.4&ISO^MR~999-99-9999^^^SSA^SS||Doe^Ann^Maria^^Dr^^L||"
    "19800229|F||2106-3^White^HL70005|1 Main St^^Town^ST^12345^USA^H||"
    "^PRN^PH^^1^555^5551234|^WPN^PH^^1^555^5554321|en^English^ISO639|M|CHR|"
    "ACC100482^^^HOSP^AN|999-99-9999|||H||||||||N\r"
    "PV1|1|I|WARD^101^1^HOSP^^^^1|U|||77^Careful^Carla^^^Dr^^^NPI^L|||MED||||1|||"
    "77^Careful^Carla|IP|V100482^^^HOSP^VN|" + "|" * 24 + "20300101110000+0100\r"
)
ADMISSION = (
    HEADER.format("ADT^A01^ADT_A01") + "EVN|A01|20300101115900+0100\r" + PATIENT
).encode()
RESULT = (
    HEADER.format("ORU^R01^ORU_R01")
    + PATIENT
    + "ORC|RE|O1^LAB|F1^LAB\rOBR|1|O1^LAB|F1^LAB|24323-8^Panel^LN|||20300101110000\r"
    + "".join(
        f"OBX|{number}|NM|2345-{number}^Analyte {number}^LN^A{number}^local^L||"
        f"{number}.5|mg/dL^^UCUM|1.0-9.9|N|||F|||20300101113000+0100\r"
        for number in range(1, 21)
    )
).encode()
FIELDS = (
    *("MSH-3.1", "MSH-4.1", "MSH-7", "MSH-9.1", "MSH-9.2", "MSH-10", "MSH-12"),
    *("EVN-2", "PID-3.1", "PID-3.4.1", "PID-3[2].1", "PID-5.1", "PID-5.2", "PID-7"),
    *("PID-8", "PID-11.1", "PID-11.3", "PID-13.7", "PID-18.1", "PV1-2", "PV1-3.1"),
    *("PV1-7.2", "PV1-19.1"),
)


def ours_fields() -> None:
    """Parse an admission and read MSH and twenty fields."""
    message = parse(ADMISSION)
    for path in FIELDS:
        message[path]


def python_hl7_fields() -> None:
    """Do the same with python-hl7."""
    message = hl7.parse(ADMISSION.decode())
    for path in PYTHON_HL7_PATHS:
        message.extract_field(*path)


def hl7apy_fields() -> None:
    """Do the same with hl7apy, which names components by their data type."""
    message = parse_message(ADMISSION.decode())
    for segment, field, repetition, component in HL7APY_PATHS:
        found = getattr(getattr(message, segment), field)[repetition - 1]
        if component:
            found = getattr(found, f"{found.datatype.lower()}_{component}")
        found.to_er7()


def _indexes(path: str) -> tuple[str, int, int, int, int, int]:
    segment, _, rest = path.partition("-")
    field, *below = rest.split(".")
    number, _, repetition = field.rstrip("]").partition("[")
    component, subcomponent = (*map(int, below), 1, 1)[:2]
    return segment, 1, int(number), int(repetition or 1), component, subcomponent


PYTHON_HL7_PATHS = [_indexes(path) for path in FIELDS]
HL7APY_PATHS = [
    (
        segment.lower(),
        f"{segment}_{field}".lower(),
        repetition,
        component if "." in written else 0,
    )
    for written, (segment, _, field, repetition, component, _) in zip(
        FIELDS, PYTHON_HL7_PATHS, strict=True
    )
]


def ours_whole() -> None:
    """Parse a result and read every leaf."""
    message: Message = parse(RESULT)
    for segment in message.segments:
        for number in segment.populated():
            for repetition in segment.positions(number):
                for component in range(1, repetition.component_count + 1):
                    repetition.sub(component)


def python_hl7_whole() -> None:
    """Do the same with python-hl7."""
    message = hl7.parse(RESULT.decode())
    for segment in message:
        for field in segment[1:]:
            for repetition in field:
                for component in repetition:
                    for leaf in component:
                        message.unescape(str(leaf))


def ours_header() -> None:
    """Read MSH and the fields that accepting looks at."""
    header = read_header(ADMISSION)
    header.control_id, header.message_type, header.trigger_event  # noqa: B018 - timed
    header.processing_id, header.version  # noqa: B018 - timed


def ours_accept() -> None:
    """Read MSH and acknowledge, as the accept path does."""
    header = read_header(ADMISSION)
    acknowledge(header, "AA", now=NOON, control_id="A1")


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def microseconds(work: Callable[[], None]) -> float:
    """Return the processor time of one call."""
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS_PER_ROUND:
        work()
        count += 1
    return spent / count * 1e6


def compare(
    label: str, ours: Callable[[], None], theirs: Callable[[], None], goal: int
) -> None:
    """Print the medians of paired rounds and the median of their ratios."""
    ours()
    theirs()
    pairs = [(microseconds(ours), microseconds(theirs)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{label:32}{mine:9.1f} us{other:10.1f} us{ratio:8.1f} x (goal {goal})")


def main() -> None:
    """Print one line for each comparison."""
    print(
        f"{platform.machine()}, Python {platform.python_version()}, medians of {ROUNDS}"
    )
    compare("MSH and 20 fields, python-hl7", ours_fields, python_hl7_fields, 20)
    compare("MSH and 20 fields, hl7apy", ours_fields, hl7apy_fields, 500)
    compare("ORU read whole, python-hl7", ours_whole, python_hl7_whole, 5)
    for label, work in (("MSH read", ours_header), ("MSH read, answered", ours_accept)):
        median = statistics.median(microseconds(work) for _ in range(ROUNDS))
        print(f"{label:32}{median:9.1f} us")


if __name__ == "__main__":
    main()
