"""The judge of what the end-to-end tests' observer has seen: what it must find, and what it must not take for wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.watch import Seen
from tests.e2e.support.watch_verdicts import TASK_UID, false_suspensions, pods_of, side_by_side, states, suspensions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body


def task(revision: int, state: str, *, generation: int = 2, observed: int = 2, gone: bool = False) -> Seen:
    body: Body = {
        "metadata": {"name": "import", "uid": "t", "generation": generation},
        "status": {"state": state, "observedGeneration": observed},
    }
    return Seen(revision=revision, kind="LongTask", gone=gone, body=body)


def pod(revision: int, phase: str, *, uid: str = "p", of: str = "t", gone: bool = False) -> Seen:
    body: Body = {
        "metadata": {"name": f"import-{uid}", "uid": uid, "labels": {TASK_UID: of}},
        "status": {"phase": phase},
    }
    return Seen(revision=revision, kind="Pod", gone=gone, body=body)


def test_a_pod_that_is_active_when_suspended_is_written_is_found() -> None:
    log = [pod(1, "Running"), task(2, "Suspended"), pod(3, "Succeeded")]

    assert false_suspensions(log) == ["at 2 import says Suspended, and active are import-p (Running)"]


def test_a_pod_that_turns_up_later_is_found() -> None:
    assert len(false_suspensions([task(1, "Suspended"), pod(2, "Pending"), task(3, "Init")])) == 1


def test_a_pod_that_ended_or_is_gone_before_is_fine() -> None:
    assert false_suspensions([pod(1, "Running"), pod(2, "Failed"), task(3, "Suspended")]) == []
    assert false_suspensions([pod(1, "Running"), pod(2, "Running", gone=True), task(3, "Suspended")]) == []


def test_an_older_generation_claims_nothing() -> None:
    log = [task(1, "Suspended"), task(2, "Suspended", generation=3), pod(3, "Running"), task(4, "Init", observed=3)]

    assert false_suspensions(log) == []


def test_a_pod_of_another_task_is_none_of_its_pods() -> None:
    assert false_suspensions([task(1, "Suspended"), pod(2, "Running", of="another")]) == []


def test_a_task_that_is_gone_claims_nothing() -> None:
    assert false_suspensions([task(1, "Suspended"), task(2, "Suspended", gone=True), pod(3, "Running")]) == []


def test_each_stay_in_suspended_is_counted_once() -> None:
    log = [task(1, "Suspended"), task(2, "Suspended"), task(3, "Init"), task(4, "Suspended")]

    assert suspensions(log) == 2
    assert states(log, "t") == ["Suspended", "Init", "Suspended"]


def test_two_active_pods_of_a_task_are_found() -> None:
    overlap = [pod(1, "Running", uid="a"), pod(2, "Pending", uid="b"), pod(3, "Failed", uid="a")]
    in_turn = [pod(1, "Running", uid="a"), pod(2, "Failed", uid="a"), pod(3, "Pending", uid="b")]

    assert side_by_side(overlap) == ["at 2 import-a (Running), import-b (Pending)"]
    assert side_by_side(in_turn) == []
    assert [found["metadata"]["uid"] for found in pods_of(in_turn, "t")] == ["a", "b"]
