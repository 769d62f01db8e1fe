"""Whether a pod had been asked to stop before it ended, read from pods as a real API server shows them (G5)."""

from __future__ import annotations

from typing import Any

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


def test_a_pod_that_was_deleted_before_it_ended_was_asked_to_stop() -> None:
    assert asked_to_stop(deletion="2026-11-25T20:27:46Z", grace=20)


def test_a_pod_that_was_deleted_in_the_second_of_its_end_counts_as_asked_to_stop() -> None:
    assert asked_to_stop(deletion="2026-11-25T20:27:47Z", grace=20)


def test_a_pod_that_was_deleted_after_its_end_has_ended_by_itself() -> None:
    assert not asked_to_stop(deletion="2026-11-25T20:27:48Z", grace=20)


def test_the_kubelets_last_delete_hides_when_a_pod_was_asked_so_it_counts_as_asked_to_stop() -> None:
    """Seen: deleted at 27:27 with a grace of 20 s; the kubelet's delete made it 27:29 with none."""
    assert asked_to_stop(deletion="2026-11-25T20:27:29Z", grace=0)


def test_a_pod_that_was_evicted_was_asked_to_stop() -> None:
    assert asked_to_stop(disrupted=True)
