"""Restarts by `restartNonce`: when one is due, how a worker is stopped for it, and where the next attempt begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import CreateJob, DeleteJob, Outcome, Plan, StartOver
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    JOB_UID,
    a_checkpoint,
    a_complete_job,
    a_failed_job,
    a_job,
    a_pending_pod,
    a_pod,
    a_suspended_job,
    a_task,
    an_ended_pod,
    condition,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from longtask.core.observed import ObservedJob, ObservedPod

RUN, SUSPEND = DesiredState.RUN, DesiredState.SUSPEND


def asked(
    *belongings: ObservedJob | ObservedPod,
    state: State = State.RUNNING,
    desired: DesiredState = RUN,
    beginning: bool = False,
    nonce: int | None = 2,
    rewind: int | None = None,
    **status: Any,  # noqa: ANN401
) -> Plan:
    """What follows for a task whose nonce is 2, and was 1."""
    values = {"restart_nonce": 1, "checkpoint": a_checkpoint(), "failures": 3, "active_seconds": 60} | status
    task = a_task(
        desired,
        state,
        done=5,
        generation=2,
        restart_nonce=nonce,
        from_beginning=beginning,
        rewind=rewind,
        status=values,
    )
    return reconcile(observed(task, *belongings, live=(), job_troubles=()))


def job(**changes: Any) -> ObservedJob:  # noqa: ANN401
    return a_job(**{"restart_nonce": 1} | changes)


def test_a_worker_at_work_is_asked_to_stop_in_its_own_attempt_so_that_it_can_save() -> None:
    plan = asked(job(), a_pod())
    assert plan.outcome is Outcome.STOP
    assert plan.actions[1:] == (DeleteJob(name=a_job().name, uid=JOB_UID),)
    assert (written(plan).attempt, written(plan).state) == (1, State.RUNNING)
    assert says(written(plan), ConditionType.READY) == (False, Reason.RESTARTED)


def test_when_its_job_is_gone_the_next_attempt_begins_with_fresh_retries_and_time() -> None:
    after = written(asked())
    assert (after.attempt, after.failures, after.active_seconds, after.restart_nonce) == (2, 0, None, 2)
    assert after.start_over_sequence is None
    assert says(after, ConditionType.READY) == (False, Reason.RESTARTED)


@pytest.mark.parametrize(
    "belongings",
    [(job(), a_pending_pod()), (job(failed=1), an_ended_pod(1)), (a_suspended_job(restart_nonce=1),)],
    ids=["pod not started", "backing off", "suspended"],
)
def test_where_no_worker_is_at_work_the_next_attempt_follows_at_once(
    belongings: tuple[ObservedJob | ObservedPod, ...],
) -> None:
    state = State.SUSPENDED if len(belongings) == 1 else State.INIT
    plan = asked(*belongings, state=state, beginning=True)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).start_over_sequence) == (2, 7)


def test_a_suspended_task_is_restarted_only_when_it_is_run_again() -> None:
    plan = asked(a_suspended_job(restart_nonce=1), state=State.SUSPENDED, desired=SUSPEND, observed_generation=2)
    assert plan.outcome is Outcome.SETTLED


def test_a_failed_task_is_restarted_from_where_its_user_says() -> None:
    failed = a_failed_job(restart_nonce=1)
    assert written(asked(failed, state=State.FAILED)).start_over_sequence is None
    after = written(asked(failed, state=State.FAILED, beginning=True))
    assert (after.attempt, after.failures, after.start_over_sequence) == (2, 0, 7)
    assert says(after, ConditionType.READY) == (False, Reason.RESTARTED)


def test_from_the_beginning_the_attempt_is_told_which_saves_it_must_not_go_on_from() -> None:
    status: dict[str, Any] = {"attempt": 2, "restart_nonce": 2, "start_over_sequence": 7, "checkpoint": a_checkpoint()}
    (create,) = reconcile(observed(a_task(RUN, restart_nonce=2, from_beginning=True, status=status))).actions
    assert isinstance(create, CreateJob)
    assert create.start_over == StartOver(over=7)


def test_a_number_sets_the_task_back_to_the_save_of_that_number() -> None:
    after = written(asked(rewind=5))
    assert (after.start_over_sequence, after.restart_sequence, after.done_at_start) == (7, 5, 0)
    ready = condition(after, ConditionType.READY)
    assert ready is not None
    assert "from checkpoint 5" in ready.message
    status = {"attempt": 2, "restart_nonce": 2, "start_over_sequence": 7, "restart_sequence": 5}
    begun = a_task(RUN, restart_nonce=2, rewind=5, status={**status, "checkpoint": a_checkpoint()})
    (create,) = reconcile(observed(begun)).actions
    assert isinstance(create, CreateJob)
    assert create.start_over == StartOver(over=7, rewind=5)


def test_a_later_start_from_the_beginning_forgets_where_it_was_set_back_to() -> None:
    after = written(asked(beginning=True, restart_sequence=5, start_over_sequence=6))
    assert (after.start_over_sequence, after.restart_sequence) == (7, None)


def test_later_attempts_are_told_the_same() -> None:
    """One that fails before it has saved anything must not bring back what was given up."""
    status: dict[str, Any] = {
        "attempt": 2,
        "restart_nonce": 2,
        "start_over_sequence": 7,
        "job_name": a_job(attempt=2).name,
    }
    plan = asked(nonce=2, **status)
    assert (written(plan).attempt, written(plan).start_over_sequence) == (3, 7)


def test_what_was_done_before_a_new_beginning_is_no_progress_of_it() -> None:
    begun: dict[str, Any] = {"attempt": 2, "start_over_sequence": 7, "done_at_start": 0, "restart_nonce": 2}
    crashed = (a_job(attempt=2, restart_nonce=2, failed=1), an_ended_pod(1, attempt=2))
    before = asked(*crashed, **begun)
    assert written(before).attempt == 2
    saved = asked(*crashed, **begun | {"checkpoint": a_checkpoint(sequence=8, attempt=2)})
    assert (written(saved).attempt, written(saved).done_at_start) == (3, 5)


def test_a_retry_of_a_task_that_was_started_over_goes_on_from_what_it_has_saved_since() -> None:
    status: dict[str, Any] = {"attempt": 2, "start_over_sequence": 7, "restart_nonce": 2}
    crashed = (a_job(attempt=2, restart_nonce=2, failed=1), an_ended_pod(1, attempt=2))
    after = written(asked(*crashed, beginning=True, checkpoint=a_checkpoint(sequence=9, attempt=2), **status))
    assert (after.attempt, after.start_over_sequence, after.done_at_start) == (3, 7, 5)


def test_a_new_beginning_starts_at_no_progress() -> None:
    assert written(asked(beginning=True)).done_at_start == 0
    assert written(asked()).done_at_start == 5


def test_a_task_that_is_created_with_a_nonce_is_not_restarted() -> None:
    plan = reconcile(observed(a_task(RUN, restart_nonce=1)))
    assert kinds(plan) == ["CreateJob"]
    running = reconcile(observed(a_task(RUN, restart_nonce=1), job(), a_pod()))
    assert written(running).restart_nonce == 1


@pytest.mark.parametrize("nonce", [1, None])
def test_the_same_nonce_or_none_asks_for_nothing(nonce: int | None) -> None:
    assert written(asked(job(), a_pod(), nonce=nonce)).state is State.RUNNING
    assert kinds(asked(job(), a_pod(), nonce=nonce)) == ["WriteStatus"]


def test_work_that_is_done_is_not_done_again() -> None:
    done = a_checkpoint(CheckpointCause.DONE)
    assert written(asked(checkpoint=done, beginning=True)).state is State.COMPLETE
    plan = asked(a_complete_job(), state=State.COMPLETE, checkpoint=done)
    assert kinds(plan) == ["WriteStatus"]
    assert written(plan).state is State.COMPLETE
