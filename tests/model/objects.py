"""The objects of the simulated cluster: what the API server stores and what goes on behind it, as frozen records.

Only what a decision of ours, of the Job controller, the kubelet or the garbage collector depends on is kept. Times are
whole seconds of the world's own clock. It must not know who changes what, nor when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from longtask.api.longtask import DesiredState
from longtask.api.status import CheckpointCause, LongTaskStatus
from longtask.core.observed import PodPhase

if TYPE_CHECKING:
    from typing import Self

FINAL_PHASES = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})

_getters: dict[type, Any] = {}

K = TypeVar("K", bound="Kept")


class Kept:
    """A record that computes its hash once, for it is asked for again and again. Each says `__hash__ = kept_hash`."""

    __slots__ = ("kept",)
    kept: int


def kept_hash(self: Kept) -> int:
    """The hash of all fields."""
    try:
        return self.kept
    except AttributeError:
        kind = type(self)
        if kind not in _getters:
            _getters[kind] = attrgetter(*kind.__dataclass_fields__)  # type: ignore[attr-defined]  # a dataclass
        value = hash(_getters[kind](self))
        object.__setattr__(self, "kept", value)
        return value


def changed(record: K, **changes: object) -> K:
    """A copy with other values: `dataclasses.replace`, in a third of its time. A search makes millions."""
    kind = type(record)
    new = object.__new__(kind)
    put = object.__setattr__
    for name in kind.__dataclass_fields__:  # type: ignore[attr-defined]  # a dataclass
        put(new, name, changes[name] if name in changes else getattr(record, name))
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCheckpoint(Kept):
    """`status.checkpoint` and `status.progress` of a task: what a worker writes."""

    __hash__ = kept_hash

    epoch: int
    holder: str
    attempt: int
    sequence: int
    cause: CheckpointCause
    time: int
    data: str
    """How many batches are done, as text; empty before the first save and after the end."""

    @property
    def done(self) -> int:
        """How many batches are done."""
        return int(self.data or 0)


class Ours:
    """The operator's part of a status, kept once for each content: so it is hashed and compared by identity."""

    __slots__ = ("status",)
    _known: ClassVar[dict[LongTaskStatus, Ours]] = {}
    status: LongTaskStatus

    @classmethod
    def of(cls, status: LongTaskStatus) -> Self:
        """The one object for that content. The history is left out: nothing is decided from it, and it would grow.

        So is the time of the next try: every patience is over.
        """
        plain = status.model_copy(update={"history": (), "progress": None, "checkpoint": None, "next_try_time": None})
        known = cls._known.get(plain)
        if known is None:
            known = cls()
            known.status = plain
            cls._known[plain] = known
        return known  # type: ignore[return-value]  # the dict holds objects of this class alone

    def __repr__(self) -> str:
        status = self.status
        said = " ".join(f"{c.type}={c.status}:{c.reason}" for c in status.conditions)
        return (
            f"<{status.state} attempt={status.attempt} seen={status.observed_generation} "
            f"failures={status.failures} idle={status.idle_restarts} {said}>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTask(Kept):
    """A LongTask as stored."""

    __hash__ = kept_hash

    name: str
    uid: str
    version: int = 0
    generation: int = 1
    deleting: bool = False
    desired: DesiredState = DesiredState.RUN
    backoff_limit: int = 1
    template: str = "a"
    keeps_file: bool = False
    ttl: int | None = None
    """Seconds for which it stays after it has ended."""
    waits: bool = False
    """Its workers are asked before they are stopped for a suspension."""
    deadline: int | None = None
    """Seconds for which it may be `Running`."""
    progress_deadline: int | None = None
    """Seconds for which its workers may be without progress."""
    restart_nonce: int | None = None
    from_beginning: bool = False
    has_cleanup: bool = False
    has_finalizer: bool = False
    foreground: bool = False
    """It is deleted in the foreground: the garbage collector deletes first what it owns."""
    ours: Ours = field(default_factory=lambda: Ours.of(LongTaskStatus()))
    checkpoint: SimCheckpoint | None = None


@unique
class JobCondition(StrEnum):
    """Conditions of a Job that the Job controller sets (batch/v1)."""

    SUSPENDED = "Suspended"
    SUCCESS_CRITERIA_MET = "SuccessCriteriaMet"
    COMPLETE = "Complete"
    FAILURE_TARGET = "FailureTarget"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimJob(Kept):
    """A Job as stored: one pod, replaced only when it has failed, with our pod failure policy."""

    __hash__ = kept_hash

    name: str
    uid: str
    version: int = 0
    generation: int = 1
    owner: str | None
    """UID of the controlling LongTask; None for a Job of somebody else."""
    attempt: int = 1
    template: str = "a"
    failures_before: int = 0
    backoff_limit: int = 1
    restart_nonce: int | None = None
    start_over: int | None = None
    """Its workers go on from no save up to that number."""
    waits: bool = False
    suspend: bool = False
    deleting: bool = False
    """It is being deleted in the foreground: it has a deletionTimestamp, and goes after its pods."""
    conditions: tuple[tuple[JobCondition, bool, str], ...] = ()
    """Type, whether it is true, and the reason; in the order in which they came."""
    active: int = 0
    terminating: int = 0
    succeeded: int = 0
    failed: int = 0
    uncounted_succeeded: tuple[str, ...] = ()
    uncounted_failed: tuple[str, ...] = ()
    started: int | None = None
    """`startTime`."""

    def says(self, kind: JobCondition) -> bool | None:
        """Whether a condition is true; None where it is absent."""
        return next((true for found, true, _ in self.conditions if found is kind), None)

    def reason(self, kind: JobCondition) -> str:
        """The reason of a condition; empty where it is absent."""
        return next((reason for found, _, reason in self.conditions if found is kind), "")

    @property
    def finished(self) -> bool:
        """Whether the Job controller is done with it."""
        return bool(self.says(JobCondition.COMPLETE) or self.says(JobCondition.FAILED))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCleanup(Kept):
    """The Job of a clean-up. What goes on in it is of no interest but for how it ends."""

    __hash__ = kept_hash

    name: str
    uid: str
    task_uid: str
    owned: bool
    ended: bool | None = None
    """Whether it succeeded; None: it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimPod(Kept):
    """A pod as stored; its one container is the worker."""

    __hash__ = kept_hash

    name: str
    uid: str
    version: int = 0
    task_uid: str
    """The label; anybody may write it."""
    owner: str | None
    """UID of the controlling Job."""
    attempt: int = 1
    created: int = 0
    phase: PodPhase = PodPhase.PENDING
    node: str | None = None
    """None until it is scheduled."""
    tracked: bool = True
    """It has the Job controller's finalizer."""
    asked: int | None = None
    """When somebody asked for its deletion: deletionTimestamp less the grace period. None: nobody has."""
    grace: int = 0
    disrupted: bool = False
    running: bool = False
    """The container's state is running, as far as the kubelet has said so."""
    exit_code: int | None = None
    ended: int | None = None

    @property
    def final(self) -> bool:
        """Whether it has ended, as far as the API server knows."""
        return self.phase in FINAL_PHASES


@unique
class Program(StrEnum):
    """What a worker is made of."""

    LIBRARY = "takes part in the protocol"
    PLAIN = "never heard of it"
    FILED = "never heard of it, and keeps its position in a file that a sidecar saves"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimProcess(Kept):
    """A container at work on a node: real, whatever the API server knows of it. It may outlive its pod."""

    __hash__ = kept_hash

    pod: str
    node: str = "node"
    task_uid: str
    task_name: str
    attempt: int
    program: Program = Program.LIBRARY
    start_over: int | None = None
    epoch: int = 0
    """Its claim; 0 before it has made one."""
    sequence: int = 0
    done: int = 0
    told: bool = False
    """It has got SIGTERM."""
    parked: bool = False
    """It was asked to stop, has saved, and waits for what is wanted next."""
    said_done: bool = False
    """Its save with cause Done was acknowledged."""
    exit_code: int | None = None
    """None while it runs."""
    token_dead: bool = False
