"""What comes before everything else: a task that is going away, and what the API server refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import State
from longtask.core.actions import Outcome, Plan
from longtask.core.observed import Trouble
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    NOW,
    a_condition,
    a_job,
    a_pending_pod,
    a_pod,
    a_suspended_job,
    a_task,
    after_writing,
    condition,
    kinds,
    observed,
    says,
    written,
)

RUN, SUSPEND, TERMINATE = DesiredState
NO = Trouble(reason=Reason.JOB_REFUSED, message='unknown field "imgae"', only_a_person_can_help=True)
AGAIN = NOW + timedelta(seconds=15)


@pytest.mark.parametrize("desired", DesiredState)
@pytest.mark.parametrize("state", State)
def test_a_task_that_is_being_deleted_is_left_to_the_garbage_collector(desired: DesiredState, state: State) -> None:
    o = observed(a_task(desired, state, deleting=True), a_job(), a_pod(), refusal=NO)
    assert reconcile(o) == Plan(outcome=Outcome.GONE)


def test_a_refused_job_makes_the_task_stalled_in_the_servers_own_words() -> None:
    o = observed(a_task(generation=3), refusal=NO)
    plan = reconcile(o)
    assert (plan.outcome, plan.wake_at) == (Outcome.STALLED, AGAIN)
    after = written(plan)
    assert (after.state, after.observed_generation) == (State.INIT, 3)
    for kind, true in ((ConditionType.STALLED, True), (ConditionType.READY, False)):
        assert says(after, kind) == (true, Reason.JOB_REFUSED)
    found = condition(after, ConditionType.STALLED)
    assert found is not None
    assert found.message == NO.message
    assert reconcile(after_writing(o)) == Plan(outcome=Outcome.STALLED, wake_at=AGAIN)


def test_a_refused_job_is_tried_again() -> None:
    stalled = a_condition(ConditionType.STALLED, Reason.JOB_REFUSED)
    assert kinds(reconcile(observed(a_task(status={"conditions": [stalled]})))) == ["CreateJob"]


def test_a_job_that_is_accepted_in_the_end_takes_stalled_back() -> None:
    stalled = after_writing(observed(a_task(), refusal=NO)).task
    after = written(reconcile(observed(stalled, a_job(), a_pending_pod())))
    assert says(after, ConditionType.STALLED) == (False, Reason.AS_DESIRED)


@pytest.mark.parametrize("state", [State.RUNNING, State.SUSPENDED, State.FAILED, State.COMPLETE])
@pytest.mark.parametrize("desired", [SUSPEND, TERMINATE])
def test_a_state_that_cannot_be_left_stays_and_says_why(state: State, desired: DesiredState) -> None:
    o = observed(a_task(desired, state, generation=2), a_suspended_job(), refusal=NO)
    after = written(reconcile(o))
    assert (after.state, after.observed_generation) == (state, 2)
    assert says(after, ConditionType.STALLED) == (True, Reason.JOB_REFUSED)
    assert says(after, ConditionType.READY) == (False, Reason.JOB_REFUSED)


def test_nothing_is_said_on_a_terminated_task() -> None:
    task = a_task(TERMINATE, State.TERMINATED)
    assert reconcile(observed(task, a_job(), refusal=NO)) == Plan(outcome=Outcome.WAIT, wake_at=AGAIN)
