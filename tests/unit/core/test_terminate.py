"""Terminating: from every state, down to nothing, and for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import DeleteJob, DeletePod, Outcome, Plan, Question, WriteStatus
from longtask.core.observed import JobOutcome, ObservedJob, ObservedPod
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    JOB_UID,
    NOW,
    SETTLED,
    WAIT,
    a_checkpoint,
    a_complete_job,
    a_condition,
    a_job,
    a_pod,
    a_suspended_job,
    a_task,
    after_writing,
    an_ended_pod,
    kinds,
    observed,
    says,
    written,
)

TERMINATE, TERMINATED = DesiredState.TERMINATE, State.TERMINATED
NOT_TERMINATED = [state for state in State if state is not TERMINATED]


@pytest.mark.parametrize("state", NOT_TERMINATED)
def test_terminate_deletes_the_job_from_every_state(state: State) -> None:
    job = a_suspended_job() if state is State.SUSPENDED else a_job()
    plan = reconcile(observed(a_task(TERMINATE, state), job))
    assert plan == Plan(outcome=Outcome.TERMINATE, actions=(DeleteJob(name=job.name, uid=JOB_UID),))


@pytest.mark.parametrize("outcome", JobOutcome)
def test_terminate_does_not_wait_for_a_verdict(outcome: JobOutcome) -> None:
    assert kinds(reconcile(observed(a_task(TERMINATE), a_job(outcome=outcome), a_pod()))) == ["DeleteJob"]


def test_jobs_of_every_attempt_go_and_pods_that_none_will_take_along() -> None:
    stray = a_pod(name="stray", owner_uid=None)
    plan = reconcile(observed(a_task(TERMINATE), a_job(attempt=1), a_job(attempt=2), stray, a_pod()))
    assert [action.name for action in plan.actions if isinstance(action, DeleteJob)] == [
        a_job(attempt=1).name,
        a_job(attempt=2).name,
    ]
    assert [action.name for action in plan.actions if isinstance(action, DeletePod)] == ["stray"]


@pytest.mark.parametrize("left", [a_job(deleting=True), a_pod(), an_ended_pod(1)], ids=["Job", "pod", "ended pod"])
def test_terminated_waits_until_the_last_thing_is_gone(left: ObservedJob | ObservedPod) -> None:
    assert reconcile(observed(a_task(TERMINATE), left, live=())) == WAIT


def test_terminated_is_proved_by_a_live_list() -> None:
    assert reconcile(observed(a_task(TERMINATE))).question is Question.LIVE_PODS
    again = reconcile(observed(a_task(TERMINATE), live=(an_ended_pod(0),)))
    assert again == Plan(outcome=Outcome.WAIT, wake_at=NOW + timedelta(seconds=1))


def test_terminated_removes_the_saved_data_in_the_same_write() -> None:
    task = a_task(TERMINATE, State.RUNNING, generation=2, status={"checkpoint": a_checkpoint(), "job_name": "a-job"})
    (write,) = reconcile(observed(task, live=())).actions
    assert isinstance(write, WriteStatus)
    assert (write.empty_checkpoint, write.judged) == (True, True)
    status = write.status
    assert (status.state, status.observed_generation, status.job_name) == (TERMINATED, 2, None)
    assert says(status, ConditionType.READY) == (True, Reason.TERMINATED)
    assert says(status, ConditionType.TERMINATED) == (True, Reason.TERMINATED)
    assert status.completion_time == NOW


@pytest.mark.parametrize("checkpoint", [None, a_checkpoint(data="")], ids=["none", "empty"])
def test_there_is_nothing_to_remove_where_nothing_was_saved(checkpoint: object) -> None:
    (write,) = reconcile(observed(a_task(TERMINATE, status={"checkpoint": checkpoint}), live=())).actions
    assert isinstance(write, WriteStatus)
    assert not write.empty_checkpoint


def test_a_task_that_was_not_at_work_says_that_no_cleanup_has_run() -> None:
    task = a_task(TERMINATE, State.SUSPENDED, status={"checkpoint": a_checkpoint(CheckpointCause.STOP)})
    assert says(written(reconcile(observed(task, live=()))), ConditionType.TERMINATED) == (True, Reason.NO_CLEANUP)


@pytest.mark.parametrize(
    ("state", "cause"), [(State.RUNNING, CheckpointCause.STOP), (State.COMPLETE, CheckpointCause.DONE)]
)
def test_a_worker_that_was_asked_to_stop_or_was_done_has_cleaned_up(state: State, cause: CheckpointCause) -> None:
    task = a_task(TERMINATE, state, status={"checkpoint": a_checkpoint(cause)})
    assert says(written(reconcile(observed(task, live=()))), ConditionType.TERMINATED) == (True, Reason.TERMINATED)


def test_a_complete_task_stays_told_as_complete_after_it_was_terminated() -> None:
    complete = a_condition(ConditionType.COMPLETE, Reason.DONE)
    task = a_task(TERMINATE, State.COMPLETE, status={"conditions": [complete]})
    assert says(written(reconcile(observed(task, live=()))), ConditionType.COMPLETE) == (True, Reason.DONE)


def test_terminated_is_settled() -> None:
    o = observed(a_task(TERMINATE, State.RUNNING), live=())
    assert reconcile(replace(after_writing(o), live_pods=None)) == SETTLED


def test_what_turns_up_after_terminated_is_deleted() -> None:
    task = a_task(TERMINATE, TERMINATED, status={"observed_generation": 1})
    assert kinds(reconcile(observed(task, a_job()))) == ["DeleteJob"]
    assert kinds(reconcile(observed(task, a_pod(owner_uid=None)))) == ["DeletePod"]
    assert reconcile(observed(task, a_job(deleting=True))) == SETTLED


@pytest.mark.parametrize(("desired", "state"), [(TERMINATE, TERMINATED), (DesiredState.RUN, State.COMPLETE)])
def test_a_final_task_only_takes_note_of_a_changed_spec(desired: DesiredState, state: State) -> None:
    said = a_condition(ConditionType.READY, "Old")
    task = a_task(desired, state, generation=4, status={"observed_generation": 1, "conditions": [said]})
    o = observed(task)
    after = written(reconcile(o))
    assert (after.state, after.observed_generation, after.conditions[0].observed_generation) == (state, 4, 4)
    assert reconcile(after_writing(o)) == SETTLED


@pytest.mark.parametrize("desired", [DesiredState.RUN, DesiredState.SUSPEND])
def test_a_complete_task_is_not_run_or_suspended_again(desired: DesiredState) -> None:
    task = a_task(desired, State.COMPLETE, status={"observed_generation": 1})
    assert reconcile(observed(task, a_complete_job(), an_ended_pod(0))) == SETTLED


def test_the_claim_that_was_made_for_the_task_goes_first_for_nothing_shows_later_that_it_is_left() -> None:
    o = observed(a_task(DesiredState.TERMINATE, State.SUSPENDED, owns_claim=True), live=())
    assert kinds(reconcile(o)) == ["DeleteClaim", "WriteStatus"]
    assert kinds(reconcile(observed(a_task(DesiredState.TERMINATE, State.SUSPENDED), live=()))) == ["WriteStatus"]
