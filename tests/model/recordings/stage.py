"""Where a recording is made: a namespace with one task that no operator looks after, and its Job.

The Job is what the operator would create for that task. Every word of a scenario's script is a method here: either
something that a user does, noted with the version that it made, or `until_...`, which waits and writes nothing.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from longtask.core.job import job_manifest
from tests.cluster import api as cluster_api
from tests.e2e.support.client import MERGE, Api, ApiError, Body, wait_for
from tests.e2e.support.furniture import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 120.0
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
class Stage:
    """One scenario under way. `actions`: what the user did, as (seconds since 1970, words, revision or None)."""

    api: Api
    namespace: str
    program: Program
    backoff_limit: int
    grace: int
    actions: list[tuple[float, str, int | None]] = field(default_factory=list)
    undo: ExitStack = field(default_factory=ExitStack)
    task: Body = field(default_factory=dict)
    job: str = ""
    known: set[str] = field(default_factory=set)
    """UIDs of the pods that were there when the user last did something."""

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

    def delete_pod_soon(self) -> None:
        """Give it a second."""
        self._delete("Pod", self.newest_pod()["metadata"]["name"], gracePeriodSeconds=1)

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
        how = "application/strategic-merge-patch+json"
        self._note(
            "mark the pod as failed with its node",
            lambda: self.api.patch("Pod", name, self.namespace, patch, subresource="status", how=how),
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
        self.known = {_uid(pod) for pod in self.pods()}
        began = time.time()
        answer = act()
        version = (answer.get("metadata") or {}).get("resourceVersion")
        self.actions.append((began, words, int(version) if version else None))

    # --- what is waited for

    def pods(self) -> list[Body]:
        """The pods that there are, oldest first."""
        found = self.api.list_all("Pod", self.namespace)
        return sorted(found, key=lambda pod: int(pod["metadata"]["resourceVersion"]))

    def newest_pod(self) -> Body:
        """The pod that was created last."""
        return max(self.pods(), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def until_pod(self) -> None:
        """A pod that has not been told to go."""
        self._until("a pod", lambda: any(not _stopping(pod) for pod in self.pods()))

    def until_running(self) -> None:
        """A pod whose container runs, that has not been told to go."""
        self._until("a running pod", lambda: any(_runs(pod) and not _stopping(pod) for pod in self.pods()))

    def until_stopping(self) -> None:
        """A pod that has been told to go and has not ended."""
        self._until("a stopping pod", lambda: any(_stopping(pod) for pod in self.pods()))

    def until_failed_pod(self) -> None:
        """A pod that has failed."""
        self._until("a failed pod", lambda: any(pod["status"].get("phase") == "Failed" for pod in self.pods()))

    def until_second_pod(self) -> None:
        """A pod that replaces a failed one."""
        self._until("a second pod", lambda: len(self.pods()) > 1)

    def until_second_life(self) -> None:
        """A pod that was not there when the user last did something, and has not been told to go."""
        known = self.known
        self._until("another pod", lambda: any(not _stopping(pod) for pod in self.pods() if _uid(pod) not in known))

    def until_bound(self) -> None:
        """A pod that has a node."""
        self._until("a pod with a node", lambda: any(pod["spec"].get("nodeName") for pod in self.pods()))

    def until_no_pod(self) -> None:
        """No pod any more."""
        self._until("no pod", lambda: not self.pods())

    def until_suspended(self) -> None:
        """The Job controller says that the Job is suspended."""
        self._until("Suspended", lambda: self._says("Suspended"))

    def until_finished(self) -> None:
        """The Job is complete or has failed."""
        self._until("the end of the Job", lambda: self._says("Complete") or self._says("Failed"))

    def until_failure_target(self) -> None:
        """The Job is about to fail, or has."""
        self._until("FailureTarget", lambda: self._says("FailureTarget"))

    def until_gone(self) -> None:
        """Neither Job nor pods."""
        self._until("nothing left", lambda: not self.pods() and not self.api.list_all("Job", self.namespace))

    def until_released(self) -> None:
        """No Job, and no pod with a finalizer."""
        self._until(
            "pods without finalizers",
            lambda: (
                not self.api.list_all("Job", self.namespace)
                and not any(pod["metadata"].get("finalizers") for pod in self.pods())
            ),
        )

    def _says(self, kind: str) -> bool:
        job = self.api.find("Job", self.job, self.namespace) or {}
        conditions: list[dict[str, Any]] = job.get("status", {}).get("conditions") or []
        return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        try:
            wait_for(condition, timeout=PATIENCE, what=what, every=0.05)
        except ApiError as error:
            raise AssertionError(f"{self.namespace}: waiting for {what}: {error}") from error


def _uid(pod: Body) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid


def _stopping(pod: Body) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _runs(pod: Body) -> bool:
    return any("running" in status["state"] for status in pod["status"].get("containerStatuses", []))
