"""Failures in a row: what begins the count anew, and when the next try comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import LongTaskStatus, State
from longtask.core.actions import CreateJob, Outcome, Plan
from longtask.core.reconcile import reconcile
from longtask.core.retries import LONGEST_PAUSE, next_try, pause_after
from tests.unit.core.builders import (
    NOW,
    a_checkpoint,
    a_complete_job,
    a_failed_job,
    a_job,
    a_pod,
    a_task,
    ago,
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
CRASH = an_ended_pod(1, last_words="out of luck")


def failed(*belongings: ObservedJob | ObservedPod, done: int = 5, at_start: int = 2, **changes: Any) -> LongTaskStatus:  # noqa: ANN401
    """What is written when a worker has failed, by default after it had made progress."""
    status = {"checkpoint": a_checkpoint(), "done_at_start": at_start} | changes.pop("status", {})
    task = a_task(RUN, State.RUNNING, done=done, status=status, **changes)
    return written(reconcile(observed(task, *belongings, live=(CRASH,), job_troubles=())))


def seconds_to_wait(status: LongTaskStatus) -> float:
    """How long the next attempt is waited for."""
    assert status.next_try_time is not None
    return (status.next_try_time - NOW).total_seconds()


def test_a_failure_after_progress_is_the_first_of_its_row_and_gets_a_job_that_counts_anew() -> None:
    after = failed(a_job(failed=1, failures_before=4), CRASH)
    assert (after.attempt, after.failures, after.done_at_start) == (2, 1, 5)
    assert 8 <= seconds_to_wait(after) <= 12
    ready = condition(after, ConditionType.READY)
    assert ready is not None
    assert ready.reason == Reason.RETRYING
    first, last = ready.message.splitlines()
    assert "exited with code 1; 1 of 6 retries used: attempt 2 follows at 12:00:" in first
    assert last == "out of luck"


def test_a_failure_without_progress_is_left_to_its_job_and_the_next_pod_is_announced() -> None:
    """Whose pause is told by how often it has failed, and begins at the end of the pod."""
    for count, pause in ((1, 10), (2, 20), (3, 40)):
        after = failed(a_job(failed=count), CRASH, done=2)
        assert after.attempt == 1
        assert after.next_try_time == ago(seconds=10) + timedelta(seconds=pause)


def test_before_the_job_has_counted_the_failure_it_is_not_replaced() -> None:
    assert failed(a_job(failed=0), CRASH).attempt == 1


def test_where_no_retry_is_allowed_a_failure_after_progress_is_the_last_too() -> None:
    assert failed(a_job(failed=1), CRASH, backoff_limit=0).attempt == 1
    after = failed(a_failed_job(failed=1), CRASH, backoff_limit=0)
    assert (after.state, after.failures) == (State.FAILED, 1)


def test_a_job_that_failed_after_progress_is_replaced() -> None:
    after = failed(a_failed_job(), CRASH)
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 1)
    assert seconds_to_wait(after) > 0


def test_never_retry_fails_the_task_whatever_progress_was_made() -> None:
    never = an_ended_pod(78)
    status = {"checkpoint": a_checkpoint(), "done_at_start": 2}
    task = a_task(RUN, State.RUNNING, done=5, status=status)
    plan = reconcile(observed(task, a_failed_job("PodFailurePolicy", failed=1), live=(never,)))
    assert written(plan).state is State.FAILED


def test_what_is_called_a_success_and_is_none_waits_longer_each_time() -> None:
    pauses = []
    for failures in (0, 1, 2, 5):
        status = {"checkpoint": a_checkpoint(), "done_at_start": 5}
        task = a_task(RUN, State.RUNNING, done=5, status=status, backoff_limit=9)
        job = a_complete_job(failures_before=failures)
        pauses.append(seconds_to_wait(written(reconcile(observed(task, job, live=(an_ended_pod(0),))))))
    for pause, expected in zip(pauses, (10, 20, 40, 320), strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected


def test_the_pause_is_doubled_up_to_ten_minutes() -> None:
    assert [pause_after(n).total_seconds() for n in (0, 1, 2, 3, 7, 8, 2**31)] == [10, 10, 20, 40, 600, 600, 600]


def test_tasks_that_failed_together_come_back_one_by_one() -> None:
    times = {next_try(observed(a_task(uid=f"{number}-task")), 1) for number in range(20)}
    assert len(times) == 20
    assert max(times) - min(times) > timedelta(seconds=2)
    o = observed(a_task())
    assert next_try(o, 3) == next_try(o, 3), "the same decision twice is the same time"


# --- waiting for it ---


def waiting(until: datetime | None, **changes: Any) -> Plan:  # noqa: ANN401
    status = {
        "attempt": 2,
        "failures": 1,
        "next_try_time": until,
        "observed_generation": 1,
        "checkpoint": a_checkpoint(),
    }
    values: dict[str, Any] = {"desired": RUN, "state": State.INIT, "status": status} | changes
    return reconcile(observed(a_task(**values)))


def test_the_next_attempt_is_not_begun_before_its_time() -> None:
    plan = waiting(NOW + timedelta(seconds=7))
    assert (plan.outcome, plan.actions, plan.wake_at) == (Outcome.WAIT, (), NOW + timedelta(seconds=7))


@pytest.mark.parametrize("until", [None, NOW, ago(seconds=1)])
def test_then_it_is_begun_with_the_retries_that_are_left(until: datetime | None) -> None:
    (create,) = waiting(until).actions
    assert isinstance(create, CreateJob)
    assert (create.attempt, create.failures_before, create.backoff_limit) == (2, 1, 5)


def test_a_change_of_the_spec_is_tried_at_once() -> None:
    assert kinds(waiting(NOW + timedelta(seconds=7), generation=2)) == ["CreateJob"]


def test_a_time_that_lies_too_far_ahead_comes_from_a_clock_that_was_wrong() -> None:
    assert kinds(waiting(NOW + 2 * LONGEST_PAUSE)) == ["CreateJob"]


def test_a_task_that_waits_can_be_suspended() -> None:
    plan = waiting(NOW + timedelta(seconds=7), desired=SUSPEND, generation=2)
    assert plan.question is not None
    proved = reconcile(replace(observed(a_task(SUSPEND, status={"next_try_time": NOW})), live_pods=()))
    assert written(proved).state is State.SUSPENDED
    assert written(proved).next_try_time is None


def test_a_worker_at_work_has_no_next_try() -> None:
    after = written(reconcile(observed(a_task(status={"next_try_time": ago(seconds=1)}), a_job(), a_pod())))
    assert after.next_try_time is None
    assert says(after, ConditionType.READY) == (True, Reason.RUNNING)
