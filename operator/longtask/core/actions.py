"""What can be done: frozen actions in a closed union, questions to ask first, and the plan that holds them.

Records only. The executor matches every action and ends in `assert_never`, so a new one can't be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.api.status import LongTaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStatus:
    """Write the operator's part of the status.

    `judged` marks a verdict that rests on the checkpoint: it is written only over the very version that was judged.
    `empty_checkpoint` removes the saved data in the same write.
    """

    status: LongTaskStatus
    judged: bool = False
    empty_checkpoint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOver:
    """Where an attempt begins that does not go on from the last save, until it has saved something itself."""

    over: int
    """Number of the last save before."""
    rewind: int | None = None
    """Number of the save that it goes on from instead; None: from the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Create the current attempt's Job from the template as it stands on the server."""

    name: str
    attempt: int
    failures_before: int
    backoff_limit: int
    start_over: StartOver | None = None
    """None: it goes on from the last save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetJobSuspended:
    """Set `spec.suspend` of a Job, if it is still the version that was seen."""

    name: str
    uid: str
    resource_version: str
    suspend: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """Delete a Job in the foreground, so that it goes after its pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod:
    """Delete a pod. `force` drops its grace period: only for a pod whose node is lost and whose token is dead."""

    name: str
    uid: str
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTask:
    """Delete the task itself, if it is still the version that was seen."""

    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCleanup:
    """Create the Job that cleans up, for the task and its last checkpoint as they stand on the server."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFinalizer:
    """Set or remove our finalizer on the task, if it is still the version that was seen."""

    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteClaim:
    """Delete the claim of a volume that was made for the task."""

    name: str


Action = (
    WriteStatus
    | CreateJob
    | SetJobSuspended
    | DeleteJob
    | DeletePod
    | DeleteTask
    | CreateCleanup
    | SetFinalizer
    | DeleteClaim
)


@unique
class Question(StrEnum):
    """What a decision may need to know beyond the cache; the answer comes in the next snapshot."""

    LIVE_PODS = "live list of the task's pods"
    JOB_TROUBLES = "warnings among the events of the Job"
    LOST_NODES = "readiness of the pods' nodes"


@unique
class Outcome(StrEnum):
    """The name of every way a decision can end. The docs' table and the logs use these words."""

    ASK = "ask first"
    SETTLED = "nothing to do"
    WAIT = "wait"
    GONE = "leave it to the garbage collector"
    RECORD = "record what is seen"
    START = "create the Job"
    RESUME = "leave Suspended, then unsuspend the Job"
    SUSPEND = "suspend the Job"
    REPLACE = "record the next attempt, then delete the old Job"
    CLEAR_AWAY = "delete what is left of other attempts"
    SUSPENDED = "prove that no pod is active, then record Suspended"
    FINISH = "delete a Job whose work is done, though its worker failed"
    COMPLETE = "record Complete"
    FAILED = "record Failed"
    TERMINATE = "delete Jobs and pods"
    TERMINATED = "prove that nothing is left, then record Terminated"
    CLEAN_UP = "run the clean-up"
    RELEASE_TASK = "remove the finalizer"
    RELEASE = "force-delete pods of lost nodes"
    STOP = "record why, then delete the Job"
    STALLED = "record Stalled"
    EXPIRED = "delete the task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One decision: its name, the actions in the order they must happen, or a question to answer first.

    `wake_at` asks for another look when no event may come.
    """

    outcome: Outcome
    actions: tuple[Action, ...] = ()
    question: Question | None = None
    wake_at: datetime | None = None
