"""What tests need that take parts of the cluster away: which node, since when, and whether all is well again.

It must not know which part a test takes away, nor why.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from tests.cluster.api import ClusterError
from tests.e2e.support.client import MERGE, Api, ApiError, Body, wait_for
from tests.e2e.support.tasks import cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATOR: Final = "longtask-operator"
NAMESPACE: Final = "longtask-system"
WELL_AGAIN: Final = 120.0  # seconds: a node that was lost is tainted for a while after its kubelet is back


def operator_pods(api: Api, namespace: str) -> list[Body]:
    """The operator's pods, also one that is on its way out."""
    return api.list_all("Pod", namespace, f"labelSelector=app.kubernetes.io/name%3D{OPERATOR}")


def node_of_operator(api: Api, namespace: str) -> str:
    """Name of the node on which the operator runs."""
    node: str = wait_for(lambda: operator_pods(api, namespace), what="the operator's pod")[0]["spec"]["nodeName"]
    return node


def other_node(api: Api, name: str) -> str:
    """Name of a node that is not this one. Raises RuntimeError when there is none."""
    others = [node["metadata"]["name"] for node in api.list_all("Node") if node["metadata"]["name"] != name]
    if not others:
        raise RuntimeError("a node can only be lost where there are two")
    return str(others[0])


def is_ready(node: Body) -> bool:
    """Whether the node is well and takes pods."""
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    return ready and not node["spec"].get("taints") and not node["spec"].get("unschedulable")


@contextlib.contextmanager
def cordoned(api: Api, node: str) -> Iterator[None]:
    """Keep new pods away from a node for the length of a `with` block."""
    api.patch("Node", node, "", {"spec": {"unschedulable": True}}, how=MERGE)
    try:
        yield
    finally:
        api.patch("Node", node, "", {"spec": {"unschedulable": None}}, how=MERGE)


@contextlib.contextmanager
def without_operator(api: Api) -> Iterator[None]:
    """Have no operator for the length of a `with` block, and a new one afterwards."""
    _scale(api, 0)
    try:
        wait_for(lambda: not operator_pods(api, NAMESPACE), timeout=60, what="the end of the operator")
        yield
    finally:
        _scale(api, 1)


def kill_operator(api: Api) -> None:
    """SIGKILL the operator, and take its pod away: the next one starts at once, not after a back-off.

    One whose container is only just starting can't be killed yet: it is waited for.
    """

    def killed() -> Body | None:
        for pod in operator_pods(api, NAMESPACE):
            with contextlib.suppress(ClusterError):
                if "deletionTimestamp" not in pod["metadata"]:
                    cluster().kill_container(pod["metadata"]["uid"], "operator")
                    return pod
        return None

    pod = wait_for(killed, every=0.02, what="an operator to kill", state=lambda: operator_pods(api, NAMESPACE))
    api.delete("Pod", pod["metadata"]["name"], NAMESPACE, grace_seconds=0)


def wait_for_operator(api: Api) -> None:
    """Wait until there is an operator that has seen what there is."""
    wait_for(lambda: _available(api), timeout=90, what="the operator", state=lambda: operator_pods(api, NAMESPACE))


def _scale(api: Api, replicas: int) -> None:
    api.patch("Deployment", OPERATOR, NAMESPACE, {"spec": {"replicas": replicas}}, how=MERGE)


def _available(api: Api) -> bool:
    deployment = api.get("Deployment", OPERATOR, NAMESPACE)
    return bool(deployment["status"].get("availableReplicas")) and len(operator_pods(api, NAMESPACE)) == 1


def preferring(node: str) -> Body:
    """Fields of a pod that goes to that node as long as it can be had, and elsewhere otherwise.

    It is evicted at once when its node is lost, and not after the five minutes that are usual.
    """
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    at_once = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    lost = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    return {
        "affinity": {
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
        },
        "tolerations": [{"key": key, **at_once} for key in lost],
    }


def container_runs(pod: Body) -> bool:
    """Whether the worker's container of that pod runs, whatever API server and kubelet think of it.

    SIGCONT does nothing to a process that runs; it only gets there.
    """
    try:
        cluster().kill_container(pod["metadata"]["uid"], "worker", "CONT")
    except ClusterError:
        return False
    return True


def await_health(api: Api) -> None:
    """Wait until all components run, both nodes take pods, and the operator is available and alone."""
    parts = cluster()
    for name in parts.components():
        assert parts.state(name) == "running", f"a test has left {name} {parts.state(name)}"

    def quietly() -> bool:
        try:
            return all(map(is_ready, api.list_all("Node"))) and _available(api)
        except ApiError:  # an API server that has just started refuses some things for a moment
            return False

    wait_for(quietly, timeout=WELL_AGAIN, every=0.5, what="health of the cluster", state=lambda: api.list_all("Node"))


def refused_writes(pod_uid: str) -> list[str]:
    """What the API server said to every write of that pod's worker that it refused."""
    events = [json.loads(line) for line in cluster().audit_log().read_text().splitlines()]
    return [
        f"{event['responseStatus']['code']} {event['responseStatus'].get('message', '')}"
        for event in events
        if pod_uid in event["user"].get("extra", {}).get("authentication.kubernetes.io/pod-uid", [])
        and event["responseStatus"]["code"] >= 400
    ]
