"""When a phase of a fleet is over, as its watcher sees it, for raw Jobs and for tasks."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.api import names
from tests.bench.fleet_contenders import CREATE, NULL, OURS, PHASES, RAW, RESUME, SUSPEND, TERMINATE, TUTORIAL
from tests.bench.fleet_watch import JOBS, PODS, TASKS, Tally, View

Json = dict[str, Any]


def event(name: str, *, type: str = "MODIFIED", of: str = "import", **status: Any) -> Json:  # noqa: A002, ANN401
    """An event about a Job or Pod of a task."""
    metadata = {"name": name, "labels": {names.LABEL_TASK_NAME: of}}
    return {"type": type, "object": {"metadata": metadata, "status": status}}


def task_event(state: str, *, generation: int = 1, observed: int = 1, type: str = "MODIFIED") -> Json:  # noqa: A002
    """An event about a task."""
    metadata = {"name": "import", "generation": generation}
    status = {"state": state, "observedGeneration": observed}
    return {"type": type, "object": {"metadata": metadata, "status": status}}


def job(*, suspended: bool = False, type: str = "MODIFIED") -> Json:  # noqa: A002
    """An event about the task's Job."""
    conditions = [{"type": "Suspended", "status": "True" if suspended else "False"}]
    return event("import-1", type=type, conditions=conditions)


def pod(phase: str, *, type: str = "MODIFIED") -> Json:  # noqa: A002
    """An event about the task's pod."""
    return event("import-1-abcde", type=type, phase=phase)


def after(*events: tuple[str, Json]) -> View:
    """What is seen of one task after these events."""
    tally = Tally()
    for kind, happened in events:
        tally.take(kind, happened)
    return tally.views["import"]


def test_a_raw_job_runs_when_its_pod_does() -> None:
    assert not RAW.done[CREATE](after((JOBS, job()), (PODS, pod("Pending"))))
    assert RAW.done[CREATE](after((JOBS, job()), (PODS, pod("Running"))))


@pytest.mark.parametrize(
    ("events", "suspended"),
    [
        ([(JOBS, job(suspended=True)), (PODS, pod("Running"))], False),
        ([(JOBS, job()), (PODS, pod("Running")), (PODS, pod("Failed", type="DELETED"))], False),
        ([(PODS, pod("Running")), (JOBS, job(suspended=True)), (PODS, pod("Failed"))], False),
        ([(PODS, pod("Running")), (JOBS, job(suspended=True)), (PODS, pod("Failed", type="DELETED"))], True),
    ],
)
def test_a_raw_job_is_suspended_when_it_says_so_and_has_no_pod(events: list[tuple[str, Json]], suspended: bool) -> None:
    assert RAW.done[SUSPEND](after(*events)) is suspended


def test_a_raw_job_is_gone_when_neither_it_nor_a_pod_is_left() -> None:
    gone = (JOBS, job(type="DELETED"))
    assert not RAW.done[TERMINATE](after((PODS, pod("Running")), gone))
    assert RAW.done[TERMINATE](after((PODS, pod("Running")), (PODS, pod("Failed", type="DELETED")), gone))


@pytest.mark.parametrize(
    ("phase", "state"),
    [(CREATE, "Running"), (SUSPEND, "Suspended"), (RESUME, "Running"), (TERMINATE, "Terminated")],
)
@pytest.mark.parametrize("contender", [OURS, NULL, TUTORIAL], ids=lambda contender: contender.name)
def test_a_task_is_through_when_its_state_says_so(contender: Any, phase: str, state: str) -> None:  # noqa: ANN401
    assert contender.done[phase](after((TASKS, task_event(state))))
    assert not contender.done[phase](after((TASKS, task_event("Init"))))


def test_a_state_of_an_older_generation_is_history() -> None:
    assert not OURS.done[CREATE](after((TASKS, task_event("Running", generation=2, observed=1))))


def test_an_operator_that_never_speaks_of_generations_is_believed_without() -> None:
    assert TUTORIAL.done[SUSPEND](after((TASKS, task_event("Suspended", generation=2, observed=0))))


def test_a_task_that_is_gone_is_in_no_state() -> None:
    assert after((TASKS, task_event("Running")), (TASKS, task_event("Running", type="DELETED"))).state == ""


def test_tasks_are_counted_as_they_come_and_go() -> None:
    tally = Tally()
    tally.expect(RAW.done[CREATE])
    for name in ("one", "two", "three"):
        tally.take(PODS, event(f"{name}-abcde", of=name, phase="Running"))
    assert tally.done == 3
    tally.take(PODS, event("two-abcde", of="two", phase="Failed"))
    assert tally.done == 2


def test_what_was_so_before_it_was_asked_for_counts() -> None:
    tally = Tally()
    tally.take(PODS, pod("Running"))
    tally.expect(RAW.done[CREATE])
    assert tally.done == 1


def test_only_those_asked_for_count() -> None:
    tally = Tally()
    tally.take(PODS, event("one-abcde", of="one", phase="Running"))
    tally.expect(RAW.done[CREATE], ["two"])
    tally.take(PODS, event("three-abcde", of="three", phase="Running"))
    assert tally.done == 0
    tally.take(PODS, event("two-abcde", of="two", phase="Running"))
    assert tally.done == 1


def test_every_contender_has_a_change_and_an_end_for_every_phase() -> None:
    for contender in (RAW, OURS, NULL, TUTORIAL):
        assert set(contender.done) == set(PHASES)
        assert {CREATE, *contender.changes} == set(PHASES)


def test_a_raw_job_is_the_job_of_a_task_but_for_its_name_and_owner() -> None:
    raw = RAW.manifest("night", "import")
    assert "ownerReferences" not in raw["metadata"]
    assert raw["metadata"]["name"] == "import"
    assert raw["metadata"]["labels"][names.LABEL_TASK_NAME] == "import"
    assert raw["spec"]["podReplacementPolicy"] == "Failed"
    template = OURS.manifest("night", "import")["spec"]["template"]
    assert raw["spec"]["template"]["spec"]["containers"][0]["args"] == template["spec"]["containers"][0]["args"]
