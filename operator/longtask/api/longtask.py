"""The LongTask as data: frozen models, parsed once at the edge, and the source of the CRD.

It must not know how anything is decided or sent. Descriptions are what `kubectl explain` shows, so they speak
to users. Unknown fields are ignored on reading: a newer CRD must not break an older operator.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, StringConstraints

from longtask.api import names
from longtask.api.checkpoint import CheckpointSpec  # noqa: TC001 - pydantic needs it at run time
from longtask.api.model import Model, Timestamp
from longtask.api.names import ConditionStatus  # noqa: TC001 - pydantic needs it at run time
from longtask.api.suspension import SuspendSpec  # noqa: TC001 - pydantic needs it at run time

if TYPE_CHECKING:
    from collections.abc import Mapping

INT32_MAX: Final = 2**31 - 1
_DECIMAL: Final = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"  # what any language prints for a number of 0 or more
_REASON: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"  # as in metav1.Condition


class DesiredState(StrEnum):
    """What the user wants."""

    RUN = "Run"
    SUSPEND = "Suspend"
    TERMINATE = "Terminate"


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
    time: Timestamp = Field(description="When this was written, by the worker's clock.")
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
    estimated_completion_time: Timestamp | None = Field(
        default=None, description="When the work will be done at the present rate."
    )


class Condition(Model):
    """One aspect of the task, in the shape that all of Kubernetes uses (metav1.Condition)."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(
        description="Ready: the task is as desired. Stalled: only a person can help. Suspended: no pod of "
        "the task is active any more. Complete: all work is done. Failed: retries are used up. "
        "Terminated: ended for good. SecretsInline: a warning that the template seems to hold a secret. "
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


class LongTaskSpec(Model):
    """What the user wants."""

    desired_state: DesiredState = Field(
        default=DesiredState.RUN,
        description="What is wanted of the task. Run: do the work, going on from the last save. Suspend: "
        "finish the batch in hand, save, and give every resource back. Terminate: end it for good; this "
        "can't be taken back. A manifest that leaves it out and is applied again leaves it as it is.",
    )
    template: dict[str, Any] = Field(
        description="The pod that does the work, as in a Job: metadata and spec. The container named "
        "worker, or else the first, is the one that does it. Changing the template starts a new attempt, "
        "which goes on from the last save: at once if no worker is at work, otherwise when the task has been "
        "suspended and is run again. Readable to every pod of the namespace: it must hold no secrets, only "
        "references to them."
    )
    backoff_limit: int = Field(
        default=6,
        ge=0,
        le=INT32_MAX,
        description="How many failed pods are replaced before the task is Failed, counted over all attempts since "
        "the last fresh start. "
        "Suspending, resuming and evictions use none of them. Raising it takes effect at once, lowering it "
        "with the next attempt.",
    )
    suspend: SuspendSpec | None = Field(
        default=None,
        description="How a worker is asked to stop when the task is to be suspended. A change takes effect with a new "
        "attempt, as one of the template does.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=INT32_MAX,
        description="How many seconds after it has become Complete, Failed or Terminated the task is deleted, and with "
        "it its Job, pods and status. Absent: it stays until somebody deletes it.",
    )
    checkpoint: CheckpointSpec | None = Field(
        default=None,
        description="What is saved: the form that it has; and for a program that does not save by itself, the file in "
        "which it keeps its position, and what its exit codes mean. A change takes effect with a new attempt, as one "
        "of the template does.",
    )


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
        description="How many failures have counted against backoffLimit since the last fresh start.",
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


class ObjectMeta(Model):
    """The part of an object's metadata that we read."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None


class LongTask(Model):
    """One task, as the API server has it."""

    metadata: ObjectMeta
    spec: LongTaskSpec
    status: LongTaskStatus = Field(default_factory=LongTaskStatus)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Parse what the API server sent; the only place that touches the raw object.

        Raises `pydantic.ValidationError` for what our CRD would not have let in.
        """
        return cls.model_validate(body)
