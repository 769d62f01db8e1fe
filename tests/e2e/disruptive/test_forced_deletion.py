"""A pod deleted by force whose container still runs and writes (G3): the old worker is fenced.

`kubectl delete --force` removes the object and asks nobody whether the process has ended; with its kubelet frozen it
goes on. Traps 1, 2 and 3: the Job is suspended, resumed and has a new pod, and no replacement policy can see that the
old worker is still there, with a token that is still good for some seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.checkpoints import position, steps_back, writers
from tests.e2e.support.client import wait_for
from tests.e2e.support.outage import container_runs, cordoned, preferring, refused_writes
from tests.e2e.support.tasks import cluster, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import versions

if TYPE_CHECKING:
    from tests.e2e.support.tasks import Lab

pytestmark = pytest.mark.disruptive


def test_a_worker_whose_pod_was_deleted_by_force_can_save_nothing_once_another_has_claimed(
    lab: Lab, doomed_node: str
) -> None:
    kubelet = cluster().kubelet_of(doomed_node)
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=5000, save_every=0, pod=preferring(doomed_node)))
        task.wait_for_saved(10)
        old = task.running_pod()
        assert old["spec"]["nodeName"] == doomed_node

        with cordoned(lab.api, doomed_node), cluster().frozen(kubelet):
            task.want("Suspend")
            task.stopping_pod()
            lab.api.delete("Pod", old["metadata"]["name"], lab.namespace, grace_seconds=0)
            task.wait_for_state("Suspended")
            assert container_runs(old)
            task.want("Run")
            new = task.running_pod()
            wait_for(lambda: not container_runs(old), what="the old worker to see that it is fenced")
        task.wait("a save of the new worker", lambda body: body["status"]["checkpoint"]["cause"] == "Interval")
        lab.touch("hurry")
        task.wait_for_state("Complete")

    history = versions(observer.log(), task.uid)
    holders = [old["metadata"]["uid"], new["metadata"]["uid"]]
    assert writers(history) == list(enumerate(holders, start=1))
    assert steps_back(history) == []
    assert refused_writes(holders[0]) != []
    last_saved = max(position(body)[2] for body in history if position(body)[0] == 1)
    assert lab.lines("log")[1:] == [
        f"setup at {last_saved} epoch 2 pod {new['metadata']['name']}",
        "cleanup done epoch 2",  # and none of epoch 1: a fenced worker touches nothing any more
    ]
    assert set(lab.items()) == set(range(5000))
