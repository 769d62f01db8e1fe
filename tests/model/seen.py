"""From the records of the simulated world to those that the decision reads, as `longtask.shell.slim` does it.

It must not decide anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from longtask.api.status import Checkpoint, LongTaskStatus, Progress
from longtask.core.exitcodes import ExitCodes
from longtask.core.observed import JobOutcome, Observed, ObservedJob, ObservedPod, ObservedTask
from tests.model.objects import JobCondition, SimCleanup, SimJob, SimPod, SimTask

if TYPE_CHECKING:
    from tests.model.world import Setting, World

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
NAMESPACE = "team"

BATCH_WAIT = 600
"""Seconds for which a worker is asked before it is stopped."""

LOGICAL_NOW = 5_000
"""Seconds of a logical world, later than anything that happens there: every patience is over."""

_OUTCOMES = (
    (JobCondition.COMPLETE, JobOutcome.COMPLETE),
    (JobCondition.FAILED, JobOutcome.FAILED),
    (JobCondition.SUCCESS_CRITERIA_MET, JobOutcome.COMPLETING),
    (JobCondition.FAILURE_TARGET, JobOutcome.FAILING),
)


def at(seconds: int) -> datetime:
    """A time of the world's clock."""
    return EPOCH + timedelta(seconds=seconds)


def now_of(world: World, setting: Setting) -> datetime:
    """What the operator's clock shows."""
    return at(LOGICAL_NOW if setting.logical else world.now)


@lru_cache(maxsize=100_000)
def status_of(task: SimTask) -> LongTaskStatus:
    """The whole status."""
    saved = task.checkpoint
    if saved is None:
        return task.ours.status
    checkpoint = Checkpoint(
        epoch=saved.epoch,
        holder=saved.holder,
        attempt=saved.attempt,
        sequence=saved.sequence,
        cause=saved.cause,
        time=at(saved.time),
        data=saved.data,
    )
    return task.ours.status.model_copy(update={"checkpoint": checkpoint, "progress": Progress(done=saved.done)})


@lru_cache(maxsize=100_000)
def seen_task(task: SimTask) -> ObservedTask:
    """`task_record`."""
    return ObservedTask(
        namespace=NAMESPACE,
        name=task.name,
        uid=task.uid,
        resource_version=str(task.version),
        generation=task.generation,
        deleting=task.deleting,
        has_finalizer=task.has_finalizer,
        has_cleanup=task.has_cleanup,
        desired=task.desired,
        backoff_limit=task.backoff_limit,
        template_hash=task.template,
        secrets_inline=(),
        queue=None,
        keeps_file=task.keeps_file,
        exit_codes=ExitCodes(),
        active_deadline=None if task.deadline is None else timedelta(seconds=task.deadline),
        progress_deadline=None if task.progress_deadline is None else timedelta(seconds=task.progress_deadline),
        restart_nonce=task.restart_nonce,
        from_beginning=task.from_beginning,
        rewind=None,
        owns_claim=False,
        ttl=None if task.ttl is None else timedelta(seconds=task.ttl),
        grace_seconds=600,
        status=status_of(task),
    )


@lru_cache(maxsize=100_000)
def seen_job(job: SimJob) -> ObservedJob:
    """`job_record`, for a Job that a task controls."""
    kind, outcome = next(
        ((kind, outcome) for kind, outcome in _OUTCOMES if job.says(kind)), (JobCondition.SUSPENDED, JobOutcome.OPEN)
    )
    return ObservedJob(
        namespace=NAMESPACE,
        name=job.name,
        uid=job.uid,
        resource_version=str(job.version),
        generation=job.generation,
        task_uid=job.owner or "",
        attempt=job.attempt,
        template_hash=job.template,
        failures_before=job.failures_before,
        restart_nonce=job.restart_nonce,
        batch_wait=timedelta(seconds=BATCH_WAIT) if job.waits else None,
        deleting=job.deleting,
        suspend=job.suspend,
        suspended=job.says(JobCondition.SUSPENDED),
        outcome=outcome,
        outcome_reason="" if outcome is JobOutcome.OPEN else job.reason(kind),
        outcome_message="",
        failed=job.failed,
        started=job.started is not None,
        active_since=at(job.started or 0),
    )


@lru_cache(maxsize=100_000)
def seen_pod(pod: SimPod) -> ObservedPod:
    """`pod_record`."""
    return ObservedPod(
        namespace=NAMESPACE,
        name=pod.name,
        uid=pod.uid,
        resource_version=str(pod.version),
        task_uid=pod.task_uid,
        owner_uid=pod.owner,
        attempt=pod.attempt,
        created=at(pod.created),
        phase=pod.phase,
        node=pod.node,
        deletion_time=None if pod.asked is None else at(pod.asked + pod.grace),
        deletion_grace=timedelta(seconds=pod.grace),
        disrupted=pod.disrupted,
        worker_started=pod.running,
        ended=None if pod.ended is None else at(pod.ended),
        exit_code=pod.exit_code,
        last_words="",
        trouble=None,
    )


def seen_cleanup(job: SimCleanup) -> ObservedJob:
    """`job_record`, for the Job of a clean-up."""
    outcomes = {None: JobOutcome.OPEN, True: JobOutcome.COMPLETE, False: JobOutcome.FAILED}
    made = SimJob(name=job.name, uid=job.uid, owner=job.task_uid, attempt=0)
    return replace(seen_job(made), outcome=outcomes[job.ended])


def observed(
    task: SimTask,
    jobs: tuple[SimJob, ...],
    pods: tuple[SimPod, ...],
    now: datetime,
    cleanups: tuple[SimCleanup, ...] = (),
) -> Observed:
    """The snapshot of one task, out of copies of everything."""
    return Observed(
        task=seen_task(task),
        jobs=tuple(seen_job(job) for job in jobs if job.owner == task.uid),
        pods=tuple(seen_pod(pod) for pod in pods if pod.task_uid == task.uid),
        now=now,
        cleanup_job=next((seen_cleanup(job) for job in cleanups if job.task_uid == task.uid), None),
    )
