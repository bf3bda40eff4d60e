"""Configuration folders and compiled steps from a few lines of text."""

from datetime import UTC, datetime

from engine.channels.format.faults import Fault
from engine.channels.format.keys import Shape
from engine.channels.format.kinds import ExpressionKind
from engine.channels.format.load import check_site, load_site
from engine.channels.format.nodes import read_yaml
from engine.channels.format.reader import Around, Names, Reader
from engine.hl7 import parse
from engine.transforms.code_tables import read_csv
from engine.transforms.edits import Step, run_steps
from engine.transforms.expressions import Expression, compile_expression
from engine.transforms.scope import EditContext, Scope, Type, message_names

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SEX = "from,to,display\n1,M,Male\n2,F,Female\n"
SITE_WITH_DOCUMENTS = """\
site = "test"
[files]
allowed = ["out"]
[cda]
root = "1.3.6.1.4.1.99999.1"
enterprise = "1.3.6.1.4.1.99999.1.1"
[cda.custodian]
name = "General Hospital"
id = "1.3.6.1.4.1.99999.1"
"""
"""interop.toml of a site that makes C-CDA documents, into the folder out."""
CHANNEL = """\
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 6661}
tests:
  - name: a message is passed on
    text: MSH|^~\\&|A|B|||20300101||ADT^A01|1|P|2.5.1
"""


def tables(**content):
    return {
        name.replace("_", "-"): read_csv(text, name.replace("_", "-"))[0]
        for name, text in {"sex": SEX, **content}.items()
    }


def context(data, *, known=None, traced=True, **names):
    """Return one message on its way, with a trace."""
    return EditContext(
        message=parse(data),
        received_at=NOON,
        names={**message_names("adt", "42", NOON, UTC, "10.0.0.7"), **names},
        tables=known or tables(),
        changes=[] if traced else None,
    )


def compiled(text, wanted=Type.ANY, **scope) -> Expression:
    """Return an expression that must be right."""
    known = Scope(**{"tables": tables(), **scope})
    made, faults = compile_expression(text, known, wanted)
    assert made is not None, faults
    return made


def value_of(text, data, **names):
    """Return what an expression gives for a message."""
    return compiled(text).evaluate(context(data, **names))


def faults_of(text, wanted=Type.ANY, **scope):
    """Return what is wrong with an expression."""
    return compile_expression(text, Scope(tables=tables(), **scope), wanted)[1]


def read(shape, text, *, place="processing", known=None):
    """Return the value that YAML text holds for a shape, and the faults."""
    found: list[Fault] = []
    root, _ = read_yaml(text.encode(), "channels/adt.yaml", found.append)
    names = Names(tables=known or tables())
    scope = Scope(tables=names.tables, place=place)
    if root is None:
        return None, found
    return Reader(names, found.append).read(shape, root, Around(scope)), found


def steps(text, **options):
    """Return compiled edit steps."""
    made, found = read(Shape(items=Shape(inside=Step)), text, **options)
    assert not found, found
    return made


def edited(text, data, **options):
    """Return the context of a message after steps, and their verdict."""
    passing = context(data, known=options.get("known"))
    return passing, run_steps(steps(text, **options), passing)


def condition(text):
    shape = Shape(expression=ExpressionKind(Type.BOOLEAN))
    return read(shape, text)[0]


def write_site(folder, files=None, **channels):
    """Write a configuration folder; names of channels use _ for -."""
    for part in ("channels", "tables", "tests", "steps"):
        (folder / part).mkdir(exist_ok=True)
    for name, text in channels.items():
        (folder / f"channels/{name.replace('_', '-')}.yaml").write_text(text)
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    return folder


def checked(folder, files=None, environment=None, variables=None, **channels):
    """Return what checking a folder finds."""
    write_site(folder, files, **channels)
    return check_site(folder, environment, variables or {})


def sentences(found):
    return [each.sentence for each in found.faults]


def only_channel(folder, environment=None, variables=None):
    """Return the one channel of a folder."""
    [channel] = load_site(folder, environment, variables or {}).channels
    return channel


def tree(text):
    """Return the nodes of YAML text that must be right."""
    found: list[Fault] = []
    root, _ = read_yaml(text.encode(), "x.yaml", found.append)
    assert not found
    return root
