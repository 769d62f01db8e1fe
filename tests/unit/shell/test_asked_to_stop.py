"""Whether a pod had been asked to stop before it ended, read from pods as a real API server shows them (G5)."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.shell.slim import pod_record

UID = "0a968ce9-64fb-4aa3-9e54-6e9364266167"


def asked_to_stop(*, deletion: str | None = None, grace: int | None = None, disrupted: bool = False) -> bool:
    """Of a pod whose container has exited with 0 at 20:27:27."""
    deleted = {"deletionTimestamp": deletion, "deletionGracePeriodSeconds": grace} if deletion else {}
    ended = {"exitCode": 0, "finishedAt": "2026-11-25T20:27:27Z"}
    conditions = [{"type": "DisruptionTarget", "status": "True"}] if disrupted else []
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "team",
            "name": f"polite-{UID[:8]}-1-abcde",
            "uid": "pod",
            "resourceVersion": "1",
            "labels": {"longtask.dev/task-uid": UID},
            **deleted,
        },
        "spec": {"containers": [{"name": "worker"}]},
        "status": {
            "phase": "Succeeded",
            "conditions": conditions,
            "containerStatuses": [{"name": "worker", "state": {"terminated": ended}}],
        },
    }
    record = pod_record(body)
    assert record is not None
    return record.asked_to_stop


def test_a_pod_that_nobody_deletes_has_ended_by_itself() -> None:
    assert not asked_to_stop()


@pytest.mark.parametrize("asked", ["19:00:00", "20:27:26", "20:27:27", "20:27:28", "22:00:00"])
def test_a_pod_that_is_deleted_was_asked_to_stop_whenever_its_node_says_that_it_ended(asked: str) -> None:
    """Its node's clock may be ahead or behind. And the kubelet's own last delete, with a grace of 0, dates the deletion
    anew (seen: asked at 27:27 with a grace of 20 s; the kubelet's delete made it 27:29 with none).
    """
    assert asked_to_stop(deletion=f"2026-11-25T{asked}Z", grace=0)
    assert asked_to_stop(deletion=f"2026-11-25T{asked}Z", grace=20)


def test_a_pod_that_was_evicted_was_asked_to_stop() -> None:
    assert asked_to_stop(disrupted=True)
