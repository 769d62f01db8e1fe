"""A worker that saved because it was asked to stop: the next attempt follows at once, as long as the work gets on."""

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
    a_job,
    a_task,
    ago,
    an_ended_pod,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from longtask.core.actions import Plan
    from longtask.core.observed import ObservedJob, ObservedPod

RUN, RUNNING = DesiredState.RUN, State.RUNNING
STOP = CheckpointCause.STOP


def interrupted(*belongings: ObservedJob | ObservedPod, done: int = 5, **status: Any) -> Plan:  # noqa: ANN401
    """What follows the end of a worker that has saved because it was asked to stop."""
    values = {"checkpoint": a_checkpoint(STOP)} | status
    task = a_task(RUN, RUNNING, done=done, status=values)
    return reconcile(observed(task, *(belongings or (a_job(failed=1),)), job_troubles=()))


def test_an_interruption_with_progress_starts_the_next_attempt_at_once() -> None:
    plan = interrupted()
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.attempt, after.failures, after.idle_restarts, after.done_at_start) == (2, 0, None, 5)
    assert says(after, ConditionType.READY) == (False, Reason.INTERRUPTED)
    (write, _) = plan.actions
    assert getattr(write, "judged", False)


def test_interruptions_without_progress_are_counted() -> None:
    assert written(interrupted(done=5, done_at_start=5, idle_restarts=1)).idle_restarts == 2
    assert written(interrupted(done=6, done_at_start=5, idle_restarts=1)).idle_restarts is None


def test_after_five_without_progress_the_job_controller_sets_the_pace_and_a_person_is_called() -> None:
    plan = interrupted(done=5, done_at_start=5, idle_restarts=5)
    assert kinds(plan) == ["WriteStatus"]
    assert says(written(plan), ConditionType.STALLED) == (True, Reason.NO_PROGRESS)
    assert written(interrupted(done=5, done_at_start=5, idle_restarts=4)).attempt == 2


def test_an_attempt_that_gets_on_after_all_is_again_followed_at_once() -> None:
    after = written(interrupted(done=6, done_at_start=5, idle_restarts=5))
    assert (after.attempt, after.idle_restarts) == (2, None)


def test_a_crash_after_idle_attempts_is_told_as_a_crash_once_there_is_progress() -> None:
    status = {"checkpoint": a_checkpoint(), "idle_restarts": 5, "done_at_start": 5}
    o = observed(a_task(RUN, RUNNING, done=6, status=status), a_job(), an_ended_pod(1), job_troubles=())
    assert says(written(reconcile(o)), ConditionType.READY) == (False, Reason.RETRYING)


def test_the_save_of_an_earlier_suspend_is_no_interruption() -> None:
    task = a_task(RUN, State.INIT, status={"checkpoint": a_checkpoint(STOP)})
    assert written(reconcile(observed(task, a_job(), job_troubles=()))).attempt == 1


def test_a_save_of_an_earlier_attempt_is_no_interruption() -> None:
    status = {"attempt": 2, "checkpoint": a_checkpoint(STOP, attempt=1)}
    o = observed(a_task(RUN, RUNNING, status=status), a_job(attempt=2), job_troubles=())
    assert written(reconcile(o)).attempt == 2


@pytest.mark.parametrize("cause", [CheckpointCause.CLAIM, CheckpointCause.INTERVAL])
def test_a_worker_that_ended_without_a_last_save_is_no_interruption(cause: CheckpointCause) -> None:
    assert written(interrupted(checkpoint=a_checkpoint(cause), done_at_start=5)).attempt == 1


def test_a_pod_that_crashed_after_the_save_of_another_is_no_interruption() -> None:
    crashed = an_ended_pod(1, uid="another", created=ago(seconds=5))
    assert written(interrupted(a_job(), crashed, done_at_start=5)).attempt == 1


@pytest.mark.parametrize("clock", [-3600, 3600])
def test_the_clock_of_a_node_says_nothing_about_the_order_of_a_crash_and_a_save(clock: int) -> None:
    ended = NOW + timedelta(seconds=clock)
    before = an_ended_pod(1, uid="another", created=ago(minutes=5), ended=ended)
    after = an_ended_pod(1, uid="another", created=ago(seconds=5), ended=ended)
    assert written(interrupted(a_job(), before, done_at_start=5)).attempt == 2
    assert written(interrupted(a_job(), after, done_at_start=5)).attempt == 1


@pytest.mark.parametrize(
    "pod",
    [an_ended_pod(75, uid=HOLDER, created=ago(seconds=5)), an_ended_pod(1, uid="another", created=ago(minutes=5))],
    ids=["the pod that saved", "a crash before"],
)
def test_ends_that_belong_to_the_interruption_do_not_hide_it(pod: ObservedPod) -> None:
    assert written(interrupted(a_job(), pod)).attempt == 2
