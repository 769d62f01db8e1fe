"""Pods whose node is lost: released once their token is dead, so that suspend, terminate and retry come through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import State
from longtask.core.actions import DeletePod, Outcome, Plan, Question
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    NOW,
    WAIT,
    a_condition,
    a_job,
    a_pod,
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
    from longtask.core.observed import ObservedJob, ObservedTask

LOST = frozenset({"node-1"})
RUN, SUSPEND, TERMINATE = DesiredState
OVERDUE = a_pod(deletion_time=ago(seconds=75))
EVERY_WISH = pytest.mark.parametrize("desired", DesiredState)


@EVERY_WISH
def test_nodes_are_asked_for_only_when_a_pods_token_is_dead(desired: DesiredState) -> None:
    early = a_pod(deletion_time=ago(seconds=74))
    job = a_job(suspend=True, suspended=True, deleting=desired is TERMINATE)
    plan = reconcile(observed(a_task(desired, State.RUNNING), job, early, live=(early,)))
    assert (plan.question, plan.wake_at) == (None, NOW + timedelta(seconds=1))
    plan = reconcile(observed(a_task(desired, State.RUNNING), job, OVERDUE))
    assert (plan.question, plan.wake_at) == (Question.LOST_NODES, NOW + timedelta(seconds=15))


@EVERY_WISH
def test_the_pod_of_a_lost_node_is_force_deleted(desired: DesiredState) -> None:
    plan = reconcile(observed(a_task(desired, State.RUNNING), a_job(), OVERDUE, lost_nodes=LOST))
    assert plan.outcome is Outcome.RELEASE
    assert plan.actions[-1] == DeletePod(name=OVERDUE.name, uid=HOLDER, force=True)
    assert plan.wake_at == NOW + timedelta(seconds=15)


@pytest.mark.parametrize(
    "pod",
    [
        replace(OVERDUE, node="node-2"),
        replace(OVERDUE, node=None),
        a_pod(deletion_time=ago(seconds=74)),
        a_pod(),
        an_ended_pod(1, deletion_time=ago(minutes=5)),
    ],
    ids=["node is well", "never scheduled", "token may live", "not asked to end", "ended"],
)
def test_no_other_pod_is_force_deleted(pod: object) -> None:
    o = observed(a_task(SUSPEND, State.RUNNING), a_job(suspend=True, suspended=True), pod, lost_nodes=LOST, live=())  # type: ignore[arg-type]
    assert "DeletePod" not in kinds(reconcile(o))


@pytest.mark.parametrize("code", [0, 75])
def test_to_be_terminated_a_pod_that_has_ended_on_a_lost_node_is_removed(code: int) -> None:
    """Its kubelet would have done that; nothing of the task may be left, and its Job waits for it."""
    grace = timedelta(seconds=600)
    ended = an_ended_pod(code, deletion_time=ago(seconds=75), deletion_grace=grace, node="node-1")
    task, job = a_task(TERMINATE, State.RUNNING), a_job(deleting=True)
    assert reconcile(observed(task, job, ended)).question is Question.LOST_NODES
    plan = reconcile(observed(task, job, ended, lost_nodes=LOST))
    assert plan.actions == (DeletePod(name=ended.name, uid=ended.uid, force=True),)
    removed = replace(ended, deletion_grace=timedelta(0))
    assert reconcile(observed(task, job, removed, lost_nodes=LOST)) == WAIT
    early = replace(ended, deletion_time=ago(seconds=74))
    assert reconcile(observed(task, job, early, lost_nodes=LOST)) == replace(WAIT, wake_at=NOW + timedelta(seconds=1))


ENDED = an_ended_pod(137, deletion_time=ago(seconds=75), deletion_grace=timedelta(seconds=600), node="node-1")


@pytest.mark.parametrize(
    "task", [a_task(RUN), a_task(RUN, status={"attempt": 2}), a_task(SUSPEND)], ids=["same", "next attempt", "suspend"]
)
def test_a_pod_that_has_ended_on_a_lost_node_does_not_keep_a_job_that_is_being_deleted(task: ObservedTask) -> None:
    """The Job goes after its pods, and waits for this one: nobody but its kubelet would remove it."""
    assert reconcile(observed(task, a_job(deleting=True), ENDED)).question is Question.LOST_NODES
    plan = reconcile(observed(task, a_job(deleting=True), ENDED, lost_nodes=LOST))
    assert plan.actions == (DeletePod(name=ENDED.name, uid=ENDED.uid, force=True),), "no work is lost, so none is noted"


@pytest.mark.parametrize("job", [a_job(), a_job(attempt=2, deleting=True)], ids=["it stays", "it is another's"])
def test_a_pod_that_has_ended_is_left_to_its_kubelet_while_its_job_stays(job: ObservedJob) -> None:
    o = observed(a_task(status={"attempt": job.attempt}), job, ENDED, lost_nodes=LOST, live=())
    assert "DeletePod" not in kinds(reconcile(o))


def test_a_slow_pod_on_a_node_that_is_well_is_looked_at_again() -> None:
    task, job = a_task(SUSPEND, State.RUNNING), a_job(suspend=True, suspended=True)
    o = observed(task, job, OVERDUE, lost_nodes=frozenset(), live=(OVERDUE,))
    assert reconcile(o) == replace(WAIT, wake_at=NOW + timedelta(seconds=15))


def test_that_a_node_was_lost_is_on_record_before_its_pod_is_gone() -> None:
    """Afterwards nothing would show it, and the suspension could not tell."""
    o = observed(a_task(SUSPEND, State.RUNNING, generation=2), a_job(), OVERDUE, lost_nodes=LOST)
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus", "DeletePod"]
    after = written(plan)
    assert says(after, ConditionType.SUSPENDED) == (False, Reason.NODE_LOST)
    assert (after.state, after.observed_generation) == (State.RUNNING, 0)
    found = condition(after, ConditionType.SUSPENDED)
    assert found is not None
    assert "node-1" in found.message
    assert kinds(reconcile(after_writing(o))) == ["DeletePod"]


@pytest.mark.parametrize(("desired", "state"), [(TERMINATE, State.RUNNING), (RUN, State.COMPLETE), (RUN, State.FAILED)])
def test_nothing_is_noted_for_a_task_that_will_not_be_suspended_from_there(desired: DesiredState, state: State) -> None:
    assert kinds(reconcile(observed(a_task(desired, state), OVERDUE, lost_nodes=LOST))) == ["DeletePod"]


def test_the_note_stays_until_a_worker_is_at_work_again() -> None:
    noted = a_condition(ConditionType.SUSPENDED, Reason.NODE_LOST, status=False)
    task = a_task(RUN, State.RUNNING, status={"conditions": [noted]})
    retrying = written(reconcile(observed(task, a_job(), job_troubles=())))
    assert says(retrying, ConditionType.SUSPENDED) == (False, Reason.NODE_LOST)
    at_work = written(reconcile(observed(task, a_job(), a_pod())))
    assert says(at_work, ConditionType.SUSPENDED) == (False, Reason.RESUMED)


def test_the_earliest_of_several_looks_counts() -> None:
    soon, late = a_pod(deletion_time=ago(seconds=60)), a_pod(deletion_time=NOW, uid="late")
    job = a_job(suspend=True, suspended=True)
    plan = reconcile(observed(a_task(SUSPEND), job, late, soon, live=(late, soon)))
    assert plan == Plan(outcome=Outcome.WAIT, wake_at=NOW + timedelta(seconds=15))


def test_a_look_that_the_plan_wants_sooner_is_not_put_off() -> None:
    leaving = a_pod(deletion_time=NOW, attempt=2)
    job = a_job(active_since=ago(seconds=1), suspended=True)
    assert reconcile(observed(a_task(), job, leaving)).wake_at == NOW + timedelta(seconds=75)
