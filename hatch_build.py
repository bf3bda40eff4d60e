"""The optional compiled build: what every message runs through, as C, by mypyc.

It is off unless HATCH_BUILD_HOOKS_ENABLE says otherwise, as `make compiled` does: the
editable install, `make demo` and `make test` run the Python source. The wheel has both,
and Python loads the compiled module where there is one. Nothing is written outside
``build/compiled``: an extension beside the source would hide every later edit of it.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOT = {
    "engine/hl7": (
        "charsets", "delimiters", "escapes", "header", "message", "segment",
        "timestamps",
    ),
    "engine/transforms/fhir": (
        "allergy", "bundle", "condition", "conversion", "coverage", "datatypes",
        "encounter", "feed", "groups", "header", "keys", "links", "losses", "mapped",
        "mapping", "names", "notes", "observation", "observation_values", "observers",
        "order_control", "parties", "patient", "places", "quantities", "related",
        "report", "request", "roles", "said", "systems", "times",
    ),
    "engine/identity": (
        "blocking", "grading", "matching", "resolution", "similarity", "traits",
        "weights",
    ),
}  # fmt: skip
"""Where the processor time of an admission, a report and a registration goes.

Modules that few messages reach stay Python: each costs seconds of compiling. So do
``readers`` (looks at Python's frames) and ``digits`` (a kind of text). mypyc checks at
run time what annotations say, and does not know the name ``object`` as the type of an
attribute of a tuple or dataclass: give it an alias that says what it is.
"""
FOLDER = "build/compiled"


class CompiledBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled modules to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name what has to go into the wheel."""
        if version == "editable":
            return
        from mypyc.build import mypycify  # noqa: PLC0415 - a tool, only for this
        from setuptools import Distribution  # noqa: PLC0415

        modules = [f"{room}/{name}.py" for room, names in HOT.items() for name in names]
        extensions = mypycify(
            ["--config-file=pyproject.toml", *modules],
            opt_level="2",
            debug_level="0",
            group_name="engine",
            target_dir=FOLDER,
        )
        command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = f"{FOLDER}/lib", f"{FOLDER}/objects"
        command.ensure_finalized()
        command.run()
        build_data["force_include"] |= {
            path: str(Path(path).relative_to(command.build_lib))
            for path in command.get_outputs()
        }
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
