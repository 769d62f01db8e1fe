"""Where a recording is made: a namespace with one task that no operator looks after, and its Job.

The Job is what the operator would create for that task. Every word of a scenario's script is a method here,
which notes the version that it made, or one of those of lookout.py, which wait.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from longtask.core.job import job_manifest
from tests.cluster import api as cluster_api
from tests.e2e.support.client import JSON_PATCH, MERGE, STRATEGIC, Body, wait_for
from tests.e2e.support.furniture import IMAGE
from tests.model.recordings.lookout import PATIENCE, Lookout, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD: Final = "tests.longtask.dev/hold"
QUIET: Final = 4.0
"""Seconds without a write after which nothing is under way: controllers gather what they see for one second."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What the worker does: ends by itself with `code` after `after` seconds, at SIGTERM with `on_term` ("": never).

    `slow`: seconds that it takes to stop. `image` and `pod` win over what it usually has.
    """

    on_term: str = "75"
    slow: float = 0
    after: float = 600
    code: int = 0
    image: str = IMAGE
    pod: Body = field(default_factory=dict)

    def container(self) -> Body:
        """A shell that is not PID 1, because the operator lets the processes of a pod share their numbers."""
        trap = f"sleep {self.slow}; exit {self.on_term}" if self.on_term else ""
        ticks = int(self.after * 10)
        loop = f"i=0; while [ $i -lt {ticks} ]; do sleep 0.1; i=$((i+1)); done; exit {self.code}"
        command = ["sh", "-c", f"trap '{trap}' TERM; {loop}"]
        return {"name": "worker", "image": self.image, "imagePullPolicy": "Never", "command": command}


@dataclass
class Stage(Lookout):
    """One scenario under way. `actions`: what the user did, as (seconds since 1970, words, revision or None)."""

    program: Program
    backoff_limit: int
    grace: int
    actions: list[tuple[float, str, int | None]] = field(default_factory=list)
    undo: ExitStack = field(default_factory=ExitStack)
    task: Body = field(default_factory=dict)

    def open(self) -> None:
        """Make the namespace and the task."""
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        wait_for(self._has_account, timeout=PATIENCE, what="the namespace's service account")
        pod = {"containers": [self.program.container()], "terminationGracePeriodSeconds": self.grace}
        spec: Body = {"template": {"spec": {**pod, **self.program.pod}}, "backoffLimit": self.backoff_limit}
        body = {"apiVersion": "longtask.dev/v1alpha1", "kind": "LongTask", "metadata": {"name": "task"}, "spec": spec}
        self.task = self.api.create(body, self.namespace)

    def close(self) -> None:
        """Leave nothing behind but a namespace on its way out."""
        self.undo.close()
        self.api.delete("Namespace", self.namespace)

    def _has_account(self) -> bool:
        found = self.api.find("ServiceAccount", "default", self.namespace)
        return bool(found and self.api.find("ConfigMap", "kube-root-ca.crt", self.namespace))

    # --- what the user does

    def create(self, *, suspend: bool = False) -> None:
        """Create the Job that the operator would create."""
        manifest = job_manifest(self.task, attempt=1, failures_before=0, backoff_limit=self.backoff_limit)
        manifest["spec"]["suspend"] = suspend
        self.job = manifest["metadata"]["name"]
        self._note("create the Job", lambda: self.api.create(manifest, self.namespace))

    def create_suspended(self) -> None:
        """Create it with `suspend` set."""
        self.create(suspend=True)

    def suspend(self) -> None:
        """Set `suspend`."""
        self._suspend(True)

    def resume(self) -> None:
        """Take `suspend` back."""
        self._suspend(False)

    def delete_job_in_background(self) -> None:
        """Delete the Job at once, its pods after it."""
        self._delete("Job", self.job, propagationPolicy="Background")

    def delete_job_in_foreground(self) -> None:
        """Delete the Job when its pods are gone."""
        self._delete("Job", self.job, propagationPolicy="Foreground")

    def delete_job_and_leave_pods(self) -> None:
        """Delete the Job alone: its pods lose their owner."""
        self._delete("Job", self.job, propagationPolicy="Orphan")

    def delete_task_in_background(self) -> None:
        """Delete the owner of the Job."""
        self._delete("LongTask", "task", propagationPolicy="Background")

    def delete_task_in_foreground(self) -> None:
        """Delete the owner of the Job when all that it owns is gone."""
        self._delete("LongTask", "task", propagationPolicy="Foreground")

    def delete_pod(self) -> None:
        """What `kubectl delete pod` does."""
        self._delete("Pod", self.newest_pod()["metadata"]["name"], propagationPolicy="Background")

    def force_delete_pod(self) -> None:
        """What `kubectl delete pod --force` does."""
        self._delete("Pod", self.newest_pod()["metadata"]["name"], gracePeriodSeconds=0)

    def delete_pod_in_ten(self) -> None:
        """Give it ten seconds."""
        self._delete("Pod", self.newest_pod()["metadata"]["name"], gracePeriodSeconds=10)

    def delete_pod_in_one(self) -> None:
        """Give it a second."""
        self._delete("Pod", self.newest_pod()["metadata"]["name"], gracePeriodSeconds=1)

    def hold_pod(self) -> None:
        """Keep the object of the pod, with a finalizer of ours: so that everybody sees how it ended."""
        name, patch = (
            self.newest_pod()["metadata"]["name"],
            [{"op": "add", "path": "/metadata/finalizers/-", "value": HOLD}],
        )
        self._note("hold the pod", lambda: self.api.patch("Pod", name, self.namespace, patch, how=JSON_PATCH))

    def let_pod_go(self) -> None:
        """Take all finalizers off it."""
        name, patch = self.newest_pod()["metadata"]["name"], {"metadata": {"finalizers": None}}
        self._note("let the pod go", lambda: self.api.patch("Pod", name, self.namespace, patch, how=MERGE))

    def evict_pod(self) -> None:
        """What a drain does: the pod gets the condition `DisruptionTarget` and is deleted."""
        name = self.newest_pod()["metadata"]["name"]
        body: Body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        path = self.api.path("Pod", name, self.namespace, "eviction")
        self._note("evict the pod", lambda: self.api.request("POST", path, body))

    def mark_pod_lost(self) -> None:
        """What the operator does to the pod of a lost node before it deletes it by force."""
        name = self.newest_pod()["metadata"]["name"]
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "NodeLost"}
        patch: Body = {"status": {"phase": "Failed", "conditions": [condition]}}
        self._note(
            "mark the pod as failed with its node",
            lambda: self.api.patch("Pod", name, self.namespace, patch, subresource="status", how=STRATEGIC),
        )

    def lose_node(self) -> None:
        """Freeze the kubelet of the node that the pod is on, until the scenario is over."""
        cluster = cluster_api.current()
        kubelet = cluster.kubelet_of(self.newest_pod()["spec"]["nodeName"])
        self.undo.enter_context(cluster.frozen(kubelet))
        self.actions.append((time.time(), "freeze the kubelet", None))

    def find_node(self) -> None:
        """Let that kubelet go on."""
        self.undo.close()
        self.actions.append((time.time(), "thaw the kubelet", None))

    def remove_node(self) -> None:
        """Take the node itself out of the cluster; its kubelet brings it back when it is started anew, at the end."""
        node = self.newest_pod()["spec"]["nodeName"]
        cluster = cluster_api.current()
        self.undo.callback(wait_for, lambda: self.api.find("Node", node), timeout=PATIENCE, what=f"{node} to be back")
        self.undo.callback(cluster.restart, cluster.kubelet_of(node))
        self.lose_node()
        self._delete("Node", node)

    def _suspend(self, suspend: bool) -> None:
        patch: Body = {"spec": {"suspend": suspend}}
        words = "suspend the Job" if suspend else "resume the Job"
        self._note(words, lambda: self.api.patch("Job", self.job, self.namespace, patch, how=MERGE))

    def _delete(self, kind: str, name: str, **options: object) -> None:
        body: Body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        words = " ".join(f"{option}={value}" for option, value in options.items())
        path = self.api.path(kind, name, self.namespace)
        self._note(f"delete the {kind} {words}", lambda: self.api.request("DELETE", path, body))

    def _note(self, words: str, act: Callable[[], Body]) -> None:
        self.known = {uid_of(pod) for pod in self.pods()}
        began = time.time()
        answer = act()
        version = (answer.get("metadata") or {}).get("resourceVersion")
        self.actions.append((began, words, int(version) if version else None))
