"""The LongTask as data: frozen models, parsed once at the edge, and a source of the CRD.

It must not know how anything is decided or sent. Descriptions are what `kubectl explain` shows, so they speak
to users. Unknown fields are ignored on reading: a newer CRD must not break an older operator.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, StringConstraints

from longtask.api import names
from longtask.api.checkpoint import CheckpointSpec  # noqa: TC001 - pydantic needs it at run time
from longtask.api.cleanup import CleanupSpec  # noqa: TC001 - pydantic needs it at run time
from longtask.api.model import INT32_MAX, Model, Timestamp
from longtask.api.status import LongTaskStatus
from longtask.api.suspension import SuspendSpec  # noqa: TC001 - pydantic needs it at run time

if TYPE_CHECKING:
    from collections.abc import Mapping


class DesiredState(StrEnum):
    """What the user wants."""

    RUN = "Run"
    SUSPEND = "Suspend"
    TERMINATE = "Terminate"


FROM_BEGINNING: Final = "Beginning"


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
        description="How many failed pods in a row are replaced before the task is Failed, counted over all attempts: "
        "a worker that has made progress before it failed begins the count anew. "
        "Suspending, resuming and evictions use none of them. Raising it takes effect at once, lowering it "
        "with the next attempt.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=INT32_MAX,
        description="For how many seconds the task may be Running, over all attempts and not counting the time in "
        "which it is suspended or waits. Then its worker is asked to stop as for a suspension, and the task is Failed. "
        "A change takes effect at once.",
    )
    progress_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=INT32_MAX,
        description="For how many seconds a worker may be at work without progress.done rising. Then it is asked to "
        "stop as for a suspension, a failure is counted, and the next attempt goes on from the checkpoint. Noticed at "
        "most a quarter of that time late. A worker that reports no progress never makes any.",
    )
    restart_nonce: int | None = Field(
        default=None,
        ge=0,
        le=names.MAX_SEQUENCE,
        description="Any number; another one restarts the task, with fresh retries and times: the worker is asked to "
        "stop as for a suspension, and the next attempt begins where restartFrom says. A suspended task is restarted "
        "when it is run again. A task that is Complete or Terminated stays so.",
    )
    restart_from: Annotated[str, StringConstraints(pattern=r"^(Checkpoint|Beginning|[0-9]{1,16})$")] | None = Field(
        default=None,
        description="Where a restart by restartNonce goes on. Checkpoint, the default: from the last save. Beginning: "
        "as if nothing had been saved. A number in quotes: from the save of that number, as status.checkpoint.sequence "
        "had it, if it is still kept in checkpoint.volume. No worker goes on any more from what was saved after that.",
    )
    suspend: SuspendSpec | None = Field(
        default=None,
        description="How a worker is asked to stop when the task is to be suspended. A change takes effect with a new "
        "attempt, as one of the template does.",
    )
    cleanup: CleanupSpec | None = Field(
        default=None,
        description="What is run once when the task is terminated or deleted, from whatever state, when no worker is "
        "left and before anything that was saved is thrown away; a finalizer keeps a deleted task so long. Taking it "
        "out of the spec gives it up.",
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
    finalizers: tuple[str, ...] = ()


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
