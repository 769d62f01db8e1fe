"""Suspending: the three parts of the proof, in their order, and what is said about how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import DeletePod, Outcome, Plan, Question, SetJobSuspended, WriteStatus
from longtask.core.observed import JobOutcome, ObservedJob, PodPhase
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    JOB_UID,
    NOW,
    SETTLED,
    WAIT,
    a_checkpoint,
    a_condition,
    a_failed_job,
    a_job,
    a_pod,
    a_suspended_job,
    a_task,
    after_writing,
    an_ended_pod,
    condition,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from longtask.api.status import LongTaskStatus
    from longtask.core.observed import ObservedPod

SUSPEND, RUNNING, SUSPENDED = DesiredState.SUSPEND, State.RUNNING, State.SUSPENDED
CLAIM, INTERVAL, STOP, DONE = CheckpointCause


def a_suspending_task(state: State = RUNNING, **changes: Any) -> Any:  # noqa: ANN401
    """Asked to suspend with its second change."""
    return a_task(SUSPEND, state, generation=2, **changes)


# --- (a) ---


def test_a_job_at_work_is_suspended_and_nothing_is_written_yet() -> None:
    job = a_job(suspended=False)
    plan = reconcile(observed(a_suspending_task(), job, a_pod()))
    ask = SetJobSuspended(name=job.name, uid=JOB_UID, resource_version="200", suspend=True)
    assert plan == Plan(outcome=Outcome.SUSPEND, actions=(ask,))


def test_a_job_is_not_suspended_again_before_its_resume_was_seen() -> None:
    """Its `Suspended=True` would be the old one, and prove nothing."""
    assert reconcile(observed(a_suspending_task(), a_job(suspended=True))) == WAIT


def test_a_job_that_was_never_suspended_has_no_resume_to_wait_for() -> None:
    assert kinds(reconcile(observed(a_suspending_task(), a_job(suspended=None)))) == ["SetJobSuspended"]


# --- (b) ---


@pytest.mark.parametrize("suspended", [None, False])
def test_nothing_is_asked_before_the_job_controller_has_said_suspended(suspended: bool | None) -> None:
    job = a_job(suspend=True, suspended=suspended)
    assert reconcile(observed(a_suspending_task(), job, live=())) == WAIT


@pytest.mark.parametrize(
    "job",
    [a_job(suspend=True, suspended=None, outcome=end) for end in (JobOutcome.COMPLETING, JobOutcome.FAILING)],
    ids=["complete", "failed"],
)
def test_a_job_that_is_about_to_finish_is_waited_for(job: ObservedJob) -> None:
    assert reconcile(observed(a_suspending_task(), job, live=())) == WAIT


@pytest.mark.parametrize("outcome", [JobOutcome.COMPLETING, JobOutcome.FAILING])
def test_a_job_that_begins_to_finish_when_it_is_suspended_is_proved_suspended_like_any_other(
    outcome: JobOutcome,
) -> None:
    job = a_suspended_job(outcome=outcome)
    plan = reconcile(observed(a_suspending_task(), job, live=()))
    assert plan.outcome is Outcome.SUSPENDED


def test_a_job_that_is_being_deleted_is_waited_for() -> None:
    assert reconcile(observed(a_suspending_task(), a_suspended_job(deleting=True), live=())) == WAIT


# --- (c) ---


@pytest.mark.parametrize("phase", [PodPhase.PENDING, PodPhase.RUNNING, PodPhase.UNKNOWN])
def test_a_live_pod_that_may_be_at_work_means_not_yet(phase: PodPhase) -> None:
    plan = reconcile(observed(a_suspending_task(), a_suspended_job(), live=(a_pod(phase=phase),)))
    assert plan == Plan(outcome=Outcome.WAIT, wake_at=NOW + timedelta(seconds=1))


@pytest.mark.parametrize("ended", [(), (an_ended_pod(1),), (an_ended_pod(0),)], ids=["none", "failed", "succeeded"])
def test_suspended_is_written_when_no_live_pod_is_active(ended: tuple[ObservedPod, ...]) -> None:
    """Pods of earlier failures stay for good."""
    o = observed(a_suspending_task(), a_suspended_job(), live=ended)
    (write,) = reconcile(o).actions
    assert isinstance(write, WriteStatus)
    assert write.judged
    assert (write.status.state, write.status.observed_generation) == (SUSPENDED, 2)
    assert reconcile(replace(after_writing(o), live_pods=None)) == SETTLED


def test_a_task_without_a_job_is_suspended_after_the_same_look() -> None:
    assert reconcile(observed(a_suspending_task(State.INIT))).question is Question.LIVE_PODS
    after = written(reconcile(observed(a_suspending_task(State.INIT), live=())))
    assert says(after, ConditionType.SUSPENDED) == (True, Reason.NOT_STARTED)


def test_a_stray_pod_that_no_job_will_end_is_asked_to_end() -> None:
    stray = a_pod(owner_uid=None)
    plan = reconcile(observed(a_suspending_task(), stray))
    assert plan.actions == (DeletePod(name=stray.name, uid=stray.uid, force=False),)
    assert reconcile(observed(a_suspending_task(), replace(stray, deletion_time=NOW))).actions == ()


def test_a_pod_of_somebody_elses_controller_is_not_touched() -> None:
    assert reconcile(observed(a_suspending_task(), a_pod(owner_uid="stranger"))) == WAIT


def test_the_old_job_is_gone_before_a_task_between_two_attempts_is_suspended() -> None:
    task = a_suspending_task(State.INIT, status={"attempt": 2})
    assert kinds(reconcile(observed(task, a_job(attempt=1), live=()))) == ["DeleteJob"]


# --- it stays so ---


def test_a_settled_suspension_costs_nothing_not_even_a_look() -> None:
    task = a_suspending_task(SUSPENDED, status={"observed_generation": 2})
    assert reconcile(observed(task, a_suspended_job())) == SETTLED


def test_a_change_of_the_spec_while_suspended_is_proved_anew_and_told_as_before() -> None:
    said = a_condition(ConditionType.SUSPENDED, Reason.KILLED, message="too short")
    task = a_suspending_task(SUSPENDED, status={"observed_generation": 1, "conditions": [said]})
    assert reconcile(observed(task, a_suspended_job())).question is Question.LIVE_PODS
    after = written(reconcile(observed(task, a_suspended_job(), live=())))
    assert says(after, ConditionType.SUSPENDED) == (True, Reason.KILLED)
    assert after.observed_generation == 2


@pytest.mark.parametrize(
    ("worker_started", "state"), [(True, RUNNING), (False, State.INIT)], ids=["at work", "only starting"]
)
def test_a_pod_that_turns_up_takes_suspended_back_at_once(worker_started: bool, state: State) -> None:
    said = a_condition(ConditionType.SUSPENDED, Reason.SAVED)
    task = a_suspending_task(SUSPENDED, status={"observed_generation": 2, "conditions": [said]})
    pod = a_pod(worker_started=worker_started)
    after = written(reconcile(observed(task, a_suspended_job(), pod)))
    assert after.state is state
    assert says(after, ConditionType.READY) == (False, Reason.POD_ACTIVE)
    assert says(after, ConditionType.SUSPENDED) == (False, Reason.RESUMED)


def test_suspended_is_taken_back_before_an_old_job_that_turns_up_is_deleted() -> None:
    task = a_suspending_task(SUSPENDED, status={"attempt": 2, "observed_generation": 2})
    assert kinds(reconcile(observed(task, a_job(attempt=1), a_pod(attempt=1)))) == ["WriteStatus"]


def test_a_job_that_somebody_else_resumes_takes_suspended_back_and_is_suspended_again() -> None:
    task = a_suspending_task(SUSPENDED, status={"observed_generation": 2})
    o = observed(task, a_job(suspended=False))
    assert says(written(reconcile(o)), ConditionType.READY) == (False, Reason.JOB_RESUMED)
    assert kinds(reconcile(after_writing(o))) == ["SetJobSuspended"]


# --- work that is done, or has failed ---


def test_a_worker_that_finished_in_its_last_moments_makes_the_task_complete() -> None:
    task = a_suspending_task(status={"checkpoint": a_checkpoint(DONE)})
    after = written(reconcile(observed(task, a_suspended_job(), live=())))
    assert (after.state, says(after, ConditionType.COMPLETE)) == (State.COMPLETE, (True, Reason.DONE))


def test_a_last_word_that_becomes_known_after_suspended_makes_the_task_complete() -> None:
    status = {"observed_generation": 2, "checkpoint": a_checkpoint(DONE)}
    o = observed(a_suspending_task(SUSPENDED, status=status), a_suspended_job(), live=())
    assert written(reconcile(o)).state is State.COMPLETE


def test_a_failed_task_that_is_suspended_still_says_that_it_had_failed_and_is_settled() -> None:
    o = observed(a_suspending_task(), a_failed_job(), live=())
    failed = after_writing(o)
    assert failed.task.status.state is State.FAILED
    suspended = after_writing(failed)
    assert suspended.task.status.state is SUSPENDED
    assert says(suspended.task.status, ConditionType.FAILED) == (True, Reason.BACKOFF_LIMIT_EXCEEDED)
    assert says(suspended.task.status, ConditionType.READY) == (True, Reason.NOT_STARTED)
    assert reconcile(suspended) == SETTLED


def test_a_failed_task_is_not_suspended_while_its_job_is_at_work() -> None:
    task = a_suspending_task(State.FAILED, status={"observed_generation": 1})
    assert kinds(reconcile(observed(task, a_job(), live=()))) == ["SetJobSuspended"]


# --- how it ended ---


def suspended_with(task: Any, *pods: ObservedPod) -> LongTaskStatus:  # noqa: ANN401
    return written(reconcile(observed(task, a_suspended_job(), *pods, live=())))


def how(task: Any, *pods: ObservedPod) -> str:  # noqa: ANN401
    found = condition(suspended_with(task, *pods), ConditionType.SUSPENDED)
    assert found is not None
    return found.reason


def test_saved_means_that_the_last_write_answered_the_stop_request() -> None:
    task = a_suspending_task(status={"checkpoint": a_checkpoint(STOP, sequence=41)})
    found = condition(suspended_with(task), ConditionType.SUSPENDED)
    assert found is not None
    assert (found.reason, found.message) == (Reason.SAVED, "suspended at checkpoint 41")


@pytest.mark.parametrize("cause", [CLAIM, INTERVAL])
def test_killed_means_that_the_grace_period_was_too_short(cause: CheckpointCause) -> None:
    task = a_suspending_task(status={"checkpoint": a_checkpoint(cause)})
    found = condition(suspended_with(task), ConditionType.SUSPENDED)
    assert found is not None
    assert found.reason == Reason.KILLED
    assert "grace period was too short" in found.message


def test_killed_also_when_the_worker_had_claimed_before_anybody_saw_it_run() -> None:
    assert how(a_suspending_task(State.INIT, status={"checkpoint": a_checkpoint(CLAIM)})) == Reason.KILLED


def test_not_killed_when_the_worker_had_crashed_by_itself_before() -> None:
    task = a_suspending_task(State.INIT, status={"checkpoint": a_checkpoint(CLAIM)})
    assert how(task, an_ended_pod(1, uid=HOLDER)) == Reason.NOT_STARTED


def test_not_killed_when_the_task_had_failed_before_it_was_suspended() -> None:
    status = {"checkpoint": a_checkpoint(INTERVAL), "observed_generation": 1}
    after = written(reconcile(observed(a_suspending_task(State.FAILED, status=status), a_failed_job(), live=())))
    assert says(after, ConditionType.SUSPENDED) == (True, Reason.NOT_STARTED)


def test_not_started_means_that_nobody_of_this_attempt_was_at_work() -> None:
    status = {"attempt": 1, "checkpoint": None}
    assert how(a_suspending_task(State.INIT, status=status)) == Reason.NOT_STARTED
    older = {"attempt": 2, "checkpoint": a_checkpoint(INTERVAL, attempt=1)}
    after = written(reconcile(observed(a_suspending_task(State.INIT, status=older), live=())))
    assert says(after, ConditionType.SUSPENDED) == (True, Reason.NOT_STARTED)


def test_node_lost_is_told_even_if_the_worker_saved() -> None:
    lost = a_condition(ConditionType.SUSPENDED, Reason.NODE_LOST, status=False)
    status = {"checkpoint": a_checkpoint(STOP), "conditions": [lost]}
    assert how(a_suspending_task(status=status)) == Reason.NODE_LOST


def test_a_node_that_was_lost_before_an_earlier_suspension_is_not_told_again() -> None:
    lost = a_condition(ConditionType.SUSPENDED, Reason.NODE_LOST, status=True)
    status = {"checkpoint": a_checkpoint(STOP), "conditions": [lost]}
    assert how(a_suspending_task(status=status)) == Reason.SAVED
