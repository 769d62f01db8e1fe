"""How a worker ends: the reason its cleanup is told, its exit code, and its last words. A table, and nothing else."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from longtask.worker import exitcodes
from longtask.worker.errors import (
    AlreadyDone,
    LongTaskError,
    NeverRetry,
    StoppedEarly,
    TaskFinalError,
    TaskGoneError,
)
from longtask.worker.reasons import Reason
from longtask.worker.store import Cause, Wanted

_LONGEST_TRACE = 3000  # characters

_WANTED = {
    Wanted.SUSPEND: (Reason.SUSPENDED, "suspended"),
    Wanted.TERMINATE: (Reason.TERMINATED, "terminated"),
    Wanted.DELETE: (Reason.DELETED, "the task is being deleted; stopped"),
    Wanted.RUN: (Reason.INTERRUPTED, "interrupted, another pod will go on"),
}

_ERRORS = (  # the first that fits: kind, reason, exit code, the same after a stop request, last words
    (AlreadyDone, Reason.DONE, exitcodes.DONE, exitcodes.DONE, "done already: {}"),
    (StoppedEarly, Reason.INTERRUPTED, exitcodes.SAVED, exitcodes.SAVED, "{}"),
    (TaskGoneError, Reason.DELETED, exitcodes.NEVER_RETRY, exitcodes.SAVED, "{}"),
    (TaskFinalError, Reason.TERMINATED, exitcodes.FAILED, exitcodes.FAILED, "{}"),
    (NeverRetry, Reason.FAILED, exitcodes.NEVER_RETRY, exitcodes.FAILED, "failed, and no retry can help: {}"),
    (LongTaskError, Reason.FAILED, exitcodes.FAILED, exitcodes.FAILED, "failed: {}"),
    (KeyboardInterrupt, Reason.FAILED, exitcodes.ABORTED, exitcodes.ABORTED, "aborted: not saved since the checkpoint"),
    (SystemExit, Reason.FAILED, exitcodes.FAILED, exitcodes.FAILED, "failed: exit({}) was called before all was done"),
)


class Ending(NamedTuple):
    """How it ends. `details`: a traceback, for errors of the user's code."""

    reason: Reason
    code: int
    line: str
    details: str = ""


def ending_of_save(cause: Cause, wanted: Wanted, summary: str) -> Ending:
    """Return the ending after the last save was acknowledged."""
    if cause is Cause.DONE:
        return Ending(Reason.DONE, exitcodes.DONE, f"done: {summary}")
    reason, words = _WANTED[wanted]
    return Ending(reason, exitcodes.SAVED, f"{words}: {summary}")


def ending_of(error: BaseException, *, stopped: bool) -> Ending:
    """Return the ending for an error. `stopped`: the worker was asked to stop, after which 78 is never right."""
    said = words_of(error)
    text = said or type(error).__name__
    for kind, reason, code, code_if_stopped, line in _ERRORS:
        if isinstance(error, kind):
            return Ending(reason, code_if_stopped if stopped else code, line.format(text), trace(error))
    return Ending(Reason.FAILED, exitcodes.FAILED, f"failed: {type(error).__name__}: {said}", trace(error))


def words_of(error: BaseException) -> str:
    """Return what the error says. An error of user code may fail even at that."""
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - whatever it is, the worker must still end in order
        return f"no words, because {type(failure).__name__} was raised for them"


def trace(error: BaseException) -> str:
    """Return the traceback as Python prints it, cut in the middle if it is long; "" where it would tell nothing.

    It tells where the user's own code failed. Our own errors say what they mean.
    """
    ours = isinstance(error, LongTaskError) and type(error).__module__ == LongTaskError.__module__
    if not isinstance(error, Exception) or (ours and (type(error) is not NeverRetry or error.__cause__ is None)):
        return ""
    text = "".join(traceback.format_exception(error))
    if len(text) > _LONGEST_TRACE:
        text = f"{text[:500]}...\n{text[500 - _LONGEST_TRACE :]}"
    return text
