"""Results in the form that CI servers read."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr


def junit(cases: Iterable[tuple[str, str, str]]) -> str:
    """Return a JUnit report.

    Args:
        cases: group, name and what is wrong with each case; ``""`` is a pass.
    """
    rows: list[str] = []
    failures = 0
    for group, name, wrong in cases:
        failures += bool(wrong)
        inside = f"<failure>{escape(wrong)}</failure>" if wrong else ""
        names = f"classname={quoteattr(group)} name={quoteattr(name)}"
        rows.append(f"  <testcase {names}>{inside}</testcase>")
    head = f'<testsuite name="interop" tests="{len(rows)}" failures="{failures}">'
    return "\n".join(['<?xml version="1.0"?>', head, *rows, "</testsuite>", ""])
