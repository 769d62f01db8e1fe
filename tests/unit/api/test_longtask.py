"""The models read what the API server sends, and write what it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from longtask.api.longtask import DesiredState, LongTask, LongTaskSpec
from longtask.api.model import rfc3339
from longtask.api.status import Checkpoint, CheckpointCause, LongTaskStatus, State

METADATA = {
    "name": "import",
    "namespace": "team",
    "uid": "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b",
    "resourceVersion": "41",
    "generation": 3,
    "creationTimestamp": "2026-03-01T12:00:00Z",
}
CHECKPOINT = {
    "epoch": 2,
    "holder": "pod-uid",
    "attempt": 1,
    "sequence": 17,
    "cause": "Interval",
    "time": "2026-03-01T12:00:00.123456Z",
    "data": '{"next": 17}',
}


def a_body(**status: Any) -> dict[str, Any]:  # noqa: ANN401
    """A LongTask as the API server sends it, with the status that its schema gives a new one."""
    return {
        "apiVersion": "longtask.dev/v1alpha1",
        "kind": "LongTask",
        "metadata": METADATA | {"managedFields": [{"manager": "kubectl"}]},
        "spec": {"desiredState": "Run", "backoffLimit": 6, "template": {"spec": {"containers": [{"name": "a"}]}}},
        "status": {"attempt": 1, "observedGeneration": 0, "state": "Init"} | status,
    }


def test_a_new_task_is_read_with_what_nobody_has_said_left_out() -> None:
    task = LongTask.from_body(a_body())
    assert (task.metadata.uid, task.metadata.generation) == (METADATA["uid"], 3)
    assert task.metadata.deletion_timestamp is None
    assert (task.spec.desired_state, task.spec.backoff_limit) == (DesiredState.RUN, 6)
    assert task.spec.template == {"spec": {"containers": [{"name": "a"}]}}
    assert task.status == LongTaskStatus()
    assert (task.status.state, task.status.attempt, task.status.checkpoint) == (State.INIT, 1, None)


def test_a_task_without_a_status_is_a_new_one() -> None:
    body = a_body()
    del body["status"]
    assert LongTask.from_body(body).status == LongTaskStatus()


def test_a_whole_life_is_read_and_written_back_the_same() -> None:
    status = {
        "observedGeneration": 3,
        "state": "Suspended",
        "attempt": 2,
        "jobName": "import-1c6b0f5e-2",
        "startTime": "2026-03-01T12:00:01Z",
        "failures": 1,
        "idleRestarts": 2,
        "doneAtStart": 10,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Saved",
                "message": "suspended at checkpoint 17",
                "lastTransitionTime": "2026-03-01T12:05:00Z",
                "observedGeneration": 3,
            }
        ],
        "history": [
            {"time": "2026-03-01T12:05:00Z", "state": "Suspended", "reason": "Saved", "attempt": 2, "sequence": 17}
        ],
        "progress": {
            "done": 17,
            "total": 40,
            "percent": 42,
            "message": "rows",
            "rate": "1.5",
            "estimatedCompletionTime": "2026-03-01T13:00:00Z",
        },
        "checkpoint": CHECKPOINT,
    }
    assert LongTask.from_body(a_body(**status)).status.dump() == status


def test_fields_of_a_newer_version_are_ignored() -> None:
    body = a_body(invented="later", progress={"done": 1, "mood": "good"})
    body["spec"]["deadline"] = 5
    task = LongTask.from_body(body)
    assert task.status.progress is not None
    assert task.status.progress.done == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "desiredState"), "Pause"),
        (("spec", "backoffLimit"), -1),
        (("status", "state"), "Lost"),
        (("status", "attempt"), 0),
        (("status", "checkpoint"), CHECKPOINT | {"epoch": 0}),
        (("status", "checkpoint"), CHECKPOINT | {"data": "x" * 32_769}),
        (("metadata", "uid"), None),
    ],
)
def test_what_the_crd_would_not_let_in_is_no_task(path: tuple[str, str], value: object) -> None:
    body = a_body()
    body[path[0]] = body[path[0]] | {path[1]: value}
    with pytest.raises(ValidationError):
        LongTask.from_body(body)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        LongTaskStatus().state = State.RUNNING


def test_the_template_is_required_and_desired_state_is_run_unless_said() -> None:
    assert LongTaskSpec(template={}).desired_state is DesiredState.RUN
    with pytest.raises(ValidationError, match="template"):
        LongTaskSpec.model_validate({"desiredState": "Run"})


# --- times ---


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000Z"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456Z"),
        ("2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z"),
    ],
    ids=["seconds", "tenths", "nanoseconds", "another zone"],
)
def test_a_time_is_read_to_the_microsecond_and_written_in_utc(text: str, written: str) -> None:
    checkpoint = Checkpoint.model_validate(CHECKPOINT | {"time": text})
    assert checkpoint.time.tzinfo is UTC
    assert checkpoint.dump()["time"] == written
    assert Checkpoint.model_validate(checkpoint.dump()) == checkpoint


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValidationError):
        Checkpoint.model_validate(CHECKPOINT | {"time": "2026-03-01T12:00:00"})


def test_a_time_is_written_as_kubernetes_does() -> None:
    summer = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 7, 1, 14, 0, tzinfo=summer)) == "2026-07-01T12:00:00Z"


def test_what_is_written_says_nothing_of_what_is_not_there() -> None:
    assert LongTaskStatus().dump() == {
        "observedGeneration": 0,
        "state": "Init",
        "conditions": [],
        "attempt": 1,
        "history": [],
    }
    assert Checkpoint.model_validate(CHECKPOINT).cause is CheckpointCause.INTERVAL
