"""Suspending and terminating: the proof that nothing is at work, in the order that makes it one.

Weaker orders were seen to fail in one to six of a hundred quick toggles (docs/architecture.md tells how).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core import census
from longtask.core.actions import (
    Action,
    DeleteJob,
    DeletePod,
    Outcome,
    Plan,
    Question,
    SetJobSuspended,
    WriteStatus,
)
from longtask.core.status import at_sequence, attempt_claimed, lost_node_noted, with_state, worker_finished

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from longtask.core.observed import Observed, ObservedJob, ObservedPod

RECHECK = timedelta(seconds=1)
"""How soon a proof is tried again when the live list shows a pod that the cache does not have yet."""


def suspend(o: Observed) -> Plan:
    """Suspend the Job, but (a) not before an earlier resume has been seen: else its `Suspended=True` is an old one."""
    job = o.job
    if job is None or job.suspended is True:
        return Plan(outcome=Outcome.WAIT)
    if (until := _batch_is_awaited_until(o, job)) is not None:
        return _await_batch(o, until)
    ask = SetJobSuspended(name=job.name, uid=job.uid, resource_version=job.resource_version, suspend=True)
    return Plan(outcome=Outcome.SUSPEND, actions=(ask,))


def _batch_is_awaited_until(o: Observed, job: ObservedJob) -> datetime | None:
    """Until when the worker is left to its batch, which it knows to be its last; None: it is stopped now.

    It is, when it can't be asked, is not at work, has saved for that reason, or was waited for long enough. How long
    that was is told by the moment in which the task ceased to be ready.
    """
    checkpoint = o.task.status.checkpoint
    if job.batch_wait is None or checkpoint is None or checkpoint.cause in (CheckpointCause.STOP, CheckpointCause.DONE):
        return None
    if not any(pod.uid == checkpoint.holder and pod.worker_started and not pod.asked_to_stop for pod in o.attempt_pods):
        return None
    ready = next((c for c in o.task.status.conditions if c.type == ConditionType.READY), None)
    asked = o.now if ready is None or ready.reason != Reason.WAITING_FOR_BATCH else ready.last_transition_time
    until = asked + job.batch_wait
    return until if until > o.now else None


def _await_batch(o: Observed, until: datetime) -> Plan:
    message = f"the worker was asked, and finishes its batch; its pod is stopped at {until:%H:%M:%SZ} at the latest"
    record = with_state(o, State.RUNNING, reason=Reason.WAITING_FOR_BATCH, message=message)
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=record),), wake_at=until)


def await_end(o: Observed) -> Plan:
    """Wait for `Suspended=True` (b) and for the end of the pods; one that no Job will end is asked to end."""
    strays = _without_owner(pod for pod in o.pods if pod.active)
    return Plan(outcome=Outcome.CLEAR_AWAY if strays else Outcome.WAIT, actions=strays)


def count_pods(o: Observed) -> Plan:
    """(c) A live list, begun after (a) and (b) were seen, shows which pods there are to wait for.

    It is asked for while they end, so that nobody waits for it afterwards.
    """
    plan = await_end(o)
    if plan.actions or o.live_pods is not None or census.is_valid(o):
        return plan
    return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)


def prove_suspended(o: Observed) -> Plan:
    """All pods that were counted have ended: `Suspended`. Without a count, a live list (c) shows none active.

    A worker that finished in its last moments makes the task `Complete` instead.
    """
    if o.active_pods:
        return await_end(o)
    if _suspended_already(o):
        return Plan(outcome=Outcome.SETTLED)
    if o.live_pods is None and not census.is_valid(o):
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    if any(pod.active for pod in o.live_pods or ()):
        return Plan(outcome=Outcome.WAIT, wake_at=o.now + RECHECK)
    if worker_finished(o):
        return complete(o, Reason.DONE)
    reason, message = _how_it_stopped(o)
    record = with_state(o, State.SUSPENDED, reason=reason, message=message)
    return Plan(outcome=Outcome.SUSPENDED, actions=(WriteStatus(status=record, judged=True),))


def leave_suspended(o: Observed) -> Plan:
    """Take back a `Suspended` that is not true any more, before anything else is done about it."""
    at_work = any(pod.worker_started for pod in o.active_pods)
    names = ", ".join(pod.name for pod in o.active_pods)
    record = with_state(
        o,
        State.RUNNING if at_work else State.INIT,
        reason=Reason.POD_ACTIVE if names else Reason.JOB_RESUMED,
        message=f"pod {names} turned up while the task was suspended" if names else "somebody else resumed the Job",
    )
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=record),))


def complete(o: Observed, reason: str, message: str = "") -> Plan:
    """The work is done."""
    record = with_state(o, State.COMPLETE, reason=reason, message=message)
    return Plan(outcome=Outcome.COMPLETE, actions=(WriteStatus(status=record, judged=True),))


def make_bare(o: Observed) -> Plan | None:
    """Delete every Job and stray pod, and wait for the end of them. None: a live list shows that nothing is left."""
    removals = clear_away(o)
    if removals:
        return Plan(outcome=Outcome.TERMINATE, actions=removals)
    if o.jobs or o.pods:
        return Plan(outcome=Outcome.WAIT)
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    return Plan(outcome=Outcome.WAIT, wake_at=o.now + RECHECK) if o.live_pods else None


def clear_away(o: Observed) -> tuple[Action, ...]:
    """Delete all Jobs, and pods that no Job will take along. Pods of somebody else's controller are not touched."""
    return (*delete_jobs(o.jobs), *_without_owner(o.pods))


def delete_jobs(jobs: Iterable[ObservedJob]) -> tuple[Action, ...]:
    """Delete those of the Jobs that are not being deleted yet."""
    return tuple(DeleteJob(name=job.name, uid=job.uid) for job in jobs if not job.deleting)


def _without_owner(pods: Iterable[ObservedPod]) -> tuple[Action, ...]:
    return tuple(
        DeletePod(name=pod.name, uid=pod.uid, force=False)
        for pod in pods
        if pod.owner_uid is None and pod.deletion_time is None
    )


def _suspended_already(o: Observed) -> bool:
    status = o.task.status
    return (
        status.state is State.SUSPENDED and status.observed_generation == o.task.generation and not worker_finished(o)
    )


def _how_it_stopped(o: Observed) -> tuple[str, str]:
    """How the last worker ended, told from its last acknowledged write."""
    status = o.task.status
    checkpoint = status.checkpoint
    where = at_sequence(o)
    said = next((c for c in status.conditions if c.type == ConditionType.SUSPENDED), None)
    if status.state is State.SUSPENDED and said is not None:
        return said.reason, said.message
    if lost_node_noted(o):
        return Reason.NODE_LOST, f"suspended {where}; its node was lost, work after that is done again"
    if checkpoint is not None and checkpoint.cause is CheckpointCause.STOP:
        return Reason.SAVED, f"suspended {where}"
    if status.state is not State.RUNNING and not _killed_before_it_was_seen(o):
        return Reason.NOT_STARTED, f"no worker was at work; suspended {where}"
    words = "the worker ended without saving: its grace period was too short, or it does not listen to SIGTERM"
    if o.task.keeps_file:
        words = "the checkpoint file could not be saved after the program had ended: see progress.message"
    return Reason.KILLED, f"{words}; suspended {where}, work after that is done again"


def _killed_before_it_was_seen(o: Observed) -> bool:
    """Whether a worker of this attempt had claimed before anybody saw it run, and did not end by itself.

    Pods that failed by themselves stay, those that a suspension ends are removed.
    """
    checkpoint = o.task.status.checkpoint
    if checkpoint is None or not attempt_claimed(o) or o.task.status.state is State.FAILED:
        return False
    return all(pod.uid != checkpoint.holder for pod in o.pods)
