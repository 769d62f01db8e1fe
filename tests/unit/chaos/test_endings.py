"""How pods are seen to have ended, and which ends may use a retry: every verdict has a story that it must find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.endings import (
    Counts,
    counts,
    ending,
    miscounted_retries,
    own_failures,
    used_retries,
    versions_of_pods,
    wanted_on,
)
from tests.e2e.support.watch import Seen
from tests.e2e.support.watch_verdicts import TASK_UID

if TYPE_CHECKING:
    from tests.e2e.support.client import Body


def task(*, desired: str = "Run", generation: int = 3, **status: Any) -> Body:  # noqa: ANN401 - fields of the status
    return {
        "metadata": {"name": "chain", "uid": "t", "generation": generation},
        "spec": {"desiredState": desired},
        "status": {"state": "Running", "observedGeneration": 3, **status},
    }


def pod(
    code: int | None = None, *, told: bool = False, disrupted: bool = False, phase: str = "", why: str = ""
) -> Body:
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": why}}
    return {
        "metadata": {"name": "chain-p", "uid": "p", **({"deletionTimestamp": "soon"} if told else {})},
        "status": {
            "phase": phase or {None: "Running", 0: "Succeeded"}.get(code, "Failed"),
            "containerStatuses": [{"state": state}],
            "conditions": [{"type": "DisruptionTarget", "status": str(disrupted)}],
        },
    }


@pytest.mark.parametrize(
    ("versions", "word"),
    [
        ([pod(), pod(0)], "done"),
        ([pod(), pod(75)], "saved"),
        ([pod(), pod(75, told=True)], "saved"),
        ([pod(), pod(0, told=True)], "stopped"),
        ([pod(), pod(137, told=True, disrupted=True)], "disrupted"),
        ([pod(), pod(137, told=True)], "stopped"),
        ([pod(), pod(137, told=True, why="ContainerStatusUnknown")], "lost"),
        ([pod(), pod(1), pod(1, told=True)], "failed"),
        ([pod(128, why="StartError")], "cut"),
        ([pod()], "gone"),
        ([pod(), pod(told=True)], "stopped"),
    ],
)
def test_how_a_pod_ended_is_told_by_what_was_so_when_it_did(versions: list[Body], word: str) -> None:
    assert ending(versions) == word


def test_a_worker_that_was_killed_is_told_from_one_that_failed() -> None:
    assert ending([pod(), pod(137)], killed={"p"}) == "killed"
    assert ending([pod(), pod(137)], killed={"another"}) == "failed"
    assert ending([pod(), pod(137, told=True)], killed={"p"}) == "struck"
    assert ending([pod(), pod(75)], killed={"p"}) == "saved"


def test_a_worker_that_fails_by_itself_is_found() -> None:
    assert own_failures({"a": "killed", "b": "failed", "c": "saved"}) == ["b failed by itself"]


@pytest.mark.parametrize(
    ("used", "ends"), [(1, [Counts.NO]), (2, [Counts.YES]), (0, [Counts.YES]), (3, [Counts.YES, Counts.MAYBE])]
)
def test_retries_used_for_anything_else_than_faults_are_found(used: int, ends: list[Counts]) -> None:
    assert len(miscounted_retries([task(failures=used)], ends)) == 1


def test_retries_used_for_faults_alone_are_fine() -> None:
    assert miscounted_retries([task(failures=1)], [Counts.NO, Counts.YES]) == []
    assert miscounted_retries([task()], [Counts.NO, Counts.MAYBE]) == []
    assert miscounted_retries([task(failures=2)], [Counts.YES, Counts.MAYBE]) == []


def at(attempt: int, failures: int, reason: str) -> Body:
    """A version of a task."""
    return task(attempt=attempt, failures=failures, conditions=[{"type": "Ready", "reason": reason}])


def test_a_failure_after_progress_is_a_retry_too_though_the_count_begins_anew() -> None:
    assert used_retries([at(1, 0, "Running"), at(1, 1, "Retrying"), at(1, 2, "Retrying")]) == 2
    assert used_retries([at(1, 0, "Running"), at(2, 1, "Retrying"), at(2, 1, "Running"), at(3, 1, "Retrying")]) == 2
    assert used_retries([at(1, 1, "Retrying"), at(2, 0, "Interrupted"), at(2, 0, "Running")]) == 1
    assert used_retries([at(1, 1, "Retrying"), at(2, 1, "JobLost"), at(2, 2, "Retrying")]) == 2


def fate(how: str, *, deleted: bool = False, on: bool = True) -> Counts:
    return counts(how, deleted=deleted, wanted_on=on)


def test_only_workers_that_a_fault_has_ended_use_a_retry_and_where_nobody_can_tell_it_is_left_open() -> None:
    faults = ("killed", "cut", "failed")
    free = ("done", "saved", "disrupted", "stopped", "lost", "gone")

    assert {how: fate(how) for how in faults} == dict.fromkeys(faults, Counts.YES)
    assert {how: fate(how) for how in free} == dict.fromkeys(free, Counts.NO)
    assert fate("saved", deleted=True) is Counts.NO
    assert fate("killed", on=False) is Counts.MAYBE
    assert fate("struck") is Counts.MAYBE
    assert {fate(how, deleted=True) for how in ("stopped", "lost")} == {Counts.MAYBE}


def succession(*between: Body) -> list[Seen]:
    """A pod that fails, what happens to its task, and the next pod."""
    first, second = pod(137), pod()
    for body, uid in ((first, "p"), (second, "q")):
        body["metadata"] |= {"uid": uid, "labels": {TASK_UID: "t"}}
    bodies = [task(), first, *between, second]
    kinds = ["LongTask" if body["metadata"]["uid"] == "t" else "Pod" for body in bodies]
    return [Seen(revision=n, kind=kinds[n], gone=False, body=body) for n, body in enumerate(bodies)]


def test_a_task_is_wanted_on_if_nobody_asked_for_anything_else_until_its_next_pod() -> None:
    older = task(generation=4)

    assert wanted_on(succession(task(state="Init")), "t", "p")
    assert not wanted_on(succession(task(desired="Suspend"), task()), "t", "p")
    assert not wanted_on(succession(older), "t", "p")
    assert not wanted_on(succession()[:-1], "t", "p")


def test_pods_are_found_by_the_task_whose_label_they_carry() -> None:
    def seen(uid: str, of: str, kind: str = "Pod") -> Seen:
        body = {"metadata": {"uid": uid, "labels": {TASK_UID: of}}, "status": {}}
        return Seen(revision=1, kind=kind, gone=False, body=body)

    found = versions_of_pods([seen("a", "t"), seen("b", "u"), seen("a", "t"), seen("t", "t", "LongTask")], "t")

    assert {uid: len(versions) for uid, versions in found.items()} == {"a": 2}
