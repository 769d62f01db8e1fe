"""The judge of a chaos run: for every verdict a story that it must find, and one that it must not take for wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.verdicts import (
    Interruption,
    false_successes,
    interruptions,
    needless_repeats,
    revivals,
    second_writers,
    unfinished,
    unwanted_claims,
    wrong_beginnings,
    wrong_output,
)

if TYPE_CHECKING:
    from tests.e2e.support.client import Body


def task(
    place: int = 0,
    *,
    epoch: int = 0,
    sequence: int = 0,
    cause: str = "Interval",
    holder: str = "",
    desired: str = "Run",
    state: str = "Running",
    **status: Any,  # noqa: ANN401 - further fields of the status
) -> Body:
    """A version of a task; without a checkpoint for epoch 0."""
    checkpoint = {
        "epoch": epoch,
        "holder": holder or f"pod-{epoch}",
        "sequence": sequence,
        "cause": cause,
        "data": json.dumps({"state": {"next": place}}) if place else "",
    }
    return {
        "metadata": {"name": "chain", "uid": "t", "generation": 3},
        "spec": {"desiredState": desired},
        "status": {"state": state, "observedGeneration": 3, **({"checkpoint": checkpoint} if epoch else {}), **status},
    }


def claim(place: int, *, epoch: int, sequence: int, **further: Any) -> Body:  # noqa: ANN401
    return task(place, epoch=epoch, sequence=sequence, cause="Claim", **further)


GOOD = [
    task(state="Init"),
    claim(0, epoch=1, sequence=0),
    task(4, epoch=1, sequence=1),
    task(9, epoch=1, sequence=2, cause="Stop", desired="Suspend"),
    claim(9, epoch=2, sequence=2),
    task(20, epoch=2, sequence=4, cause="Done"),
    task(20, epoch=2, sequence=4, cause="Done", state="Complete"),
]
JOURNAL = [*((batch, 1) for batch in range(9)), *((batch, 2) for batch in range(9, 20))]


def test_a_good_story_is_found_good_by_every_verdict() -> None:
    found = interruptions(GOOD, JOURNAL, {"pod-1": "saved", "pod-2": "done"})

    assert second_writers(GOOD) == []
    assert unwanted_claims(GOOD) == []
    assert false_successes(GOOD, 20) == []
    assert revivals(GOOD) == []
    assert wrong_beginnings(GOOD, JOURNAL) == []
    assert found == [Interruption(epoch=1, how="saved", began=9, again=0)]
    assert needless_repeats(found) == []
    assert unfinished(GOOD[-1:]) == []


@pytest.mark.parametrize(
    "written",
    [
        task(9, epoch=1, sequence=3, holder="another"),
        task(12, epoch=1, sequence=2),
        task(3, epoch=1, sequence=1),
        claim(9, epoch=3, sequence=2),
        claim(9, epoch=2, sequence=3),
        claim(4, epoch=2, sequence=2),
        task(9, epoch=2, sequence=3),
        task(),
    ],
    ids=["holder", "same-sequence", "back", "epoch-left-out", "sequence-claimed", "data-lost", "no-claim", "removed"],
)
def test_a_write_over_the_checkpoint_of_another_is_found(written: Body) -> None:
    assert len(second_writers([task(9, epoch=1, sequence=2), written])) == 1


def test_a_claim_while_the_task_is_to_stand_still_is_found() -> None:
    log = [task(9, epoch=1, desired="Suspend"), claim(9, epoch=2, sequence=0, desired="Suspend")]

    assert unwanted_claims(log) == ["epoch 2 of pod-2, sequence 0 (Claim) was claimed while Suspend was desired"]


@pytest.mark.parametrize(
    "version",
    [
        task(19, epoch=1, sequence=3, cause="Done", state="Complete"),
        task(20, epoch=1, sequence=3, cause="Stop", state="Complete"),
        task(state="Complete"),
    ],
    ids=["batches-left", "nobody-said-so", "never-begun"],
)
def test_a_success_without_the_work_is_found(version: Body) -> None:
    assert len(false_successes([version], 20)) == 1


def test_a_task_that_is_not_over_though_it_said_so_is_found() -> None:
    assert revivals([task(state="Complete"), task(state="Running")]) == ["from Complete to Running"]


@pytest.mark.parametrize(
    "batches",
    [[8, 9, 10], [10, 11], [0, 1, 2], [9, 11], [9, 10, 10]],
    ids=["a-save-is-lost", "a-batch-is-skipped", "from-scratch", "a-hole", "twice"],
)
def test_a_worker_that_does_not_go_on_where_the_last_save_was_is_found(batches: list[int]) -> None:
    journal = [*((batch, 1) for batch in range(9)), *((batch, 2) for batch in batches)]

    assert len(wrong_beginnings(GOOD, journal)) == 1


def test_a_worker_that_works_without_a_claim_is_found() -> None:
    assert wrong_beginnings(GOOD, [(0, 7)]) == ["epoch 7 did 0 to 0, and the save it claimed says nothing"]


def test_what_a_killed_worker_had_not_saved_is_counted_and_is_its_right() -> None:
    log = [*GOOD[:3], claim(4, epoch=2, sequence=1)]
    journal = [*((batch, 1) for batch in range(7)), *((batch, 2) for batch in range(4, 20))]

    found = interruptions(log, journal, {"pod-1": "killed"})

    assert found == [Interruption(epoch=1, how="killed", began=4, again=3)]
    assert wrong_beginnings(log, journal) == []
    assert needless_repeats(found) == []


def test_what_is_done_again_is_put_down_to_the_worker_whose_work_was_lost() -> None:
    log = [*GOOD[:3], claim(4, epoch=2, sequence=1), task(6, epoch=2, sequence=2, cause="Stop")]
    log.append(claim(6, epoch=3, sequence=2))
    journal = [*((batch, 1) for batch in range(9)), (4, 2), (5, 2), *((batch, 3) for batch in range(6, 20))]

    found = interruptions(log, journal, {"pod-1": "killed", "pod-2": "saved"})

    assert [(cost.how, cost.again) for cost in found] == [("killed", 5), ("saved", 0)]


@pytest.mark.parametrize("how", ["saved", "stopped"])
def test_work_done_again_after_a_worker_was_only_asked_to_stop_is_found(how: str) -> None:
    found = [Interruption(epoch=1, how=how, began=4, again=3)]

    assert needless_repeats(found) == [f"3 batches from batch 4 on again, after epoch 1 was {how}"]


def test_a_task_that_is_not_complete_is_found_and_so_is_an_answer_to_an_older_wish() -> None:
    late = task(20, epoch=1, state="Complete") | {"metadata": {"name": "late", "generation": 4}}

    assert unfinished([task(5, epoch=1)]) == ["chain is Running at 5"]
    assert unfinished([late]) == ["late is Complete at 20"]


def test_output_that_differs_from_an_undisturbed_run_is_found() -> None:
    found, expected = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}

    assert wrong_output(found, expected) == ["b: different", "c: unexpected", "d: missing"]
    assert wrong_output(expected, expected) == []
