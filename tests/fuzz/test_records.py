"""LongTasks, Jobs and pods in which anything may be broken: what is unknown is never read as nothing there."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from longtask.api import names
from longtask.api.longtask import LongTask
from longtask.core.observed import JobOutcome, ObservedTask, PodPhase
from longtask.core.reconcile import reconcile
from longtask.shell.errors import Unavailable
from longtask.shell.mirror import Mirror
from longtask.shell.slim import event_trouble, job_record, node_is_ready, pod_record, task_record
from longtask.shell.tasks import TaskStore
from tests.fuzz.bodies import NAMESPACE, a_full_job, a_full_pod, a_task_body
from tests.fuzz.effort import effort
from tests.fuzz.hostile import ANY_JSON, TEXTS, Path, damaged, nested
from tests.unit.core.builders import UID, a_complete_job, a_task, observed

Json = dict[str, Any]
OTHER = "00000000-7d1a-4e0c-9a55-3f6f0f1f2a3b"


def identity(path: Path) -> bool:
    """What the API server gives every object, and by which it is found: the rest is others' business."""
    known = ("namespace", "name", "uid", "resourceVersion", "labels")
    return path == ("metadata",) or (path[0] == "metadata" and path[1] in known)


# --- LongTasks ---


@effort(50)
@given(damaged(a_task_body(), spare=lambda path: path == ("metadata",) or path[:2] == ("metadata", "uid")))
def test_a_task_is_read_whole_or_refused_as_invalid(body: Json) -> None:
    with contextlib.suppress(ValidationError):
        record = task_record(body)

        status = body.get("status") or {}
        if status.get("checkpoint") is not None:
            assert record.status.checkpoint is not None
        assert str(record.status.state) == status.get("state", "Init")
        assert (record.deleting, record.name) == (bool(body["metadata"].get("deletionTimestamp")), record.name)


@effort(33)
@given(damaged(a_task_body(), spare=lambda path: path == ("metadata",) or identity(path)))
def test_a_task_that_can_not_be_read_is_left_alone_and_harms_no_other(body: Json) -> None:
    looked_at: list[str] = []
    store = TaskStore(looked_at.append)

    store.apply(body)
    store.apply(a_task_body(OTHER, "other"))

    assert store.get(OTHER) is not None
    assert store.version(UID) == body["metadata"]["resourceVersion"], "seen, whatever was made of it"
    assert (UID in looked_at) == (store.get(UID) is not None), "nothing is decided about what can't be read"


@effort(20)
@given(damaged(a_task_body(version="101"), spare=lambda path: path == ("metadata",) or identity(path)))
def test_a_task_that_becomes_unreadable_is_not_decided_on_as_it_was(body: Json) -> None:
    store = TaskStore(lambda _: None)
    store.apply(a_task_body())

    store.apply(body)

    known = store.get(UID)
    assert known is None or known.resource_version == "101"


@effort(20)
@given(ANY_JSON | damaged(a_task_body()))
@example({"metadata": None})
@example([])
def test_an_answer_that_is_no_task_is_an_answer_that_nobody_has_given(body: Any) -> None:  # noqa: ANN401
    store = TaskStore(lambda _: None)
    store.apply(a_task_body())

    with contextlib.suppress(Unavailable):
        store.update(body)
        assert {"uid", "resourceVersion", "name"} <= body["metadata"].keys()


@effort(20)
@given(st.integers(-24, 24), TEXTS)
def test_times_at_the_edge_of_what_can_be_counted_are_invalid_and_not_a_crash(hours: int, text: str) -> None:
    body = a_task_body()
    sign = "-" if hours < 0 else "+"
    for time in (
        f"9999-12-31T23:59:59{sign}{abs(hours):02d}:00",
        f"0001-01-01T00:00:00{sign}{abs(hours):02d}:00",
        text,
    ):
        body["metadata"]["creationTimestamp"] = time
        with contextlib.suppress(ValidationError):
            assert LongTask.from_body(body).metadata.creation_timestamp is not None


# --- Jobs ---


@effort(66)
@given(damaged(a_full_job(), spare=identity))
def test_a_job_is_read_as_it_is_or_not_at_all(body: Json) -> None:
    try:
        record = job_record(body)
    except Exception:  # noqa: BLE001  what that leads to is the mirror's business, see below
        return
    if record is None:
        return
    conditions = {c["type"]: c.get("status") for c in (body.get("status") or {}).get("conditions") or ()}
    assert record.suspended == (conditions["Suspended"] == "True" if "Suspended" in conditions else None)
    assert (record.outcome is JobOutcome.FAILED) == (conditions.get("Failed") == "True")
    assert record.suspend == bool((body.get("spec") or {}).get("suspend"))
    assert record.failures <= 2**31 - 1
    assert record.active_since + timedelta(days=300) > record.active_since


@effort(26)
@given(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
@example("²", "²", {})
@example("9" * 5000, "9" * 5000, {})
def test_whatever_people_write_on_a_job_of_ours_it_stays_readable(attempt: str, failures: str, more: Json) -> None:
    body = a_full_job()
    body["metadata"]["labels"] |= more | {names.LABEL_ATTEMPT: attempt}
    body["metadata"]["annotations"] |= more | {names.ANNOTATION_FAILURES_BEFORE: failures}

    record = job_record(body)

    assert (record is None) == (not (attempt.isascii() and attempt.isdigit() and int(attempt[:11]) < 2**31))


# --- Pods ---


@effort(66)
@given(damaged(a_full_pod(), spare=identity))
def test_a_pod_of_which_not_everything_is_understood_counts_as_one_that_runs(body: Json) -> None:
    record = pod_record(body)

    assert record is not None
    phase = (body.get("status") or {}).get("phase") if isinstance(body.get("status"), dict | None) else "?"
    assert record.active or phase in ("Succeeded", "Failed")
    if body["metadata"].get("deletionTimestamp") is not None:
        assert record.deletion_time is not None


@effort(40)
@given(st.data())
@example(None)
def test_no_damage_to_a_pod_turns_an_exit_on_request_into_a_success(data: st.DataObject | None) -> None:
    """It was deleted in mid-work and exited with 0: whatever else can't be read of it, that is no completed task."""
    body = a_full_pod("Succeeded")
    body["status"]["containerStatuses"][0]["state"] = {
        "terminated": {"exitCode": 0, "finishedAt": "2026-03-01T12:01:00Z"}
    }
    if data is None:
        body["metadata"]["deletionTimestamp"] = "0000-01-01T00:00:00Z"
    else:
        kept = (("metadata", "deletionTimestamp"), ("status",), ("status", "phase"), ("metadata", "ownerReferences"))
        noise = damaged(body, spare=lambda path: identity(path) or path in kept)
        body = data.draw(noise)
        body["metadata"]["deletionTimestamp"] = data.draw(TEXTS | st.just("2026-03-01T12:00:00Z"))
    pod = pod_record(body)
    assert pod is not None

    task = a_task(status={"attempt": 1})
    plan = reconcile(observed(task, a_complete_job(), pod, live=(pod,)))

    assert "COMPLETE" not in plan.outcome.name


# --- Events and nodes ---


@effort(20)
@given(damaged({"type": "Warning", "reason": "FailedCreate", "message": "no", "lastTimestamp": "2026-03-01T12:00:00Z"}))
def test_events_are_words_whatever_is_in_them(event: Json) -> None:
    with contextlib.suppress(TypeError, AttributeError):  # a time that is no text: the API server has none
        trouble = event_trouble(event)
        assert trouble is None or trouble.time is None or trouble.time.tzinfo is not None


@effort(20)
@given(damaged({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}]}}))
def test_a_node_is_ready_only_if_it_says_so(node: Json) -> None:
    with contextlib.suppress(Exception):
        if node_is_ready(node):
            assert {"Ready"} <= {c["type"] for c in node["status"]["conditions"] if c.get("status") == "True"}


# --- The copies of both in memory ---


def a_mirror(parse: Any) -> Mirror[Any]:  # noqa: ANN401 - job_record or pod_record
    return Mirror(None, "/pods", parse=parse, changed=lambda _: None, idle_seconds=1, longest_backoff=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("parse", "sound"), [(job_record, a_full_job()), (pod_record, a_full_pod())])
@effort(50)
@given(data=st.data())
def test_what_can_not_be_read_of_a_task_stops_decisions_about_it_and_about_no_other(
    parse: Any,  # noqa: ANN401
    sound: Json,
    data: st.DataObject,
) -> None:
    mirror = a_mirror(parse)
    mirror._take({"type": "ADDED", "object": sound})
    body = data.draw(damaged(sound, spare=identity))
    body["metadata"]["resourceVersion"] = "900"

    mirror._take({"type": "MODIFIED", "object": body})

    try:
        record = parse(body)
    except Exception:  # noqa: BLE001  this is the point: nobody knows what it is
        with pytest.raises(Unavailable, match=r"repair or delete"):
            mirror.require_readable(UID)
        mirror._take(
            {"type": "MODIFIED", "object": sound | {"metadata": {**sound["metadata"], "resourceVersion": "901"}}}
        )
    else:
        mine = record is not None and record.task_uid == UID  # another owner makes it another task's
        assert list(mirror.of_task(UID)) == ([record] if mine else [])
    mirror.require_readable(UID)
    mirror.require_readable(OTHER)


@pytest.mark.parametrize(("parse", "sound"), [(job_record, a_full_job()), (pod_record, a_full_pod())])
@effort(20)
@given(data=st.data())
def test_one_poisoned_object_in_a_list_hides_no_other(parse: Any, sound: Json, data: st.DataObject) -> None:  # noqa: ANN401
    poison = data.draw(ANY_JSON | damaged(sound, spare=lambda path: path in (("metadata",), ("metadata", "name"))))
    if isinstance(poison, dict) and isinstance(poison.get("metadata"), dict):
        poison["metadata"]["name"] = "poison-1c6b0f5e-1-abcde"
    source = _OnePage([poison, sound])
    mirror = Mirror(source, "/", parse=parse, changed=lambda _: None, idle_seconds=1, longest_backoff=1)

    asyncio.run(mirror._list())

    assert sound["metadata"]["name"] in [record.name for record in mirror._records.values()]


class _OnePage:
    def __init__(self, items: list[Any]) -> None:
        self._items = items

    async def pages(self, *_: object) -> Any:  # noqa: ANN401
        yield {"metadata": {"resourceVersion": "1000"}, "items": self._items}

    def watch(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        raise NotImplementedError


@effort(20)
@given(ANY_JSON | damaged(a_full_job()))
def test_an_answer_to_a_write_that_can_not_be_read_is_an_unknown_outcome(body: Any) -> None:  # noqa: ANN401
    mirror = a_mirror(job_record)

    with contextlib.suppress(Unavailable):
        mirror.apply(body)
        assert job_record(body) is None or len(mirror) == 1


@pytest.mark.parametrize("levels", [500, 900])
def test_depth_is_no_obstacle(levels: int) -> None:
    body = a_task_body()
    body["spec"]["template"]["spec"]["deep"] = nested(levels)

    record = task_record(body)

    assert isinstance(record, ObservedTask)


def test_a_phase_of_the_future_is_one_that_may_be_active() -> None:
    record = pod_record(a_full_pod("Hibernating"))

    assert record is not None
    assert (record.phase, record.active, record.namespace) == (PodPhase.UNKNOWN, True, NAMESPACE)
