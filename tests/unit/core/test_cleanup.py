"""The clean-up at a task's end: when it runs, what waits for it, what becomes of it, and who keeps the task so long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason, cleanup_job_name
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import CreateCleanup, DeleteJob, Outcome, Question, SetFinalizer, WriteStatus
from longtask.core.observed import JobOutcome, Trouble
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    NAME,
    NOW,
    UID,
    a_checkpoint,
    a_complete_job,
    a_job,
    a_pod,
    a_task,
    ago,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from longtask.core.actions import Plan
    from longtask.core.observed import Observed, ObservedJob, ObservedPod

RUN, TERMINATE = DesiredState.RUN, DesiredState.TERMINATE
CLEANUP = cleanup_job_name(NAME, UID)
KEPT = SetFinalizer(present=True)
FREE = SetFinalizer(present=False)


def cleaning(outcome: JobOutcome = JobOutcome.OPEN, **changes: Any) -> ObservedJob:  # noqa: ANN401
    """Its Job."""
    values = {"name": CLEANUP, "uid": "cleanup-uid", "outcome": outcome, "outcome_message": "Job was active too long"}
    return replace(a_job(), attempt=0, **values | changes)


def ending(
    *belongings: ObservedJob | ObservedPod,
    job: ObservedJob | None = None,
    live: tuple[ObservedPod, ...] | None = (),
    state: State = State.SUSPENDED,
    **changes: Any,  # noqa: ANN401
) -> Observed:
    """A task with a clean-up that is to be terminated."""
    values: dict[str, Any] = {"desired": TERMINATE, "has_cleanup": True, "has_finalizer": True} | changes
    status = {"checkpoint": a_checkpoint(CheckpointCause.STOP)} | values.pop("status", {})
    task = a_task(state=state, status=status, **values)
    return observed(task, *belongings, live=live, cleanup_job=job)


DELETED: dict[str, Any] = {"desired": RUN, "deleting": True}
OVER: dict[str, Any] = {"observed_generation": 1, "checkpoint": None}
ENDS = [{}, DELETED]
"""By `Terminate`, and by `kubectl delete`."""

# --- the finalizer ---


@pytest.mark.parametrize("state", [State.INIT, State.RUNNING, State.SUSPENDED, State.COMPLETE, State.FAILED])
def test_a_task_with_a_cleanup_gets_the_finalizer_before_anything_else(state: State) -> None:
    plan = reconcile(observed(a_task(RUN, state, has_cleanup=True)))
    assert plan.actions == (KEPT,)


def test_one_whose_cleanup_was_taken_out_of_the_spec_loses_it() -> None:
    assert reconcile(observed(a_task(RUN, has_finalizer=True))).actions == (FREE,)


def test_one_without_a_cleanup_never_has_it() -> None:
    assert kinds(reconcile(observed(a_task(RUN)))) == ["CreateJob"]


def test_a_task_that_is_terminated_is_kept_by_nothing() -> None:
    plan = reconcile(ending(state=State.TERMINATED, status={"checkpoint": None}))
    assert plan.actions == (FREE,)


def test_a_task_that_is_being_deleted_can_get_none_any_more_and_is_left_alone() -> None:
    plan = reconcile(ending(a_job(), a_pod(), **DELETED | {"has_finalizer": False}))
    assert (plan.outcome, plan.actions) == (Outcome.GONE, ())


# --- when it runs ---


@pytest.mark.parametrize("how", ENDS)
def test_first_all_work_is_stopped(how: dict[str, Any]) -> None:
    assert kinds(reconcile(ending(a_job(), a_pod(), state=State.RUNNING, **how))) == ["DeleteJob"]
    assert reconcile(ending(a_job(deleting=True), a_pod(), state=State.RUNNING, **how)).actions == ()


@pytest.mark.parametrize("how", ENDS)
def test_then_a_live_list_must_show_nothing(how: dict[str, Any]) -> None:
    assert reconcile(ending(live=None, **how)).question is Question.LIVE_PODS
    plan = reconcile(ending(live=(a_pod(),), **how))
    assert (plan.outcome, plan.actions) == (Outcome.WAIT, ())


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("state", [State.INIT, State.RUNNING, State.SUSPENDED, State.COMPLETE, State.FAILED])
def test_only_then_the_cleanup_begins_from_whatever_state(state: State, how: dict[str, Any]) -> None:
    plan = reconcile(ending(state=state, **how))
    assert plan.outcome is Outcome.CLEAN_UP
    assert plan.actions[1:] == (CreateCleanup(name=CLEANUP),)
    assert written(plan).state is state
    assert says(written(plan), ConditionType.READY) == (False, Reason.CLEANING_UP)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("outcome", [JobOutcome.OPEN, JobOutcome.COMPLETING, JobOutcome.FAILING])
def test_its_end_is_waited_for(outcome: JobOutcome, how: dict[str, Any]) -> None:
    o = ending(job=cleaning(outcome), **how)
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus"]
    told = replace(o, task=replace(o.task, status=written(plan)))
    assert reconcile(told).actions == ()


def test_a_task_without_a_cleanup_ends_at_once() -> None:
    plan = reconcile(ending(has_cleanup=False, has_finalizer=False))
    assert kinds(plan) == ["WriteStatus"]
    assert written(plan).state is State.TERMINATED
    assert says(written(plan), ConditionType.CLEANED_UP) is None


# --- what becomes of it ---


def test_when_it_has_succeeded_the_task_is_terminated_and_nothing_is_left() -> None:
    plan = reconcile(ending(job=cleaning(JobOutcome.COMPLETE)))
    (write, delete, free) = plan.actions
    assert isinstance(write, WriteStatus)
    assert write.empty_checkpoint
    assert write.judged
    assert write.status.state is State.TERMINATED
    assert says(write.status, ConditionType.CLEANED_UP) == (True, Reason.CLEANED_UP)
    assert says(write.status, ConditionType.TERMINATED) == (True, Reason.TERMINATED)
    assert (delete, free) == (DeleteJob(name=CLEANUP, uid="cleanup-uid"), FREE)


def test_one_that_was_given_up_is_told_of_and_blocks_nothing() -> None:
    after = written(reconcile(ending(job=cleaning(JobOutcome.FAILED))))
    assert after.state is State.TERMINATED
    assert says(after, ConditionType.CLEANED_UP) == (False, Reason.CLEANUP_FAILED)
    said = next(c.message for c in after.conditions if c.type == ConditionType.CLEANED_UP)
    assert "Job was active too long" in said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(JobOutcome.COMPLETE, (True, Reason.CLEANED_UP)), (JobOutcome.FAILED, (False, Reason.CLEANUP_FAILED))],
)
def test_a_deleted_task_goes_when_it_has_ended(outcome: JobOutcome, said: tuple[bool, str]) -> None:
    plan = reconcile(ending(job=cleaning(outcome), **DELETED))
    assert plan.outcome is Outcome.RELEASE_TASK
    assert kinds(plan) == ["WriteStatus", "DeleteJob", "SetFinalizer"]
    assert says(written(plan), ConditionType.CLEANED_UP) == said
    assert plan.actions[-1] == FREE


def test_what_an_operator_that_died_has_left_undone_is_done_afterwards() -> None:
    plan = reconcile(
        ending(job=cleaning(JobOutcome.COMPLETE), state=State.TERMINATED, has_finalizer=False, status=OVER)
    )
    assert plan.actions == (DeleteJob(name=CLEANUP, uid="cleanup-uid"),)
    plan = reconcile(ending(job=cleaning(deleting=True), state=State.TERMINATED, has_finalizer=False, status=OVER))
    assert plan.actions == ()


# --- ways out ---


def test_a_pod_of_a_lost_node_does_not_keep_a_deleted_task() -> None:
    pod = a_pod(deletion_time=ago(minutes=5), deletion_grace=timedelta(seconds=30))
    o = ending(pod, **DELETED)
    assert reconcile(o).question is Question.LOST_NODES
    plan = reconcile(replace(o, lost_nodes=frozenset({"node-1"})))
    assert kinds(plan) == ["DeletePod"]


def test_taking_it_out_of_the_spec_gives_it_up() -> None:
    plan = reconcile(ending(job=cleaning(), has_cleanup=False, **DELETED))
    assert kinds(plan) == ["DeleteJob", "SetFinalizer"]
    plan = reconcile(ending(job=cleaning(), has_cleanup=False, has_finalizer=False))
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert written(plan).state is State.TERMINATED


def refused(reason: str) -> Plan:
    trouble = Trouble(reason=reason, message="no", only_a_person_can_help=True)
    return reconcile(replace(ending(**DELETED), refusal=trouble))


def test_in_a_namespace_that_is_being_deleted_it_is_given_up() -> None:
    assert refused(Reason.NAMESPACE_TERMINATING).actions == (FREE,)


def test_one_that_is_refused_is_told_of_and_tried_again() -> None:
    plan = refused(Reason.QUOTA_EXCEEDED)
    assert kinds(plan) == ["WriteStatus"]
    assert says(written(plan), ConditionType.STALLED) == (True, Reason.QUOTA_EXCEEDED)
    assert plan.wake_at is not None
    assert plan.wake_at > NOW


def test_a_task_that_has_lived_its_time_is_deleted_and_cleaned_up_by_that() -> None:
    plan = reconcile(ending(a_complete_job(), job=None, state=State.COMPLETE, **DELETED))
    assert kinds(plan) == ["DeleteJob"]
