"""What was seen: one frozen snapshot of a task and of everything that belongs to it, the clock included.

This module holds records only. It must not know how they were obtained, nor what will be done about them.
A field that could not be seen has no default that reads like a fact: `None` here always means "not asked yet".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from longtask.api.model import INT32_MAX
from longtask.api.names import claim_name, cleanup_job_name, job_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from longtask.api.longtask import DesiredState
    from longtask.api.status import LongTaskStatus
    from longtask.core.exitcodes import ExitCodes


@unique
class JobOutcome(StrEnum):
    """How far a Job is from its end. `Completing` and `Failing` come before the final conditions (KEP-4368)."""

    OPEN = "Open"
    COMPLETING = "Completing"
    COMPLETE = "Complete"
    FAILING = "Failing"
    FAILED = "Failed"


@unique
class PodPhase(StrEnum):
    """The phases of a pod, as Kubernetes names them."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why something does not go on: a CamelCase reason, and the words of whoever refused it."""

    reason: str
    message: str
    only_a_person_can_help: bool = False
    time: datetime | None = None
    """When it was last said; None where it is how things are now, or nobody noted the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedTask:
    """A LongTask without its template, which is read live in the moment it is needed."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    has_finalizer: bool
    """Our finalizer is on it."""
    has_cleanup: bool
    """Its spec says what is to be cleaned up at its end."""
    desired: DesiredState
    backoff_limit: int
    template_hash: str
    secrets_inline: tuple[str, ...]
    """Names of environment variables that look like secrets and stand in the template as plain text."""
    queue: str | None
    """The Kueue queue that the task asks for, which is not supported yet."""
    keeps_file: bool
    """Its program keeps its position in a file, which a sidecar of ours saves. The program itself claims nothing."""
    exit_codes: ExitCodes
    active_deadline: timedelta | None
    """For how long it may be `Running`; None: for ever."""
    progress_deadline: timedelta | None
    """For how long a worker may be at work without progress; None: for ever."""
    restart_nonce: int | None
    """Another number than that of the last attempt asks for a restart."""
    from_beginning: bool
    """A restart begins as if nothing had been saved."""
    rewind: int | None
    """Number of the save that a restart goes back to; None: to none."""
    owns_claim: bool
    """A claim of a volume is made for it."""
    ttl: timedelta | None
    """How long it is kept after it has ended; None: for ever."""
    grace_seconds: int
    """What the template leaves between SIGTERM and SIGKILL."""
    status: LongTaskStatus

    @property
    def longest_batch(self) -> int:
        """Seconds of the longest batch that the worker has told of; 0 where it has told of none."""
        progress = self.status.progress
        return 0 if progress is None else progress.longest_batch_seconds or 0

    @property
    def batches_too_long(self) -> bool:
        """Whether a stop would cut a batch such as the longest so far."""
        return self.longest_batch > self.grace_seconds

    @property
    def damage(self) -> str:
        """What its worker has found to be damaged of the saved versions; empty: nothing."""
        progress = self.status.progress
        return "" if progress is None else progress.damage or ""

    @property
    def job_name(self) -> str:
        """The name of the current attempt's Job."""
        return job_name(self.name, self.uid, self.status.attempt)

    @property
    def claim_name(self) -> str:
        """The name of the claim that is made for it."""
        return claim_name(self.name, self.uid)

    @property
    def cleanup_job_name(self) -> str:
        """The name of the Job that cleans up at its end."""
        return cleanup_job_name(self.name, self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedJob:
    """A Job that this task owns."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    """Of its spec: whoever suspends, resumes or deletes it makes another one."""
    task_uid: str
    """The task that controls it."""
    attempt: int
    """0: it is no attempt, but cleans up."""
    template_hash: str
    failures_before: int
    """Failures that earlier attempts had used when this one was created."""
    restart_nonce: int | None
    """The task's when this one was created."""
    batch_wait: timedelta | None
    """For how long its worker is asked before it is stopped for a suspension; None: it can't be asked."""
    deleting: bool
    suspend: bool
    """`spec.suspend`: what was asked for."""
    suspended: bool | None
    """The condition `Suspended`: what the Job controller has done. None while it has never said anything."""
    outcome: JobOutcome
    outcome_reason: str
    outcome_message: str
    failed: int
    started: bool
    """It has a start time. The API server lets no Job finish without one, and a suspended Job has none."""
    active_since: datetime
    """When the Job controller last began to run it; before that, when it was created."""

    @property
    def failures(self) -> int:
        """Failures that count against the backoff limit, over all attempts since the last fresh start."""
        return min(INT32_MAX, self.failures_before + self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPod:
    """A pod that carries this task's UID as a label."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    task_uid: str
    owner_uid: str | None
    """UID of its controller. None for a pod that lost its Job or was made by hand."""
    attempt: int
    created: datetime | None
    phase: PodPhase
    node: str | None
    deletion_time: datetime | None
    """`deletionTimestamp`, which lies the grace period after the moment somebody asked."""
    deletion_grace: timedelta
    disrupted: bool
    """The condition `DisruptionTarget`: evicted, preempted, or its node was drained or lost."""
    worker_started: bool
    """The worker's container is running now."""
    ended: datetime | None
    """By the clock of its node."""
    exit_code: int | None
    last_words: str
    """The termination message of the worker's container: by our default the tail of its log."""
    trouble: Trouble | None

    @property
    def active(self) -> bool:
        """Whether a process of it may be running: any phase but the two final ones, `Unknown` included."""
        return self.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    @property
    def asked_to_stop(self) -> bool:
        """Whether somebody may have asked it to stop before it ended. Nobody can tell whether that was before.

        When it ended is told by its node's clock, and when it was asked by the API server's: a node whose clock is some
        seconds behind would have every program that exits with 0 on SIGTERM end by itself.
        """
        return self.disrupted or self.deletion_time is not None


Census = frozenset[tuple[str, int]]
"""A count of a task's pods: UID and generation of each of its Jobs when it was taken. See `census.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything one decision may use."""

    task: ObservedTask
    jobs: tuple[ObservedJob, ...]
    pods: tuple[ObservedPod, ...]
    now: datetime
    cleanup_job: ObservedJob | None = None
    """The Job that cleans up at the task's end; it is none of `jobs`."""
    live_pods: tuple[ObservedPod, ...] | None = None
    """A list of the task's pods that began after the rest of this snapshot was taken; None: not asked."""
    census: Census | None = None
    """The last one that was taken of the task's pods; None: none was."""
    job_troubles: tuple[Trouble, ...] | None = None
    """What the events of the current Job complain about; None: not asked."""
    lost_nodes: frozenset[str] | None = None
    """Nodes, out of those the task's pods are on, that are gone or not ready; None: not asked."""
    refusal: Trouble | None = None
    """Set when the API server has just refused what the last plan asked for."""

    @property
    def job(self) -> ObservedJob | None:
        """The current attempt's Job."""
        name = self.task.job_name
        return next((job for job in self.jobs if job.name == name), None)

    @property
    def template_changed(self) -> bool:
        """Whether the current Job was made from another template. One that does not say so is left as it is."""
        made_from = "" if self.job is None else self.job.template_hash
        return made_from not in ("", self.task.template_hash)

    @property
    def older_jobs(self) -> tuple[ObservedJob, ...]:
        """Jobs of earlier attempts. One of a later attempt means that our copy of the task is old: it is left alone."""
        name, attempt = self.task.job_name, self.task.status.attempt
        return tuple(job for job in self.jobs if job.name != name and job.attempt <= attempt)

    @property
    def active_pods(self) -> tuple[ObservedPod, ...]:
        """Pods of any attempt that may be running, as far as the cache knows."""
        return tuple(pod for pod in self.pods if pod.active)

    @property
    def attempt_pods(self) -> tuple[ObservedPod, ...]:
        """Pods of the current attempt, finished ones included, as far as the cache knows."""
        return self.of_attempt(self.pods)

    def of_attempt(self, pods: Iterable[ObservedPod]) -> tuple[ObservedPod, ...]:
        """Those of the pods that belong to the current attempt."""
        return tuple(pod for pod in pods if pod.attempt == self.task.status.attempt)

    def last_failed(self, pods: Iterable[ObservedPod]) -> ObservedPod | None:
        """The pod of the current attempt that failed last. They come one after the other, so it was created last.

        When it ended is only asked within one second: nodes' clocks differ. What has no time counts as the latest.
        """
        failed = [pod for pod in self.of_attempt(pods) if pod.phase is PodPhase.FAILED]
        return max(failed, key=lambda pod: (pod.created or self.now, pod.ended or self.now), default=None)
