"""The patch of a status: what differs, over what was seen, and nothing of the worker's."""

from __future__ import annotations

from typing import Any

from longtask.api.names import FINALIZER
from longtask.api.status import Progress, State
from longtask.core.actions import WriteStatus
from longtask.shell.patch import finalizer_patch, status_patch
from tests.unit.core.builders import UID, a_checkpoint, a_task

TASK = a_task(status={"job_name": "old", "failures": 2, "checkpoint": a_checkpoint(), "progress": Progress(done=7)})


def patch(*, judged: bool = False, empty_checkpoint: bool = False, **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    status = TASK.status.model_copy(update=changes)
    return status_patch(TASK, WriteStatus(status=status, judged=judged, empty_checkpoint=empty_checkpoint))


def changes_of(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [operation for operation in operations if operation["op"] != "test"]


def conditions_of(operations: list[dict[str, Any]]) -> dict[str, Any]:
    return {operation["path"]: operation["value"] for operation in operations if operation["op"] == "test"}


def test_the_same_status_needs_no_patch() -> None:
    assert patch() == []


def test_only_what_differs_is_written() -> None:
    operations = patch(state=State.RUNNING, failures=3)

    assert changes_of(operations) == [
        {"op": "add", "path": "/status/state", "value": "Running"},
        {"op": "add", "path": "/status/failures", "value": 3},
    ]


def test_what_is_no_more_is_removed() -> None:
    assert changes_of(patch(job_name=None)) == [{"op": "remove", "path": "/status/jobName"}]


def test_the_workers_part_is_never_written() -> None:
    assert patch(checkpoint=a_checkpoint(sequence=1), progress=None) == []


def test_it_holds_only_for_this_task_at_this_generation_state_and_attempt() -> None:
    assert conditions_of(patch(state=State.RUNNING)) == {
        "/metadata/uid": UID,
        "/metadata/generation": 1,
        "/status/state": "Init",
        "/status/attempt": 1,
    }


def test_tests_come_before_changes() -> None:
    operations = [operation["op"] for operation in patch(state=State.RUNNING)]

    assert operations == sorted(operations, key=lambda op: op != "test")


def test_a_verdict_holds_only_over_the_very_version_that_was_judged() -> None:
    assert conditions_of(patch(state=State.COMPLETE, judged=True))["/metadata/resourceVersion"] == "100"


def test_emptying_the_checkpoint_leaves_the_rest_of_it() -> None:
    assert changes_of(patch(empty_checkpoint=True)) == [
        {"op": "replace", "path": "/status/checkpoint/data", "value": ""}
    ]


# --- the finalizer ---


def test_the_finalizer_is_written_over_the_version_that_was_read_and_leaves_those_of_others() -> None:
    body = {"metadata": {"uid": UID, "resourceVersion": "7", "finalizers": ["theirs"]}}
    operations = finalizer_patch(body, present=True)
    assert conditions_of(operations) == {"/metadata/uid": UID, "/metadata/resourceVersion": "7"}
    assert changes_of(operations) == [{"op": "add", "path": "/metadata/finalizers", "value": ["theirs", FINALIZER]}]
