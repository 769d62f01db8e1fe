"""The API server, or what it stands on, is away for a while (G1, G2): nothing is lost, nothing doubled, no help needed.

A worker goes on working and retries its saves with longer and longer pauses. One that is asked to stop keeps trying
until its grace period is nearly over. Operator, Job controller and kubelets find their way back by themselves. Trap 1:
without its controller a Job says nothing about its pods, and so nor does the task.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.outage import container_runs
from tests.e2e.support.tasks import cluster, done_of, items

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.cluster.api import Cluster
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

pytestmark = pytest.mark.disruptive

AWAY: Final = 12.0  # seconds; a worker's pauses between two tries grow to 8 s meanwhile
BACK: Final = 120.0  # seconds until everybody has found their way back
PACE: Final = 0.2  # seconds for an item: a save takes less, so that without an outage each item has a save of its own

OUTAGES: Final[dict[str, Callable[[Cluster], AbstractContextManager[None]]]] = {
    "killed": lambda parts: parts.stopped("kube-apiserver", kill=True),
    "frozen": lambda parts: parts.frozen("kube-apiserver"),
    "without-etcd": lambda parts: parts.stopped("etcd", kill=True),
}


def start(lab: Lab, name: str, *, count: int = 100_000, grace: int = 60) -> Handle:
    """Start a task with a folder of its own; it is at work for as long as the test lasts, or for `count` items."""
    body = items(name, count=count, pace=PACE, save_every=0, grace=grace, backoff_limit=1, DATA=f"/data/{name}")
    return lab.start(body)


def lasts(seconds: float) -> None:
    """Let an outage last: nobody can be asked for anything meanwhile."""
    threading.Event().wait(seconds)


def left_out(before: Body, after: Body) -> int:
    """How many more items were done than saves sent: each of them was done while no save was acknowledged."""
    saves = after["status"]["checkpoint"]["sequence"] - before["status"]["checkpoint"]["sequence"]
    return done_of(after) - done_of(before) - int(saves)


@pytest.mark.parametrize("outage", OUTAGES)
def test_tasks_go_on_while_the_api_server_is_away_and_what_was_asked_for_is_done_when_it_is_back(
    lab: Lab, outage: str
) -> None:
    running = start(lab, "running")
    finishing = start(lab, "finishing", count=30)
    suspended = start(lab, "suspended")
    for task in (running, finishing, suspended):
        task.wait_for_saved(3)
    before = running.read()
    suspended.want("Suspend")
    created = lab.start(items("created", count=5, DATA="/data/created"))

    with OUTAGES[outage](cluster()):
        lasts(AWAY)

    running.wait("one save for many items", lambda body: left_out(before, body) > AWAY / PACE / 2, seconds=BACK)
    finishing.wait_for_state("Complete", seconds=BACK)
    created.wait_for_state("Complete", seconds=BACK)
    stopped = suspended.wait_for_state("Suspended", seconds=BACK)
    assert running.status["state"] == "Running"
    for task in (running, finishing, suspended, created):
        assert [task.status["attempt"], task.status["failures"], task.checkpoint["epoch"]] == [1, 0, 1]
    assert lab.items("finishing") == list(range(30))
    assert lab.items("created") == list(range(5))
    assert lab.items("suspended") == list(range(done_of(stopped)))
    assert stopped["status"]["checkpoint"]["cause"] == "Stop"


def test_a_worker_that_is_asked_to_stop_while_the_api_server_is_away_tries_to_save_until_its_time_is_nearly_up(
    lab: Lab,
) -> None:
    patient, hasty = start(lab, "patient"), start(lab, "hasty", grace=5)
    for task in (patient, hasty):
        task.wait_for_saved(3)
    pods = {task.name: task.running_pod() for task in (patient, hasty)}
    parts = cluster()

    with parts.stopped("kube-apiserver", kill=True):
        for pod in pods.values():
            parts.kill_container(pod["metadata"]["uid"], "worker", "TERM")
        wait_for(lambda: not container_runs(pods["hasty"]), timeout=20, what="the end of the hasty worker")
        assert container_runs(pods["patient"])

    for task in (patient, hasty):
        task.wait("a new worker", lambda body: body["status"]["checkpoint"]["epoch"] == 2, seconds=BACK)
        task.wait_for_saved(done_of(task.read()) + 3)
    assert lab.lines("patient/log")[1] == "cleanup interrupted epoch 1"
    assert [patient.status["attempt"], patient.status["failures"]] == [2, 0]  # saved after all: an interruption
    assert is_one_after_another(lab.items("patient"))
    assert lab.lines("hasty/log")[1] == "cleanup failed epoch 1"
    assert hasty.status["failures"] == 1
    # whoever was back first has seen to the next worker: our operator by another attempt, or the Job controller
    said = hasty.warnings("TaskRetried") or [last_words(hasty, pods["hasty"])]
    assert "the last save is not acknowledged" in said[0]


def is_one_after_another(numbers: list[int]) -> bool:
    """Whether each is there exactly once, in order."""
    return numbers == list(range(len(numbers)))


def last_words(task: Handle, pod: Body) -> str:
    """The termination message of a pod that has ended."""
    now = next(other for other in task.pods() if other["metadata"]["uid"] == pod["metadata"]["uid"])
    return str(now["status"]["containerStatuses"][0]["state"]["terminated"]["message"])


def test_suspended_is_not_claimed_while_the_job_controller_is_away(lab: Lab) -> None:
    task = start(lab, "task")
    task.wait_for_saved(3)

    with cluster().stopped("kube-controller-manager"):
        task.want("Suspend")
        wait_for(lambda: task.jobs()[0]["spec"].get("suspend"), what="the Job to be told", state=task.story)
        task.wait_for_saved(done_of(task.read()) + 10)
        assert task.status["state"] == "Running"
        assert task.condition("Suspended").get("status", "False") == "False"

    stopped = task.wait_for_state("Suspended", seconds=BACK)
    assert task.condition("Suspended")["reason"] == "Saved"
    assert lab.items("task") == list(range(done_of(stopped)))
