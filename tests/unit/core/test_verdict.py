"""The end of a Job: success by the checkpoint, never by the Job's counters, and never a false one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import Outcome, Plan, Question, WriteStatus
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    NOW,
    SETTLED,
    a_checkpoint,
    a_complete_job,
    a_failed_job,
    a_task,
    after_writing,
    ago,
    an_ended_pod,
    condition,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import ObservedPod

RUN, SUSPEND, RUNNING = DesiredState.RUN, DesiredState.SUSPEND, State.RUNNING
CLAIM, INTERVAL, STOP, DONE = CheckpointCause
BOTH = pytest.mark.parametrize("desired", [RUN, SUSPEND])


def a_task_at(cause: CheckpointCause, desired: DesiredState = RUN, **changes: Any) -> Any:  # noqa: ANN401
    """At work, with a checkpoint of this attempt."""
    status = {"checkpoint": a_checkpoint(cause)} | changes.pop("status", {})
    return a_task(desired, RUNNING, status=status, **changes)


def a_task_without_protocol(desired: DesiredState = RUN, **changes: Any) -> Any:  # noqa: ANN401
    """Its program never claimed anything."""
    return a_task(desired, RUNNING, **changes)


def drained(exit_code: int = 0) -> ObservedPod:
    """Ended ten seconds after it had been asked to stop."""
    return an_ended_pod(exit_code, deletion_time=NOW + timedelta(seconds=580), deletion_grace=timedelta(seconds=600))


# --- the Job is complete ---


@BOTH
def test_complete_when_the_worker_said_done_without_looking_any_further(desired: DesiredState) -> None:
    o = observed(a_task_at(DONE, desired), a_complete_job())
    (write,) = reconcile(o).actions
    assert isinstance(write, WriteStatus)
    assert write.judged
    assert (write.status.state, write.status.completion_time) == (State.COMPLETE, NOW)
    assert says(write.status, ConditionType.READY) == (True, Reason.DONE)
    assert reconcile(after_writing(o)) == SETTLED


@pytest.mark.parametrize("task", [a_task_at(INTERVAL), a_task_without_protocol()], ids=["claimed", "never claimed"])
def test_how_the_pod_ended_is_looked_up_live(task: Any) -> None:  # noqa: ANN401
    """The copy of the pods may be behind that of the Job: there, the pod may still run, or not be known at all."""
    plan = reconcile(observed(task, a_complete_job(), an_ended_pod(0)))
    assert plan == Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)


@BOTH
def test_a_program_that_never_claimed_is_done_when_it_exits_with_0_by_itself(desired: DesiredState) -> None:
    after = written(reconcile(observed(a_task_without_protocol(desired), a_complete_job(), live=(an_ended_pod(0),))))
    assert says(after, ConditionType.COMPLETE) == (True, Reason.EXITED_ZERO)


def test_exit_0_after_being_asked_to_stop_is_no_success_of_a_program_that_never_claimed() -> None:
    after = written(reconcile(observed(a_task_without_protocol(), a_complete_job(), live=(drained(),))))
    assert (after.state, after.attempt) == (State.INIT, 2)
    assert says(after, ConditionType.READY) == (False, Reason.INTERRUPTED)


def test_exit_0_of_an_evicted_pod_is_no_success() -> None:
    pod = an_ended_pod(0, disrupted=True)
    assert written(reconcile(observed(a_task_without_protocol(), a_complete_job(), live=(pod,)))).attempt == 2


@pytest.mark.parametrize("ended", [None, NOW, ago(hours=1), NOW + timedelta(hours=1)])
@pytest.mark.parametrize("deletion_grace", [timedelta(0), timedelta(seconds=600)])
def test_a_deleted_pod_was_asked_to_stop_whenever_its_nodes_clock_says_that_it_ended(
    deletion_grace: timedelta, ended: datetime | None
) -> None:
    """A node whose clock is behind would have a program that exits with 0 on SIGTERM end by itself."""
    pod = an_ended_pod(0, deletion_time=NOW + deletion_grace, deletion_grace=deletion_grace, ended=ended)
    assert written(reconcile(observed(a_task_without_protocol(), a_complete_job(), live=(pod,)))).attempt == 2


@pytest.mark.parametrize("task", [a_task_at(INTERVAL), a_task_without_protocol()], ids=["claimed", "never claimed"])
def test_a_pod_that_nobody_can_ask_any_more_is_no_success_and_no_failure(task: Any) -> None:  # noqa: ANN401
    """An evicted pod is gone as soon as it has ended: one that ended by itself would still be there."""
    plan = reconcile(observed(task, a_complete_job(deleting=True), live=()))
    assert kinds(plan) == ["WriteStatus"]  # its Job goes already
    found = condition(written(plan), ConditionType.READY)
    assert found is not None
    assert "nobody knows" in found.message
    assert written(plan).failures == 0


def test_a_pod_of_an_earlier_attempt_is_no_witness() -> None:
    o = observed(
        a_task_without_protocol(status={"attempt": 2}), a_complete_job(attempt=2), live=(an_ended_pod(0, attempt=1),)
    )
    assert written(reconcile(o)).attempt == 3


@BOTH
@pytest.mark.parametrize("cause", [CLAIM, INTERVAL])
def test_exit_0_with_work_left_is_a_failure_that_uses_a_retry(cause: CheckpointCause, desired: DesiredState) -> None:
    o = observed(a_task_at(cause, desired), a_complete_job(failures_before=2, failed=1), live=(an_ended_pod(0),))
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 4)
    assert says(after, ConditionType.READY) == (False, Reason.RETRYING)


def test_the_last_retry_is_used_before_a_false_success_fails_the_task() -> None:
    o = observed(a_task_at(INTERVAL, backoff_limit=1), a_complete_job(), live=(an_ended_pod(0),))
    assert (written(reconcile(o)).state, written(reconcile(o)).failures) == (State.INIT, 1)


def test_exit_0_with_work_left_fails_the_task_when_no_retry_is_left() -> None:
    o = observed(a_task_at(INTERVAL, backoff_limit=0), a_complete_job(), live=(an_ended_pod(0),))
    after = written(reconcile(o))
    assert (after.state, after.failures) == (State.FAILED, 1)
    assert says(after, ConditionType.FAILED) == (True, Reason.FALSE_SUCCESS)


def test_a_false_success_that_was_suspended_is_settled_and_does_not_fail_again() -> None:
    task = a_task_at(INTERVAL, SUSPEND, backoff_limit=0)
    suspended = after_writing(after_writing(observed(task, a_complete_job(), live=(an_ended_pod(0),))))
    assert suspended.task.status.state is State.SUSPENDED
    assert reconcile(suspended) == SETTLED


@pytest.mark.parametrize(
    ("cause", "pod"), [(STOP, an_ended_pod(0)), (INTERVAL, drained())], ids=["saved", "was asked to stop"]
)
def test_a_claimed_attempt_that_was_interrupted_is_followed_for_free(cause: CheckpointCause, pod: ObservedPod) -> None:
    after = written(reconcile(observed(a_task_at(cause), a_complete_job(), live=(pod,))))
    assert (after.attempt, after.failures) == (2, 0)
    assert says(after, ConditionType.READY) == (False, Reason.INTERRUPTED)


def test_interruptions_without_end_and_progress_use_retries_in_the_end() -> None:
    free = a_task_without_protocol(status={"idle_restarts": 4})
    counted = a_task_without_protocol(status={"idle_restarts": 5})
    assert written(reconcile(observed(free, a_complete_job(), live=(drained(),)))).failures == 0
    assert written(reconcile(observed(counted, a_complete_job(), live=(drained(),)))).failures == 1
    last = replace(counted, backoff_limit=0)
    after = written(reconcile(observed(last, a_complete_job(), live=(drained(),))))
    assert says(after, ConditionType.FAILED) == (True, Reason.NO_PROGRESS)


# --- the Job has failed ---


@BOTH
def test_retries_used_up_fail_the_task_with_the_last_words_of_the_pod(desired: DesiredState) -> None:
    older = an_ended_pod(2, name="older", ended=ago(minutes=1))
    newer = an_ended_pod(1, name="newer", last_words="no such file\n")
    o = observed(a_task_at(INTERVAL, desired), a_failed_job(failed=7), live=(newer, older))
    plan = reconcile(o)
    assert plan.outcome is Outcome.FAILED
    (write,) = plan.actions
    assert isinstance(write, WriteStatus)
    assert write.judged
    after = write.status
    assert (after.state, after.failures, after.completion_time) == (State.FAILED, 7, NOW)
    for kind in (ConditionType.FAILED, ConditionType.STALLED):
        assert says(after, kind) == (True, Reason.BACKOFF_LIMIT_EXCEEDED)
    assert says(after, ConditionType.READY) == (False, Reason.BACKOFF_LIMIT_EXCEEDED)
    found = condition(after, ConditionType.FAILED)
    assert found is not None
    assert found.message.startswith("pod newer exited with code 1\nno such file\nsuspend the task and run it again")


def test_the_last_pod_of_a_failed_job_is_looked_up_live() -> None:
    assert reconcile(observed(a_task_at(INTERVAL), a_failed_job(), an_ended_pod(1))).question is Question.LIVE_PODS


def test_a_failed_job_without_a_pod_speaks_for_itself() -> None:
    found = condition(written(reconcile(observed(a_task_at(INTERVAL), a_failed_job(), live=()))), ConditionType.FAILED)
    assert found is not None
    assert found.message.startswith("Job has reached the specified backoff limit")


def test_a_failed_job_that_gives_no_reason_has_used_up_its_retries() -> None:
    after = written(reconcile(observed(a_task_at(INTERVAL), a_failed_job(""), live=())))
    assert says(after, ConditionType.FAILED) == (True, Reason.BACKOFF_LIMIT_EXCEEDED)


def test_the_pod_that_was_created_last_is_judged_whatever_the_clocks_of_nodes_say() -> None:
    earlier = an_ended_pod(1, uid="earlier", created=ago(minutes=9), ended=NOW + timedelta(hours=1))
    later = an_ended_pod(78, uid="later", created=ago(minutes=2), ended=ago(hours=1))
    for pods in ((earlier, later), (later, earlier)):
        o = observed(a_task_at(INTERVAL), a_failed_job(outcome_reason="PodFailurePolicy"), live=pods)
        assert says(written(reconcile(o)), ConditionType.FAILED) == (True, Reason.NEVER_RETRY)


def test_exit_78_says_never_retry() -> None:
    o = observed(a_task_at(INTERVAL), a_failed_job("PodFailurePolicy", failed=1), live=(an_ended_pod(78),))
    assert says(written(reconcile(o)), ConditionType.FAILED) == (True, Reason.NEVER_RETRY)


@BOTH
@pytest.mark.parametrize("left", [(drained(78),), ()], ids=["deleted", "gone"])
def test_exit_78_of_a_pod_that_was_asked_to_stop_is_an_interruption(
    left: tuple[ObservedPod, ...], desired: DesiredState
) -> None:
    """A resume may come while the pod of the suspension is still there: the Job fails by it, the task does not."""
    o = observed(a_task_at(INTERVAL, desired), a_failed_job("PodFailurePolicy", failed=1), live=left)
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 0)
    assert says(after, ConditionType.READY) == (False, Reason.INTERRUPTED)


def test_exit_78_when_asked_to_stop_fails_in_the_end_without_progress() -> None:
    task = a_task_at(INTERVAL, status={"idle_restarts": 5, "failures": 3})
    o = observed(task, a_failed_job("PodFailurePolicy", failed=1), live=())
    after = written(reconcile(o))
    assert says(after, ConditionType.FAILED) == (True, Reason.NO_PROGRESS)
    assert after.failures == 3


@BOTH
def test_work_that_is_done_stays_done_however_its_job_ended(desired: DesiredState) -> None:
    after = written(reconcile(observed(a_task_at(DONE, desired), a_failed_job())))
    assert says(after, ConditionType.COMPLETE) == (True, Reason.DONE)


def test_a_limit_that_was_raised_meanwhile_gives_the_retries_that_are_left() -> None:
    plan = reconcile(observed(a_task_at(INTERVAL, backoff_limit=10), a_failed_job(failed=7)))
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 7)


def test_a_limit_that_was_raised_is_no_reason_to_retry_what_must_never_be_retried() -> None:
    job = a_failed_job("PodFailurePolicy", failed=1)
    after = written(reconcile(observed(a_task_at(INTERVAL, backoff_limit=10), job, live=(an_ended_pod(78),))))
    assert after.state is State.FAILED


def test_a_template_that_was_mended_meanwhile_is_tried_instead_of_failing() -> None:
    after = written(reconcile(observed(a_task_at(INTERVAL, template_hash="another"), a_failed_job())))
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 0)
    suspended = observed(a_task_at(INTERVAL, SUSPEND, template_hash="another"), a_failed_job(), live=())
    assert written(reconcile(suspended)).state is State.FAILED


def test_a_late_look_finds_the_holder_of_the_checkpoint_among_the_failed() -> None:
    """The holder's own failure after its last save is part of the interruption, and not a crash after it."""
    o = observed(a_task_at(STOP), a_complete_job(), an_ended_pod(75, uid=HOLDER), live=())
    assert written(reconcile(o)).failures == 0
