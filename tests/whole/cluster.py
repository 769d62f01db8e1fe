"""The rest of a cluster for whole-operator tests: a Job controller, a kubelet and workers, as small as can be.

They act on the store directly, like parts of the cluster that have a connection of their own, so that a fault between
operator and API server is nothing to them. It must not know the operator.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.clock import utc

if TYPE_CHECKING:
    from tests.whole.store import Store

Json = dict[str, Any]


class Controllers:
    """Whatever happens by itself in a cluster. `hold_pods`: pods stay Pending, as without a node for them.
    `hold_cleanups`: a clean-up goes on and on.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.hold_pods = False
        self.hold_ends = False  # pods that are asked to stop go on with their batch
        self.hold_cleanups = False
        self.started: list[str] = []  # names of pods whose worker has started
        self._pods_made = 0

    async def run(self) -> None:
        """Act on every change until cancelled."""
        while True:
            before = self.store.version
            self.step()
            if self.store.version == before:
                await self.store.next_change(60)

    def step(self) -> None:
        """Everybody has one look."""
        self._collect_garbage()
        for job in self.store.find("jobs"):
            self._sync_job(job)
        for pod in self.store.find("pods"):
            self._sync_pod(pod)

    def finish(self, task: Json) -> None:
        """The worker of a task has done all its work."""
        self._save(task["metadata"]["uid"], "Done")
        for pod in self._pods_of(task["metadata"]["uid"], key=names.LABEL_TASK_UID):
            self._end_pod(pod, "Succeeded", 0)

    def save(self, task: Json) -> None:
        """The worker of a task saves, as it does now and then."""
        self._save(task["metadata"]["uid"], "Interval")

    def _collect_garbage(self) -> None:
        tasks = {task["metadata"]["uid"] for task in self.store.find("longtasks")}
        jobs = {job["metadata"]["uid"]: job for job in self.store.find("jobs")}
        for job in jobs.values():
            owners = job["metadata"].get("ownerReferences", [])
            if owners and owners[0]["uid"] not in tasks:
                self.store.remove("jobs", job["metadata"]["namespace"], job["metadata"]["name"])
        for pod in self.store.find("pods"):
            owners = pod["metadata"].get("ownerReferences", [])
            if owners and owners[0]["uid"] not in jobs:
                self.store.remove("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _sync_job(self, job: Json) -> None:
        metadata = job["metadata"]
        job.setdefault("status", {"startTime": _now()})
        pods = self._pods_of(metadata["uid"])
        active = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
        if "deletionTimestamp" in metadata:
            if not self._ask_to_stop(active):
                self.store.remove("jobs", metadata["namespace"], metadata["name"])
            return
        if metadata["labels"].get(names.LABEL_ATTEMPT) == "0":  # a clean-up, which does well and at once
            if _condition(job, "Complete") is None and not self.hold_cleanups:
                self._set(job, "Complete", "True")
        elif _condition(job, "Complete") is None:
            self._suspend(job, active) if job["spec"].get("suspend") else self._run(job, pods, active)

    def _suspend(self, job: Json, active: list[Json]) -> None:
        self._ask_to_stop(active)
        self._set(job, "Suspended", "True")  # as the real one: whether or not they have ended

    def _run(self, job: Json, pods: list[Json], active: list[Json]) -> None:
        if _condition(job, "Suspended") == "True":
            job["status"]["startTime"] = _now()
            self._set(job, "Suspended", "False")
        elif any(pod["status"]["phase"] == "Succeeded" for pod in pods):
            self._set(job, "Complete", "True")
        elif not active:
            self._make_pod(job)

    def _make_pod(self, job: Json) -> None:
        self._pods_made += 1
        metadata = job["metadata"]
        owner = {"kind": "Job", "name": metadata["name"], "uid": metadata["uid"], "controller": True}
        template = job["spec"]["template"]
        self.store.create(
            "pods",
            {
                "metadata": {
                    "name": f"{metadata['name']}-{self._pods_made:05d}",
                    "namespace": metadata["namespace"],
                    "labels": template["metadata"]["labels"],
                    "ownerReferences": [owner],
                },
                "spec": {**template["spec"], "nodeName": "node-1"},
                "status": {"phase": "Pending"},
            },
        )

    def _sync_pod(self, pod: Json) -> None:
        metadata = pod["metadata"]
        phase = pod["status"]["phase"]
        if "deletionTimestamp" in metadata:
            if self.hold_ends:
                return
            if phase == "Running":
                self._save(metadata["labels"][names.LABEL_TASK_UID], "Stop")
            self.store.remove("pods", metadata["namespace"], metadata["name"])
        elif phase == "Pending" and not self.hold_pods:
            name = pod["spec"]["containers"][0]["name"]
            pod["status"] = {
                "phase": "Running",
                "containerStatuses": [{"name": name, "state": {"running": {"startedAt": _now()}}}],
            }
            self.store.put("pods", pod)
            self.started.append(metadata["name"])
            self._claim(metadata["labels"][names.LABEL_TASK_UID], metadata["uid"])

    def _ask_to_stop(self, pods: list[Json]) -> bool:
        """Mark pods for deletion; True as long as there are any."""
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"]:
                pod["metadata"] |= {"deletionTimestamp": _now(600), "deletionGracePeriodSeconds": 600}
                self.store.put("pods", pod)
        return bool(pods)

    def _end_pod(self, pod: Json, phase: str, code: int) -> None:
        name = pod["spec"]["containers"][0]["name"]
        state = {"terminated": {"exitCode": code, "finishedAt": _now()}}
        pod["status"] = {"phase": phase, "containerStatuses": [{"name": name, "state": state}]}
        self.store.put("pods", pod)

    def _pods_of(self, uid: str, *, key: str = "") -> list[Json]:
        """Pods by the UID of their controller, or by that of a label."""

        def matches(pod: Json) -> bool:
            metadata = pod["metadata"]
            return bool(
                metadata["labels"].get(key) == uid
                if key
                else any(owner["uid"] == uid for owner in metadata.get("ownerReferences", []))
            )

        return self.store.find("pods", matches)

    def _claim(self, task_uid: str, pod_uid: str) -> None:
        for task in self.store.find("longtasks", lambda body: bool(body["metadata"]["uid"] == task_uid)):
            old = task["status"].get("checkpoint", {"epoch": 0, "sequence": 0, "data": ""})
            task["status"]["checkpoint"] = old | {
                "epoch": old["epoch"] + 1,
                "holder": pod_uid,
                "attempt": task["status"]["attempt"],
                "cause": "Claim",
                "time": _now(),
            }
            self.store.put("longtasks", task)

    def _save(self, task_uid: str, cause: str) -> None:
        for task in self.store.find("longtasks", lambda body: bool(body["metadata"]["uid"] == task_uid)):
            checkpoint = task["status"]["checkpoint"]
            sequence = checkpoint["sequence"] + 1
            task["status"]["checkpoint"] = checkpoint | {"sequence": sequence, "cause": cause, "data": f"[{sequence}]"}
            task["status"]["progress"] = {"done": sequence}
            self.store.put("longtasks", task)

    def _set(self, job: Json, kind: str, value: str) -> None:
        conditions = [c for c in job["status"].get("conditions", []) if c["type"] != kind]
        job["status"]["conditions"] = [*conditions, {"type": kind, "status": value}]
        self.store.put("jobs", job)


def _now(later: float = 0.0) -> str:
    return utc(time.time() + later).strftime("%Y-%m-%dT%H:%M:%SZ")


def _condition(job: Json, kind: str) -> str | None:
    """The status of a condition, or None if it is not there."""
    conditions = job["status"].get("conditions", [])
    return next((str(c["status"]) for c in conditions if c["type"] == kind), None)
