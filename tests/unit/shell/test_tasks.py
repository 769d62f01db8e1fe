"""The tasks in memory: the newest version of each, and told of only what a decision may depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longtask.shell.tasks import TaskStore
from tests.unit.core.builders import UID, a_checkpoint, a_task
from tests.unit.shell.doubles import a_body

Json = dict[str, Any]


@dataclass
class Bench:
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = TaskStore(self.changed.append)


def body(version: int, status: Json | None = None, **metadata: Any) -> Json:  # noqa: ANN401
    made = a_body(a_task())
    made["metadata"] |= {"resourceVersion": str(version), **metadata}
    made["status"] |= status or {}
    return made


def saved(cause: str, sequence: int) -> Json:
    return {"checkpoint": a_checkpoint().dump() | {"cause": cause, "sequence": sequence}}


def test_a_new_task_is_told_of() -> None:
    bench = Bench()
    bench.store.apply(body(1))

    assert bench.changed == [UID]
    assert [task.name for task in bench.store] == ["import"]


@pytest.mark.parametrize("version", [4, 5])
def test_what_is_not_newer_changes_nothing(version: int) -> None:
    bench = Bench()
    bench.store.apply(body(5))
    bench.store.apply(body(version, {"state": "Running"}))

    assert bench.changed == [UID]
    assert bench.store.version(UID) == "5"


def test_a_batch_that_outlasts_the_grace_period_is_told_of_once() -> None:
    bench = Bench()
    for version, seconds in enumerate((5, 600, 601, 900, 5)):
        bench.store.apply(body(version + 1, {"progress": {"done": version, "longestBatchSeconds": seconds}}))

    assert bench.changed == [UID] * 3  # that it is there, that it is too long, that it is not any more


def test_damage_that_a_worker_has_found_is_told_of_once() -> None:
    bench = Bench()
    for version, damage in enumerate((None, "it is gone", "it is gone", None)):
        progress = {"done": version, **({} if damage is None else {"damage": damage})}
        bench.store.apply(body(version + 1, {"progress": progress}))
    assert bench.changed == [UID] * 3


@pytest.mark.parametrize(
    "status",
    [saved("Interval", 8), saved("Claim", 7), {"progress": {"done": 5}}],
    ids=["a-save", "a-claim", "progress"],
)
def test_what_only_the_worker_wrote_is_kept_but_needs_no_look(status: Json) -> None:
    bench = Bench()
    bench.store.apply(body(5, saved("Interval", 7)))
    bench.store.apply(body(6, status))

    assert bench.changed == [UID]
    assert bench.store.version(UID) == "6"


@pytest.mark.parametrize("cause", ["Stop", "Done"])
def test_the_last_save_of_a_worker_needs_a_look(cause: str) -> None:
    bench = Bench()
    bench.store.apply(body(5, saved("Interval", 7)))
    bench.store.apply(body(6, saved(cause, 8)))

    assert bench.changed == [UID, UID]


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"generation": 2}},
        {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}},
        {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}}},
        {"spec": {"desiredState": "Suspend"}},
        {"status": {"attempt": 2}},
    ],
)
def test_whatever_else_changes_needs_a_look(changes: Json) -> None:
    bench = Bench()
    bench.store.apply(body(5))
    changed = body(6)
    for part, values in changes.items():
        changed[part] |= values
    bench.store.apply(changed)

    assert bench.changed == [UID, UID]


def test_saved_data_is_not_kept_in_memory_but_whether_there_is_any() -> None:
    bench = Bench()
    bench.store.apply(body(5, {"checkpoint": a_checkpoint(data="x" * 32_768).dump()}))
    kept = bench.store.get(UID)
    assert kept is not None
    assert kept.status.checkpoint is not None
    assert len(kept.status.checkpoint.data) == 1

    bench.store.apply(body(6, {"checkpoint": a_checkpoint(data="").dump()}))
    emptied = bench.store.get(UID)
    assert emptied is not None
    assert emptied.status.checkpoint is not None
    assert emptied.status.checkpoint.data == ""


def test_the_answer_to_a_request_does_not_bring_back_a_task_that_is_gone() -> None:
    bench = Bench()
    bench.store.apply(body(5))
    bench.store.remove(UID)

    bench.store.update(body(6))

    assert bench.store.get(UID) is None


def test_a_task_that_is_gone_is_told_of_once() -> None:
    bench = Bench()
    bench.store.apply(body(5))
    bench.store.remove(UID)
    bench.store.remove(UID)

    assert bench.changed == [UID, UID]


def test_the_answer_to_a_request_is_seen_at_once() -> None:
    bench = Bench()
    bench.store.apply(body(5))
    bench.store.update(body(6, {"state": "Running"}))

    assert bench.store.version(UID) == "6"
    assert bench.changed == [UID, UID]


def test_a_task_that_can_not_be_read_is_known_but_never_decided_on() -> None:
    bench = Bench()
    bench.store.apply(body(5))
    bench.store.apply(body(6, {"state": "Weird"}))

    assert bench.store.get(UID) is None
    assert bench.store.version(UID) == "6"
    assert len(bench.store) == 0

    bench.store.apply(body(7))
    assert bench.store.get(UID) is not None


def test_a_task_that_can_not_be_read_is_forgotten_when_it_is_gone() -> None:
    bench = Bench()
    bench.store.apply(body(5, {"state": "Weird"}))
    bench.store.remove(UID)

    assert bench.store.version(UID) is None


# a busy machine is no reason to fail
PATIENT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["checkpoint", "progress", "conditions", "history", "attempt", "state", "failures", "startTime"])


@PATIENT
@given(status=st.dictionaries(KEYS, JSON, max_size=4))
def test_no_status_whatever_breaks_the_store(status: Json) -> None:
    bench = Bench()
    bench.store.apply(body(5, status))
    bench.store.apply(body(6))

    assert bench.store.get(UID) is not None


@PATIENT
@given(template=st.dictionaries(st.sampled_from(["metadata", "spec", "x"]), JSON, max_size=3))
def test_no_template_whatever_breaks_the_store(template: Json) -> None:
    bench = Bench()
    made = body(5)
    made["spec"]["template"] = template
    bench.store.apply(made)

    assert bench.store.version(UID) == "5"
