"""What the documents tell a reader to type is there."""

import re
from pathlib import Path

import pytest

from engine.cli.root import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "bench" / "README.md",
    ROOT / "samples" / "README.md",
]
KNOWN = {name for section in COMMANDS.values() for name in section}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_named_in_a_page_exists(page):
    text = page.read_text(encoding="utf-8")

    named = set(re.findall(r"(?:^ *|`|· |&& )interop ([a-z]+)\b", text, re.MULTILINE))

    assert named - KNOWN == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))

    inside = [link for link in links if not link.startswith(("http", "mailto"))]

    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_there_are_at_most_twelve_decisions_of_one_page():
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert len(decisions) <= 12
    assert all(len(path.read_text("utf-8").splitlines()) < 60 for path in decisions)
