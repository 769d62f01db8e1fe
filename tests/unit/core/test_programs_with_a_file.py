"""Programs whose file is saved for them: they say nothing by the checkpoint, so exit code and pod decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import Plan, Question
from longtask.core.exitcodes import ExitCodes
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    NOW,
    a_checkpoint,
    a_complete_job,
    a_failed_job,
    a_job,
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
    from longtask.core.observed import ObservedPod, ObservedTask

RUN, SUSPEND, TERMINATE = DesiredState.RUN, DesiredState.SUSPEND, DesiredState.TERMINATE
CLAIM, INTERVAL, STOP, DONE = CheckpointCause
CODES = ExitCodes(complete=frozenset({3}), interrupted=frozenset({75, 143}))


def a_program(
    cause: CheckpointCause = INTERVAL,
    desired: DesiredState = RUN,
    state: State = State.RUNNING,
    **changes: Any,  # noqa: ANN401
) -> ObservedTask:
    """At work, with a file that was saved."""
    status = {"checkpoint": a_checkpoint(cause)} | changes.pop("status", {})
    values: dict[str, Any] = {"done": 5, "keeps_file": True, "exit_codes": CODES} | changes
    return a_task(desired, state, status=status, **values)


def asked_to_stop(exit_code: int) -> ObservedPod:
    return an_ended_pod(exit_code, deletion_time=NOW + timedelta(seconds=580), deletion_grace=timedelta(seconds=600))


# --- how it ends ---


@pytest.mark.parametrize("cause", [CLAIM, INTERVAL, STOP])
def test_exit_0_by_itself_completes_the_task_whatever_was_saved_last(cause: CheckpointCause) -> None:
    plan = reconcile(observed(a_program(cause), a_complete_job(), live=(an_ended_pod(0),)))
    after = written(plan)
    assert after.state is State.COMPLETE
    assert says(after, ConditionType.COMPLETE) == (True, Reason.EXITED_ZERO)


def test_exit_0_after_being_asked_to_stop_is_an_interruption() -> None:
    plan = reconcile(observed(a_program(), a_complete_job(), live=(asked_to_stop(0),)))
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 0)


def test_a_mapped_exit_code_completes_the_task() -> None:
    o = observed(a_program(), a_failed_job("PodFailurePolicy", failed=1), live=(an_ended_pod(3),))
    after = written(reconcile(o))
    assert after.state is State.COMPLETE
    assert says(after, ConditionType.COMPLETE) == (True, Reason.EXITED_COMPLETE)


def test_a_mapped_exit_code_completes_a_program_that_saves_nothing() -> None:
    task = a_task(RUN, State.RUNNING, exit_codes=CODES)
    o = observed(task, a_failed_job("PodFailurePolicy", failed=1), live=(an_ended_pod(3),))
    assert written(reconcile(o)).state is State.COMPLETE


def test_a_mapped_exit_code_after_being_asked_to_stop_is_an_interruption() -> None:
    o = observed(a_program(), a_failed_job("PodFailurePolicy", failed=1), live=(asked_to_stop(3),))
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 0)


def test_a_worker_that_took_part_has_another_way_to_say_that_it_is_done() -> None:
    """Else its exit code would let work pass for done that is not."""
    task = replace(a_program(status={"done_at_start": 5}), keeps_file=False)
    o = observed(task, a_failed_job("PodFailurePolicy", failed=1), live=(an_ended_pod(3),))
    plan = reconcile(o)
    assert written(plan).state is State.INIT
    assert (written(plan).attempt, written(plan).failures) == (2, 2)


@pytest.mark.parametrize("code", [1, 78, 137])
def test_any_other_end_by_itself_fails_the_task_when_its_retries_are_used_up(code: int) -> None:
    task = a_program(status={"done_at_start": 5})
    after = written(reconcile(observed(task, a_failed_job(), live=(an_ended_pod(code),))))
    assert after.state is State.FAILED
    found = condition(after, ConditionType.FAILED)
    assert found is not None
    assert f"exited with code {code}" in found.message


# --- how it is interrupted ---


def follow(*pods: ObservedPod, live: tuple[ObservedPod, ...] | None, **changes: Any) -> Plan:  # noqa: ANN401
    """What follows when nothing of it is at work any more."""
    return reconcile(observed(a_program(**changes), a_job(), *pods, live=live, job_troubles=()))


def test_where_its_pod_is_can_only_a_live_list_tell() -> None:
    assert follow(live=None).question is Question.LIVE_PODS
    assert follow(an_ended_pod(143), live=None).question is Question.LIVE_PODS


@pytest.mark.parametrize(
    "left",
    [(), (an_ended_pod(143),), (an_ended_pod(75),), (replace(an_ended_pod(1), disrupted=True),)],
    ids=["gone", "mapped", "protocol", "disrupted"],
)
def test_a_program_that_was_interrupted_goes_on_at_once(left: tuple[ObservedPod, ...]) -> None:
    plan = follow(*left, live=left)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 0)
    assert says(written(plan), ConditionType.READY) == (False, Reason.INTERRUPTED)


def test_a_program_that_crashed_is_left_to_the_job_controller() -> None:
    plan = follow(an_ended_pod(1), live=(an_ended_pod(1),))
    assert kinds(plan) == ["WriteStatus"]
    assert says(written(plan), ConditionType.READY) == (False, Reason.RETRYING)


def test_a_successor_that_only_the_live_list_shows_is_not_disturbed() -> None:
    plan = follow(live=(a_pod(uid="the-next"),))
    assert "DeleteJob" not in kinds(plan)


def test_a_pod_that_never_claimed_was_not_at_work() -> None:
    plan = follow(live=None, status={"checkpoint": a_checkpoint(attempt=1)}, state=State.INIT)
    assert plan.question is not Question.LIVE_PODS


# --- how it is suspended and terminated ---


def test_suspended_tells_that_everything_is_saved() -> None:
    after = written(reconcile(observed(a_program(STOP, SUSPEND), a_suspended_job(), live=())))
    assert says(after, ConditionType.SUSPENDED) == (True, Reason.SAVED)


def test_suspended_tells_that_the_file_could_not_be_saved_and_where_to_look() -> None:
    after = written(reconcile(observed(a_program(INTERVAL, SUSPEND), a_suspended_job(), live=())))
    found = condition(after, ConditionType.SUSPENDED)
    assert found is not None
    assert found.reason == Reason.KILLED
    assert "could not be saved" in found.message
    assert "progress.message" in found.message


def test_a_program_has_no_cleanup_whose_absence_would_have_to_be_told() -> None:
    after = written(reconcile(observed(a_program(STOP, TERMINATE, State.SUSPENDED), live=())))
    assert says(after, ConditionType.TERMINATED) == (True, Reason.TERMINATED)


def test_the_pod_in_these_tests_is_the_one_that_claimed() -> None:
    assert an_ended_pod(0).uid == HOLDER
