"""Where checkpoints are kept, as the rest of the library sees it: claim once, then save.

Two stores do this: the task's status at the API server, and a local file. This module must know neither.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable


class Cause(StrEnum):
    """Why a checkpoint is written."""

    CLAIM = "Claim"
    INTERVAL = "Interval"
    STOP = "Stop"
    DONE = "Done"


class Wanted(StrEnum):
    """What the task's user wants of it, as the answer to a save tells."""

    RUN = "Run"
    SUSPEND = "Suspend"
    TERMINATE = "Terminate"
    DELETE = "Delete"  # the task is being deleted


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker has when the task is its own."""

    epoch: int
    sequence: int  # of the last save; 0: none yet
    data: str  # of the last save; "": none yet


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A position to save, already serialised: the user's objects may change while it is on its way.

    Two snapshots are the same only if they are one: that is how the saver knows which one was acknowledged.
    """

    cause: Cause
    data: str
    progress: dict[str, Any] | None  # as in the task's status; None: leave it as it is
    time: str


def anything(data: str) -> None:
    """Accept whatever is saved."""


class CheckpointStore(Protocol):
    """Where checkpoints are kept. Every method is one try: who calls decides whether to try again."""

    name: str  # as messages call it: "the API server", or a file's name
    limit: int  # bytes of the longest data that it can save

    def claim(self, accept: Callable[[str], None] = anything) -> Claim:
        """Make the task this worker's own.

        `accept` gets the data that was saved last, and raises what speaks against going on from there: then nothing was
        touched. Raises AlreadyDone, TaskGoneError, AwayError (try again: after an unknown outcome the next call finds
        out), RefusedError, or NeverRetry.
        """

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> Wanted:
        """Save, and return only when that is on record; give up after so many seconds.

        Raises FencedError, TaskGoneError, TaskFinalError, RefusedError, or AwayError: then the same call may be made
        again, which is harmless if the first one was carried out after all.
        """

    def now(self) -> float:
        """The time of day where the checkpoints are kept, in seconds since the epoch."""

    def close(self) -> None:
        """Let go of files and connections."""


_CHECKPOINT = {"epoch": int, "holder": str, "attempt": int, "sequence": int, "cause": str, "time": str, "data": str}


def is_checkpoint(found: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether this is a whole checkpoint. What is not must never be taken for none: that would begin at zero."""
    return isinstance(found, dict) and all(
        isinstance(found.get(key), kind) and not isinstance(found[key], bool) for key, kind in _CHECKPOINT.items()
    )


def timestamp(seconds: float) -> str:
    """Write a time, in seconds since the epoch, as Kubernetes does: RFC 3339 in UTC, here with microseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1_000_000):06d}Z"
