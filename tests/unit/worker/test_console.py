"""What people see: lines, a bar, last words."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from typing import TYPE_CHECKING

import pytest

from longtask.worker.console import Console, leave_message
from tests.unit.worker.fakes import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

PROGRESS = {"done": 600, "total": 1200, "percent": 50, "rate": "2.0", "message": "reading\x1b[2J"}


def test_lines_go_to_stderr_so_that_a_programs_output_stays_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Console().say("hello")
    assert capsys.readouterr() == ("", "longtask: hello\n")


def test_the_bar_shows_share_speed_and_time_left_on_one_line(
    capsys: pytest.CaptureFixture[str], mocker: MockerFixture
) -> None:
    mocker.patch.object(shutil, "get_terminal_size", return_value=os.terminal_size((200, 24)))
    Console(bar=True).show(PROGRESS)
    shown = capsys.readouterr().err
    assert shown == "\r\x1b[K[############            ] 600 of 1200 (50 %), 2.0/s, reading [2J, 0:05:00 left"


def test_the_bar_never_wraps(capsys: pytest.CaptureFixture[str], mocker: MockerFixture) -> None:
    mocker.patch.object(shutil, "get_terminal_size", return_value=os.terminal_size((40, 24)))
    Console(bar=True).show(PROGRESS)
    assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) == 39


def test_a_line_wipes_the_bar_away_first(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(bar=True)
    console.show({"done": 1})
    console.say("saved")
    assert capsys.readouterr().err == "\r\x1b[K1\r\x1b[Klongtask: saved\n"


def test_the_bar_is_drawn_ten_times_a_second_at_most(mocker: MockerFixture) -> None:
    clock = Clock()
    mocker.patch.object(time, "monotonic", clock)
    console = Console(bar=True)
    assert console.wants_progress
    console.show({"done": 1})
    clock.now += 0.05
    assert not console.wants_progress
    clock.now += 0.06
    assert console.wants_progress


def test_without_a_terminal_saves_are_told_and_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    assert not console.wants_progress
    console.saved(3, {"done": 5, "total": 10, "percent": 50})
    console.saved(4, None)
    assert capsys.readouterr().err == "longtask: checkpoint 3: 5 of 10 (50 %)\n"


def test_with_a_bar_saves_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    Console(bar=True).saved(3, {"done": 5})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError("closed file")])
def test_a_log_that_can_not_be_written_does_not_end_the_work(mocker: MockerFixture, error: Exception) -> None:
    mocker.patch.object(sys.stderr, "write", side_effect=error)
    Console().say("hello")


def test_last_words_are_left_where_kubectl_describe_shows_them(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.write_text("older and longer words")
    Console(termination_log=log).last_words("failed: ValueError", "Traceback ...")
    assert log.read_text() == "failed: ValueError\nTraceback ..."


def test_long_last_words_keep_their_beginning_and_their_end_and_no_half_characters(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    leave_message(log, "why" + "é" * 5000 + "where")
    raw = log.read_bytes()
    assert 3990 <= len(raw) <= 4000
    assert raw.decode().startswith("whyé")
    assert raw.decode().endswith("éwhere")


@pytest.mark.parametrize("missing", ["nothing", "folder/nothing"])
def test_a_termination_log_is_never_made(tmp_path: Path, missing: str) -> None:
    leave_message(tmp_path / missing, "words")
    assert list(tmp_path.iterdir()) == []


def test_last_words_at_once_do_not_wait_for_a_log_that_nobody_reads(tmp_path: Path, mocker: MockerFixture) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    mocker.patch.object(select, "select", return_value=([], [], []))
    write = mocker.spy(os, "write")
    Console(termination_log=log).last_words_at_once("fenced")
    assert log.read_text() == "fenced"
    assert [call.args[0] for call in write.call_args_list if call.args[0] == 2] == []


def test_last_words_at_once_are_logged_too(capfd: pytest.CaptureFixture[str]) -> None:
    Console().last_words_at_once("fenced")
    assert capfd.readouterr().err == "longtask: fenced\n"


def test_a_fenced_worker_ends_even_if_its_log_can_not_be_written(mocker: MockerFixture) -> None:
    leave = mocker.patch.object(os, "_exit", side_effect=SystemExit)
    console = Console()
    mocker.patch.object(console, "last_words_at_once", side_effect=OSError("closed"))
    with pytest.raises(SystemExit):
        console.die("fenced")
    leave.assert_called_once_with(1)
