"""The table and the guards as data: complete, reachable, and what the documentation says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from longtask.api.longtask import DesiredState
from longtask.core.actions import Outcome
from longtask.core.observed import JobOutcome, ObservedJob, ObservedPod
from longtask.core.reconcile import GUARDS, TABLE, decisive_step
from longtask.core.situation import Situation, situation
from tests.unit.core.builders import (
    a_complete_job,
    a_failed_job,
    a_job,
    a_pod,
    a_suspended_job,
    a_task,
    observed,
)

PAGE = (Path(__file__).parents[3] / "docs/decision-table.md").read_text()

EXAMPLES: dict[Situation, tuple[ObservedJob | ObservedPod, ...]] = {
    Situation.NO_JOB: (),
    Situation.LEAVING: (a_job(deleting=True),),
    Situation.ACTIVE: (a_job(),),
    Situation.STOPPING: (a_job(suspend=True, suspended=False),),
    Situation.DRAINING: (a_suspended_job(), a_pod()),
    Situation.STOPPED: (a_suspended_job(),),
    Situation.ENDING: (a_job(outcome=JobOutcome.FAILING),),
    Situation.COMPLETE: (a_complete_job(),),
    Situation.FAILED: (a_failed_job(),),
}


@pytest.mark.parametrize("desired", [DesiredState.RUN, DesiredState.SUSPEND])
@pytest.mark.parametrize("where", Situation)
def test_each_cell_is_reached_by_a_task_whose_job_is_in_that_situation(desired: DesiredState, where: Situation) -> None:
    o = observed(a_task(desired), *EXAMPLES[where])
    assert situation(o) is where
    assert decisive_step(o) is TABLE[desired, where]


@pytest.mark.parametrize("where", Situation)
def test_terminate_leads_to_the_same_step_wherever_the_job_stands(where: Situation) -> None:
    o = observed(a_task(DesiredState.TERMINATE), *EXAMPLES[where])
    assert decisive_step(o).__name__ == "terminate"


@pytest.mark.parametrize("pods", [(), (a_pod(),)], ids=["no pod", "a pod"])
@pytest.mark.parametrize("suspended", [None, False])
def test_a_job_is_being_suspended_until_the_job_controller_says_so(
    suspended: bool | None, pods: tuple[ObservedPod, ...]
) -> None:
    job = a_job(suspend=True, suspended=suspended)
    assert situation(observed(a_task(), job, *pods)) is Situation.STOPPING


@pytest.mark.parametrize("outcome", [JobOutcome.COMPLETING, JobOutcome.FAILING])
def test_a_job_that_is_about_to_finish_while_its_suspension_is_only_asked_for_is_judged_first(
    outcome: JobOutcome,
) -> None:
    """A finished Job is judged before any suspension, and the final condition comes late."""
    job = a_job(suspend=True, suspended=False, outcome=outcome)
    assert situation(observed(a_task(), job)) is Situation.ENDING


@pytest.mark.parametrize("outcome", [JobOutcome.COMPLETING, JobOutcome.FAILING])
def test_a_job_that_begins_to_finish_when_it_is_suspended_is_not_waited_for(outcome: JobOutcome) -> None:
    """It can never say how it ended: the API server refuses that, because a suspended Job has no start time."""
    job = a_suspended_job(outcome=outcome)
    assert situation(observed(a_task(), job)) is Situation.STOPPED
    assert situation(observed(a_task(), replace(job, suspended=None))) is Situation.STOPPED
    assert situation(observed(a_task(), replace(job, started=True))) is Situation.ENDING
    assert situation(observed(a_task(), job, a_pod())) is Situation.DRAINING


def test_a_complete_job_counts_as_complete_while_it_is_being_deleted() -> None:
    assert situation(observed(a_task(), a_complete_job(deleting=True))) is Situation.COMPLETE


@pytest.mark.parametrize("outcome", [JobOutcome.FAILED, JobOutcome.FAILING, JobOutcome.COMPLETING, JobOutcome.OPEN])
def test_a_job_that_is_being_deleted_is_not_blamed_for_how_its_pods_end(outcome: JobOutcome) -> None:
    assert situation(observed(a_task(), a_job(deleting=True, outcome=outcome))) is Situation.LEAVING


def test_the_page_explains_every_situation_step_and_outcome() -> None:
    steps = {guard.step for guard in GUARDS} | set(TABLE.values())
    wanted = {
        *(f"| {where} | {where.told_by} |" for where in Situation),
        *(f"### {step.__name__}\n" for step in steps),
        *(f"| `{outcome.name}` | {outcome} |" for outcome in Outcome),
    }
    assert {words for words in wanted if words not in PAGE} == set()


def test_the_page_lists_the_guards_in_the_order_in_which_they_are_asked() -> None:
    places = [PAGE.index(f"{number}. When {guard.when}: [") for number, guard in enumerate(GUARDS, 1)]
    assert places == sorted(places)
