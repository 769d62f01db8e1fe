"""A worker that is asked before it is stopped: until it has saved, or was waited for long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    NOW,
    a_checkpoint,
    a_condition,
    a_job,
    a_pod,
    a_task,
    after_writing,
    ago,
    condition,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from longtask.core.observed import Observed, ObservedPod

LIMIT = timedelta(minutes=10)
INTERVAL, STOP, DONE = CheckpointCause.INTERVAL, CheckpointCause.STOP, CheckpointCause.DONE


def to_suspend(
    cause: CheckpointCause = INTERVAL,
    pod: ObservedPod | None = None,
    *,
    wait: timedelta | None = LIMIT,
    **status: Any,  # noqa: ANN401
) -> Observed:
    """A task whose worker is at work, and which is to be suspended."""
    task = a_task(DesiredState.SUSPEND, State.RUNNING, status={"checkpoint": a_checkpoint(cause)} | status)
    return observed(task, a_job(batch_wait=wait), pod or a_pod())


def asked(minutes: float) -> dict[str, Any]:
    """The status of a task whose worker was asked so long ago."""
    said = a_condition(ConditionType.READY, Reason.WAITING_FOR_BATCH, status=False)
    return {"conditions": [said.model_copy(update={"last_transition_time": ago(minutes=minutes)})]}


def test_a_worker_at_its_batch_is_asked_and_the_task_says_so_once() -> None:
    o = to_suspend()
    plan = reconcile(o)
    after = written(plan)
    assert kinds(plan) == ["WriteStatus"]
    assert plan.wake_at == NOW + LIMIT
    assert (after.state, says(after, ConditionType.READY)) == (State.RUNNING, (False, Reason.WAITING_FOR_BATCH))
    found = condition(after, ConditionType.READY)
    assert found is not None
    assert "12:10:00Z" in found.message
    again = reconcile(after_writing(o))
    assert (again.actions, again.wake_at) == ((), NOW + LIMIT)


def test_the_time_is_counted_from_the_question() -> None:
    plan = reconcile(to_suspend(**asked(minutes=4)))
    assert plan.wake_at == NOW + timedelta(minutes=6)


@pytest.mark.parametrize("cause", [STOP, DONE])
def test_a_worker_that_has_saved_for_it_is_stopped(cause: CheckpointCause) -> None:
    assert kinds(reconcile(to_suspend(cause, **asked(minutes=1)))) == ["SetJobSuspended"]


def test_a_worker_that_was_waited_for_long_enough_is_stopped() -> None:
    assert kinds(reconcile(to_suspend(**asked(minutes=10)))) == ["SetJobSuspended"]


def test_a_worker_that_can_not_be_asked_is_stopped_at_once() -> None:
    assert kinds(reconcile(to_suspend(wait=None))) == ["SetJobSuspended"]


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(worker_started=False),
        a_pod(uid="another"),
        a_pod(deletion_time=NOW, deletion_grace=timedelta(seconds=60)),
        a_pod(attempt=2),
    ],
    ids=["not started", "has not claimed", "asked by somebody else", "of another attempt"],
)
def test_where_nobody_is_at_a_batch_there_is_nothing_to_wait_for(pod: ObservedPod) -> None:
    assert kinds(reconcile(to_suspend(pod=pod))) == ["SetJobSuspended"]


def test_a_task_that_was_never_claimed_is_stopped_at_once() -> None:
    task = a_task(DesiredState.SUSPEND, State.RUNNING)
    assert kinds(reconcile(observed(task, a_job(batch_wait=LIMIT), a_pod()))) == ["SetJobSuspended"]


def test_going_back_to_run_before_that_costs_nothing() -> None:
    """The same worker goes on: only the task's words change."""
    status = {"checkpoint": a_checkpoint(STOP)} | asked(minutes=1)
    task = a_task(DesiredState.RUN, State.RUNNING, status=status)
    plan = reconcile(observed(task, a_job(batch_wait=LIMIT), a_pod()))
    assert kinds(plan) == ["WriteStatus"]
    assert says(written(plan), ConditionType.READY) == (True, Reason.RUNNING)


def test_terminating_waits_for_no_batch() -> None:
    task = a_task(DesiredState.TERMINATE, State.RUNNING, status={"checkpoint": a_checkpoint()})
    assert kinds(reconcile(observed(task, a_job(batch_wait=LIMIT), a_pod()))) == ["DeleteJob"]


def test_the_pod_in_these_tests_is_the_one_that_claimed() -> None:
    assert a_pod().uid == HOLDER
