"""The decision: what to do next for one task. Pure: same snapshot, same plan.

Guards come first, in order of precedence; what they leave is read from a table by (desired state, situation).
docs/decision-table.md is generated from both. It must not know kopf, the API client or the time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType
from longtask.api.status import State
from longtask.core.actions import Action, Outcome, Plan, WriteStatus
from longtask.core.attempts import clear_older, follow, refuse_queue, refused, resume, start
from longtask.core.cleanup import finalizer_is_amiss, is_deleted_with_cleanup, let_go, mend_finalizer
from longtask.core.conditions import is_true
from longtask.core.deadlines import end_for_good, next_deadline, out_of_time
from longtask.core.expiry import expired, expiry, remove
from longtask.core.lost import must_release, next_look, release
from longtask.core.next_attempt import retry_afresh
from longtask.core.observed import Observed
from longtask.core.situation import Situation, situation
from longtask.core.stop import await_end, count_pods, leave_suspended, prove_suspended, suspend
from longtask.core.termination import keep_terminated, settled, terminate
from longtask.core.verdict import judge_complete, judge_failed

Step = Callable[[Observed], Plan]


def reconcile(o: Observed) -> Plan:
    """Decide what to do next. A status that says nothing new is not written, so a settled task has an empty plan."""
    plan = decisive_step(o)(o)
    if plan.outcome is Outcome.GONE:
        return plan
    actions = tuple(action for action in plan.actions if not _says_nothing_new(o, action))
    expires = None if expired(o) else expiry(o)
    wakes = [at for at in (plan.wake_at, next_look(o), next_deadline(o), expires) if at is not None]
    return replace(plan, actions=actions, wake_at=min(wakes, default=None))


def decisive_step(o: Observed) -> Step:
    """Find the step that decides: the first guard that holds, or else the table's."""
    for guard in GUARDS:
        if guard.holds(o):
            return guard.step
    return TABLE[o.task.desired, situation(o)]


def _says_nothing_new(o: Observed, action: Action) -> bool:
    return isinstance(action, WriteStatus) and action.status == o.task.status


# --- Steps that are no more than a line or two ---


def wait(o: Observed) -> Plan:  # noqa: ARG001  every step takes the snapshot
    """Nothing can be done until something changes by itself."""
    return Plan(outcome=Outcome.WAIT)


def leave_alone(o: Observed) -> Plan:  # noqa: ARG001
    """The garbage collector removes what belongs to the task; the worker sees that its task is gone."""
    return Plan(outcome=Outcome.GONE)


def keep_failed(o: Observed) -> Plan:
    """Failed is no dead end: it can be suspended, and any change of its spec tries again with fresh retries."""
    if o.task.desired is DesiredState.SUSPEND:
        return prove_suspended(o)
    if o.task.status.observed_generation == o.task.generation:
        return Plan(outcome=Outcome.SETTLED)
    return retry_afresh(o)


def leave_failure(o: Observed) -> Plan:
    """Suspended after it had failed: running it again is a fresh try."""
    return prove_suspended(o) if o.task.desired is DesiredState.SUSPEND else retry_afresh(o)


# --- What comes before the table ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A step that is taken whenever a condition holds, whatever the table says. `when` is for the docs."""

    when: str
    holds: Callable[[Observed], bool]
    step: Step


def _in_state(state: State) -> Callable[[Observed], bool]:
    return lambda o: o.task.status.state is state


def _failed(o: Observed) -> bool:
    return o.task.status.state is State.FAILED and situation(o) in _OVER


def _suspended_no_more(o: Observed) -> bool:
    return o.task.status.state is State.SUSPENDED and (bool(o.active_pods) or situation(o) is Situation.ACTIVE)


def _suspended_after_failure(o: Observed) -> bool:
    status = o.task.status
    if status.state is not State.SUSPENDED or situation(o) not in _OVER:
        return False
    return situation(o) is Situation.FAILED or is_true(status.conditions, ConditionType.FAILED)


_OVER: Final = frozenset({Situation.NO_JOB, Situation.COMPLETE, Situation.FAILED})

GUARDS: Final[Sequence[Guard]] = (
    Guard(when="the object is being deleted, and our finalizer keeps it", holds=is_deleted_with_cleanup, step=let_go),
    Guard(when="the object is being deleted", holds=lambda o: o.task.deleting, step=leave_alone),
    Guard(when="the API server has just refused what was planned", holds=lambda o: o.refusal is not None, step=refused),
    Guard(when="it has a clean-up and no finalizer, or the reverse", holds=finalizer_is_amiss, step=mend_finalizer),
    Guard(when="it has ended, and its `ttlSecondsAfterFinished` are over", holds=expired, step=remove),
    Guard(when="it is `Terminated`", holds=_in_state(State.TERMINATED), step=keep_terminated),
    Guard(
        when="it is `Suspended`, but its Job was resumed or a pod is active",
        holds=_suspended_no_more,
        step=leave_suspended,
    ),
    Guard(when="a pod is long overdue to end, and its node may be lost", holds=must_release, step=release),
    Guard(when="`Terminate` is desired", holds=lambda o: o.task.desired is DesiredState.TERMINATE, step=terminate),
    Guard(when="it is `Complete`", holds=_in_state(State.COMPLETE), step=settled),
    Guard(
        when="it asks for a Kueue queue, and has no Job yet",
        holds=lambda o: o.task.queue is not None and o.task.desired is DesiredState.RUN and o.job is None,
        step=refuse_queue,
    ),
    Guard(when="Jobs of earlier attempts are still there", holds=lambda o: bool(o.older_jobs), step=clear_older),
    Guard(when="it has been `Running` for its `activeDeadlineSeconds`", holds=out_of_time, step=end_for_good),
    Guard(when="it is `Failed`, and its Job has ended or is gone", holds=_failed, step=keep_failed),
    Guard(when="it is `Suspended` after it had failed", holds=_suspended_after_failure, step=leave_failure),
)

TABLE: Final[Mapping[tuple[DesiredState, Situation], Step]] = MappingProxyType(
    {
        (DesiredState.RUN, Situation.NO_JOB): start,
        (DesiredState.RUN, Situation.LEAVING): wait,
        (DesiredState.RUN, Situation.ACTIVE): follow,
        (DesiredState.RUN, Situation.STOPPING): await_end,
        (DesiredState.RUN, Situation.DRAINING): await_end,
        (DesiredState.RUN, Situation.STOPPED): resume,
        (DesiredState.RUN, Situation.ENDING): wait,
        (DesiredState.RUN, Situation.COMPLETE): judge_complete,
        (DesiredState.RUN, Situation.FAILED): judge_failed,
        (DesiredState.SUSPEND, Situation.NO_JOB): prove_suspended,
        (DesiredState.SUSPEND, Situation.LEAVING): wait,
        (DesiredState.SUSPEND, Situation.ACTIVE): suspend,
        (DesiredState.SUSPEND, Situation.STOPPING): await_end,
        (DesiredState.SUSPEND, Situation.DRAINING): count_pods,
        (DesiredState.SUSPEND, Situation.STOPPED): prove_suspended,
        (DesiredState.SUSPEND, Situation.ENDING): wait,
        (DesiredState.SUSPEND, Situation.COMPLETE): judge_complete,
        (DesiredState.SUSPEND, Situation.FAILED): judge_failed,
    }
)
