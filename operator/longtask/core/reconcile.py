"""The decision: what to do next for one task. Pure: same snapshot, same plan.

Guards come first, in order of precedence; what they leave is read from a table by (desired state, situation).
The documentation is generated from that table. It must not know kopf, the API client or the time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from longtask.api.longtask import DesiredState, State
from longtask.api.names import LABEL_KUEUE_QUEUE, Reason
from longtask.core.actions import Action, Outcome, Plan, WriteStatus
from longtask.core.attempts import follow, refused, replace_attempt, resume, start
from longtask.core.lost import NODE_INTERVAL, next_due, overdue, release
from longtask.core.observed import Observed, Trouble
from longtask.core.situation import Situation, situation
from longtask.core.status import acknowledged
from longtask.core.stop import clear_away, prove_suspended, stopping, suspend, terminate
from longtask.core.verdict import judge_complete, judge_failed

Step = Callable[[Observed], Plan]


def wait(o: Observed) -> Plan:  # noqa: ARG001  every step takes the snapshot
    """Nothing can be done until something changes by itself."""
    return Plan(outcome=Outcome.WAIT)


TABLE: Mapping[tuple[DesiredState, Situation], Step] = MappingProxyType(
    {
        (DesiredState.RUN, Situation.NO_JOB): start,
        (DesiredState.RUN, Situation.LEAVING): wait,
        (DesiredState.RUN, Situation.ACTIVE): follow,
        (DesiredState.RUN, Situation.STOPPING): stopping,
        (DesiredState.RUN, Situation.STOPPED): resume,
        (DesiredState.RUN, Situation.ENDING): wait,
        (DesiredState.RUN, Situation.COMPLETE): judge_complete,
        (DesiredState.RUN, Situation.FAILED): judge_failed,
        (DesiredState.SUSPEND, Situation.NO_JOB): prove_suspended,
        (DesiredState.SUSPEND, Situation.LEAVING): wait,
        (DesiredState.SUSPEND, Situation.ACTIVE): suspend,
        (DesiredState.SUSPEND, Situation.STOPPING): stopping,
        (DesiredState.SUSPEND, Situation.STOPPED): prove_suspended,
        (DesiredState.SUSPEND, Situation.ENDING): wait,
        (DesiredState.SUSPEND, Situation.COMPLETE): judge_complete,
        (DesiredState.SUSPEND, Situation.FAILED): judge_failed,
        **{(DesiredState.TERMINATE, anything): terminate for anything in Situation},
    }
)


def reconcile(o: Observed) -> Plan:
    """Decide what to do next. A status that says nothing new is not written, so a settled task has an empty plan."""
    plan = _decide(o)
    plan = replace(plan, actions=tuple(action for action in plan.actions if not _says_nothing_new(o, action)))
    due = next_due(o)
    if due is None or (plan.wake_at is not None and plan.wake_at <= due):
        return plan
    return replace(plan, wake_at=due)


def _says_nothing_new(o: Observed, action: Action) -> bool:
    return isinstance(action, WriteStatus) and action.status == o.task.status and not action.empty_checkpoint


def _decide(o: Observed) -> Plan:
    status = o.task.status
    if o.task.deleting:
        return Plan(outcome=Outcome.GONE)
    if status.state is State.TERMINATED:
        return _keep_terminated(o)
    late = overdue(o)
    if late and (released := release(o, late)):
        return released
    plan = _decide_by_state(o)
    if late and plan.outcome is Outcome.WAIT and plan.wake_at is None:
        return replace(plan, wake_at=o.now + NODE_INTERVAL)
    return plan


def _decide_by_state(o: Observed) -> Plan:
    status = o.task.status
    if o.task.desired is DesiredState.TERMINATE:
        return terminate(o)
    if status.state is State.COMPLETE:
        return settled(o)
    if o.refusal is not None:
        return refused(o, o.refusal)
    if o.task.queue is not None and o.task.desired is DesiredState.RUN and o.job is None:
        return _refuse_queue(o)
    if o.older_jobs:
        return _clear_older(o)
    if status.state is State.FAILED:
        return _keep_failed(o)
    if status.state is State.SUSPENDED and situation(o) is Situation.FAILED:
        return _leave_failure(o)
    return TABLE[o.task.desired, situation(o)](o)


def settled(o: Observed) -> Plan:
    """A settled task only takes note of a changed spec."""
    if o.task.status.observed_generation == o.task.generation:
        return Plan(outcome=Outcome.SETTLED)
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=acknowledged(o)),))


def _keep_terminated(o: Observed) -> Plan:
    """Nothing may come back: a Job that turns up late is deleted."""
    removals = clear_away(o)
    return Plan(outcome=Outcome.TERMINATE, actions=removals) if removals else settled(o)


def _keep_failed(o: Observed) -> Plan:
    """Failed is no dead end: it can be suspended, and any change of its spec tries again with fresh retries."""
    if o.task.desired is DesiredState.SUSPEND:
        return prove_suspended(o)
    if o.task.status.observed_generation == o.task.generation:
        return Plan(outcome=Outcome.SETTLED)
    return _retry_afresh(o)


def _leave_failure(o: Observed) -> Plan:
    """Suspended after it had failed: running it again is a fresh try."""
    if o.task.desired is DesiredState.SUSPEND:
        return prove_suspended(o)
    return _retry_afresh(o)


def _retry_afresh(o: Observed) -> Plan:
    return replace_attempt(o, reason=Reason.RETRYING, message="trying again with fresh retries", fresh=True)


def _clear_older(o: Observed) -> Plan:
    """One attempt at a time: Jobs of others go first, and with them their pods."""
    older = replace(o, jobs=o.older_jobs, pods=())
    removals = clear_away(older)
    return Plan(outcome=Outcome.CLEAR_AWAY, actions=removals) if removals else Plan(outcome=Outcome.WAIT)


def _refuse_queue(o: Observed) -> Plan:
    """Kueue would resume what we suspend, so a task with its label is refused until that is supported."""
    trouble = Trouble(
        reason=Reason.KUEUE_UNSUPPORTED,
        message=f"label {LABEL_KUEUE_QUEUE}={o.task.queue}: Kueue reverts a suspend, so it is not supported yet;"
        " remove the label from the task and from its template",
        only_a_person_can_help=True,
    )
    return refused(o, trouble)
