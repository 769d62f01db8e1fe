"""Suspending and terminating: the proof that nothing is at work, in the order that makes it one.

Weaker orders were seen to fail in one to six of a hundred quick toggles (docs/architecture.md tells how).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import CheckpointCause, State
from longtask.api.names import Reason
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
from longtask.core.status import (
    at_sequence,
    attempt_claimed,
    suspending_lost_node,
    with_state,
    worker_finished,
)

if TYPE_CHECKING:
    from longtask.core.observed import Observed

RECHECK = timedelta(seconds=1)
"""How soon a proof is tried again when the live list shows a pod that the cache does not have yet."""


def suspend(o: Observed) -> Plan:
    """Suspend the Job, but (a) not before an earlier resume has been seen: else its `Suspended=True` is an old one.

    If the state still says `Suspended`, that is taken back first: a pod may turn up any moment.
    """
    job = o.job
    if job is None or job.suspended is True:
        return Plan(outcome=Outcome.WAIT)
    ask = SetJobSuspended(name=job.name, uid=job.uid, resource_version=job.resource_version, suspend=True)
    if o.task.status.state is not State.SUSPENDED:
        return Plan(outcome=Outcome.SUSPEND, actions=(ask,))
    leave = with_state(o, State.INIT, reason=Reason.JOB_RESUMED, message="the Job was resumed by somebody else")
    return Plan(outcome=Outcome.SUSPEND, actions=(WriteStatus(status=leave), ask))


def stopping(o: Observed) -> Plan:
    """Wait for `Suspended=True` (b) and for the end of the pods; take back a `Suspended` that is not true."""
    if o.task.status.state is State.SUSPENDED and o.active_pods:
        return _pod_turned_up(o)
    return Plan(outcome=Outcome.WAIT)


def prove_suspended(o: Observed) -> Plan:
    """(c) A live list of the task's pods, begun after (a) and (b) were seen, shows none active: `Suspended`.

    A worker that finished in its last moments makes the task `Complete` instead.
    """
    if o.active_pods:
        return stopping(o)
    if _suspended_already(o):
        return Plan(outcome=Outcome.SETTLED)
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    if any(pod.active for pod in o.live_pods):
        return Plan(outcome=Outcome.WAIT, wake_at=o.now + RECHECK)
    if worker_finished(o):
        return complete(o, Reason.DONE)
    reason, message = _how_it_stopped(o)
    record = with_state(o, State.SUSPENDED, reason=reason, message=message)
    return Plan(outcome=Outcome.SUSPENDED, actions=(WriteStatus(status=record, judged=True),))


def complete(o: Observed, reason: str, message: str = "") -> Plan:
    """The work is done."""
    record = with_state(o, State.COMPLETE, reason=reason, message=message)
    return Plan(outcome=Outcome.COMPLETE, actions=(WriteStatus(status=record, judged=True),))


def terminate(o: Observed) -> Plan:
    """Delete every Job and stray pod; when a live list shows nothing, empty the checkpoint: `Terminated`."""
    removals = clear_away(o)
    if removals:
        return Plan(outcome=Outcome.TERMINATE, actions=removals)
    if o.jobs or o.pods:
        return Plan(outcome=Outcome.WAIT)
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    if o.live_pods:
        return Plan(outcome=Outcome.WAIT, wake_at=o.now + RECHECK)
    status = o.task.status
    unheard = status.state is not State.RUNNING and status.checkpoint is not None
    reason = Reason.NO_CLEANUP if unheard else Reason.TERMINATED
    message = "no worker was at work, so its cleanup() did not run" if unheard else ""
    record = with_state(o, State.TERMINATED, reason=reason, message=message, job_name=None)
    empty = status.checkpoint is not None and status.checkpoint.data != ""
    return Plan(
        outcome=Outcome.TERMINATED,
        actions=(WriteStatus(status=record, judged=True, empty_checkpoint=empty),),
    )


def clear_away(o: Observed) -> tuple[Action, ...]:
    """Delete all Jobs, and pods that no Job will take along. Pods of somebody else's controller are not touched."""
    jobs = tuple(DeleteJob(name=job.name, uid=job.uid) for job in o.jobs if not job.deleting)
    strays = tuple(
        DeletePod(name=pod.name, uid=pod.uid, force=False)
        for pod in o.pods
        if pod.owner_uid is None and pod.deletion_time is None
    )
    return (*jobs, *strays)


def _suspended_already(o: Observed) -> bool:
    status = o.task.status
    return (
        status.state is State.SUSPENDED and status.observed_generation == o.task.generation and not worker_finished(o)
    )


def _pod_turned_up(o: Observed) -> Plan:
    names = ", ".join(pod.name for pod in o.active_pods)
    at_work = any(pod.worker_started for pod in o.active_pods)
    record = with_state(
        o,
        State.RUNNING if at_work else State.INIT,
        reason=Reason.POD_ACTIVE,
        message=f"pod {names} turned up while the task was suspended; waiting for its end",
    )
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=record),))


def _how_it_stopped(o: Observed) -> tuple[str, str]:
    """How the last worker ended, told from its last acknowledged write."""
    status = o.task.status
    checkpoint = status.checkpoint
    where = at_sequence(o)
    if suspending_lost_node(o):
        return Reason.NODE_LOST, f"suspended {where}; its node was lost, work after that is done again"
    if checkpoint is not None and checkpoint.cause is CheckpointCause.STOP:
        return Reason.SAVED, f"suspended {where}"
    if status.state is not State.RUNNING and not _killed_before_it_was_seen(o):
        return Reason.NOT_STARTED, f"no worker was at work; suspended {where}"
    return Reason.KILLED, (
        "the worker ended without saving: its grace period was too short, or it does not listen to SIGTERM;"
        f" suspended {where}, work after that is done again"
    )


def _killed_before_it_was_seen(o: Observed) -> bool:
    """Whether a worker had claimed before anybody saw it run, and did not end by itself.

    Pods that failed by themselves stay, those that a suspension ends are removed.
    """
    checkpoint = o.task.status.checkpoint
    if checkpoint is None or not attempt_claimed(o):
        return False
    return all(pod.uid != checkpoint.holder for pod in o.pods)
