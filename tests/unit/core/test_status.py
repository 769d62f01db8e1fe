"""The operator's part of the status, as kstatus, `kubectl wait` and people read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionStatus, ConditionType, Reason
from longtask.api.status import HistoryEntry, LongTaskStatus, Progress, State
from longtask.core.observed import Trouble
from longtask.core.reconcile import reconcile
from longtask.core.status import acknowledged, at_sequence, blocked, troubled, with_state
from tests.unit.core.builders import (
    NOW,
    a_checkpoint,
    a_condition,
    a_job,
    a_pod,
    a_task,
    ago,
    condition,
    observed,
    says,
    written,
)

RUN, SUSPEND, TERMINATE = DesiredState

READY = {
    (RUN, State.RUNNING),
    (RUN, State.COMPLETE),
    (SUSPEND, State.SUSPENDED),
    (SUSPEND, State.COMPLETE),
    (TERMINATE, State.TERMINATED),
}


@pytest.mark.parametrize("desired", DesiredState)
@pytest.mark.parametrize("state", State)
def test_a_task_is_ready_when_it_is_as_desired(desired: DesiredState, state: State) -> None:
    status = with_state(observed(a_task(desired)), state, reason="Because")
    assert says(status, ConditionType.READY) == ((desired, state) in READY, "Because")


def test_a_stalled_task_is_never_ready() -> None:
    status = with_state(observed(a_task()), State.RUNNING, reason="Because", message="why", stalled=True)
    assert says(status, ConditionType.READY) == (False, "Because")
    assert says(status, ConditionType.STALLED) == (True, "Because")


def test_every_condition_is_of_the_generation_that_was_looked_at() -> None:
    """`kubectl wait` and kstatus trust no older one, not even for what has not changed."""
    old = a_condition(ConditionType.COMPLETE, Reason.DONE)
    status = with_state(observed(a_task(generation=5, status={"conditions": [old]})), State.RUNNING, reason="Because")
    assert status.observed_generation == 5
    assert {c.observed_generation for c in status.conditions} == {5}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.SUSPENDED, ConditionType.SUSPENDED),
        (State.COMPLETE, ConditionType.COMPLETE),
        (State.FAILED, ConditionType.FAILED),
        (State.TERMINATED, ConditionType.TERMINATED),
    ],
)
def test_a_state_that_one_can_wait_for_has_a_condition_of_its_name(state: State, kind: ConditionType) -> None:
    status = with_state(observed(a_task()), state, reason="Because", message="why")
    assert says(status, kind) == (True, "Because")
    others = {c.type for c in status.conditions} - {kind, ConditionType.READY}
    assert others == set()


@pytest.mark.parametrize("state", [State.INIT, State.RUNNING])
def test_what_was_left_is_not_true_any_more(state: State) -> None:
    old = [a_condition(ConditionType.SUSPENDED, Reason.SAVED), a_condition(ConditionType.FAILED, Reason.NEVER_RETRY)]
    status = with_state(observed(a_task(status={"conditions": old})), state, reason="Because")
    assert says(status, ConditionType.SUSPENDED) == (False, Reason.RESUMED)
    assert says(status, ConditionType.FAILED) == (False, Reason.RESUMED)


@pytest.mark.parametrize("state", [State.COMPLETE, State.FAILED, State.TERMINATED])
def test_an_end_says_why_the_task_is_suspended_no_more(state: State) -> None:
    old = [a_condition(ConditionType.SUSPENDED, Reason.SAVED)]
    status = with_state(observed(a_task(status={"conditions": old})), state, reason="Because")
    assert says(status, ConditionType.SUSPENDED) == (False, "Because")


@pytest.mark.parametrize("state", [State.SUSPENDED, State.TERMINATED])
def test_how_the_work_had_failed_stays_told(state: State) -> None:
    old = [a_condition(ConditionType.FAILED, Reason.NEVER_RETRY)]
    status = with_state(observed(a_task(status={"conditions": old})), state, reason="Because")
    assert says(status, ConditionType.FAILED) == (True, Reason.NEVER_RETRY)


def test_a_secret_in_the_template_is_warned_of_by_the_name_of_its_variable() -> None:
    status = with_state(observed(a_task(secrets_inline=("DB_PASSWORD",))), State.RUNNING, reason="Because")
    found = condition(status, ConditionType.SECRETS_INLINE)
    assert found is not None
    assert "DB_PASSWORD" in found.message
    assert says(status, ConditionType.READY) == (True, "Because")
    mended = replace(a_task(), status=status)
    again = with_state(observed(mended), State.RUNNING, reason="Because")
    assert says(again, ConditionType.SECRETS_INLINE) == (False, Reason.AS_DESIRED)


def with_a_batch_of(seconds: int | None, grace: int = 60) -> LongTaskStatus:
    """What a task at work says whose longest batch took so long."""
    progress = {"done": 3, "longest_batch_seconds": seconds}
    return with_state(
        observed(a_task(status={"progress": progress}, grace_seconds=grace)), State.RUNNING, reason="Because"
    )


def test_a_batch_longer_than_the_grace_period_is_warned_of_with_what_to_set() -> None:
    status = with_a_batch_of(61)
    assert says(status, ConditionType.BATCHES_TOO_LONG) == (True, Reason.GRACE_PERIOD_TOO_SHORT)
    found = condition(status, ConditionType.BATCHES_TOO_LONG)
    assert found is not None
    assert "took 61 s, and a stop leaves 60 s" in found.message
    assert "terminationGracePeriodSeconds to 122" in found.message
    assert says(status, ConditionType.READY) == (True, "Because")


@pytest.mark.parametrize("seconds", [None, 0, 60])
def test_a_batch_that_fits_is_not_worth_a_word(seconds: int | None) -> None:
    assert condition(with_a_batch_of(seconds), ConditionType.BATCHES_TOO_LONG) is None


def test_a_grace_period_that_was_raised_takes_the_warning_back() -> None:
    warned = with_a_batch_of(61)
    again = with_state(observed(a_task(grace_seconds=122, status=warned.model_dump())), State.RUNNING, reason="Because")
    assert says(again, ConditionType.BATCHES_TOO_LONG) == (False, Reason.AS_DESIRED)


# --- history and times ---


def test_a_change_of_state_is_kept_in_the_history_with_where_the_work_stood() -> None:
    task = a_task(SUSPEND, State.RUNNING, status={"checkpoint": a_checkpoint(sequence=41), "attempt": 3})
    (entry,) = with_state(observed(task), State.SUSPENDED, reason=Reason.SAVED).history
    assert entry == HistoryEntry(time=NOW, state=State.SUSPENDED, reason=Reason.SAVED, attempt=3, sequence=41)
    (entry,) = with_state(observed(a_task()), State.RUNNING, reason=Reason.RUNNING).history
    assert entry.sequence is None


@pytest.mark.parametrize("state", [State.RUNNING, State.INIT])
def test_a_state_that_stays_or_only_leads_to_another_is_no_history(state: State) -> None:
    assert with_state(observed(a_task(RUN, State.RUNNING)), state, reason="Because").history == ()


def test_the_history_keeps_the_last_ten() -> None:
    old = [{"time": ago(minutes=n), "state": "Running", "reason": f"R{n}", "attempt": 1} for n in range(10, 0, -1)]
    history = with_state(observed(a_task(status={"history": old})), State.FAILED, reason="Last").history
    assert [entry.reason for entry in history] == ["R9", "R8", "R7", "R6", "R5", "R4", "R3", "R2", "R1", "Last"]


def test_the_time_of_the_first_work_stays() -> None:
    task = a_task(status={"start_time": ago(hours=3)})
    assert with_state(observed(task), State.RUNNING, reason="Because").start_time == ago(hours=3)


@pytest.mark.parametrize("state", [State.INIT, State.RUNNING])
def test_a_failed_task_that_runs_again_is_not_ended_any_more(state: State) -> None:
    task = a_task(RUN, State.FAILED, status={"completion_time": ago(hours=3)})
    assert with_state(observed(task), state, reason="Because").completion_time is None


def test_the_time_of_completion_is_that_of_the_work_and_stays_when_the_task_is_terminated() -> None:
    task = a_task(TERMINATE, State.COMPLETE, status={"completion_time": ago(hours=3)})
    assert with_state(observed(task), State.TERMINATED, reason="Because").completion_time == ago(hours=3)


# --- the smaller ones ---


def test_failures_are_those_that_the_job_has_counted_or_stay_when_there_is_none() -> None:
    task = a_task(status={"failures": 2})
    assert troubled(observed(task), Trouble(reason="R", message="")).failures == 2
    counted = observed(task, a_job(failures_before=2, failed=3))
    assert troubled(counted, Trouble(reason="R", message="")).failures == 5


@pytest.mark.parametrize("only_a_person_can_help", [True, False])
def test_trouble_is_stalled_only_when_a_person_must_help(only_a_person_can_help: bool) -> None:
    trouble = Trouble(reason="R", message="why", only_a_person_can_help=only_a_person_can_help)
    found = says(troubled(observed(a_task()), trouble), ConditionType.STALLED)
    assert found == ((True, "R") if only_a_person_can_help else None)


def test_a_block_changes_nothing_but_what_is_said() -> None:
    task = a_task(SUSPEND, State.RUNNING, generation=2, status={"failures": 1, "start_time": ago(hours=1)})
    status = blocked(observed(task, a_job(failed=4)), Trouble(reason="R", message="why"))
    expected: dict[str, Any] = {"observed_generation": 2, "conditions": status.conditions}
    assert status == task.status.model_copy(update=expected)
    assert says(status, ConditionType.STALLED) == (True, "R")


def test_an_acknowledged_change_changes_nothing_but_the_generation() -> None:
    task = a_task(RUN, State.COMPLETE, generation=2, status={"conditions": [a_condition(ConditionType.READY, "R")]})
    status = acknowledged(observed(task))
    assert (status.observed_generation, status.conditions[0].observed_generation) == (2, 2)
    assert says(status, ConditionType.READY) == (True, "R")


def test_where_the_work_stands_is_told_by_the_number_of_its_last_save() -> None:
    assert at_sequence(observed(a_task(status={"checkpoint": a_checkpoint(sequence=41)}))) == "at checkpoint 41"
    assert at_sequence(observed(a_task())) == "without a checkpoint"


def test_damage_that_a_worker_has_found_is_a_warning_as_long_as_it_tells_of_it() -> None:
    words = "checkpoint 6 in the volume is damaged: it is gone; went on from checkpoint 5"
    task = a_task(RUN, State.RUNNING, status={"progress": Progress(done=5, damage=words)})
    after = written(reconcile(observed(task, a_job(), a_pod())))
    found = condition(after, ConditionType.CHECKPOINT_DAMAGED)
    assert found is not None
    assert (found.status, found.reason, found.message) == (ConditionStatus.TRUE, Reason.FELL_BACK, words)
    later = a_task(RUN, State.RUNNING, status={**after.model_dump(), "progress": Progress(done=6)})
    assert says(written(reconcile(observed(later, a_job(), a_pod()))), ConditionType.CHECKPOINT_DAMAGED) == (
        False,
        Reason.AS_DESIRED,
    )
