"""A node whose kubelet is frozen while its containers run on (G1, G2, G3): everything comes through without help.

Nobody is there to confirm the end of a pod, so Job controller and garbage collector would wait for ever (trap 3: a Job
with `podReplacementPolicy: Failed` keeps its pod by a finalizer until it is told that it has failed). The operator
releases such a pod when its token is dead for certain, 75 s after it should have ended, and this uses no retry (G6).
A pod that has ended there, and is only not removed yet, keeps a Job that is deleted in the foreground in the same way.
One outage serves all tasks here, as it takes so long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.checkpoints import steps_back, writers
from tests.e2e.support.client import wait_for
from tests.e2e.support.outage import container_runs, preferring
from tests.e2e.support.tasks import cluster, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import false_suspensions, versions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

pytestmark = pytest.mark.disruptive

RELEASED = 240.0  # seconds: 20 until the node counts as lost, 75 until the token is dead, 10 of the Job's back-off
HELD = 5  # the item that both workers are in the middle of


@dataclass(frozen=True)
class Stranded:
    """A task whose worker was on the node that is lost, and that worker's pod."""

    task: Handle
    pod: Body

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])


def strand(lab: Lab, node: str, name: str) -> Stranded:
    """Start a task on that node, and wait until its worker is in the middle of a batch."""
    body = items(name, count=20, HOLD=HELD, DATA=f"/data/{name}", save_every=0, grace=3, backoff_limit=0)
    body["spec"]["template"]["spec"] |= preferring(node)
    task = lab.start(body)
    lab.wait_for_line(f"{name}/log", f"holding at {HELD} epoch 1")
    task.wait_for_saved(HELD)
    pod = task.running_pod()
    assert pod["spec"]["nodeName"] == node
    return Stranded(task, pod)


def test_suspend_terminate_and_retry_come_through_though_a_node_is_lost_whose_containers_run_on(
    lab: Lab, doomed_node: str
) -> None:
    names = ("suspended", "terminated", "retried", "forced", "evicted", "ended")
    with Observer(lab.api, lab.namespace) as observer:
        suspended, terminated, retried, forced, evicted, ended = (strand(lab, doomed_node, name) for name in names)

        with cluster().frozen(cluster().kubelet_of(doomed_node)):
            suspended.task.want("Suspend")
            terminated.task.want("Terminate")
            ended.task.want("Suspend")
            end(lab, ended)
            ended.task.wait_for_state("Suspended")
            ended.task.patch({"spec": {"desiredState": "Run", "restartNonce": 1}})
            lab.api.delete("Pod", forced.pod["metadata"]["name"], lab.namespace, grace_seconds=0)
            wait_until_evicted(evicted)
            evicted.task.want("Suspend")

            suspended.task.wait_for_state("Suspended", seconds=RELEASED)
            evicted.task.wait_for_state("Suspended", seconds=RELEASED)
            terminated.task.wait_for_state("Terminated", seconds=RELEASED)
            suspended_for = [s.task.condition("Suspended")["reason"] for s in (suspended, evicted)]
            assert all(container_runs(s.pod) for s in (suspended, evicted, terminated))
            suspended.task.want("Run")
            for stranded in (suspended, retried, forced):
                goes_on_beside_its_old_worker(lab, stranded)
            goes_on(lab, ended)
        for stranded in (suspended, retried, forced, evicted, terminated):
            wait_until_ended(stranded)

    log = observer.log()
    assert suspended_for == ["NodeLost", "NodeLost"]
    assert false_suspensions(log) == []
    assert terminated.task.jobs() + terminated.task.pods() == []
    assert terminated.task.checkpoint["data"] == ""
    assert [ended.task.status["attempt"], ended.task.status["failures"]] == [2, 0]
    for stranded in (suspended, retried, forced):
        nothing_of_the_old_worker_counts(lab, stranded, versions(log, stranded.task.uid))


def wait_until_evicted(stranded: Stranded) -> None:
    """Wait until its pod is asked to end because the node is lost: nobody but the cluster has asked for that."""

    def is_ending() -> bool:
        return any("deletionTimestamp" in pod["metadata"] for pod in stranded.task.pods())

    wait_for(is_ending, timeout=90, what=f"eviction of {stranded.task.name}", state=stranded.task.story)


def end(lab: Lab, stranded: Stranded) -> None:
    """Kill its container, and say what its kubelet would say of that; the pod, which only that removes, stays."""
    name, namespace = stranded.pod["metadata"]["name"], stranded.pod["metadata"]["namespace"]
    seen = stranded.task.stopping_pod()["status"]["containerStatuses"][0]
    cluster().kill_container(stranded.uid, seen["name"])
    wait_until_ended(stranded)
    killed = {"terminated": {"exitCode": 137, "reason": "Error"}}
    status = {"phase": "Failed", "containerStatuses": [seen | {"ready": False, "state": killed}]}
    lab.api.patch("Pod", name, namespace, {"status": status}, subresource="status")


def goes_on_beside_its_old_worker(lab: Lab, stranded: Stranded) -> None:
    """The new worker is elsewhere; both finish the batch that they are in, and all others."""
    lab.wait_for_line(f"{stranded.task.name}/log", f"holding at {HELD} epoch 2", seconds=RELEASED)
    assert container_runs(stranded.pod)
    goes_on(lab, stranded)
    lab.wait_for_line(f"{stranded.task.name}/items", "19 1")


def goes_on(lab: Lab, stranded: Stranded) -> None:
    """Wait for the new worker, and let it finish all that is left."""
    lab.wait_for_line(f"{stranded.task.name}/log", f"holding at {HELD} epoch 2", seconds=RELEASED)
    lab.touch(f"{stranded.task.name}/go")
    stranded.task.wait_for_state("Complete")


def wait_until_ended(stranded: Stranded) -> None:
    """Wait until the old container is gone: the kubelet ends it as soon as it is back."""
    what = f"the end of the old container of {stranded.task.name}"
    wait_for(lambda: not container_runs(stranded.pod), timeout=60, what=what)


def nothing_of_the_old_worker_counts(lab: Lab, stranded: Stranded, history: list[Body]) -> None:
    """It did all its work and tried to save, and every checkpoint and all progress is as if it had not."""
    task = stranded.task
    by_the_new_one = [line.split()[0] for line in lab.lines(f"{task.name}/items") if line.endswith(" 2")]
    assert by_the_new_one == [str(item) for item in range(HELD, 20)]
    assert writers(history) == [(1, stranded.uid), (2, task.checkpoint["holder"])]
    assert task.checkpoint["holder"] != stranded.uid
    assert steps_back(history) == []
    assert [task.status["attempt"], task.status["failures"]] == [1, 0]
