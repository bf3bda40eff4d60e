"""The API described on the command line and in the documents."""

import json
from pathlib import Path

from click.testing import CliRunner

from engine.cli.root import interop

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"


def test_the_reference_page_is_the_one_of_this_code():
    told = CliRunner().invoke(interop, ["openapi", "--page"])

    assert told.stdout == PAGE.read_text(), (
        "write it anew: interop openapi --page > docs/reference/api.md"
    )


def test_the_description_is_printed_as_json():
    told = CliRunner().invoke(interop, ["openapi"])

    assert json.loads(told.stdout)["paths"]["/api/v1/errors/{key}/{what}"]["post"]
