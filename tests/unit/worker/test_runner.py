"""What of a task is called when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from longtask import Task
from longtask.worker.control import Control
from longtask.worker.errors import NeverRetry, TaskGoneError
from longtask.worker.runner import run
from longtask.worker.session import Session
from longtask.worker.signals import Stop
from longtask.worker.store import Claim, Wanted
from tests.unit.worker.fakes import Lines, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from longtask.worker.reasons import Reason


class Diary(Task):
    """A task that writes down what is called, and fails, stops or leaves where it is told to."""

    def __init__(self, trouble: dict[str, Any] | None = None) -> None:
        self.calls: list[str] = []
        self.trouble = trouble or {}

    def note(self, call: str) -> None:
        """Write down, and do what is told for this call."""
        self.calls.append(call)
        trouble = self.trouble.get(call.partition(" ")[0])
        if isinstance(trouble, BaseException):
            raise trouble
        if trouble:
            trouble()

    def setup(self, saved: Any) -> None:  # noqa: ANN401
        self.note(f"setup {saved}")

    def total(self) -> int:
        self.note("total")
        return 2

    def batches(self) -> Iterable[int]:
        self.note("batches")
        return [1, 2]

    def process(self, batch: int) -> None:
        self.note(f"process {batch}")

    def save(self) -> list[str]:
        return self.calls[-1:]

    def cleanup(self, reason: Reason) -> None:
        self.note(f"cleanup {reason}")


class Run:
    """A run of a diary against a store that does as it is told."""

    def __init__(self, diary: Diary, store: Script | None = None) -> None:
        self.diary, self.store, self.stop, self.console = diary, store or Script(), Stop(), Words()
        control = Control(lambda: self.stop.requested)
        diary.__dict__["_longtask_control"] = control
        self.session = Session(self.store, self.stop, self.console, control, save_every=3600)

    def __call__(self) -> int:
        """Run it and return the exit code."""
        try:
            return run(self.diary, self.session, self.stop, self.console)
        finally:
            self.stop.close()


class Words(Lines):
    """Keeps the last words apart."""

    last: tuple[str, str] = ("", "")

    def last_words(self, line: str, details: str = "") -> None:
        """Keep them."""
        self.last = (line, details)


def test_a_run_calls_everything_once_and_in_order() -> None:
    diary = Diary()
    assert Run(diary)() == 0
    assert diary.calls == ["setup None", "total", "batches", "process 1", "process 2", "cleanup done"]


def test_a_stop_before_the_setup_has_nothing_to_clean_up() -> None:
    diary = Diary()
    going = Run(diary, Script(wanted=Wanted.SUSPEND))

    def asked_meanwhile() -> Claim:
        going.stop.request()
        return Claim(1, 0, "")

    going.store.claims = [asked_meanwhile]
    assert going() == 75
    assert diary.calls == []
    assert len(going.store.asked) == 1


@pytest.mark.parametrize("call", ["setup", "total", "batches", "process", "cleanup"])
def test_an_error_anywhere_cleans_up_and_never_passes_for_success(call: str) -> None:
    diary = Diary({call: ValueError("bad row")})
    code = Run(diary)()
    assert diary.calls[-1] == ("cleanup done" if call == "cleanup" else "cleanup failed")
    assert code == (0 if call == "cleanup" else 1)  # what is saved is saved


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), MemoryError(), GeneratorExit()])
def test_nothing_escapes_without_cleanup(error: BaseException) -> None:
    diary = Diary({"process": error})
    assert Run(diary)() != 0
    assert diary.calls[-1] == "cleanup failed"


def test_never_retry_is_the_users_to_raise() -> None:
    going = Run(Diary({"process": NeverRetry("the order was cancelled")}))
    assert going() == 78
    assert going.console.last[0] == "failed, and no retry can help: the order was cancelled"


def test_an_error_in_cleanup_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Run(Diary({"cleanup": ValueError("already closed")}))()
    assert "cleanup(done) failed:" in capsys.readouterr().err


def test_last_words_come_before_the_cleanup_which_may_outlast_the_grace_period() -> None:
    diary = Diary()
    going = Run(diary)
    seen: list[tuple[str, str]] = []
    diary.trouble["cleanup"] = lambda: seen.append(going.console.last)
    going()
    assert seen == [("done: checkpoint 1, 2 of 2 (100 %)", "")]


def test_a_deleted_task_is_told_to_cleanup() -> None:
    diary = Diary()
    assert Run(diary, Script(saves=[TaskGoneError("the task was deleted")]))() == 78
    assert diary.calls[-1] == "cleanup deleted"


def test_the_store_is_closed_after_the_cleanup() -> None:
    diary = Diary()
    going = Run(diary)
    closed: list[bool] = []
    diary.trouble["cleanup"] = lambda: closed.append(going.store.closed)
    going()
    assert (closed, going.store.closed) == ([False], True)


def test_a_task_that_lacks_its_batches_says_so() -> None:
    class Half(Task):
        pass

    with pytest.raises(NotImplementedError, match=r"Half must define batches\(\)"):
        Half().batches()
    with pytest.raises(NotImplementedError, match=r"Half must define process\(\)"):
        Half().process(1)


def test_a_task_can_be_used_without_the_library_around_it() -> None:
    """For users' own unit tests."""
    task = Diary()
    task.done += 3
    task.report("reading")
    assert (task.epoch, task.done, task.stopping, task.args, task.count("x")) == (0, 3, False, (), 1)
    other = Diary()
    assert other.done == 0
