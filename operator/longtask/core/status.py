"""The operator's part of the status, made anew from what is seen; parts of the worker are carried along untouched.

Every function returns a whole status. Whether it differs from the one on the server is the executor's question.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.model import INT32_MAX
from longtask.api.names import MAX_HISTORY, ConditionType, Reason
from longtask.api.status import CheckpointCause, HistoryEntry, LongTaskStatus, State
from longtask.core.conditions import Claim, at_generation, is_true, merge, reason_of

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import Observed, Trouble

_AS_DESIRED = {
    DesiredState.RUN: frozenset({State.RUNNING, State.COMPLETE}),
    DesiredState.SUSPEND: frozenset({State.SUSPENDED, State.COMPLETE}),
    DesiredState.TERMINATE: frozenset({State.TERMINATED}),
}
"""The states in which a task is ready: a worker at work is not what somebody wants who asked for a suspension."""

ENDED = frozenset({State.COMPLETE, State.FAILED, State.TERMINATED})


def with_state(
    o: Observed,
    state: State,
    *,
    reason: str,
    message: str = "",
    stalled: bool = False,
    passing: bool = False,
    **changes: object,
) -> LongTaskStatus:
    """The status in that state, at the present generation, with the failures that the Job has counted so far.

    Ready is true in every settled state but `Failed` (a suspended task is as desired, so kstatus calls it current);
    `stalled` says that only a person can help, `passing` that the state is about to be left.
    """
    old = o.task.status
    claims = [
        *_ready_claims(o, state, reason=reason, message=message, stalled=stalled, passing=passing),
        *_state_claims(o, state, reason=reason, message=message),
        _secrets_claim(o),
        _batches_claim(o),
        _damage_claim(o),
    ]
    update: dict[str, object] = {
        "state": state,
        "observed_generation": o.task.generation,
        "conditions": merge(old.conditions, tuple(claims), generation=o.task.generation, now=o.now),
        "history": _history(o, state, reason),
        "failures": old.failures if o.job is None else o.job.failures,
        "restart_nonce": old.restart_nonce if o.job is None else o.job.restart_nonce,
        "next_try_time": None,
        "last_progress": None,
        **_times(o, state),
        **_active_times(o, state),
        **changes,
    }
    return old.model_copy(update=update)


def blocked(o: Observed, trouble: Trouble) -> LongTaskStatus:
    """The same state, which can't be left because somebody refuses that: only a person can help."""
    old = o.task.status
    claims = _ready_claims(o, old.state, reason=trouble.reason, message=trouble.message, stalled=True)
    conditions = merge(old.conditions, claims, generation=o.task.generation, now=o.now)
    return old.model_copy(update={"observed_generation": o.task.generation, "conditions": conditions})


def noted(o: Observed, *claims: Claim) -> LongTaskStatus:
    """The same state, of which more is said."""
    return and_also(o, o.task.status, *claims)


def and_also(o: Observed, status: LongTaskStatus, *claims: Claim) -> LongTaskStatus:
    """That status with more to say, at the present generation."""
    conditions = merge(status.conditions, claims, generation=o.task.generation, now=o.now)
    return status.model_copy(update={"observed_generation": o.task.generation, "conditions": conditions})


def acknowledged(o: Observed) -> LongTaskStatus:
    """The same status at the present generation: a change of the spec that a settled task does not act on."""
    old = o.task.status
    conditions = at_generation(old.conditions, o.task.generation)
    return old.model_copy(update={"observed_generation": o.task.generation, "conditions": conditions})


def troubled(o: Observed, trouble: Trouble, *, next_try_time: datetime | None = None) -> LongTaskStatus:
    """No worker is at work, and this is why."""
    return with_state(
        o,
        State.INIT,
        reason=trouble.reason,
        message=trouble.message,
        stalled=trouble.only_a_person_can_help,
        next_try_time=next_try_time,
    )


def node_lost(o: Observed, nodes: str) -> LongTaskStatus:
    """Note down, before its pod is released, that a node was lost: afterwards nothing would show it.

    Nothing else is said, so this is no answer yet to a change of the spec: the generation stays as it was.
    """
    message = f"node {nodes} is lost: its pod is released, and what still runs there is fenced"
    claim = Claim(type=ConditionType.SUSPENDED, status=False, reason=Reason.NODE_LOST, message=message, always=True)
    old = o.task.status
    conditions = merge(old.conditions, (claim,), generation=old.observed_generation, now=o.now)
    return old.model_copy(update={"conditions": conditions})


def lost_node_noted(o: Observed) -> bool:
    """Whether a node was lost since a worker last was at work."""
    conditions = o.task.status.conditions
    noted = reason_of(conditions, ConditionType.SUSPENDED) == Reason.NODE_LOST
    return noted and not is_true(conditions, ConditionType.SUSPENDED)


def worker_finished(o: Observed) -> bool:
    """Whether the work is done by the worker's own acknowledged word."""
    checkpoint = o.task.status.checkpoint
    return checkpoint is not None and checkpoint.cause is CheckpointCause.DONE


def attempt_claimed(o: Observed) -> bool:
    """Whether a worker of the current attempt has ever claimed the checkpoint."""
    checkpoint = o.task.status.checkpoint
    return checkpoint is not None and checkpoint.attempt == o.task.status.attempt


def active_time(o: Observed) -> timedelta:
    """For how long the task was `Running` until now, over all attempts."""
    status = o.task.status
    before = timedelta(seconds=status.active_seconds or 0)
    return before if status.active_since is None else before + max(timedelta(0), o.now - status.active_since)


def at_sequence(o: Observed) -> str:
    """Words for where the task stands."""
    checkpoint = o.task.status.checkpoint
    return "without a checkpoint" if checkpoint is None else f"at checkpoint {checkpoint.sequence}"


def _ready_claims(
    o: Observed, state: State, *, reason: str, message: str, stalled: bool, passing: bool = False
) -> tuple[Claim, Claim]:
    ready = state in _AS_DESIRED[o.task.desired] and not (stalled or passing)
    return (
        Claim(type=ConditionType.READY, status=ready, reason=reason, message=message, always=True),
        Claim(
            type=ConditionType.STALLED,
            status=stalled,
            reason=reason if stalled else Reason.AS_DESIRED,
            message=message if stalled else "",
        ),
    )


def _state_claims(o: Observed, state: State, *, reason: str, message: str) -> list[Claim]:
    """The condition named after the state; those of states that have been left turn false.

    `Complete` and `Failed` stay true in `Terminated`, and `Failed` in `Suspended`: they tell how the work had ended.
    A lost node stays noted until a worker is at work again, or the task has ended: the next suspension tells of it.
    """
    claims = []
    if state is State.SUSPENDED:
        claims.append(Claim(type=ConditionType.SUSPENDED, status=True, reason=reason, message=message))
    elif state is not State.INIT or not lost_node_noted(o):
        left = reason if state in ENDED else Reason.RESUMED
        claims.append(Claim(type=ConditionType.SUSPENDED, status=False, reason=left))
    for kind, named in (
        (ConditionType.COMPLETE, State.COMPLETE),
        (ConditionType.FAILED, State.FAILED),
        (ConditionType.TERMINATED, State.TERMINATED),
    ):
        if state is named:
            claims.append(Claim(type=kind, status=True, reason=reason, message=message))
    if state in (State.INIT, State.RUNNING):
        claims.append(Claim(type=ConditionType.FAILED, status=False, reason=Reason.RESUMED))
    return claims


def _secrets_claim(o: Observed) -> Claim:
    names = o.task.secrets_inline
    message = (
        f"the template holds plain values for {', '.join(names)}; every pod of this namespace can read them here:"
        " put them into a Secret and refer to it with valueFrom"
        if names
        else ""
    )
    return Claim(
        type=ConditionType.SECRETS_INLINE,
        status=bool(names),
        reason=Reason.SECRET_FOUND if names else Reason.AS_DESIRED,
        message=message,
    )


def _batches_claim(o: Observed) -> Claim:
    task = o.task
    message = (
        f"a batch took {task.longest_batch} s, and a stop leaves {task.grace_seconds} s: set the template's"
        f" terminationGracePeriodSeconds to {2 * task.longest_batch} or more, or make the batches shorter"
        if task.batches_too_long
        else ""
    )
    return Claim(
        type=ConditionType.BATCHES_TOO_LONG,
        status=task.batches_too_long,
        reason=Reason.GRACE_PERIOD_TOO_SHORT if task.batches_too_long else Reason.AS_DESIRED,
        message=message,
    )


def _damage_claim(o: Observed) -> Claim:
    damage = o.task.damage
    reason = Reason.FELL_BACK if damage else Reason.AS_DESIRED
    return Claim(type=ConditionType.CHECKPOINT_DAMAGED, status=bool(damage), reason=reason, message=damage)


def _history(o: Observed, state: State, reason: str) -> tuple[HistoryEntry, ...]:
    old = o.task.status
    if state is old.state or state is State.INIT:
        return old.history
    checkpoint = old.checkpoint
    entry = HistoryEntry(
        time=o.now,
        state=state,
        reason=reason,
        attempt=old.attempt,
        sequence=None if checkpoint is None else checkpoint.sequence,
    )
    return (*old.history, entry)[-MAX_HISTORY:]


def _times(o: Observed, state: State) -> dict[str, object]:
    old = o.task.status
    times: dict[str, object] = {}
    if state is State.RUNNING and old.start_time is None:
        times["start_time"] = o.now
    if state in ENDED and (old.completion_time is None or old.state not in ENDED):
        times["completion_time"] = o.now
    if state in (State.INIT, State.RUNNING) and old.completion_time is not None:
        times["completion_time"] = None
    return times


def _active_times(o: Observed, state: State) -> dict[str, object]:
    """The time in which a worker was at work, as the operator sees it: a sum, and the beginning of what runs now."""
    old = o.task.status
    if state is State.RUNNING:
        return {} if old.state is State.RUNNING and old.active_since is not None else {"active_since": o.now}
    if old.active_since is None:
        return {}
    return {"active_since": None, "active_seconds": min(INT32_MAX, round(active_time(o).total_seconds()))}
