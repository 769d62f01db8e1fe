"""One call for each action of a plan, in the plan's order, stopping at the first that does not succeed.

Raises `Outdated` when the world is no longer as the plan expects: then look again. `Unavailable` passes through: the
outcome of that write is not known, so it is looked at again, never assumed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, assert_never

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.api.status import State
from longtask.core.actions import (
    CreateCleanup,
    CreateJob,
    DeleteClaim,
    DeleteJob,
    DeletePod,
    DeleteTask,
    SetFinalizer,
    SetJobSuspended,
    WriteStatus,
)
from longtask.core.claim import claim_manifest
from longtask.core.cleanup_job import cleanup_job
from longtask.core.job import job_manifest
from longtask.core.observed import Trouble
from longtask.shell.errors import ApiError, Conflict, Forbidden, Missing, Outdated, Refused, Unavailable
from longtask.shell.patch import finalizer_patch, status_patch
from longtask.shell.slim import job_record

if TYPE_CHECKING:
    from longtask.core.actions import Action
    from longtask.core.observed import ObservedTask
    from longtask.core.sidecar import SidecarImage
    from longtask.shell.cluster import Cluster

Json = dict[str, Any]

_NO_SIDECAR = Trouble(
    reason=Reason.NO_SIDECAR_IMAGE,
    message="spec.checkpoint.file needs a sidecar, and this operator does not know its own image: whoever runs it must"
    " set LONGTASK_SIDECAR_IMAGE (in a cluster its pod tells it)",
    only_a_person_can_help=True,
)


_CLAIM_TAKEN = Trouble(
    reason=Reason.NAME_TAKEN,
    message="a PersistentVolumeClaim of the name that spec.checkpoint.volume.claimTemplate needs exists and does not"
    " belong to this task: delete it if it is not needed, or use it as claimName",
    only_a_person_can_help=True,
)


class Executor:
    """Carries out actions in one cluster."""

    def __init__(self, cluster: Cluster, sidecar: SidecarImage | None = None) -> None:
        """`sidecar`: what saves for programs that can't do so themselves; None: nobody knows where to get it."""
        self._cluster = cluster
        self.sidecar = sidecar
        self._access_seen_for: dict[str, str] = {}
        """By namespace: UID of a task for which workers' access was there. While it lives, so does the namespace."""

        self._shows_access: dict[str, str] = {}
        """The same by UID of the task, so that nothing is kept of namespaces whose tasks are gone."""

        self._unanswered: dict[str, str] = {}
        """By UID of the task: name of the Job whose last write was not answered."""

    async def look_again(self, task: ObservedTask) -> None:
        """Read the task's Job live if a write to it was not answered: the copy may be behind what was carried out.

        Without this, a Job that was resumed by such a write would still look suspended, and prove a suspension that is
        not one. Raises `ApiError` while it can't be read: nothing is decided until then.
        """
        name = self._unanswered.get(task.uid)
        if name is None:
            return
        with contextlib.suppress(Missing):
            await self._cluster.read_job(task.namespace, name)
        del self._unanswered[task.uid]

    def forget(self, uid: str) -> None:
        """Keep nothing of a task that is gone."""
        self._unanswered.pop(uid, None)
        namespace = self._shows_access.pop(uid, "")
        if self._access_seen_for.get(namespace) == uid:
            del self._access_seen_for[namespace]

    async def execute(self, task: ObservedTask, action: Action, *, confirmed: bool = False) -> Trouble | None:
        """Carry it out. The result is what the API server refused, in its own words; None: it is done.

        `confirmed`: the same plan has just written the task's status. The server does that only where UID, generation
        and attempt are as expected (see patch.py), and a deletion would be another generation: so the answer says all
        that a live read would.
        """
        try:
            return await self._do(task, action, confirmed=confirmed)
        except Conflict as conflict:
            message = f"{type(action).__name__}: {conflict}"
            raise Outdated(message) from conflict
        except Unavailable:
            if isinstance(action, CreateJob | SetJobSuspended | DeleteJob | CreateCleanup):
                self._unanswered[task.uid] = action.name
            raise
        except Refused as refusal:
            return refusal_trouble(refusal, action)

    async def _do(self, task: ObservedTask, action: Action, *, confirmed: bool) -> Trouble | None:
        match action:
            case WriteStatus() | SetFinalizer() | DeleteTask():
                await self._do_to_task(task, action)
            case CreateJob():
                return await self._create_job(task, action)
            case SetJobSuspended():
                await self._set_job_suspended(task, action, confirmed=confirmed)
            case DeleteJob():
                await self._cluster.delete_job(task.namespace, action)
            case DeletePod():
                await self._cluster.delete_pod(task.namespace, action)
            case CreateCleanup():
                return await self._create_cleanup(task)
            case DeleteClaim(name=name):
                await self._cluster.delete_claim(task.namespace, name, task.uid)
            case _:
                assert_never(action)
        return None

    async def _do_to_task(self, task: ObservedTask, action: WriteStatus | SetFinalizer | DeleteTask) -> None:
        match action:
            case WriteStatus():
                await self._write_status(task, action)
            case SetFinalizer(present=present):
                await self._set_finalizer(task, present=present)
            case DeleteTask():
                await self._cluster.delete_task(task, action)

    async def _write_status(self, task: ObservedTask, action: WriteStatus) -> None:
        operations = status_patch(task, action)
        if not operations:
            return
        try:
            await self._cluster.patch_status(task, operations)
        except Missing:
            raise self._gone(task) from None
        except Forbidden as refusal:
            raise _not_about_the_job(refusal) from refusal
        except Refused as refusal:
            if await self._cluster.read_task(task) is None:
                raise self._gone(task) from None
            if refusal.details.get("causes"):  # a rule of the CRD: the words of whoever wrote the rule matter
                raise _not_about_the_job(refusal) from refusal
            raise Outdated(f"the status was not as expected: {refusal}") from refusal  # a `test` of the patch

    async def _create_job(self, task: ObservedTask, action: CreateJob) -> Trouble | None:
        if task.keeps_file and self.sidecar is None:
            return _NO_SIDECAR
        body = await self._still_wanted(task)
        manifest = job_manifest(
            body,
            attempt=action.attempt,
            failures_before=action.failures_before,
            backoff_limit=action.backoff_limit,
            start_over=action.start_over,
            sidecar=self.sidecar,
        )
        try:
            await self._ensure_access(task, look=action.attempt > 1)
            if (claim := claim_manifest(body)) is not None and not await self._cluster.ensure_claim(claim, task.uid):
                return _CLAIM_TAKEN
            return await self._post_job(task, manifest)
        except Missing as missing:
            raise Outdated(f"the namespace is gone: {missing}") from missing
        except Refused as refusal:
            if "NamespaceTerminating" in refusal.causes:
                raise Outdated("the namespace is being deleted") from refusal
            raise

    async def _post_job(self, task: ObservedTask, manifest: Json) -> Trouble | None:
        try:
            await self._cluster.create_job(manifest)
        except Conflict:
            return await self._look_at_namesake(task, manifest["metadata"]["name"])
        return None

    async def _set_finalizer(self, task: ObservedTask, *, present: bool) -> None:
        """Leave those of others as they are: the list is read live, and written over that very version."""
        body = await self._cluster.read_task(task)
        if body is None:
            raise self._gone(task)
        operations = finalizer_patch(body, present=present)
        try:
            if operations:
                await self._cluster.patch_task(task, operations)
        except Missing:
            raise self._gone(task) from None
        except Refused as refusal:
            raise Outdated(f"the task was changed: {refusal}") from refusal  # a `test` of the patch

    async def _create_cleanup(self, task: ObservedTask) -> Trouble | None:
        """With the task and its checkpoint read live: what is cleaned up is what was really saved last."""
        if task.keeps_file and self.sidecar is None:
            return _NO_SIDECAR
        body = await self._cluster.read_task(task)
        if body is None:
            raise self._gone(task)
        over = "deletionTimestamp" in body["metadata"] or body["spec"]["desiredState"] == DesiredState.TERMINATE
        over = over and body["status"]["state"] != State.TERMINATED  # then it has run: our copy was behind
        if not over or body["spec"].get("cleanup") is None or body["metadata"]["generation"] != task.generation:
            raise Outdated("the task was changed")
        try:
            return await self._post_job(task, cleanup_job(body, sidecar=self.sidecar))
        except Missing as missing:
            raise Outdated(f"the namespace is gone: {missing}") from missing
        except Refused as refusal:
            if "NamespaceTerminating" in refusal.causes:
                return Trouble(reason=Reason.NAMESPACE_TERMINATING, message=refusal.message)
            raise

    async def _set_job_suspended(self, task: ObservedTask, action: SetJobSuspended, *, confirmed: bool) -> None:
        if not action.suspend and not confirmed:
            await self._still_wanted(task)
        try:
            await self._cluster.set_job_suspended(task.namespace, action)
        except Missing as missing:
            raise Outdated(f"the Job is gone: {missing}") from missing
        except Conflict:
            await self._cluster.read_job(task.namespace, action.name)
            raise

    async def _still_wanted(self, task: ObservedTask) -> Json:
        """The task, read live: nothing is started for one that is gone or has been changed meanwhile."""
        body = await self._cluster.read_task(task)
        if body is None:
            raise self._gone(task)
        spec, metadata = body["spec"], body["metadata"]
        if "deletionTimestamp" in metadata or spec["desiredState"] != DesiredState.RUN:
            raise Outdated("the task is not to run any more")
        if metadata["generation"] != task.generation or body["status"]["attempt"] != task.status.attempt:
            raise Outdated("the task was changed")
        return body

    def _gone(self, task: ObservedTask) -> Outdated:
        self._cluster.tasks.remove(task.uid)
        return Outdated("the task is gone")

    async def _ensure_access(self, task: ObservedTask, *, look: bool) -> None:
        """Once for a namespace; again if it may have been deleted and made anew since.

        Always where an attempt has not been enough: what it failed of may be that somebody has removed the access.
        """
        seen_for = self._access_seen_for.get(task.namespace)
        if look or seen_for is None or self._cluster.tasks.get(seen_for) is None:
            await self._cluster.ensure_worker_access(task.namespace)
            self._access_seen_for[task.namespace] = task.uid
            self._shows_access[task.uid] = task.namespace

    async def _look_at_namesake(self, task: ObservedTask, name: str) -> Trouble | None:
        """A Job of that name exists: ours, from a write whose answer was lost, or one that is left alone."""
        try:
            body = await self._cluster.read_job(task.namespace, name)
        except Missing as missing:
            raise Outdated(f"the Job came and went: {missing}") from missing
        found = job_record(body)
        if found is not None and found.task_uid == task.uid:
            return None
        message = f"Job {name} exists and does not belong to this task: delete it if it is not needed"
        return Trouble(reason=Reason.NAME_TAKEN, message=message, only_a_person_can_help=True)


def _not_about_the_job(refusal: Refused) -> ApiError:
    """A status that can't be written can't tell the user so, either: this is for the log, and to try again."""
    return ApiError(f"the status can't be written: {refusal}", status=refusal.status, details=refusal.details)


_REFUSED_TO = {
    CreateJob: "create the Job",
    DeleteJob: "delete the Job",
    DeletePod: "delete the pod",
    DeleteTask: "delete the task",
    CreateCleanup: "create the Job of the clean-up",
    DeleteClaim: "delete the claim of the checkpoints' volume",
    SetFinalizer: "set or remove the task's finalizer",
}


def refusal_trouble(refusal: Refused, action: Action) -> Trouble:
    """What the server refused, in its own words."""
    reason = Reason.JOB_REFUSED
    if isinstance(refusal, Forbidden):
        reason = Reason.QUOTA_EXCEEDED if "exceeded quota" in refusal.message else Reason.FORBIDDEN
    refused_to = _REFUSED_TO.get(type(action), "suspend or resume the Job")
    message = f"the API server refuses to {refused_to}: {refusal.message}"
    return Trouble(reason=reason, message=message, only_a_person_can_help=True)
