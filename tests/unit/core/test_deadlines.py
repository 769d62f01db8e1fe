"""Workers that are stopped because their time is over: which time counts, how they are stopped, and what follows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, ProgressMark, State
from longtask.core.actions import DeleteJob, Outcome, Plan, Question
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    JOB_UID,
    NOW,
    a_checkpoint,
    a_complete_job,
    a_condition,
    a_job,
    a_pod,
    a_suspended_job,
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

RUN, SUSPEND, TERMINATE = DesiredState.RUN, DesiredState.SUSPEND, DesiredState.TERMINATE
HOUR = timedelta(hours=1)

# --- activeDeadlineSeconds: what is counted ---


def at_work(*belongings: ObservedJob | ObservedPod, state: State = State.RUNNING, **changes: Any) -> Plan:  # noqa: ANN401
    """What follows for a task that may run for an hour."""
    live = changes.pop("live", None)
    values: dict[str, Any] = {"desired": RUN, "active_deadline": HOUR} | changes
    return reconcile(observed(a_task(state=state, **values), *(belongings or (a_job(), a_pod())), live=live))


def test_the_time_begins_when_a_worker_is_seen_at_work_and_stays_so() -> None:
    plan = at_work(state=State.INIT)
    assert written(plan).active_since == NOW
    again = at_work(status={"active_since": ago(minutes=1)})
    assert written(again).active_since == ago(minutes=1)


def test_it_is_added_up_whenever_no_worker_is_at_work_any_more() -> None:
    status = {"active_since": ago(minutes=10), "active_seconds": 100, "checkpoint": a_checkpoint()}
    after = written(at_work(a_suspended_job(), desired=SUSPEND, status=status, live=()))
    assert (after.state, after.active_seconds, after.active_since) == (State.SUSPENDED, 700, None)
    waits = written(at_work(a_job(active_since=NOW), status=status))
    assert (waits.state, waits.active_seconds, waits.active_since) == (State.INIT, 700, None)


def test_time_in_which_it_stands_still_does_not_count() -> None:
    status = {"active_seconds": 3599, "conditions": [], "observed_generation": 1}
    plan = at_work(a_suspended_job(), desired=SUSPEND, state=State.SUSPENDED, status=status)
    assert (plan.outcome, plan.wake_at) == (Outcome.SETTLED, None)


def test_a_clock_that_was_put_back_takes_nothing_off() -> None:
    status = {"active_since": NOW + HOUR, "active_seconds": 100, "checkpoint": a_checkpoint()}
    assert written(at_work(a_job(active_since=NOW), status=status)).active_seconds == 100


# --- activeDeadlineSeconds: when it is over ---

OVER = {"active_since": ago(minutes=40), "active_seconds": 1200, "checkpoint": a_checkpoint(), "failures": 2}


def test_until_then_the_worker_is_left_alone_and_looked_at_in_time() -> None:
    plan = at_work(status={**OVER, "active_seconds": 1140})
    assert kinds(plan) == ["WriteStatus"]
    assert written(plan).state is State.RUNNING
    assert plan.wake_at == NOW + timedelta(minutes=1)


def test_then_it_is_asked_to_stop_and_people_are_told_why() -> None:
    plan = at_work(status=OVER)
    assert plan.outcome is Outcome.STOP
    assert plan.actions[1:] == (DeleteJob(name=a_job().name, uid=JOB_UID),)
    after = written(plan)
    assert after.state is State.RUNNING
    assert says(after, ConditionType.READY) == (False, Reason.DEADLINE_EXCEEDED)


def test_while_it_ends_nothing_more_is_done() -> None:
    said = written(at_work(status=OVER))
    plan = at_work(a_job(deleting=True), a_pod(deletion_time=NOW + HOUR), status=said.model_dump())
    assert plan.actions == ()


def test_it_fails_only_when_a_live_list_shows_no_worker() -> None:
    o = observed(a_task(RUN, State.RUNNING, active_deadline=HOUR, status=OVER))
    assert reconcile(o).question is Question.LIVE_PODS
    assert reconcile(observed(o.task, live=(a_pod(),))).outcome is Outcome.WAIT
    after = written(reconcile(observed(o.task, live=())))
    assert (after.state, after.failures, after.job_name) == (State.FAILED, 2, None)
    failed = condition(after, ConditionType.FAILED)
    assert failed is not None
    assert failed.reason == Reason.DEADLINE_EXCEEDED
    assert "activeDeadlineSeconds (3600 s)" in failed.message
    assert "checkpoint 7" in failed.message


def test_a_task_that_has_used_up_its_time_is_not_started_again() -> None:
    o = observed(a_task(RUN, State.INIT, active_deadline=HOUR, status={"active_seconds": 3600}), live=())
    assert written(reconcile(o)).state is State.FAILED


@pytest.mark.parametrize(
    ("desired", "belongings"),
    [(SUSPEND, (a_job(), a_pod())), (TERMINATE, (a_job(), a_pod())), (RUN, (a_complete_job(), an_ended_pod(0)))],
)
def test_it_is_no_reason_against_what_a_user_wants_or_work_that_has_ended(
    desired: DesiredState, belongings: tuple[ObservedJob | ObservedPod, ...]
) -> None:
    plan = at_work(*belongings, desired=desired, status=OVER)
    assert plan.outcome not in (Outcome.STOP, Outcome.FAILED)


def test_work_that_is_done_in_the_last_moment_is_done() -> None:
    done = {**OVER, "checkpoint": a_checkpoint(CheckpointCause.DONE)}
    o = observed(a_task(RUN, State.RUNNING, active_deadline=HOUR, status=done))
    assert written(reconcile(o)).state is State.COMPLETE


def test_raising_the_limit_lets_a_failed_task_begin_with_fresh_time() -> None:
    status = {"active_seconds": 3600, "observed_generation": 1}
    task = a_task(RUN, State.FAILED, active_deadline=2 * HOUR, generation=2, status=status)
    assert written(reconcile(observed(task))).active_seconds is None


def test_a_changed_template_does_not_give_more_time() -> None:
    status = {"active_seconds": 1800}
    o = observed(a_task(RUN, State.SUSPENDED, template_hash="another", status=status), a_suspended_job())
    assert written(reconcile(o)).active_seconds == 1800


# --- progressDeadlineSeconds ---

MINUTE = timedelta(minutes=1)


def working(
    mark: tuple[datetime, int] | None,
    *,
    done: int = 5,
    state: State = State.RUNNING,
    **changes: Any,  # noqa: ANN401
) -> Plan:
    """What follows for a worker that may be without progress for a minute; it was last looked at as `mark` says."""
    noted = None if mark is None else ProgressMark(time=mark[0], done=mark[1])
    status = {"last_progress": noted, "active_since": ago(hours=1), "checkpoint": a_checkpoint(), "done_at_start": 5}
    task = a_task(RUN, state, done=done, progress_deadline=MINUTE, status=status, **changes)
    return reconcile(observed(task, a_job(failed=1), a_pod()))


def test_the_first_look_notes_how_far_the_work_is() -> None:
    plan = working(None, state=State.INIT)
    assert written(plan).last_progress == ProgressMark(time=NOW, done=5)
    assert plan.wake_at == NOW + MINUTE


def test_progress_is_noted_four_times_a_deadline_at_most() -> None:
    soon = working((ago(seconds=14), 4))
    assert written(soon).last_progress == ProgressMark(time=ago(seconds=14), done=4)
    assert soon.wake_at == NOW + timedelta(seconds=1)
    later = working((ago(seconds=15), 4))
    assert written(later).last_progress == ProgressMark(time=NOW, done=5)
    assert later.wake_at == NOW + MINUTE


def test_a_worker_without_progress_is_left_alone_until_its_time_is_over() -> None:
    plan = working((ago(seconds=59), 5))
    assert kinds(plan) == ["WriteStatus"]
    assert plan.wake_at == NOW + timedelta(seconds=1)


def test_then_it_is_asked_to_stop_in_its_own_attempt_so_that_it_can_save() -> None:
    plan = working((ago(seconds=60), 5))
    assert plan.outcome is Outcome.STOP
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    after = written(plan)
    assert (after.state, after.attempt, after.job_name) == (State.RUNNING, 1, None)
    assert says(after, ConditionType.READY) == (False, Reason.PROGRESS_DEADLINE_EXCEEDED)


def test_progress_in_the_last_moment_counts() -> None:
    assert kinds(working((ago(minutes=5), 4))) == ["WriteStatus"]


def test_without_that_limit_nothing_is_noted() -> None:
    plan = at_work(active_deadline=None, status={"active_since": ago(hours=1)})
    assert (written(plan).last_progress, plan.wake_at) == (None, None)


def stopped(*, done: int = 5, at_start: int = 5, limit: int = 6, desired: DesiredState = RUN) -> Plan:
    """What follows when its Job is gone."""
    said = a_condition(ConditionType.READY, Reason.PROGRESS_DEADLINE_EXCEEDED, status=False)
    status = {"conditions": [said], "checkpoint": a_checkpoint(), "done_at_start": at_start, "failures": 1}
    task = a_task(desired, State.RUNNING, done=done, progress_deadline=MINUTE, backoff_limit=limit, status=status)
    return reconcile(observed(task, live=()))


def test_a_stop_for_no_progress_uses_a_retry_and_goes_on_from_the_checkpoint() -> None:
    after = written(stopped())
    assert (after.state, after.attempt, after.failures) == (State.INIT, 2, 2)
    assert after.next_try_time is not None
    ready = condition(after, ConditionType.READY)
    assert ready is not None
    assert "no progress for progressDeadlineSeconds (60 s)" in ready.message
    assert "checkpoint 7" in ready.message


def test_one_that_had_made_progress_before_begins_the_count_anew() -> None:
    assert written(stopped(at_start=4)).failures == 1


def test_without_retries_left_the_task_fails_for_that_reason() -> None:
    after = written(stopped(limit=1))
    assert says(after, ConditionType.FAILED) == (True, Reason.PROGRESS_DEADLINE_EXCEEDED)


def test_a_task_that_is_to_be_suspended_by_then_is_suspended() -> None:
    assert written(stopped(desired=SUSPEND)).state is State.SUSPENDED
