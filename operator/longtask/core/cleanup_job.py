"""The Job that cleans up at a task's end, with what was saved last in a file.

It is no attempt: it claims nothing, saves nothing, and has no token. A plain dict in and out, as in `job`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.api.checkpoint import CheckpointSpec
from longtask.api.cleanup import CleanupSpec
from longtask.core.job import DEFAULT_GRACE_PERIOD_SECONDS, owner_reference, worker_container
from longtask.core.sidecar import Access, SidecarImage, add_unpacking, give_access, objects, with_more
from longtask.core.vault import add_vault, secret_sources, vault_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

ORPHAN_SECONDS = 86_400
"""How long a Job that nobody owns stays, should the operator not be there any more to delete it."""

_OF_WORKERS_ALONE = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def cleanup_job(body: Mapping[str, Any], *, sidecar: SidecarImage | None = None) -> Json:
    """The Job for the task in `body`, as the API server has it. `sidecar`: see `job_manifest`.

    For a task that is being deleted it has no owner: a deletion in the foreground would take it along.
    """
    metadata, spec = body["metadata"], body["spec"]
    cleanup = CleanupSpec.model_validate(spec["cleanup"])
    template = _template(spec, cleanup)
    _give_checkpoint(template, body, sidecar)
    labels = {
        names.LABEL_TASK_UID: metadata["uid"],
        names.LABEL_TASK_NAME: metadata["name"],
        names.LABEL_ATTEMPT: "0",
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
    }
    deleting = "deletionTimestamp" in metadata
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.cleanup_job_name(metadata["name"], metadata["uid"]),
            "namespace": metadata["namespace"],
            "labels": labels,
            **({} if deleting else {"ownerReferences": [owner_reference(metadata)]}),
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": cleanup.backoff_limit,
            "activeDeadlineSeconds": cleanup.active_deadline_seconds,
            **({"ttlSecondsAfterFinished": ORPHAN_SECONDS} if deleting else {}),
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": template,
        },
    }


def _template(spec: Mapping[str, Any], cleanup: CleanupSpec) -> Json:
    """The user's own, or the task's with its worker alone in it, and with another command."""
    if cleanup.template is not None:
        template = copy.deepcopy(cleanup.template)
    else:
        template = copy.deepcopy(spec["template"])
        worker = dict(worker_container(template["spec"]["containers"]))
        for field in _OF_WORKERS_ALONE:
            worker.pop(field, None)
        worker |= {"command": list(cleanup.command or ()), "args": []}
        template["spec"] |= {"containers": [worker], "initContainers": []}
    pod = template["spec"]
    pod["restartPolicy"] = "Never"
    pod.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_PERIOD_SECONDS)
    pod.setdefault("automountServiceAccountToken", False)
    for container in (*pod["containers"], *objects(pod.get("initContainers"))):
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    return template


def _give_checkpoint(template: Json, body: Mapping[str, Any], sidecar: SidecarImage | None) -> None:
    """What was saved last, in a file by way of an annotation: it may be longer than a variable can be.

    A program's own file is put into its place again, for a command that runs where the program ran.
    """
    metadata, pod = body["metadata"], template["spec"]
    data = ((body.get("status") or {}).get("checkpoint") or {}).get("data", "")
    pod_metadata = template.setdefault("metadata", {})
    pod_metadata["labels"] = {**(pod_metadata.get("labels") or {}), names.LABEL_TASK_NAME: metadata["name"]}
    pod_metadata["annotations"] = {**(pod_metadata.get("annotations") or {}), names.ANNOTATION_CHECKPOINT: data}
    source = {
        "path": names.CLEANUP_FILE,
        "fieldRef": {"fieldPath": f"metadata.annotations['{names.ANNOTATION_CHECKPOINT}']"},
    }
    volume = {"name": names.CLEANUP_VOLUME, "downwardAPI": {"items": [source]}}
    pod["volumes"] = with_more(pod.get("volumes"), volume)
    mount = {"name": names.CLEANUP_VOLUME, "mountPath": names.CLEANUP_MOUNT_PATH, "readOnly": True}
    variables = [
        {"name": names.ENV_NAMESPACE, "value": metadata["namespace"]},
        {"name": names.ENV_NAME, "value": metadata["name"]},
        {"name": names.ENV_LAST_CHECKPOINT, "value": f"{names.CLEANUP_MOUNT_PATH}/{names.CLEANUP_FILE}"},
    ]
    checkpoint = CheckpointSpec.model_validate(body["spec"].get("checkpoint") or {})
    variables += [{"name": name, "value": value} for name, value in vault_variables(metadata, checkpoint).items()]
    mounts = [mount, *add_vault(pod, metadata, checkpoint)]
    access = Access(variables, mounts, secret_sources(checkpoint))
    for container in pod["containers"]:
        give_access(container, access)
    if checkpoint.file is not None and data and "template" not in body["spec"]["cleanup"]:
        if sidecar is None:
            raise ValueError("a program that keeps its position in a file needs a sidecar")
        add_unpacking(pod, pod["containers"][0], file=checkpoint.file, image=sidecar, access=access)
