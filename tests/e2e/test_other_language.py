"""A worker in Go, written from docs/worker-protocol.md alone, on the real cluster: anybody can take part.

The program is a static binary that a pod of the project's image runs from the volume. It counts primes, so that work
which was lost or done twice shows in the result.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.furniture import READER
from tests.e2e.support.tasks import long_task, plain
from tests.protocol import go_worker

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

LIMIT = 6000
PRIMES = 783  # below LIMIT
RESTRICTED: Body = {
    "runAsUser": 65532,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """Bring the binary onto the volume, through the pod that reads it."""
    lab.in_reader("true")  # waits for it
    lab.kubectl("cp", str(go_worker.binary()), f"{READER}:/data/primes")
    lab.in_reader("chmod", "755", "/data/primes")
    return lab


def primes(**settings: object) -> Body:
    """Return a task of 60 batches of a fifth of a second, saved twice a second."""
    environment = {"LIMIT": LIMIT, "BATCH": 100, "PACE": 200, "SAVE_EVERY": 500, **settings}
    env = [{"name": name, "value": str(value)} for name, value in environment.items()]
    return long_task("primes", plain(["/data/primes"], env=env, securityContext=RESTRICTED), backoff_limit=1)


def position(task: Handle) -> tuple[int, int]:
    """Return how far it has come, and how many primes it has found so far."""
    data = json.loads(task.checkpoint["data"])
    return data["next"], data["found"]


def log(lab: Lab, pod: Body) -> list[str]:
    """Return what a pod has printed so far."""
    return lab.kubectl("logs", pod["metadata"]["name"]).splitlines()


def test_it_is_suspended_and_goes_on_exactly_where_it_was(lab: Lab) -> None:
    task = lab.start(primes())
    task.wait_for_saved(1000)

    task.want("Suspend")
    task.wait_for_state("Suspended")
    suspended, left_at = task.checkpoint, position(task)
    assert task.active_pods() == []
    assert suspended["cause"] == "Stop"
    assert task.condition("Suspended")["reason"] == "Saved"

    task.want("Run")
    second = task.running_pod()
    wait_for(lambda: log(lab, second), what="words of the second pod")
    assert f"setup at {left_at[0]} epoch 2" in log(lab, second)
    task.wait_for_state("Complete", seconds=60)

    assert position(task) == (LIMIT, PRIMES)
    assert task.checkpoint["cause"] == "Done"
    assert task.checkpoint["epoch"] == 2
    assert task.checkpoint["sequence"] > suspended["sequence"]
    assert (task.status["attempt"], task.status["failures"]) == (1, 0)


def test_killed_in_the_middle_of_a_batch_it_goes_on_from_its_last_save(lab: Lab) -> None:
    task = lab.start(primes())
    task.wait_for_saved(1000)
    saved = position(task)
    killed = task.kill()

    second = task.running_pod(but_not=killed["metadata"]["uid"])
    wait_for(lambda: log(lab, second), what="words of the second pod")
    begun_at = int(log(lab, second)[0].split()[2])
    task.wait_for_state("Complete", seconds=60)

    assert begun_at >= saved[0]
    assert position(task) == (LIMIT, PRIMES)
    assert task.status["failures"] == 1


def test_it_is_terminated_midway_and_leaves_nothing(lab: Lab) -> None:
    task = lab.start(primes())
    task.wait_for_saved(1000)

    task.want("Terminate")
    task.wait_for_state("Terminated")

    assert task.pods() == []
    assert task.jobs() == []
    assert task.checkpoint["data"] == ""


def test_it_stops_when_its_task_is_deleted(lab: Lab) -> None:
    task = lab.start(primes(PACE=1000, LIMIT=60_000))
    task.wait_for_saved(100)

    task.delete()

    wait_for(lambda: task.pods() == [], what="its pod to be gone")


def test_a_drain_uses_no_retry(lab: Lab) -> None:
    task = lab.start(primes())
    task.wait_for_saved(1000)
    first = task.running_pod()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first["metadata"]["name"]}}
    path = f"/api/v1/namespaces/{lab.namespace}/pods/{first['metadata']['name']}/eviction"
    lab.kubectl("create", f"--raw={path}", "--filename=-", manifest=eviction)

    task.wait_for_state("Complete", seconds=60)

    assert position(task) == (LIMIT, PRIMES)
    assert task.checkpoint["epoch"] == 2
    assert task.status["failures"] == 0
