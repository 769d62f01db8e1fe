"""Chaos on the real cluster: whatever is killed or frozen, when it is over every task has done exactly its work.

One run serves all tests here: 20 tasks (6 in `make test`) do real work, while components, workers and the operator are
killed and frozen at moments drawn beforehand, and users suspend, resume, delete and evict (docs/chaos.md). It is
judged by an observer of its own, by a journal of the workers, and by what an undisturbed run of the same work makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos import endings, report, verdicts
from tests.e2e.support.checkpoints import steps_back
from tests.e2e.support.watch_verdicts import false_suspensions, suspensions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.stage import Record, TaskRecord

pytestmark = pytest.mark.disruptive


def judge(record: Record, verdict: Callable[[TaskRecord], list[str]]) -> None:
    """Fail with everything that is needed to find the cause, if the verdict finds anything wrong with any task."""
    wrong = {task.work.name: found for task in record.tasks if (found := verdict(task))}
    if not wrong:
        return
    lines = [f"{name}: {line}" for name, found in wrong.items() for line in found]
    for task in record.tasks:
        if task.work.name in wrong:
            lines += ["", *report.about(record, task)]
    pytest.fail("\n".join([*lines, "", "what was done:", *report.deeds(record)]), pytrace=False)


def test_the_run_did_what_its_script_says_and_the_observer_missed_nothing(record: Record) -> None:
    vain = [deed for deed in record.deeds if deed.words.startswith("in vain")]

    assert len(record.deeds) == len(record.script.acts)
    assert [deed for deed in vain if deed.act in record.script.outages()] == []
    assert len(vain) <= len(record.deeds) / 5, vain
    assert record.missed == []
    assert suspensions(record.log) > 0


def test_the_cluster_and_all_tasks_get_well_again_by_themselves(record: Record) -> None:
    assert record.trouble == []


def test_every_task_completes(record: Record) -> None:
    judge(record, lambda task: verdicts.unfinished(task.versions[-1:]))


def test_every_output_is_exactly_what_an_undisturbed_run_makes(record: Record) -> None:
    judge(record, lambda task: verdicts.wrong_output(task.output, task.expected))


def test_every_worker_goes_on_at_the_last_acknowledged_save(record: Record) -> None:
    judge(record, lambda task: verdicts.wrong_beginnings(task.versions, task.journal))


def test_work_is_done_again_only_where_a_worker_was_lost(record: Record) -> None:
    judge(record, lambda task: verdicts.needless_repeats(task.interruptions))


def test_suspended_was_never_false(record: Record) -> None:
    wrong = false_suspensions(record.log)
    judge(record, lambda task: [words for words in wrong if f" {task.work.name} says " in words])
    assert wrong == []


def test_no_checkpoint_went_back(record: Record) -> None:
    judge(record, lambda task: steps_back(task.versions))


def test_never_were_two_writers_accepted(record: Record) -> None:
    judge(record, lambda task: verdicts.second_writers(task.versions))


def test_no_claim_was_accepted_while_a_task_was_to_stand_still(record: Record) -> None:
    judge(record, lambda task: verdicts.unwanted_claims(task.versions))


def test_no_task_said_complete_before_its_work_was_done_nor_anything_else_afterwards(record: Record) -> None:
    judge(
        record,
        lambda task: verdicts.false_successes(task.versions, task.work.batches) + verdicts.revivals(task.versions),
    )


def test_no_worker_failed_by_itself(record: Record) -> None:
    judge(record, lambda task: endings.own_failures({pod.name: pod.how for pod in task.pods.values()}))


def test_retries_are_used_for_workers_that_a_fault_has_ended_and_for_nothing_else(record: Record) -> None:
    def verdict(task: TaskRecord) -> list[str]:
        return endings.miscounted_retries(task.versions, [pod.counts for pod in task.pods.values()])

    judge(record, verdict)
