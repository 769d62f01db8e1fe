"""What can go wrong, as seen by the library. It must not know who raises or who handles what.

LongTaskError
├── NeverRetry            a person must act first (exit 78); users raise it too
│   ├── DataError         what is to be saved, or was saved, can't be used
│   │   └── DamagedError  a local file isn't what was written to it
│   └── UsageError        the command or the container's settings are wrong
├── AwayError             no answer, or one that may be better next time: the outcome is unknown
├── RefusedError          the answer was no, and would be no again
├── FencedError           another worker has claimed the task: this one must not do anything more
├── TaskGoneError         the task was deleted, or re-created under its name
├── TaskFinalError        the task is in a state that nothing leads out of
├── NotSavedError         told to stop, and the last save was not acknowledged in time
├── NotFinishedError      the program left its work before it was done
├── AlreadyDone           there is nothing left to do
└── StoppedEarly          told to stop before anything was claimed
"""

from __future__ import annotations


class LongTaskError(Exception):
    """Anything of the above."""


class NeverRetry(LongTaskError):
    """Trying again can't help: the task fails at once, whatever retries it has left. The text says why."""


class DataError(NeverRetry):
    """The state is no JSON, or too large, or was not written by this library."""


class DamagedError(DataError):
    """The local file can't be what was written to it."""


class UsageError(NeverRetry):
    """There is no such class or file, or a setting is missing."""


class AwayError(LongTaskError):
    """No answer, or one that may be better next time. Whether the request was carried out is unknown.

    `retry_after`: seconds that the server asks to wait, if it does. `patience`: for how many seconds in a row this is
    bearable; None is for ever.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, patience: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.patience = patience


class RefusedError(LongTaskError):
    """The store said no; the text has its words."""


class FencedError(LongTaskError):
    """Another worker holds the task."""


class TaskGoneError(LongTaskError):
    """The task that this pod belongs to exists no more."""


class TaskFinalError(LongTaskError):
    """The task is Complete or Terminated: nothing can be saved any more."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the task is {state}: nothing can be saved any more")
        self.state = state


class NotSavedError(LongTaskError):
    """The time to stop is up, and the last save was not acknowledged."""


class NotFinishedError(LongTaskError):
    """The work was left in the middle without having been asked to."""


class AlreadyDone(LongTaskError):
    """The work is done and was so before this worker came."""


class StoppedEarly(LongTaskError):
    """Told to stop before anything was claimed: nothing is unsaved."""
