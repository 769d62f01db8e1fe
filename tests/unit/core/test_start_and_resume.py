"""A task that is wanted to run: its Job is created or unsuspended, or replaced when it is not fit to go on."""

from __future__ import annotations

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import MAX_ATTEMPT, ConditionType, Reason, job_name
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import CreateJob, DeleteJob, DeletePod, Outcome, Plan, Question, SetJobSuspended
from longtask.core.observed import JobOutcome
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    JOB_UID,
    NAME,
    UID,
    WAIT,
    a_checkpoint,
    a_condition,
    a_failed_job,
    a_job,
    a_pod,
    a_suspended_job,
    a_task,
    an_ended_pod,
    kinds,
    observed,
    says,
    written,
)

RUN, SUSPEND = DesiredState.RUN, DesiredState.SUSPEND


def test_a_new_task_gets_its_job_and_no_write_of_its_own() -> None:
    plan = reconcile(observed(a_task()))
    create = CreateJob(name=job_name(NAME, UID, 1), attempt=1, failures_before=0, backoff_limit=6)
    assert plan == Plan(outcome=Outcome.START, actions=(create,))


def test_a_task_that_was_suspended_before_it_had_a_job_leaves_suspended_first() -> None:
    plan = reconcile(observed(a_task(RUN, State.SUSPENDED)))
    assert kinds(plan) == ["WriteStatus", "CreateJob"]
    assert written(plan).state is State.INIT


@pytest.mark.parametrize("outcome", [JobOutcome.COMPLETING, JobOutcome.FAILING])
def test_a_job_that_began_to_finish_when_it_was_suspended_is_replaced_and_uses_no_retry(outcome: JobOutcome) -> None:
    task = a_task(RUN, State.SUSPENDED, status={"failures": 2})
    job = a_suspended_job(outcome=outcome, failures_before=1, failed=1)

    plan = reconcile(observed(task, job))

    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 2)
    assert written(plan).state is State.INIT


def test_a_job_waits_for_pods_of_an_earlier_attempt_whatever_became_of_their_job() -> None:
    task = a_task(status={"attempt": 2})
    assert reconcile(observed(task, a_pod(attempt=1))) == WAIT


def test_a_pod_that_was_orphaned_is_asked_to_end_before_a_job_is_created() -> None:
    plan = reconcile(observed(a_task(), a_pod(owner_uid=None)))
    assert plan.actions == (DeletePod(name=a_pod().name, uid=a_pod().uid, force=False),)


def test_what_failed_in_earlier_attempts_is_taken_off_the_retries_of_the_next() -> None:
    (create,) = reconcile(observed(a_task(status={"attempt": 2, "failures": 4}))).actions
    assert isinstance(create, CreateJob)
    assert (create.failures_before, create.backoff_limit) == (4, 2)


def test_a_limit_that_was_lowered_below_the_failures_so_far_leaves_one_try() -> None:
    (create,) = reconcile(observed(a_task(status={"attempt": 2, "failures": 4}, backoff_limit=1))).actions
    assert isinstance(create, CreateJob)
    assert create.backoff_limit == 0


def test_a_job_that_somebody_deleted_is_replaced_by_the_next_attempt() -> None:
    """Under its old name it could meet the old pods, which may still be saving."""
    status = {"job_name": job_name(NAME, UID, 1), "failures": 3}
    plan = reconcile(observed(a_task(RUN, State.RUNNING, status=status)))
    assert kinds(plan) == ["WriteStatus"]
    after = written(plan)
    assert (after.attempt, after.state, after.job_name, after.failures) == (2, State.INIT, None, 3)
    assert says(after, ConditionType.READY) == (False, Reason.JOB_LOST)


def test_work_that_is_done_is_not_started_again_when_its_job_is_gone() -> None:
    status = {"job_name": job_name(NAME, UID, 1), "checkpoint": a_checkpoint(CheckpointCause.DONE)}
    plan = reconcile(observed(a_task(RUN, State.RUNNING, status=status)))
    assert written(plan).state is State.COMPLETE


@pytest.mark.parametrize("outcome", [JobOutcome.OPEN, JobOutcome.FAILED])
def test_a_job_that_is_being_deleted_is_waited_for(outcome: JobOutcome) -> None:
    assert reconcile(observed(a_task(), a_job(deleting=True, outcome=outcome))) == WAIT


def test_a_job_of_a_later_attempt_shows_that_the_task_is_an_old_copy_and_is_left_alone() -> None:
    plan = reconcile(observed(a_task(), a_job(attempt=2)))
    assert not any(isinstance(action, DeleteJob) for action in plan.actions)


def test_a_suspended_job_goes_on_once_suspended_is_left() -> None:
    task = a_task(RUN, State.SUSPENDED, status={"checkpoint": a_checkpoint(CheckpointCause.STOP)}, generation=3)
    job = a_suspended_job()
    plan = reconcile(observed(task, job))
    assert kinds(plan) == ["WriteStatus", "SetJobSuspended"]
    after = written(plan)
    assert (after.state, after.observed_generation, after.attempt) == (State.INIT, 3, 1)
    assert plan.actions[1] == SetJobSuspended(name=job.name, uid=job.uid, resource_version="200", suspend=False)


def test_a_suspended_job_goes_on_without_a_second_write_when_init_is_recorded() -> None:
    assert kinds(reconcile(observed(a_task(), a_suspended_job()))) == ["SetJobSuspended"]


def test_a_worker_that_had_finished_in_its_last_moments_is_not_started_again() -> None:
    task = a_task(RUN, State.SUSPENDED, status={"checkpoint": a_checkpoint(CheckpointCause.DONE)})
    assert reconcile(observed(task, a_suspended_job())).question is Question.LIVE_PODS
    plan = reconcile(observed(task, a_suspended_job(), live=()))
    assert written(plan).state is State.COMPLETE


def test_a_template_that_was_changed_while_suspended_gets_an_attempt_of_its_own_with_fresh_retries() -> None:
    task = a_task(RUN, State.SUSPENDED, status={"failures": 3, "idle_restarts": 2}, template_hash="another")
    job = a_suspended_job(failed=3)
    plan = reconcile(observed(task, job))
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.attempt, after.failures, after.idle_restarts) == (2, 0, None)
    assert says(after, ConditionType.READY) == (False, Reason.TEMPLATE_CHANGED)
    assert plan.actions[1] == DeleteJob(name=job.name, uid=JOB_UID)


def test_a_job_that_does_not_say_which_template_it_was_made_from_goes_on() -> None:
    """Otherwise something that strips annotations would have attempt after attempt made."""
    plan = reconcile(observed(a_task(template_hash="another"), a_suspended_job(template_hash="")))
    assert kinds(plan) == ["SetJobSuspended"]


def test_a_job_that_is_being_suspended_is_resumed_only_when_that_is_over() -> None:
    assert reconcile(observed(a_task(), a_job(suspend=True, suspended=False))) == WAIT
    assert reconcile(observed(a_task(), a_suspended_job(), a_pod())) == WAIT


def test_one_attempt_at_a_time_the_old_job_goes_before_the_next_is_created() -> None:
    task = a_task(status={"attempt": 2})
    plan = reconcile(observed(task, a_job(attempt=1)))
    assert plan.actions == (DeleteJob(name=job_name(NAME, UID, 1), uid=JOB_UID),)
    assert reconcile(observed(task, a_job(attempt=1, deleting=True))) == WAIT


def test_an_old_job_goes_also_when_the_next_attempt_is_there_already() -> None:
    task = a_task(status={"attempt": 2})
    plan = reconcile(observed(task, a_job(attempt=1), a_job(attempt=2)))
    assert plan.actions == (DeleteJob(name=job_name(NAME, UID, 1), uid=JOB_UID),)


def test_after_the_last_attempt_only_a_person_can_help() -> None:
    status = {"attempt": MAX_ATTEMPT, "job_name": job_name(NAME, UID, MAX_ATTEMPT)}
    plan = reconcile(observed(a_task(RUN, State.RUNNING, status=status)))
    assert plan.outcome is Outcome.STALLED
    assert written(plan).attempt == MAX_ATTEMPT
    assert says(written(plan), ConditionType.STALLED) == (True, Reason.ATTEMPTS_EXHAUSTED)


def test_a_task_with_a_kueue_label_is_refused_before_it_has_a_job() -> None:
    plan = reconcile(observed(a_task(queue="night")))
    assert kinds(plan) == ["WriteStatus"]
    assert says(written(plan), ConditionType.STALLED) == (True, Reason.KUEUE_UNSUPPORTED)


def test_a_kueue_label_that_comes_later_changes_nothing_because_the_job_has_none() -> None:
    assert kinds(reconcile(observed(a_task(queue="night"), a_suspended_job()))) == ["SetJobSuspended"]


def test_a_task_with_a_kueue_label_can_be_suspended() -> None:
    assert written(reconcile(observed(a_task(SUSPEND, queue="night"), live=()))).state is State.SUSPENDED


def test_a_failed_task_stays_failed_while_nobody_changes_it() -> None:
    task = a_task(RUN, State.FAILED, status={"observed_generation": 1})
    assert reconcile(observed(task, a_failed_job())).actions == ()
    assert reconcile(observed(task)).outcome is Outcome.SETTLED


def test_a_failed_task_tries_again_with_fresh_retries_after_any_change_of_its_spec() -> None:
    task = a_task(RUN, State.FAILED, status={"observed_generation": 1, "failures": 7}, generation=2)
    plan = reconcile(observed(task, a_failed_job()))
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 0)


def test_a_failed_task_can_be_suspended() -> None:
    task = a_task(SUSPEND, State.FAILED, status={"observed_generation": 1}, generation=2)
    assert reconcile(observed(task, a_failed_job())).question is Question.LIVE_PODS
    assert written(reconcile(observed(task, a_failed_job(), live=()))).state is State.SUSPENDED


def test_a_failed_task_that_was_suspended_and_is_run_again_gets_fresh_retries() -> None:
    failed = a_condition(ConditionType.FAILED, Reason.BACKOFF_LIMIT_EXCEEDED)
    task = a_task(RUN, State.SUSPENDED, status={"failures": 7, "conditions": [failed]})
    for job in ((a_failed_job(),), ()):
        after = written(reconcile(observed(task, *job)))
        assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 0)


def test_a_task_whose_job_failed_after_it_was_suspended_stays_suspended_and_then_tries_afresh() -> None:
    ended = an_ended_pod(78)
    status = {"observed_generation": 1}
    assert reconcile(observed(a_task(SUSPEND, State.SUSPENDED, status=status), a_failed_job(), ended)).actions == ()
    plan = reconcile(observed(a_task(RUN, State.SUSPENDED, status=status), a_failed_job(), ended))
    assert written(plan).attempt == 2


def test_a_failed_task_whose_job_somebody_runs_again_is_as_its_job_is() -> None:
    """Decided from what is: the state `Failed` alone is no reason to look away from a Job at work."""
    plan = reconcile(observed(a_task(RUN, State.FAILED), a_job(), a_pod()))
    assert written(plan).state is State.RUNNING
