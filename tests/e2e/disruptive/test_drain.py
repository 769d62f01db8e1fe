"""Evictions and drains: an interruption uses no retry (G6), and exit code 0 on SIGTERM is not taken for success (G5).

Trap 5: a pod that exits with 0 while it is being evicted is `Succeeded`, and its Job `Complete`, with work left
(kubernetes#141483); and as it is being deleted, it is gone before anybody may have looked. Trap 15: who ends a pod may
be the kubelet by itself.

The kubelet's graceful shutdown of a node needs systemd-logind, whose inhibitor locks it holds over D-Bus; the nodes of
a test cluster have none. To a worker it is as when the kubelet evicts it for filling the disk, which is shown here: the
kubelet alone asks it to stop, nobody deletes its pod, and the pod has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.outage import cordoned, preferring
from tests.e2e.support.tasks import done_of, items, long_task, plain, worker
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import pods_of

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab

AGAIN = 90.0  # seconds for a new pod on a busy machine, with one pause of the Job controller in them

UNTIL_GO = """
trap 'echo stopped >>/data/log; exit 0' TERM
echo started >>/data/log
until test -e /data/go; do sleep 0.1; done
echo done >>/data/log
"""


def evict(lab: Lab, pod: Body) -> None:
    """Evict a pod as `kubectl drain` does: by the Eviction API, which heeds disruption budgets."""
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    lab.api.request("POST", lab.api.path("Pod", name, lab.namespace, "eviction"), eviction)


def leaving(kind: str, *, name: str = "leaving", count: int = 40, **further: Any) -> Body:  # noqa: ANN401
    """A task that runs a class of programs/leaving.py and has no retries."""
    container = {"resources": {"limits": {"ephemeral-storage": "8Mi"}}} if kind == "Wasteful" else {}
    env = {"ITEMS": count, "PACE": 0.1, "LEAVE": 10, "DATA": f"/data/{name}"}
    made = worker(f"leaving.py:{kind}", save_every=0, env=env, container=container)
    return long_task(name, made, backoff_limit=0, **further)


def test_an_evicted_worker_saves_and_goes_on_at_once_without_using_a_retry(lab: Lab) -> None:
    task = lab.start(items(count=100_000, pace=0.1, save_every=3600, backoff_limit=0))
    for attempt in (1, 2, 3):
        lab.wait_for_line("items", f" {attempt}")
        assert task.status["attempt"] == attempt
        evict(lab, task.running_pod())
    lab.wait_for_line("items", " 4")
    lab.touch("hurry")
    task.want("Suspend")
    stopped = task.wait_for_state("Suspended")

    assert lab.items() == list(range(done_of(stopped)))
    assert stopped["status"]["failures"] == 0
    assert [line for line in lab.lines("log") if "cleanup" in line] == [
        *(f"cleanup interrupted epoch {epoch}" for epoch in (1, 2, 3)),
        "cleanup suspended epoch 4",
    ]


def test_a_worker_that_exits_with_zero_when_it_is_evicted_is_not_taken_for_done(lab: Lab) -> None:
    task = lab.start(leaving("LeavesWithZero"))
    lab.wait_for_line("leaving/log", "waiting at 10")

    evict(lab, task.running_pod())
    task.wait_for_state("Complete")

    assert lab.items("leaving") == list(range(40))
    assert lab.lines("leaving/log")[-1] == "cleanup done epoch 2"
    assert [task.status["attempt"], task.status["failures"]] == [2, 0]
    assert task.history() == [("Running", "Running"), ("Running", "Running"), ("Complete", "Done")]


def test_a_program_without_checkpoints_that_exits_with_zero_when_it_is_evicted_runs_again(lab: Lab) -> None:
    task = lab.start(long_task("program", plain(["sh", "-c", UNTIL_GO]), backoff_limit=0))
    lab.wait_for_line("log", "started")

    evict(lab, task.running_pod())
    task.wait("a new attempt", lambda body: body["status"]["attempt"] == 2)
    task.running_pod()
    lab.touch("go")
    task.wait_for_state("Complete")

    assert lab.lines("log") == ["started", "stopped", "started", "done"]
    assert task.condition("Complete")["reason"] == "ExitedZero"
    assert task.status["failures"] == 0


def test_a_worker_that_its_kubelet_evicts_saves_and_goes_on_without_using_a_retry(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(leaving("Wasteful", count=100_000))
        lab.wait_for_line("leaving/items", " 2", seconds=AGAIN)
        task.want("Suspend")
        stopped = task.wait_for_state("Suspended")

    evicted = pods_of(observer.log(), task.uid)[0]
    assert [evicted["status"]["phase"], evicted["status"]["reason"]] == ["Failed", "Evicted"]
    assert lab.items("leaving") == list(range(done_of(stopped)))
    assert stopped["status"]["failures"] == 0


@pytest.mark.disruptive
def test_the_workers_of_a_drained_node_go_on_elsewhere_and_no_retry_is_used(lab: Lab, doomed_node: str) -> None:
    there = preferring(doomed_node)
    good = lab.start(items("good", count=2000, pace=0.1, save_every=0, backoff_limit=0, DATA="/data/good", pod=there))
    bad = lab.start(leaving("LeavesWithZero", name="bad", pod=there))
    good.wait_for_saved(3)
    lab.wait_for_line("bad/log", "waiting at 10")
    assert {task.running_pod()["spec"]["nodeName"] for task in (good, bad)} == {doomed_node}

    with cordoned(lab.api, doomed_node):
        lab.kubectl("drain", doomed_node, "--pod-selector=longtask.dev/task-uid", "--timeout=60s")
        lab.wait_for_line("good/log", "epoch 2")
        assert good.running_pod()["spec"]["nodeName"] != doomed_node
        lab.touch("good/hurry")
        for task in (good, bad):
            task.wait_for_state("Complete", seconds=AGAIN)

    assert lab.items("good") == list(range(2000))
    assert lab.items("bad") == list(range(40))
    for task in (good, bad):
        assert [task.status["attempt"], task.status["failures"]] == [2, 0]
