"""`check --fix` mends what has one right answer, and moves nothing else."""

from engine.channels.format.fixes import fix
from engine.channels.format.load import check_site
from tests.channel_files import CHANNEL, checked, write_site

WRONG = """\
edit:
  - set: PID.5.1          # two wrong paths in one step
    to: concat(PID.5.2, upper( PID.3[2].1 ))
  - trim: [PID.11, PID-5]
"""


def test_dotted_paths_are_rewritten_where_they_stand(tmp_path):
    text = CHANNEL.replace("\n", "\r\n", 3) + WRONG
    write_site(tmp_path)
    path = tmp_path / "channels/adt.yaml"
    path.write_bytes(text.encode())

    for _ in range(3):
        fix(tmp_path, check_site(tmp_path, None, {}).faults)

    expected = text.replace("PID.5.1", "PID-5.1").replace("PID.5.2", "PID-5.2")
    expected = expected.replace("PID.3[2].1", "PID-3[2].1").replace("PID.11", "PID-11")
    assert path.read_bytes() == expected.encode()
    assert check_site(tmp_path, None, {}).site is not None


def test_a_file_without_such_faults_is_left_alone(tmp_path):
    found = checked(tmp_path, adt=CHANNEL + "x: 1\n")
    path = tmp_path / "channels/adt.yaml"
    before = path.stat().st_mtime_ns

    assert fix(tmp_path, found.faults) == {}
    assert path.stat().st_mtime_ns == before
