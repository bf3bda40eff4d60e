"""Documents that come in a zip file, and zip files that mean harm."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from engine.errors import TransformError
from engine.hl7 import parse
from engine.peers.sending import split
from engine.transforms.ccda.enclosing import carried, enclosed
from engine.transforms.ccda.incoming import document_in, opened
from engine.transforms.ccda.packaging import xdm
from engine.transforms.ccda.unpacking import MAX_ENTRIES, Package
from tests.ccda_facts import document, patient

AT = datetime(2030, 1, 2, tzinfo=UTC)
BOB = patient(name=[{"family": "Roe", "given": ["Bob"]}])


def packed(*contents, names=None, method=zipfile.ZIP_DEFLATED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as package:
        for number, content in enumerate(contents):
            name = names[number] if names else f"IHE_XDM/SUBSET01/DOC{number}.XML"
            package.writestr(name, content)
    return target.getvalue()


def refused(package):
    [message] = split(carried(package, AT))
    with pytest.raises(TransformError) as caught:
        opened(parse(message))
    return caught.value


@pytest.fixture(scope="module")
def ann():
    return document().document


@pytest.fixture(scope="module")
def bob():
    return document(person=BOB).document


def test_the_document_of_a_package_is_read_as_if_it_came_alone(ann):
    alone = opened(parse(enclosed(ann, AT)))

    [carrier] = split(carried(xdm(ann), AT))
    message = opened(parse(carrier))

    for field in ("MSH-4", "PID-3", "PID-5", "PID-8", "TXA-2", "TXA-12", "OBX-5"):
        assert message[field] == alone[field]
    assert document_in(message.all("OBX")[0]) == ann
    assert message.findings == alone.findings


def test_a_package_of_many_documents_is_a_batch_with_one_message_for_each(ann, bob):
    package = packed(ann, b"some other file", bob)

    batch = carried(package, AT)
    messages = [opened(parse(each)) for each in split(batch)]

    assert batch.startswith(b"BHS|")
    assert batch.endswith(b"\rBTS|2\r")
    assert [each["PID-5.1"] for each in messages] == ["Doe", "Roe"]
    assert len({each["MSH-10"] for each in messages}) == 2
    [finding] = messages[0].findings
    assert (finding.code, finding.text[:7]) == ("package-rest", "1 other")
    assert carried(package, AT) == batch


def test_names_and_paths_of_a_package_mean_nothing(ann, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    package = packed(ann, names=["../../../../tmp/evil.xml"])

    message = opened(parse(split(carried(package, AT))[0]))

    assert document_in(message.all("OBX")[0]) == ann
    assert list(tmp_path.iterdir()) == []


def test_an_entry_without_a_name_is_read_like_any_other(ann):
    target, entry = io.BytesIO(), zipfile.ZipInfo("A")
    entry.filename = ""
    with (
        zipfile.ZipFile(target, "w") as package,
        package.open(entry, "w") as opened_entry,
    ):
        opened_entry.write(ann)

    [message] = split(carried(target.getvalue(), AT))

    assert document_in(opened(parse(message)).all("OBX")[0]) == ann


@pytest.mark.parametrize(
    ("contents", "code"),
    [
        ([b"<ClinicalDocument>" + b" " * 20_000_000], "package-size"),
        ([b"a text"], "package-empty"),
        ([], "package-empty"),
        ([b"x"] * (MAX_ENTRIES + 1), "package-size"),
    ],
    ids=["a bomb", "no document", "no entry", "too many entries"],
)
def test_a_package_that_cannot_be_taken_says_why(contents, code):
    package = packed(*contents)
    if not contents:
        package = b"PK\x03\x04" + package

    assert refused(package).code == code


def test_a_package_in_a_package_stays_closed(ann):
    assert refused(packed(packed(ann))).code == "package-empty"


def test_an_encrypted_package_is_refused(ann):
    package = bytearray(packed(ann))
    package[6] |= 1  # general purpose flag of the local header
    package[package.rindex(b"PK\x01\x02") + 8] |= 1

    assert refused(bytes(package)).code == "package-unreadable"


@pytest.mark.parametrize("cut", [30, 200, 0.5, 0.9])
def test_a_package_that_is_cut_off_is_refused_and_not_lost(ann, cut):
    package = packed(ann)
    cut = package[: int(cut * len(package)) if cut < 1 else cut]

    assert refused(cut).code == "package-unreadable"


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("place", [80, 200])
def test_an_entry_that_is_damaged_is_refused(ann, method, place):
    package = bytearray(packed(ann, method=method))
    package[place] ^= 0xFF

    with pytest.raises(TransformError):
        Package(bytes(package)).content(0)


def test_a_large_package_of_many_documents_is_for_a_person_to_split(ann):
    padding = bytes(range(256)) * 100_000
    package = packed(ann, ann, ann, padding, method=zipfile.ZIP_STORED)

    error = refused(package)

    assert error.code == "package-size"
    assert "too large for its many documents" in str(error)
