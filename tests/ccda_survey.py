"""Documents of real messages: judged by the reference validator, read by an oracle."""

import csv
from collections import Counter, defaultdict

from engine.errors import TransformError
from engine.hl7 import parse
from engine.transforms.ccda.document import LAYOUTS, render
from engine.transforms.ccda.documents import documents_of
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.versions import Version
from engine.transforms.fhir import MapContext, map_message, stamp_person
from tests.ccda_facts import ENTERPRISE, NOON, SITE, validator
from tests.ccda_oracle import ABOUT_NOTES, Enclosed, Reader, facts
from tests.shared_data import shared

RULES = ("r2.1", "r2.1cg")
NOTES = ("unstructured", "progress-note")


def messages():
    """Every well-formed message of the corpora."""
    folder = shared("corpora")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if not row["malformed"] and row["file"].startswith("messages"):
                yield folder / row["file"]


class Survey:
    """Counts what becomes of messages; ``wrong`` and ``silent`` name what to mend."""

    def __init__(self, folder, templates=tuple(LAYOUTS)):
        self.file = folder / "document.xml"
        self.templates = sorted(templates, key=lambda name: name != "unstructured")
        self.counts: Counter[str] = Counter()
        self.patterns = defaultdict(list)
        self.wrong = []
        self.silent = []
        self.told = self.lost = 0

    def look(self, path):
        try:
            message = parse(path.read_bytes())
            mapped = map_message(message, MapContext(site="corpus"))
        except TransformError as error:
            self.counts[f"not mapped: {error.code}"] += 1
            return
        stamp_person(mapped, ENTERPRISE, "E1")
        resources = {entry.full_url: entry.resource for entry in mapped.entries}
        self.enclosed = []
        for template in self.templates:
            self._documents(path, mapped, Facts(resources, ENTERPRISE), template)

    def _documents(self, path, mapped, known, template):
        plan = documents_of(template, known)
        for planned in plan.documents:
            version = Version(planned.series)
            try:
                made, again = (
                    render(planned.template, planned.facts, SITE, version, NOON)
                    for _ in range(2)
                )
            except TransformError as error:
                self.counts[f"{template} refused: {error.code}"] += 1
                continue
            self.counts[planned.template] += 1
            if made.document != again.document:
                self.wrong.append((path, "rendered twice, not the same bytes"))
            self.wrong += [(path, fault) for fault in made.faults]
            self._judge(path, planned.template, made.document)
            if planned.template == "unstructured":
                self.enclosed.append(Enclosed(made.document))
            if template in ("ccd", "unstructured"):
                self._look_for_facts(path, mapped, made, template)

    def _judge(self, path, template, document):
        self.file.write_bytes(document)
        for rules in RULES:
            report = validator().validate(self.file, rules)
            self.patterns[f"{template} {rules}"].append(report.patterns_fired)
            found = (*report.errors, *report.warnings)
            self.wrong += [
                (path, f"{rules} {each.check} {each.message}") for each in found
            ]

    def _look_for_facts(self, path, mapped, made, template):
        reader = Reader(made.document)
        reported = Reported(mapped, made)
        for fact in facts(path.read_bytes()):
            if (fact.segment in ABOUT_NOTES) != (template in NOTES):
                continue
            enclosed = self.enclosed if fact.place == "OBX-5" else ()
            if any(each.tells(fact) for each in (reader, *enclosed)):
                self.told += 1
            elif reported.tells(fact):
                self.lost += 1
            else:
                self.silent.append((path, fact))


class Reported:
    """What the loss reports of map and document tell, by place and by value."""

    def __init__(self, mapped, made):
        self.paths = [loss.path for loss in mapped.losses]
        self.values = [*(loss.value for loss in made.losses)]
        urls = {loss.value for loss in made.losses if loss.reason == "no-cda-home"}
        self.left_out = {
            entry.segment for entry in mapped.entries if entry.full_url in urls
        }

    def tells(self, fact):
        if fact.position in self.left_out:
            return True
        names = {f"{fact.place}", f"{fact.segment}[{fact.number}]-{fact.field}"}
        if any(
            path.partition(".")[0].partition("[")[0] in names
            or any(path.startswith(name) for name in names)
            for path in self.paths
        ):
            return True
        return any(form in value for form in fact.forms for value in self.values)
