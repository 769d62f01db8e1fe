"""What the operator asks of a cluster, in its own terms: paths, preconditions and kinds of patch are known only here.

Every write states what it expects to find. What the answer shows is put into the copies in memory at once, so that the
next decision sees it even if the watch lags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.core.observed import PodPhase
from longtask.shell.errors import Conflict, Missing, NotServed
from longtask.shell.slim import event_trouble, node_is_ready, pod_record

if TYPE_CHECKING:
    from longtask.core.actions import DeleteJob, DeletePod, DeleteTask, SetJobSuspended
    from longtask.core.observed import ObservedJob, ObservedPod, ObservedTask, Trouble
    from longtask.shell.api import Api
    from longtask.shell.mirror import Mirror
    from longtask.shell.tasks import TaskStore

Json = dict[str, Any]

TASKS_PATH = f"/apis/{names.API_VERSION}/{names.PLURAL}"
JOBS_PATH = "/apis/batch/v1/jobs"
PODS_PATH = "/api/v1/pods"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_POLICIES = "validatingadmissionpolicies"
_BINDINGS = "validatingadmissionpolicybindings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster, and the copies of it that our own writes go into."""

    api: Api
    tasks: TaskStore
    jobs: Mirror[ObservedJob]
    pods: Mirror[ObservedPod]

    async def read_task(self, task: ObservedTask) -> Json | None:
        """The task as it is now. None if it is gone, also if another one has its name."""
        body = await self.read_task_named(task.namespace, task.name)
        return body if body is not None and body["metadata"]["uid"] == task.uid else None

    async def read_task_named(self, namespace: str, name: str) -> Json | None:
        """Whatever task has that name now. None if there is none."""
        try:
            body = await self.api.get(_task_path(namespace, name))
        except Missing:
            return None
        self.tasks.update(body)
        return body

    async def patch_status(self, task: ObservedTask, operations: list[Json]) -> None:
        """Apply a JSON patch to the task's status."""
        path = f"{_task_path(task.namespace, task.name)}/status"
        self.tasks.update(await self.api.patch(path, operations, "json-patch"))

    async def patch_task(self, task: ObservedTask, operations: list[Json]) -> None:
        """Apply a JSON patch to the task itself: to its finalizers, and to nothing else."""
        path = _task_path(task.namespace, task.name)
        answer = await self.api.patch(path, operations, "json-patch")
        self.tasks.update(answer)

    async def delete_task(self, task: ObservedTask, action: DeleteTask) -> None:
        """Delete it, if it is still that version; what belongs to it follows. Nothing happens if it is gone.

        Raises `Conflict` for another version.
        """
        options = _delete_options(action.uid) | {"propagationPolicy": "Background"}
        options["preconditions"]["resourceVersion"] = action.resource_version
        try:
            answer = await self.api.delete(_task_path(task.namespace, task.name), options)
        except Missing:
            self.tasks.remove(action.uid)
        else:
            if answer.get("kind") == names.KIND:  # somebody's finalizer keeps it
                self.tasks.update(answer)

    async def create_job(self, manifest: Json) -> None:
        """Create a Job; a misspelt field is an error, not ignored."""
        path = f"/apis/batch/v1/namespaces/{manifest['metadata']['namespace']}/jobs"
        self.jobs.apply(await self.api.post(path, manifest, {"fieldValidation": "Strict"}))

    async def ensure_claim(self, manifest: Json, owner: str) -> bool:
        """Create a claim, unless that is done. False: there is one of that name, and it is somebody else's."""
        path = _claims_path(manifest["metadata"]["namespace"])
        try:
            await self.api.post(path, manifest, {"fieldValidation": "Strict"})
        except Conflict:
            found = await self.api.get(f"{path}/{manifest['metadata']['name']}")
            return owner in _owners(found)
        return True

    async def delete_claim(self, namespace: str, name: str, owner: str) -> None:
        """Delete a claim that was made for a task; nothing happens if there is none, or it is somebody else's."""
        path = f"{_claims_path(namespace)}/{name}"
        try:
            found = await self.api.get(path)
            if owner in _owners(found):
                await self.api.delete(path, _delete_options(found["metadata"]["uid"]))
        except Missing:
            return

    async def read_job(self, namespace: str, name: str) -> Json:
        """The Job of that name, whoever owns it. Raises `Missing`."""
        body = await self.api.get(_job_path(namespace, name))
        self.jobs.apply(body)
        return body

    async def set_job_suspended(self, namespace: str, action: SetJobSuspended) -> None:
        """Set `spec.suspend` of exactly the version that was seen. Raises `Conflict` if it is another by now."""
        body = {
            "metadata": {"uid": action.uid, "resourceVersion": action.resource_version},
            "spec": {"suspend": action.suspend},
        }
        self.jobs.apply(await self.api.patch(_job_path(namespace, action.name), body, "merge-patch"))

    async def delete_job(self, namespace: str, action: DeleteJob) -> None:
        """Delete it in the foreground, if it is still that one. Nothing happens if it is gone."""
        options = {**_delete_options(action.uid), "propagationPolicy": "Foreground"}
        try:
            answer = await self.api.delete(_job_path(namespace, action.name), options)
        except Missing:
            self.jobs.forget(namespace, action.name, action.uid)
        else:
            if answer.get("kind") == "Job":
                self.jobs.apply(answer)

    async def delete_pod(self, namespace: str, action: DeletePod) -> None:
        """Delete a pod, if it is still that one; at once and unconfirmed if forced. Nothing happens if it is gone.

        One that its Job still keeps, and of which nobody has said how it ended, is told to have failed: the Job waits
        for that before it makes another one, and the kubelet that would say so is lost.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{action.name}"
        options = _delete_options(action.uid) | ({"gracePeriodSeconds": 0} if action.force else {})
        try:
            answer = await self.api.delete(path, options)
            if action.force and _is_kept_at_work(answer):
                answer = await self.api.patch(f"{path}/status", _failed(action.uid), "strategic-merge-patch")
        except Missing:
            self.pods.forget(namespace, action.name, action.uid)
        else:
            if answer.get("kind") == "Pod":
                self.pods.apply(answer)

    async def list_pods(self, selector: str, namespace: str | None = None) -> list[ObservedPod]:
        """Pods by label as they are now, to the last page; of all namespaces without one."""
        path = PODS_PATH if namespace is None else f"/api/v1/namespaces/{namespace}/pods"
        found: list[ObservedPod] = []
        async for page in self.api.pages(path, {"labelSelector": selector}):
            found += [record for item in page["items"] if (record := pod_record(item)) is not None]
        return found

    async def read_pod(self, namespace: str, name: str) -> Json | None:
        """A pod as it is now, by a list, because that is what we may do. None if there is none of that name."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        async for page in self.api.pages(path, {"fieldSelector": f"metadata.name={name}"}):
            for item in page["items"]:
                found: Json = item
                return found
        return None

    async def job_troubles(self, job: ObservedJob) -> tuple[Trouble, ...]:
        """What the warning events of a Job complain about, the latest last."""
        path = f"/api/v1/namespaces/{job.namespace}/events"
        query = {"fieldSelector": f"involvedObject.kind=Job,involvedObject.uid={job.uid}"}
        events = [event async for page in self.api.pages(path, query) for event in page["items"]]
        events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return tuple(trouble for event in events if (trouble := event_trouble(event)) is not None)

    async def node_is_lost(self, name: str) -> bool:
        """Whether a node is gone, or its kubelet is not known to be well."""
        try:
            return not node_is_ready(await self.api.get(f"/api/v1/nodes/{name}"))
        except Missing:
            return True

    async def ensure_worker_access(self, namespace: str) -> None:
        """Let the pods of a namespace write checkpoints: bind the one role, unless that is done."""
        path = f"{_RBAC}/namespaces/{namespace}/rolebindings"
        try:
            await self.api.get(f"{path}/{names.WORKER_ROLE}")
        except Missing:
            try:
                await self.api.post(path, _worker_binding(namespace))
            except Conflict:  # somebody was quicker, or was not: it is looked at, not assumed
                await self.api.get(f"{path}/{names.WORKER_ROLE}")

    async def missing_guards(self) -> list[str]:
        """What is not there of the resource, the admission policies and bindings that do refuse.

        Without the resource there is nothing to do; without each of the others, workers could write anything.
        """
        missing = []
        try:
            await self.api.get(TASKS_PATH, {"limit": "1"})
        except (NotServed, Missing):
            missing.append(f"customresourcedefinitions/{names.CRD_NAME}")
        for kind in (_POLICIES, _BINDINGS):
            for name in (names.STATUS_POLICY, names.TEMPLATE_POLICY):
                try:
                    guard = await self.api.get(f"{_ADMISSION}/{kind}/{name}")
                except Missing:
                    missing.append(f"{kind}/{name}")
                else:
                    if kind == _BINDINGS and "Deny" not in guard["spec"].get("validationActions", ()):
                        missing.append(f"{kind}/{name} with validationActions: [Deny]")
        return missing

    async def is_discoverable(self) -> bool:
        """Whether discovery shows the resource, too. It lags behind, and kopf asks it once and for all."""
        groups = await self.api.get("/apis")
        if all(group["name"] != names.GROUP for group in groups["groups"]):
            return False
        try:
            version = await self.api.get(f"/apis/{names.API_VERSION}")
        except (NotServed, Missing):
            return False
        return any(resource["name"] == names.PLURAL for resource in version["resources"])

    async def post_event(self, namespace: str, event: Json) -> None:
        """Post a core/v1 Event."""
        await self.api.post(f"/api/v1/namespaces/{namespace}/events", event)


def _task_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}/{name}"


def _job_path(namespace: str, name: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"


def _claims_path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"


def _owners(body: Json) -> list[str]:
    return [owner["uid"] for owner in body["metadata"].get("ownerReferences") or ()]


def _delete_options(uid: str) -> Json:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}


def _is_kept_at_work(pod: Json) -> bool:
    """Whether a pod is still there after its deletion, and may be at work for all that is known."""
    kept = bool((pod.get("metadata") or {}).get("finalizers"))
    return kept and (pod.get("status") or {}).get("phase") not in {PodPhase.SUCCEEDED, PodPhase.FAILED}


def _failed(uid: str) -> Json:
    """What Kubernetes itself says of the pods of a node that is gone; a disruption, which uses no retry."""
    message = "the node is lost: nobody knows whether the containers still run"
    disruption = {"type": "DisruptionTarget", "status": "True", "reason": names.Reason.NODE_LOST, "message": message}
    return {"metadata": {"uid": uid}, "status": {"phase": "Failed", "conditions": [disruption]}}


def _worker_binding(namespace: str) -> Json:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": names.WORKER_ROLE, "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY}},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": names.WORKER_ROLE},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}],
    }
