"""The reference page in docs/ says what the code does."""

from pathlib import Path

from engine.channels.format.reference import reference_page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "channel-files.md"


def test_the_reference_page_is_the_one_of_this_code():
    assert PAGE.read_text() == reference_page(), (
        "write engine.channels.format.reference.reference_page() to docs/reference"
    )


def test_every_key_has_its_row():
    page = reference_page()

    assert "| `source.mllp.port` | port |  | listen port |" in page
    assert "| `source.mllp.ack-wait` | duration | `20s` |" in page
    assert "- `upper(text) -> text`" in page
    assert "| CH130 | a secret stands in a channel file |" in page
