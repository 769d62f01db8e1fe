"""Counting pods while they end (census.py): when their end proves a suspension without another list, and when not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.status import State
from longtask.core import census
from longtask.core.actions import Outcome, Plan, Question, WriteStatus
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import WAIT, a_job, a_pod, a_suspended_job, a_task, an_ended_pod, observed

if TYPE_CHECKING:
    from longtask.core.observed import Observed, ObservedPod


def a_suspending_task(state: State = State.RUNNING) -> Any:  # noqa: ANN401
    """Asked to suspend with its second change."""
    return a_task(DesiredState.SUSPEND, state, generation=2)


def counted(o: Observed, *live: ObservedPod) -> Observed:
    """The same after a live list that showed those pods."""
    taken = census.take(replace(o, live_pods=live))
    assert taken is not None
    return replace(o, census=taken)


def test_the_pods_are_counted_while_they_end_once() -> None:
    o = observed(a_suspending_task(), a_suspended_job(), a_pod())
    assert reconcile(o) == Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    answered = replace(o, live_pods=(a_pod(),))
    assert reconcile(answered) == WAIT
    assert reconcile(counted(o, a_pod())) == WAIT


def test_nothing_is_counted_before_the_job_controller_has_said_suspended() -> None:
    job = a_job(suspend=True, suspended=False)
    assert reconcile(observed(a_suspending_task(), job, a_pod())) == WAIT
    assert census.take(observed(a_suspending_task(), job, a_pod(), live=(a_pod(),))) is None


@pytest.mark.parametrize("pods", [(), (an_ended_pod(143),)], ids=["gone", "ended"])
def test_suspended_is_proved_by_the_end_of_the_pods_that_were_counted(pods: tuple[ObservedPod, ...]) -> None:
    o = counted(observed(a_suspending_task(), a_suspended_job(), a_pod()), a_pod())
    plan = reconcile(replace(o, pods=pods))
    assert plan.outcome is Outcome.SUSPENDED
    (write,) = plan.actions
    assert isinstance(write, WriteStatus)
    assert write.judged


def test_a_pod_that_is_not_in_the_copy_leaves_the_copy_incomplete() -> None:
    o = observed(a_suspending_task(), a_suspended_job(), a_pod(), live=(a_pod(), a_pod(uid="unknown")))
    assert census.take(o) is None


def test_a_pod_that_has_ended_need_not_be_in_the_copy() -> None:
    o = observed(a_suspending_task(), a_suspended_job(), a_pod(), live=(a_pod(), an_ended_pod(1, uid="unknown")))
    assert census.take(o) is not None


@pytest.mark.parametrize(
    "change", [{"generation": 4}, {"uid": "another"}], ids=["resumed and suspended once more", "another Job"]
)
def test_a_count_is_void_when_the_job_is_not_as_it_was(change: dict[str, Any]) -> None:
    """It may have made a pod meanwhile, which the copy does not have yet."""
    o = counted(observed(a_suspending_task(), a_suspended_job(generation=2), a_pod()), a_pod())
    later = replace(o, jobs=(a_suspended_job(**{"generation": 2} | change),), pods=())
    assert reconcile(later).question is Question.LIVE_PODS


def test_a_count_proves_nothing_for_a_job_that_is_gone() -> None:
    o = counted(observed(a_suspending_task(State.INIT), a_suspended_job(), a_pod()), a_pod())
    assert reconcile(replace(o, jobs=(), pods=())).question is Question.LIVE_PODS


def test_a_live_list_that_shows_a_pod_at_work_is_believed_whatever_was_counted() -> None:
    o = counted(observed(a_suspending_task(), a_suspended_job(), a_pod()), a_pod())
    plan = reconcile(replace(o, pods=(), live_pods=(a_pod(),)))
    assert plan.outcome is Outcome.WAIT


def test_a_suspension_that_was_called_off_is_not_counted() -> None:
    task = a_task(DesiredState.RUN, State.RUNNING, generation=3)
    assert reconcile(observed(task, a_suspended_job(), a_pod())) == WAIT


def test_without_a_count_the_pods_are_looked_up_live() -> None:
    plan = reconcile(observed(a_suspending_task(), a_suspended_job()))
    assert plan == Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
