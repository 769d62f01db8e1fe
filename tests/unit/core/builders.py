"""Snapshots for tests of the decision: defaults are a task at rest in its first minutes; a test says what differs.

They must not decide anything: what is odd in a snapshot is odd because the test says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionStatus, ConditionType, job_name
from longtask.api.status import Checkpoint, CheckpointCause, Condition, LongTaskStatus, Progress, State
from longtask.core.actions import Outcome, Plan, WriteStatus
from longtask.core.exitcodes import ExitCodes
from longtask.core.observed import JobOutcome, Observed, ObservedJob, ObservedPod, ObservedTask, PodPhase
from longtask.core.reconcile import reconcile

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
UID = "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b"
NAME = "import"
JOB_UID = "job-uid"
HOLDER = "pod-uid"
TEMPLATE = "0123456789abcdef"


def ago(**parts: float) -> datetime:
    """The time that long before NOW."""
    return NOW - timedelta(**parts)


def a_checkpoint(cause: CheckpointCause = CheckpointCause.INTERVAL, **changes: Any) -> Checkpoint:  # noqa: ANN401
    """What the pod HOLDER has saved in attempt 1, half a minute ago."""
    values = {
        "epoch": 1,
        "holder": HOLDER,
        "attempt": 1,
        "sequence": 7,
        "cause": cause,
        "time": ago(seconds=30),
        "data": "somewhere",
    }
    return Checkpoint.model_validate(values | changes)


def a_condition(kind: ConditionType, reason: str, *, status: bool = True, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=ConditionStatus.TRUE if status else ConditionStatus.FALSE,
        reason=reason,
        message=message,
        last_transition_time=ago(minutes=5),
        observed_generation=1,
    )


def a_task(
    desired: DesiredState = DesiredState.RUN,
    state: State = State.INIT,
    *,
    done: int | None = None,
    status: dict[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401
) -> ObservedTask:
    """A task of generation 1. Without `status` it is as the API server makes a new one."""
    progress = None if done is None else Progress(done=done)
    values = {"state": state, "progress": progress} | (status or {})
    task = ObservedTask(
        namespace="team",
        name=NAME,
        uid=UID,
        resource_version="100",
        generation=1,
        deleting=False,
        has_finalizer=False,
        has_cleanup=False,
        desired=desired,
        backoff_limit=6,
        template_hash=TEMPLATE,
        secrets_inline=(),
        queue=None,
        keeps_file=False,
        exit_codes=ExitCodes(),
        active_deadline=None,
        progress_deadline=None,
        restart_nonce=None,
        from_beginning=False,
        rewind=None,
        owns_claim=False,
        ttl=None,
        grace_seconds=600,
        status=LongTaskStatus.model_validate(values),
    )
    return replace(task, **changes)


def a_job(*, attempt: int = 1, **changes: Any) -> ObservedJob:  # noqa: ANN401
    """The Job of that attempt, running since a minute ago."""
    job = ObservedJob(
        namespace="team",
        name=job_name(NAME, UID, attempt),
        uid=JOB_UID if attempt == 1 else f"{JOB_UID}-{attempt}",
        resource_version="200",
        generation=1,
        task_uid=UID,
        attempt=attempt,
        template_hash=TEMPLATE,
        failures_before=0,
        restart_nonce=None,
        batch_wait=None,
        deleting=False,
        suspend=False,
        suspended=None,
        outcome=JobOutcome.OPEN,
        outcome_reason="",
        outcome_message="",
        failed=0,
        started=True,
        active_since=ago(minutes=1),
    )
    return replace(job, **changes)


def a_suspended_job(**changes: Any) -> ObservedJob:  # noqa: ANN401
    values: dict[str, Any] = {"suspend": True, "suspended": True, "started": False}
    return a_job(**values | changes)


def a_complete_job(**changes: Any) -> ObservedJob:  # noqa: ANN401
    values: dict[str, Any] = {"outcome": JobOutcome.COMPLETE}
    return a_job(**values | changes)


def a_failed_job(reason: str = "BackoffLimitExceeded", **changes: Any) -> ObservedJob:  # noqa: ANN401
    """A Job that has failed because its seventh pod did; the limit is 6."""
    words = "Job has reached the specified backoff limit"
    values: dict[str, Any] = {"outcome": JobOutcome.FAILED, "outcome_reason": reason, "failed": 7}
    return a_job(**values | {"outcome_message": words} | changes)


def a_pod(*, attempt: int = 1, **changes: Any) -> ObservedPod:  # noqa: ANN401
    """A pod of that attempt's Job whose worker is at work."""
    pod = ObservedPod(
        namespace="team",
        name=f"{job_name(NAME, UID, attempt)}-abcde",
        uid=HOLDER,
        resource_version="300",
        task_uid=UID,
        owner_uid=JOB_UID if attempt == 1 else f"{JOB_UID}-{attempt}",
        attempt=attempt,
        created=ago(hours=1),
        phase=PodPhase.RUNNING,
        node="node-1",
        deletion_time=None,
        deletion_grace=timedelta(0),
        disrupted=False,
        worker_started=True,
        ended=None,
        exit_code=None,
        last_words="",
        trouble=None,
    )
    return replace(pod, **changes)


def a_pending_pod(**changes: Any) -> ObservedPod:  # noqa: ANN401
    values: dict[str, Any] = {"phase": PodPhase.PENDING, "worker_started": False}
    return a_pod(**values | changes)


def an_ended_pod(exit_code: int | None, **changes: Any) -> ObservedPod:  # noqa: ANN401
    """A pod whose worker has ended by itself ten seconds ago."""
    phase = PodPhase.SUCCEEDED if exit_code == 0 else PodPhase.FAILED
    values: dict[str, Any] = {"phase": phase, "worker_started": False, "exit_code": exit_code}
    return a_pod(**values | {"ended": ago(seconds=10)} | changes)


def observed(
    task: ObservedTask,
    *belongings: ObservedJob | ObservedPod,
    live: tuple[ObservedPod, ...] | None = None,
    **changes: Any,  # noqa: ANN401
) -> Observed:
    """A snapshot of the task with its Jobs and pods; `live` is the answer to the question for live pods."""
    jobs = tuple(thing for thing in belongings if isinstance(thing, ObservedJob))
    pods = tuple(thing for thing in belongings if isinstance(thing, ObservedPod))
    return replace(Observed(task=task, jobs=jobs, pods=pods, now=NOW, live_pods=live), **changes)


def written(plan: Plan) -> LongTaskStatus:
    """The one status that the plan writes."""
    (write,) = [action for action in plan.actions if isinstance(action, WriteStatus)]
    return write.status


def after_writing(o: Observed) -> Observed:
    """The same snapshot once the status of its plan is written and nothing else has happened."""
    status = written(reconcile(o))
    return replace(o, task=replace(o.task, status=status, resource_version="101"))


def condition(status: LongTaskStatus, kind: ConditionType) -> Condition | None:
    return next((found for found in status.conditions if found.type == kind), None)


def says(status: LongTaskStatus, kind: ConditionType) -> tuple[bool, str] | None:
    """Status and reason of a condition; None where it is absent."""
    found = condition(status, kind)
    return None if found is None else (found.status == ConditionStatus.TRUE, found.reason)


def kinds(plan: Plan) -> list[str]:
    """The names of the plan's actions, in order."""
    return [type(action).__name__ for action in plan.actions]


WAIT = Plan(outcome=Outcome.WAIT)
SETTLED = Plan(outcome=Outcome.SETTLED)
