"""Tasks that have ended and have had their time: deleted, and only as they were seen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.api.status import State
from longtask.core.actions import DeleteTask, Outcome
from longtask.core.observed import Trouble
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import UID, a_complete_job, a_failed_job, a_task, ago, kinds, observed

if TYPE_CHECKING:
    from longtask.core.observed import Observed

HOUR = timedelta(hours=1)
ENDED = [State.COMPLETE, State.FAILED, State.TERMINATED]


def an_ended_task(state: State, *, since: Any, ttl: timedelta | None = HOUR, **changes: Any) -> Observed:  # noqa: ANN401
    """Ended, and nothing of it left but its Job."""
    desired = DesiredState.TERMINATE if state is State.TERMINATED else DesiredState.RUN
    status = {"completion_time": since, "observed_generation": 1}
    task = a_task(desired, state, status=status, ttl=ttl, **changes)
    job = {State.COMPLETE: (a_complete_job(),), State.FAILED: (a_failed_job(),)}.get(state, ())
    return observed(task, *job)


@pytest.mark.parametrize("state", ENDED)
def test_a_task_that_has_ended_is_deleted_when_its_time_is_over(state: State) -> None:
    plan = reconcile(an_ended_task(state, since=ago(hours=1)))
    assert plan.outcome is Outcome.EXPIRED
    assert plan.actions == (DeleteTask(uid=UID, resource_version="100"),)


@pytest.mark.parametrize("state", ENDED)
def test_until_then_it_stays_and_is_looked_at_again_in_time(state: State) -> None:
    o = an_ended_task(state, since=ago(minutes=59))
    plan = reconcile(o)
    assert plan.actions == ()
    assert plan.wake_at == o.now + timedelta(minutes=1)


@pytest.mark.parametrize("state", ENDED)
def test_without_a_time_to_live_it_stays_for_good(state: State) -> None:
    plan = reconcile(an_ended_task(state, since=ago(days=3000), ttl=None))
    assert (plan.actions, plan.wake_at) == ((), None)


def test_no_time_at_all_is_at_once() -> None:
    assert kinds(reconcile(an_ended_task(State.COMPLETE, since=ago(), ttl=timedelta(0)))) == ["DeleteTask"]


@pytest.mark.parametrize("state", ENDED)
def test_a_change_that_is_not_answered_yet_comes_first(state: State) -> None:
    """Somebody may want to try again, or to terminate it."""
    plan = reconcile(an_ended_task(state, since=ago(hours=2), generation=2))
    assert "DeleteTask" not in kinds(plan)


@pytest.mark.parametrize("state", [State.INIT, State.RUNNING, State.SUSPENDED])
def test_a_task_that_has_not_ended_is_never_deleted(state: State) -> None:
    status = {"completion_time": ago(hours=2), "observed_generation": 1}
    desired = DesiredState.SUSPEND if state is State.SUSPENDED else DesiredState.RUN
    assert "DeleteTask" not in kinds(reconcile(observed(a_task(desired, state, status=status, ttl=HOUR))))


def test_a_task_that_nobody_knows_when_it_ended_stays() -> None:
    assert "DeleteTask" not in kinds(reconcile(an_ended_task(State.COMPLETE, since=None)))


def test_an_end_in_the_far_future_breaks_nothing() -> None:
    plan = reconcile(an_ended_task(State.COMPLETE, since="9999-12-31T23:59:59Z", ttl=timedelta(seconds=2**31 - 1)))
    assert plan.actions == ()


def test_a_refusal_is_told_and_tried_again_slowly() -> None:
    o = an_ended_task(State.COMPLETE, since=ago(hours=2))
    trouble = Trouble(reason=Reason.FORBIDDEN, message="may not", only_a_person_can_help=True)
    plan = reconcile(observed(o.task, *o.jobs, refusal=trouble))
    assert plan.outcome is Outcome.STALLED
    assert plan.wake_at is not None
    assert plan.wake_at > o.now


def test_one_that_is_being_deleted_is_left_to_that() -> None:
    assert reconcile(an_ended_task(State.COMPLETE, since=ago(hours=2), deleting=True)).actions == ()
