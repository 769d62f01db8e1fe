"""Running programs, writing files, waiting, and keeping two commands apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.common import ClusterError, digest, exclusive, run, succeeds, wait_for, write
from tests.unit.cluster.builders import REPO


def test_a_program_that_fails_is_told_with_its_own_words() -> None:
    with pytest.raises(ClusterError, match=r"ended with 3:\nno space left"):
        run(["sh", "-c", "echo no space left >&2; exit 3"])


def test_a_program_that_says_it_on_stdout_is_told_with_that() -> None:
    with pytest.raises(ClusterError, match="said on stdout"):
        run(["sh", "-c", "echo said on stdout; exit 1"])


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ClusterError, match="no-such-program could not be run: it is not installed"):
        run(["no-such-program", "--help"])


def test_a_program_that_may_not_be_run_is_told_and_not_a_traceback(tmp_path: Path) -> None:
    write(tmp_path / "tool", "not executable", mode=0o600)

    with pytest.raises(ClusterError, match=r"tool could not be run: .*Permission denied"):
        run([tmp_path / "tool"])


def test_a_folder_that_is_missing_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"No such file or directory: .*gone"):
        run(["true"], cwd=tmp_path / "gone")


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(ClusterError, match=r"no end after 0.2 s"):
        run(["sleep", "1000"], seconds=0.2)


def test_of_a_long_complaint_the_end_is_kept() -> None:
    with pytest.raises(ClusterError) as raised:
        run(["sh", "-c", "seq 100000 >&2; exit 1"])

    assert str(raised.value).endswith("99999\n100000")
    assert len(str(raised.value)) < 5000


def test_a_program_gets_what_is_added_to_the_environment_and_its_input(tmp_path: Path) -> None:
    said = run(["sh", "-c", 'echo "$COLOUR $HOME"; cat; pwd'], env={"COLOUR": "red"}, stdin="in\n", cwd=tmp_path)

    assert said == f"red {os.environ['HOME']}\nin\n{tmp_path}\n"


def test_a_program_can_not_read_from_the_terminal() -> None:
    assert run(["cat"], seconds=10) == ""


@pytest.mark.parametrize(("command", "well"), [("true", True), ("false", False), ("no-such-program", False)])
def test_whether_a_program_succeeds(command: str, well: bool) -> None:
    assert succeeds([command]) is well


def test_a_file_is_replaced_as_a_whole_and_leaves_no_half(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "file"
    write(target, "old")
    before = target.open()

    write(target, "new", mode=0o600)

    with before:
        assert before.read() == "old"  # somebody who reads meanwhile sees no half of it
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_what_could_not_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "file", "old")

    def full(_path: Path, _text: str) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path / "file", "new")

    assert (tmp_path / "file").read_text() == "old"


def test_waiting_in_vain_names_what_was_waited_for_and_gives_a_hint() -> None:
    with pytest.raises(ClusterError, match=r"health of etcd: not so after 0 s\nthe end of its log"):
        wait_for("health of etcd", lambda: False, seconds=0, hint=lambda: "the end of its log")


def test_waiting_ends_with_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    wait_for("the third answer", lambda: next(answers), seconds=60)

    assert list(answers) == []


def test_a_digest_tells_where_one_part_ends_and_the_next_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ab")

    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest([tmp_path / "file"]) == digest(["ab"]) == digest([b"ab"])


HOLDER = """
import sys
from pathlib import Path
from tests.cluster.common import exclusive
with exclusive(Path(sys.argv[1])):
    note = Path(sys.argv[1]).with_name("note")
    print("held", note.read_text() if note.exists() else "", flush=True)
    sys.stdin.readline()
"""


def holder(lock: Path) -> subprocess.Popen[str]:
    """Start another process that takes the lock and, once it has it, holds it until it is written to."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=REPO)


def waits(pid: int) -> bool:
    """Whether the kernel lets a process wait for a lock that another one holds."""
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_second_command_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"):
        second = holder(tmp_path / "lock")
        assert second.stderr is not None
        assert "waiting for another" in second.stderr.readline()
        wait_for("the second in the kernel's queue", lambda: waits(second.pid), seconds=10)
        (tmp_path / "note").write_text("after the first")

    assert second.communicate("end\n")[0] == "held after the first\n"


def test_a_command_that_was_killed_holds_no_lock(tmp_path: Path) -> None:
    first = holder(tmp_path / "lock")
    assert first.stdout is not None
    assert first.stdout.readline() == "held \n"
    first.send_signal(signal.SIGKILL)
    first.communicate()

    assert holder(tmp_path / "lock").communicate("end\n") == ("held \n", "")
