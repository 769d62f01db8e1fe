"""What has been observed of a LongTask, as data: frozen models, parsed once at the edge, and a source of the CRD.

It must not know how anything is decided or sent. Descriptions are what `kubectl explain` shows, so they speak
to users. Unknown fields are ignored on reading: a newer CRD must not break an older operator.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from longtask.api import names
from longtask.api.model import INT32_MAX, Model, Timestamp
from longtask.api.names import ConditionStatus  # noqa: TC001 - pydantic needs it at run time

_DECIMAL: Final = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"  # what any language prints for a number of 0 or more
_REASON: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"  # as in metav1.Condition


class State(StrEnum):
    """What the operator has observed."""

    INIT = "Init"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    TERMINATED = "Terminated"
    COMPLETE = "Complete"
    FAILED = "Failed"


class CheckpointCause(StrEnum):
    """Why a checkpoint was written."""

    CLAIM = "Claim"
    INTERVAL = "Interval"
    STOP = "Stop"
    DONE = "Done"


class Checkpoint(Model):
    """The last saved position, and who may write the next one.

    To empty `data`, patch that key alone: `time` may hold more digits than Python's datetime, and the API
    server refuses a write in which anything else has changed.
    """

    epoch: int = Field(
        ge=1,
        le=names.MAX_EPOCH,
        description="Fencing number. Every claim raises it by exactly 1, so that a worker with a lower "
        "one can write no more. Handed to the work as a fencing token for its own writes.",
    )
    holder: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="UID of the pod that made the last claim: the only one that may save."
    )
    attempt: int = Field(ge=1, le=names.MAX_ATTEMPT, description="The attempt in which the holder made its claim.")
    sequence: int = Field(
        ge=0,
        le=names.MAX_SEQUENCE,
        description="Number of the last save; every save raises it, a claim leaves it. 0: nothing was saved yet.",
    )
    cause: CheckpointCause = Field(
        description="Why this was written. Claim: a worker has started; sequence and data are as they "
        "were. Interval: a regular save. Stop: the last save before leaving, because the worker was asked "
        "to stop. Done: all the work is done."
    )
    time: Timestamp = Field(description="When this was written, as the worker says.")
    data: Annotated[str, StringConstraints(max_length=names.MAX_DATA)] = Field(
        description="Where to go on, in the work's own words: an opaque string of at most 32768 "
        "characters. Emptied when the task is terminated. Every pod of the namespace can read it: it must "
        "hold no secrets."
    )


class Progress(Model):
    """How far the work is, for people. Nothing comes of it but warnings, and whether an attempt has got on."""

    done: int = Field(ge=0, le=names.MAX_SEQUENCE, description="How many items are done.")
    total: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="How many items there are; absent when unknown.",
    )
    percent: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the items that are done; absent when the total is unknown.",
    )
    message: Annotated[str, StringConstraints(max_length=names.MAX_MESSAGE)] | None = Field(
        default=None, description="What the worker is doing, in its own words."
    )
    rate: Annotated[str, StringConstraints(max_length=32, pattern=_DECIMAL)] | None = Field(
        default=None,
        description="Items per second, as a decimal number in a string, such as 12.3.",
    )
    longest_batch_seconds: int | None = Field(
        default=None,
        ge=0,
        le=INT32_MAX,
        description="How long the longest batch took, in seconds: a stop waits for the batch in hand, so the pod's "
        "termination grace period must be longer. Absent when unknown.",
    )
    damage: Annotated[str, StringConstraints(max_length=4 * names.MAX_MESSAGE)] | None = Field(
        default=None,
        description="What was found to be damaged of the saved versions when this worker began, and from which it went "
        "on. Absent: nothing.",
    )
    estimated_completion_time: Timestamp | None = Field(
        default=None, description="When the work will be done at the present rate."
    )


class Condition(Model):
    """One aspect of the task, in the shape that all of Kubernetes uses (metav1.Condition)."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(
        description="Ready: the task is as desired. Stalled: only a person can help. Suspended: no pod of "
        "the task is active any more. Complete: all work is done. Failed: retries are used up. "
        "Terminated: ended for good. SecretsInline: a warning that the template seems to hold a secret. "
        "CheckpointDamaged: a warning that the last save was damaged, and an older one gone on from. "
        "CleanedUp: whether spec.cleanup has run to its end. "
        "BatchesTooLong: a warning that a batch took longer than a stop leaves time for."
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=_REASON)] = Field(
        description="The cause in one CamelCase word, for programs.",
    )
    message: Annotated[str, StringConstraints(max_length=names.MAX_CONDITION_MESSAGE)] = Field(
        description="The cause in a sentence, for people."
    )
    last_transition_time: Timestamp = Field(description="When the status last changed from one value to another.")
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        description="The metadata.generation that this condition speaks of; with an older one it is history.",
    )


class HistoryEntry(Model):
    """A change of state that has happened."""

    time: Timestamp = Field(description="When the operator observed the change.")
    state: State = Field(description="The state that was entered.")
    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(description="Why, in one CamelCase word.")
    attempt: int = Field(ge=1, le=names.MAX_ATTEMPT, description="The attempt at that time.")
    sequence: int | None = Field(
        default=None, ge=0, le=names.MAX_SEQUENCE, description="Number of the last save at that time."
    )


class ProgressMark(Model):
    """How far the work was when somebody last looked whether it gets on."""

    time: Timestamp = Field(description="When the operator looked.")
    done: int = Field(ge=0, le=names.MAX_SEQUENCE, description="progress.done at that time.")


class LongTaskStatus(Model):
    """What has been observed: by the operator, except progress and checkpoint, which the worker writes."""

    observed_generation: int = Field(
        default=0,
        ge=0,
        description="The metadata.generation that state and conditions speak of. While it is lower than "
        "metadata.generation, the operator has not yet acted on the latest change.",
    )
    state: State = Field(
        default=State.INIT,
        description="Init: accepted or resuming, no worker is at work yet. Running: a worker is at work. "
        "Suspended: no pod of the task is active any more, and the checkpoint is kept. Terminated: final; "
        "Job, pods and saved data are gone. Complete: final; all work is done. Failed: retries are used "
        "up; suspending and running it again, or changing its template, starts an attempt with fresh "
        "retries.",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        description="Ready, Stalled, Suspended, Complete, Failed, Terminated and warnings, with their reasons.",
    )
    attempt: int = Field(
        default=1,
        ge=1,
        le=names.MAX_ATTEMPT,
        description="Number of the current attempt. Each attempt is one Job; only its pods may claim and save.",
    )
    job_name: Annotated[str, StringConstraints(max_length=63)] | None = Field(
        default=None, description="Name of the current attempt's Job, in the same namespace."
    )
    start_time: Timestamp | None = Field(default=None, description="When a worker was first at work.")
    completion_time: Timestamp | None = Field(
        default=None, description="When the task ended: became Complete, Failed or Terminated."
    )
    failures: int | None = Field(
        default=None,
        ge=0,
        le=INT32_MAX,
        description="How many failures in a row, without progress in between, have counted against backoffLimit.",
    )
    next_try_time: Timestamp | None = Field(
        default=None,
        description="When the next pod comes after a failure: 10 s after the first, twice as long after each further "
        "one, 10 minutes at most. Absent when a worker is at work, or none is waited for.",
    )
    active_seconds: int | None = Field(
        default=None,
        ge=0,
        le=INT32_MAX,
        description="For how many seconds the task was Running, up to the last time that it ceased to be.",
    )
    active_since: Timestamp | None = Field(
        default=None, description="Since when the task is Running without a break; absent when it is not."
    )
    last_progress: ProgressMark | None = Field(
        default=None,
        description="When progress was last noticed, for progressDeadlineSeconds; looked at four times in that time.",
    )
    restart_nonce: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="The spec.restartNonce that the current attempt was begun with.",
    )
    start_over_sequence: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="Number of the last save when the task was last started over or set back: a worker that finds no "
        "later one begins as if nothing had been saved, or goes on from restartSequence.",
    )
    restart_sequence: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="Number of the save that the task was set back to; absent when it was started over.",
    )
    idle_restarts: int | None = Field(
        default=None,
        ge=0,
        le=INT32_MAX,
        description="How many attempts in a row were interrupted without any progress.",
    )
    done_at_start: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="progress.done when the current attempt was recorded, to see whether it makes progress.",
    )
    history: tuple[HistoryEntry, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
        max_length=names.MAX_HISTORY,
        description="The last changes of state, oldest first; at most 10.",
    )
    progress: Progress | None = Field(
        default=None,
        description="How far the work is, as reported by the worker, for people. Nothing is decided from it "
        "except warnings, and whether an interrupted attempt has got on.",
    )
    checkpoint: Checkpoint | None = Field(
        default=None,
        description="The last saved position, and which pod may write the next one. Written by the "
        "worker; the API server itself refuses every write that could lose an acknowledged save.",
    )
