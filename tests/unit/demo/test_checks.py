"""A check of the demo ends it when something is not as it should be, and says what is there instead."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from tests.demo import __main__ as demo
from tests.demo import stage, steps
from tests.demo.checks import CheckError, Position, goes_on, holds
from tests.demo.screen import Screen

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

LOG = """longtask: claimed with epoch 2: going on from checkpoint 20, 1126 done
index-python: 3278 files, beginning with number 1127
longtask: checkpoint 21: 1200 of 3278 (36 %)
"""


def a_screen() -> Screen:
    return Screen(io.StringIO())


def test_what_holds_is_said() -> None:
    out = io.StringIO()

    holds(Screen(out), "all is well", fact=True, seen=lambda: "")

    assert out.getvalue() == "   [ok] all is well\n"


def test_what_does_not_hold_ends_the_demo_with_what_was_seen_instead() -> None:
    with pytest.raises(CheckError, match=r"does not: all is well\nseen instead: a pod"):
        holds(a_screen(), "all is well", fact=[], seen=lambda: "a pod")


def test_a_worker_that_begins_where_the_last_one_saved_passes() -> None:
    goes_on(a_screen(), LOG, Position(20, 1126), total=3278)


@pytest.mark.parametrize(
    ("log", "at"),
    [
        (LOG, Position(19, 1126)),
        (LOG, Position(20, 1125)),
        (LOG.replace("number 1127", "number 1"), Position(20, 1126)),
        (LOG.replace("3278 files", "3 files"), Position(20, 1126)),
        ("longtask: claimed with epoch 2: from the start\n", Position(20, 1126)),
    ],
)
def test_a_worker_that_begins_anywhere_else_fails(log: str, at: Position) -> None:
    with pytest.raises(CheckError, match="the new worker goes on from checkpoint"):
        goes_on(a_screen(), log, at, total=3278)


def test_a_demo_with_a_failed_check_ends_with_1_and_tells_the_story(
    mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mocker.patch("signal.signal")
    mocker.patch.object(stage, "build").return_value.story.return_value = "what kubectl describes"
    mocker.patch.object(steps, "suspend_and_resume", side_effect=CheckError("this should hold"))

    assert demo.main() == 1

    said = capsys.readouterr()
    assert "THE DEMO HAS FAILED\nthis should hold" in said.err
    assert "what kubectl describes" in said.err
    assert "All checks have held" not in said.out
