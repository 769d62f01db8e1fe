"""Every verdict of the fault tests finds what it is for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.support.watch import Seen
from tests.e2e.support.watch_verdicts import TASK_UID
from tests.faults.request import Request
from tests.faults.scenarios import End
from tests.faults.verdicts import (
    as_far_as_it_got,
    foreign_writes,
    needless_calls,
    violations,
    wrong_end,
    wrong_output,
    wrong_times,
)

UID = "0123456789"
END = End(state="Complete", reason="Done", items=3)


def task(
    revision: int,
    *,
    desired: str = "Run",
    state: str = "Running",
    attempt: int = 1,
    gone: bool = False,
    **checkpoint: Any,  # noqa: ANN401
) -> Seen:
    """A version of the task, with this in its checkpoint."""
    following = checkpoint.pop("next", None)
    if following is not None:
        checkpoint["data"] = f'{{"state": {{"next": {following}}}}}'
    status: dict[str, Any] = {"state": state, "observedGeneration": 1, "attempt": attempt, "progress": {"done": 3}}
    status["conditions"] = [{"type": "Ready", "reason": "Done"}]
    if checkpoint:
        status["checkpoint"] = {"epoch": 1, "holder": "a", "sequence": 1, "data": "", **checkpoint}
    metadata = {"uid": UID, "name": "t", "generation": 1, "resourceVersion": str(revision)}
    body = {"metadata": metadata, "spec": {"desiredState": desired}, "status": status}
    return Seen(revision=revision, kind="LongTask", gone=gone, body=body)


def other(revision: int, kind: str, name: str, *, gone: bool = False, task_uid: str = UID, **spec: Any) -> Seen:  # noqa: ANN401
    """A version of a Job, or of a running pod."""
    metadata = {"uid": name, "name": name, "labels": {TASK_UID: task_uid}}
    return Seen(
        revision=revision,
        kind=kind,
        gone=gone,
        body={"metadata": metadata, "spec": spec, "status": {"phase": "Running"}},
    )


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ([task(1, state="Suspended"), other(2, "Pod", "p")], "Suspended while a pod is active"),
        ([task(1), other(2, "Pod", "p"), other(3, "Pod", "q")], "two pods at once"),
        ([task(1, next=3), task(2, next=2)], "the checkpoint went back"),
        ([task(1, epoch=2, holder="a"), task(2, epoch=2, holder="b")], "two writers"),
        ([task(1), task(2, desired="Suspend", epoch=1)], "a claim that was not allowed"),
        ([task(1, state="Terminated"), task(2, state="Init")], "Terminated is not final"),
        ([task(1, state="Terminated", next=3)], "Terminated is not final"),
        ([task(1, attempt=2), task(2, attempt=1)], "the status went back"),
        ([task(1, desired="Suspend"), other(2, "Job", "j", suspend=False)], "a Job runs that nobody wants"),
        (
            [other(1, "Job", "j", suspend=True), task(2, gone=True), other(3, "Job", "j")],
            "a Job runs that nobody wants",
        ),
        ([other(1, "Job", "bystander", suspend=True), other(2, "Job", "bystander", suspend=False)], "somebody else's"),
        ([other(1, "Job", "bystander"), other(2, "Job", "bystander", gone=True)], "somebody else's"),
    ],
)
def test_a_broken_promise_is_seen(log: list[Seen], words: str) -> None:
    assert [found for found in violations(log, UID) if words in found] != []


def test_a_life_as_it_should_be_breaks_no_promise() -> None:
    log = [
        task(1, state="Init"),
        other(2, "Job", "j"),
        other(3, "Pod", "p"),
        task(4, epoch=1, holder="p", next=0),
        task(5, epoch=1, holder="p", sequence=2, next=3),
        other(6, "Pod", "p", gone=True),
        task(7, desired="Suspend", state="Suspended", epoch=1, holder="p", sequence=2, next=3),
    ]
    assert violations(log, UID) == []


def test_a_call_for_a_person_is_seen() -> None:
    body = task(1).body
    assert needless_calls([body]) == []
    body["status"]["conditions"].append({"type": "Stalled", "status": "True", "reason": "NameTaken"})
    assert needless_calls([body]) == ["a person is called without need: NameTaken"]


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        ({"startTime": "2026-01-01T11:59:58Z"}, []),
        ({"conditions": [{"lastTransitionTime": "2026-01-01T12:10:02Z"}]}, []),
        ({"conditions": [{"lastTransitionTime": "2026-01-01T13:05:00Z"}]}, ["2026-01-01T13:05:00Z"]),
        ({"checkpoint": {"time": "2026-01-01T11:05:00.123456Z"}}, ["2026-01-01T11:05:00.123456Z"]),
        ({"history": [{"time": "2025-01-01T12:05:00Z"}] * 2}, ["2025-01-01T12:05:00Z"]),
        ({"nextTryTime": "2026-01-01T13:05:00Z"}, []),
        ({"progress": {"estimatedCompletionTime": "2027-01-01T13:05:00Z"}}, []),
        ({"checkpoint": {"data": "2025-01-01T12:05:00Z"}, "restartFrom": "Beginning", "attempt": 2}, []),
    ],
)
def test_a_time_by_a_clock_that_is_wrong_is_seen(status: dict[str, Any], wrong: list[str]) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    found = wrong_times([{"status": status}], noon, noon + 600)
    assert [word.split()[3].rstrip(",") for word in found] == wrong


def test_an_end_that_differs_is_told() -> None:
    left = [other(1, "Job", "j"), other(2, "Job", "k"), other(3, "Pod", "p")]
    found = wrong_end([task(1, state="Failed"), *left], UID, END)
    assert found == ["jobs is 2 and not 1", "active pods is 1 and not 0", "state is 'Failed' and not 'Complete'"]
    assert wrong_end([task(1, state="Complete"), other(2, "Job", "j")], UID, END) == []


def test_a_killed_worker_may_cost_a_retry_and_no_more() -> None:
    log = [task(1, state="Complete"), other(2, "Job", "j")]
    log[0].body["status"]["failures"] = 1
    assert wrong_end(log, UID, END) == ["failures is 1 and not 0"]
    assert wrong_end(log, UID, END, killed=1) == []
    log[0].body["status"]["failures"] = 2
    assert wrong_end(log, UID, END, killed=1) == ["2 failures, with 1 workers killed"]


def test_a_deleted_task_leaves_nothing() -> None:
    end = End(state="", reason="", items=0, gone=True, jobs=0)
    assert wrong_end([task(1), other(2, "Job", "j")], UID, end) == ["gone is False and not True", "jobs is 1 and not 0"]
    assert wrong_end([task(1, gone=True), other(2, "Job", "j", gone=True)], UID, end) == []


@pytest.mark.parametrize("output", [[], [(0, 1), (1, 1)], [(0, 1), (1, 1), (1, 2), (2, 2)], [(1, 1), (0, 1), (2, 1)]])
def test_output_that_is_not_exact_is_told(output: list[tuple[int, int]]) -> None:
    assert wrong_output(output, [], UID, END, redone=False) != []


def test_work_may_be_done_again_only_from_the_last_save() -> None:
    log = [task(1, epoch=1, next=0), task(2, epoch=1, next=2), task(3, epoch=2, next=2)]
    fine = [(0, 1), (1, 1), (2, 1), (2, 2)]
    assert wrong_output(fine, log, UID, END, redone=True) == []
    for wrong in ([(0, 1), (1, 1), (1, 2), (2, 2)], [(0, 1), (2, 2)], [(0, 1), (1, 1)]):
        assert wrong_output(wrong, log, UID, END, redone=True) != []


def a_request(verb: str, resource: str, name: str, subresource: str = "") -> Request:
    return Request(
        number=1,
        client="operator",
        who="",
        verb=verb,
        resource=resource,
        subresource=subresource,
        namespace="night",
        name=name,
        query="",
    )


@pytest.mark.parametrize(
    ("verb", "resource", "name", "subresource", "foreign"),
    [
        ("patch", "longtasks", "t", "status", False),
        ("patch", "longtasks", "t", "", True),
        ("delete", "longtasks", "t", "", True),
        ("delete", "jobs", "t-01234567-1", "", False),
        ("delete", "jobs", "bystander", "", True),
        ("delete", "pods", "t-01234567-1-abcde", "", False),
        ("delete", "pods", "u-01234567-1-abcde", "", True),
        ("create", "pods", "", "", True),
    ],
)
def test_a_write_into_what_is_not_its_own_is_seen(
    verb: str, resource: str, name: str, subresource: str, *, foreign: bool
) -> None:
    request = a_request(verb, resource, name, subresource)
    assert bool(foreign_writes([request], "t", UID)) is foreign


def test_only_a_task_with_a_cleanup_is_written_to_itself_for_its_finalizer() -> None:
    own, other = (a_request("patch", "longtasks", name) for name in ("t", "u"))
    assert foreign_writes([own], "t", UID) != []
    assert foreign_writes([own], "t", UID, finalizer=True) == []
    assert foreign_writes([other], "t", UID, finalizer=True) != []


@pytest.mark.parametrize(("done", "meant"), [(2, 3), (3, 3), (4, 4), (5, 4)])
def test_what_a_killed_worker_had_not_saved_may_stay_undone_but_nothing_else(done: int, meant: int) -> None:
    end = End(state="Terminated", reason="Terminated", items=4, saved=3, jobs=0)
    assert as_far_as_it_got(end, done).items == meant


def test_where_somebody_goes_on_with_the_work_all_of_it_must_be_done() -> None:
    assert as_far_as_it_got(END, 2) == END
