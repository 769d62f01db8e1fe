"""How a worker ends: a reason for its cleanup, an exit code, last words."""

from __future__ import annotations

import pytest

from longtask.worker.endings import ending_of, ending_of_save, trace
from longtask.worker.errors import (
    AlreadyDone,
    DataError,
    FencedError,
    LongTaskError,
    NeverRetry,
    NotFinishedError,
    NotSavedError,
    RefusedError,
    StoppedEarly,
    TaskFinalError,
    TaskGoneError,
    UsageError,
)
from longtask.worker.reasons import Reason
from longtask.worker.store import Cause, Wanted

EVERY_ERROR = [
    AlreadyDone(""), DataError(""), FencedError(""), NeverRetry(""), NotFinishedError(""), NotSavedError(""),
    RefusedError(""), StoppedEarly(""), TaskFinalError("Terminated"), TaskGoneError(""), UsageError(""),
    ValueError(""), MemoryError(), KeyboardInterrupt(), SystemExit(0), SystemExit(75), SystemExit(78), GeneratorExit(),
]  # fmt: skip


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_no_error_ends_with_0_but_that_there_is_nothing_left_to_do(error: BaseException) -> None:
    for stopped in (False, True):
        assert (ending_of(error, stopped=stopped).code == 0) == isinstance(error, AlreadyDone)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_nothing_ends_with_78_after_a_stop_request_because_that_would_fail_a_suspended_job(
    error: BaseException,
) -> None:
    assert ending_of(error, stopped=True).code != 78


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_75_is_only_for_a_stop_with_nothing_unsaved(error: BaseException) -> None:
    assert (ending_of(error, stopped=True).code == 75) == isinstance(error, StoppedEarly | TaskGoneError)
    assert (ending_of(error, stopped=False).code == 75) == isinstance(error, StoppedEarly)


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (AlreadyDone("x"), Reason.DONE, 0),
        (TaskGoneError("x"), Reason.DELETED, 78),
        (TaskFinalError("Terminated"), Reason.TERMINATED, 1),
        (UsageError("x"), Reason.FAILED, 78),
        (NeverRetry("x"), Reason.FAILED, 78),
        (NotSavedError("x"), Reason.FAILED, 1),
        (RefusedError("x"), Reason.FAILED, 1),
        (LongTaskError("x"), Reason.FAILED, 1),
        (ValueError("x"), Reason.FAILED, 1),
        (SystemExit(0), Reason.FAILED, 1),
        (KeyboardInterrupt(), Reason.FAILED, 130),
    ],
)
def test_reason_and_exit_code_of_an_error(error: BaseException, reason: Reason, code: int) -> None:
    ending = ending_of(error, stopped=False)
    assert (ending.reason, ending.code) == (reason, code)


@pytest.mark.parametrize("wanted", list(Wanted))
def test_an_acknowledged_stop_ends_with_75_whatever_is_wanted(wanted: Wanted) -> None:
    assert ending_of_save(Cause.STOP, wanted, "checkpoint 3").code == 75
    assert ending_of_save(Cause.DONE, wanted, "checkpoint 3").code == 0


def test_an_error_of_the_users_code_shows_where_and_ours_say_what_they_mean() -> None:
    def fail(error: Exception) -> str:
        with pytest.raises(type(error)) as caught:
            raise error
        return trace(caught.value)

    class TheirOwn(NeverRetry):
        pass

    assert "in fail" in fail(ValueError("bad row"))
    assert "in fail" in fail(TheirOwn("the order was cancelled"))
    assert fail(RefusedError("no")) == ""
    assert fail(NeverRetry("the order was cancelled")) == ""


def test_never_retry_from_another_error_shows_that_one_too() -> None:
    error = NeverRetry("the order was cancelled")
    error.__cause__ = ValueError("status 9")
    assert "ValueError: status 9" in trace(error)


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    text = trace(ValueError("x" * 10_000 + "the end"))
    assert len(text) < 3100
    assert text.startswith("ValueError: xxx")
    assert text.rstrip().endswith("the end")


def test_reasons_equal_their_words() -> None:
    assert [str(reason) for reason in Reason] == ["done", "suspended", "terminated", "deleted", "interrupted", "failed"]
    assert Reason.DONE == "done"  # type: ignore[comparison-overlap]
