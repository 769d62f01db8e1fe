"""When a suspension and a resumption are known, told from the events of watches, and what of it is the operator's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from longtask.api import names
from tests.bench.contenders import SUSPEND, LongTask, RawJob, Step
from tests.bench.observe import Event
from tests.bench.suspend_real import FILE, LONGTASK, RAW, operators_share

if TYPE_CHECKING:
    from tests.bench.contenders import Contender
    from tests.e2e.support.client import Body

UID = "uid-of-the-contender"
POD = "uid-of-its-pod"


def contender(kind: type[LongTask] | type[RawJob]) -> Contender:
    """One that is at work in a pod."""
    no_server: Any = None
    made = kind(no_server, "team", "name")
    made.uid = UID
    made.pod = {"metadata": {"uid": POD}}
    return made


def event(at: float, kind: str, uid: str = UID, *, gone: bool = False, **body: Any) -> Event:  # noqa: ANN401
    labels = {names.LABEL_TASK_UID: UID, "batch.kubernetes.io/controller-uid": UID}
    metadata: Body = {"uid": uid, "generation": 2, "labels": labels, **body.pop("metadata", {})}
    return Event(at=at, kind=kind, gone=gone, body={"metadata": metadata, "spec": {}, "status": {}, **body})


def job(at: float, *, suspend: bool, said: str = "") -> Event:
    conditions = [{"type": "Suspended", "status": said}] if said else []
    return event(at, "Job", spec={"suspend": suspend}, status={"conditions": conditions})


def pod(at: float, phase: str, uid: str = POD, *, gone: bool = False) -> Event:
    running: list[Body] = [{"state": {"running": {}}}] if phase == "Running" else []
    return event(at, "Pod", uid, gone=gone, status={"phase": phase, "containerStatuses": running})


def task(at: float, state: str, generation: int = 2, *, seen: int = 2) -> Event:
    status = {"state": state, "observedGeneration": seen}
    return event(at, "LongTask", metadata={"generation": generation}, status=status)


def test_a_raw_job_is_known_to_be_suspended_when_it_says_so_and_its_pod_has_ended() -> None:
    seen = [job(1, suspend=True), job(2, suspend=True, said="True"), pod(5, "Failed"), pod(7, "Failed", gone=True)]
    times = contender(RawJob).suspended(seen, 2)
    assert times == {
        Step.JOB_TOLD: 1,
        Step.JOB_SAYS: 2,
        Step.POD_ENDED: 5,
        Step.POD_REMOVED: 7,
        Step.KNOWN: 5,
    }


def test_a_pod_that_ended_first_does_not_make_a_suspension_known_before_the_job_says_it() -> None:
    seen = [job(1, suspend=True), pod(2, "Failed", gone=True), job(4, suspend=True, said="True")]
    times = contender(RawJob).suspended(seen, 2)
    assert times is not None
    assert times[Step.KNOWN] == 4


@pytest.mark.parametrize(
    "late",
    [
        [job(1, suspend=True), pod(5, "Failed", gone=True)],
        [job(1, suspend=True, said="True"), pod(5, "Running")],
        [job(1, suspend=True, said="True"), pod(5, "Failed", "uid-of-an-earlier-pod", gone=True)],
        [job(1, suspend=False, said="True"), pod(5, "Failed", gone=True)],
    ],
    ids=["no-condition", "pod-at-work", "another-pod-ended", "not-told-yet"],
)
def test_a_suspension_of_a_raw_job_is_not_known_too_early(late: list[Event]) -> None:
    assert contender(RawJob).suspended(late, 2) is None


def test_a_task_is_known_to_be_suspended_when_its_state_says_so_at_its_generation() -> None:
    steps = [job(1, suspend=True, said="True"), pod(5, "Failed")]
    old = [task(2, "Suspended", 1, seen=1), task(3, "Suspended", seen=1), task(4, "Running")]
    assert contender(LongTask).suspended([*steps, *old], 2) is None
    times = contender(LongTask).suspended([*steps, *old, task(6, "Suspended"), task(9, "Suspended")], 2)
    assert times is not None
    assert times[Step.KNOWN] == 6


def test_a_resumption_is_of_a_new_pod_whose_container_runs() -> None:
    made = contender(RawJob)
    made._left = POD
    seen = [job(1, suspend=False), pod(2, "Running"), pod(3, "Pending", "new")]
    assert made.resumed(seen, 2) is None
    times = made.resumed([*seen, pod(4, "Running", "new")], 2)
    assert times == {Step.JOB_TOLD: 1, Step.POD_CREATED: 3, Step.CONTAINER_RUNS: 4, Step.KNOWN: 4}
    assert made.pod["metadata"]["uid"] == "new"
    assert made.resumed([*seen, pod(4, "Running", "new")], 2) == times


def test_a_task_is_known_to_run_when_its_state_says_so_and_not_when_its_container_does() -> None:
    made = contender(LongTask)
    made._left = POD
    seen = [job(1, suspend=False), pod(3, "Running", "new")]
    assert made.resumed(seen, 2) is None
    times = made.resumed([*seen, task(4, "Running")], 2)
    assert times is not None
    assert times[Step.KNOWN] == 4


def test_the_operators_share_is_what_everybody_waits_for_it_alone() -> None:
    ours = {Step.JOB_TOLD: 0.03, Step.JOB_SAYS: 0.05, Step.POD_ENDED: 0.50, Step.KNOWN: 0.52}
    raw = {Step.JOB_TOLD: 0.01, Step.JOB_SAYS: 0.02, Step.POD_ENDED: 0.40, Step.KNOWN: 0.40}
    turn = {LONGTASK: ours, RAW: raw, FILE: raw}
    assert operators_share(turn, SUSPEND) == pytest.approx(0.02 + 0.02)
