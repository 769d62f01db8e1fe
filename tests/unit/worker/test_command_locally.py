"""The command outside a cluster: a file, a progress bar, Ctrl-C and again."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from longtask import __version__
from longtask.worker.cli import main
from longtask.worker.filestore import parse
from tests.unit.worker.builders import COUNT, local_environment, run_worker

if TYPE_CHECKING:
    from pathlib import Path

FILE = "Steps.checkpoint.json"


def test_ctrl_c_suspends_behind_the_batch_and_running_it_again_goes_on(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Steps") as first:
        first.steps(3)
        first.await_line("begin 3")
        first.signal(signal.SIGINT)
        first.await_line("stopping after this batch; once more aborts")
        first.step()
        assert first.wait() == 75
        assert "end 3" in first.lines
        assert first.lines[-1] == "cleanup suspended"
    with run_worker(tmp_path, local_environment(), "count.py:Steps") as second:
        second.await_line("setup {'next': 4} epoch 2 done 4")
        second.steps(6)
        assert second.wait() == 0
    assert parse((tmp_path / FILE).read_bytes())["checkpoint"]["cause"] == "Done"


def test_a_second_ctrl_c_aborts_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Steps", "--save-every", "0") as worker:
        worker.step()
        worker.await_line("begin 1")
        worker.signal(signal.SIGINT)
        worker.await_line("once more aborts")
        worker.signal(signal.SIGINT)
        assert worker.wait() == 130
        assert "aborted: not saved since the checkpoint" in worker.output
        assert worker.lines[-1] == "cleanup failed"
        assert "Traceback" not in worker.output
    with run_worker(tmp_path, local_environment(), "count.py:Steps") as again:
        again.await_line("setup {'next': 1} epoch 2 done 1")


def test_what_is_done_is_not_done_again_unless_asked_to_restart(tmp_path: Path) -> None:
    for options, words in (((), "begin 0"), ((), "--restart begins anew"), (("--restart",), "begin 0")):
        with run_worker(tmp_path, local_environment(), "count.py:Count", *options) as worker:
            assert worker.wait() == 0
            assert words in worker.output
            assert ("begin 0" in worker.lines) == (words == "begin 0")
    assert (tmp_path / "Count.checkpoint.json.old").exists()


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Steps") as first:
        first.await_line("begin 0")
        with run_worker(tmp_path, local_environment(), "count.py:Steps") as second:
            assert second.wait() == 78
            assert f"another process (pid {first.process.pid}) is working with" in second.output


def test_a_file_can_be_named(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Count", "--checkpoint", "kept/here.json") as worker:
        assert worker.wait() == 0
    assert parse((tmp_path / "kept" / "here.json").read_bytes())["task"] == "Count"


def test_killed_in_the_middle_it_goes_on_from_its_last_save(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Steps", "--save-every", "0") as first:
        first.steps(2)
        first.await_line("2 of 10")
        first.signal(signal.SIGKILL)
        first.wait()
    with run_worker(tmp_path, local_environment(), "count.py:Steps") as second:
        assert "'next': 2" in second.await_line("setup")


@pytest.mark.parametrize("options", [[], ["--save-every", "1"]])
def test_words_behind_two_hyphens_are_the_tasks(tmp_path: Path, options: list[str]) -> None:
    with run_worker(tmp_path, local_environment(), "count.py:Count", *options, "--", "--rows", "7") as worker:
        assert worker.wait() == 0
        assert worker.await_line("setup").endswith("args --rows 7")


def test_on_a_terminal_a_bar_shows_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "longtask.worker", "run", "count.py:Count"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=tmp_path, env=local_environment(), stdin=quiet, stdout=quiet, stderr=slave):
        os.close(slave)
        shown = read_all(master)
    os.close(master)
    assert "\r\x1b[K[##" in shown
    assert " of 10 (" in shown
    assert shown.rstrip().endswith("longtask: done: checkpoint 1, 10 of 10 (100 %)")


def read_all(terminal: int) -> str:
    """Read until the other side is closed, which Linux reports as an error."""
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:
        pass
    return shown.decode()


@pytest.mark.parametrize(
    ("target", "words"),
    [("missing.py:Work", "there is no file missing.py"), ("count.py:Wrok", "count.py has no class Wrok")],
)
def test_a_target_that_is_not_there_exits_with_78_and_no_traceback(tmp_path: Path, target: str, words: str) -> None:
    with run_worker(tmp_path, local_environment(), target) as worker:
        assert worker.wait() == 78
        assert words in worker.output
        assert "Traceback" not in worker.output


def test_an_error_in_the_users_module_exits_with_1_and_shows_it(tmp_path: Path) -> None:
    with run_worker(tmp_path, local_environment(), code="1 / 0\n") as worker:
        assert worker.wait() == 1
        assert 'count.py", line 1' in worker.output
        assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    "arguments", [[], ["walk"], ["run"], ["run", "a:B", "--save-every", "-1"], ["run", "a:B", "c"]]
)
def test_a_command_that_can_not_be_meant_is_told_how_to_use_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: longtask" in capsys.readouterr().err


@pytest.mark.usefixtures("keep_signals")
def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"longtask {__version__}\n"
