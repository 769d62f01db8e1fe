"""The Job of one attempt: the user's template as written, and what an attempt needs around it.

A plain dict in and out: the template is never narrowed by a client model, so a field that is newer than this
code goes through, and a misspelt one is refused by the API server. It must not know whether a Job exists.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from longtask.api import names

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_GRACE_PERIOD_SECONDS = 600
"""Kubernetes' 30 s are meant for servers; a batch and a save may take minutes."""

_SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)


def template_hash(template: Mapping[str, Any]) -> str:
    """A short stable hash of the template: 16 hexadecimal digits, equal for equal content in any order of keys."""
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()[:16]


def secrets_inline(template: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of environment variables that look like secrets and have a plain value; sorted, each once."""
    spec = _object(template.get("spec"))
    containers = [*_objects(spec.get("containers")), *_objects(spec.get("initContainers"))]
    found = {
        str(env.get("name"))
        for container in containers
        for env in _objects(container.get("env"))
        if env.get("value") and _SECRET_NAME.search(str(env.get("name", "")))
    }
    return tuple(sorted(found))


def job_manifest(body: Mapping[str, Any], *, attempt: int, failures_before: int, backoff_limit: int) -> dict[str, Any]:
    """The Job for an attempt of the task in `body` (as the API server has it), with `backoff_limit` retries left."""
    metadata = body["metadata"]
    template = copy.deepcopy(body["spec"]["template"])
    labels = {
        names.LABEL_TASK_UID: metadata["uid"],
        names.LABEL_TASK_NAME: metadata["name"],
        names.LABEL_ATTEMPT: str(attempt),
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
    }
    worker = _prepare_pod(template, labels, metadata, attempt)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.job_name(metadata["name"], metadata["uid"], attempt),
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {
                names.ANNOTATION_TEMPLATE_HASH: template_hash(body["spec"]["template"]),
                names.ANNOTATION_FAILURES_BEFORE: str(failures_before),
            },
            "ownerReferences": [_owner(metadata)],
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": backoff_limit,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules(worker)},
            "template": template,
        },
    }


def _owner(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _failure_rules(worker: str) -> list[dict[str, Any]]:
    """Disruptions first, so that a worker that is being evicted can't fail the Job for good, whatever it exits with."""
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "Ignore", "onExitCodes": _exit_code(worker, names.EXIT_SAVED)},
        {"action": "FailJob", "onExitCodes": _exit_code(worker, names.EXIT_NEVER_RETRY)},
    ]


def _exit_code(worker: str, code: int) -> dict[str, Any]:
    return {"containerName": worker, "operator": "In", "values": [code]}


def _prepare_pod(template: dict[str, Any], labels: Mapping[str, str], metadata: Mapping[str, Any], attempt: int) -> str:
    """Fill in what the template leaves open, add identity and access to the worker's container; return its name."""
    pod_metadata = template.setdefault("metadata", {})
    pod_metadata["labels"] = {**(pod_metadata.get("labels") or {}), **labels}
    spec = template["spec"]
    spec.setdefault("restartPolicy", "Never")
    spec.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_PERIOD_SECONDS)
    spec.setdefault("automountServiceAccountToken", False)
    if _may_share_processes(spec):
        spec.setdefault("shareProcessNamespace", True)
    containers: list[dict[str, Any]] = spec["containers"]
    for container in (*containers, *_objects(spec.get("initContainers"))):
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    worker = worker_container(containers)
    worker["env"] = _with_more(worker.get("env"), *_environment(worker, spec, metadata, attempt))
    mount = {"name": names.ACCESS_VOLUME, "mountPath": names.ACCESS_MOUNT_PATH, "readOnly": True}
    worker["volumeMounts"] = _with_more(worker.get("volumeMounts"), mount)
    spec["volumes"] = _with_more(spec.get("volumes"), _access_volume())
    return str(worker.get("name", ""))


def _with_more(written: object, *more: dict[str, Any]) -> object:
    """What the template says and more. What is no list stays as it was written: the API server refuses it best."""
    return [*written, *more] if isinstance(written, list) else written or list(more)


def queue_of(template: Mapping[str, Any]) -> str | None:
    """The Kueue queue that the pods' labels ask for."""
    labels = _object(_object(template.get("metadata")).get("labels"))
    return labels.get(names.LABEL_KUEUE_QUEUE) or None


def _object(written: object) -> dict[str, Any]:
    """What should be an object; nothing is in anything else."""
    return written if isinstance(written, dict) else {}


def _objects(written: object) -> list[dict[str, Any]]:
    """The objects of what should be a list of objects; nothing else of a template has been looked at by anybody yet."""
    return [item for item in written if isinstance(item, dict)] if isinstance(written, list) else []


def _may_share_processes(spec: Mapping[str, Any]) -> bool:
    """Whether the pod's containers may share a PID namespace, so that the worker is not PID 1.

    The kernel drops signals that PID 1 has no handler for, and the kubelet sends SIGTERM once. So a worker that is
    asked to stop while it starts up would never know, work on for its whole grace period, and be killed without having
    saved: seen in one of four quick toggles on a busy node. A program that handles no signals would outlive it too.

    Only a worker that is alone: a sidecar would see into its processes, and with them its token and variables. And
    only where Kubernetes allows it.
    """
    sidecars = [item for item in _objects(spec.get("initContainers")) if item.get("restartPolicy")]
    alone = len(spec["containers"]) == 1 and not sidecars
    return alone and not spec.get("hostPID") and spec.get("os") != {"name": "windows"}


def worker_container(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """The container named `worker`, or else the first."""
    named = (container for container in containers if container.get("name") == names.WORKER_CONTAINER)
    return next(named, containers[0])


def _environment(
    worker: Mapping[str, Any], spec: Mapping[str, Any], metadata: Mapping[str, Any], attempt: int
) -> list[dict[str, Any]]:
    """Variables of the worker protocol; a name that the template sets itself stays as the user wrote it."""
    own = {str(env.get("name")) for env in _objects(worker.get("env"))}
    values = {
        names.ENV_NAMESPACE: metadata["namespace"],
        names.ENV_NAME: metadata["name"],
        names.ENV_UID: metadata["uid"],
        names.ENV_ATTEMPT: str(attempt),
        names.ENV_GRACE_PERIOD_SECONDS: str(spec["terminationGracePeriodSeconds"]),
    }
    plain: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    pod_uid = {"name": names.ENV_POD_UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    return [env for env in (*plain, pod_uid) if env["name"] not in own]


def _access_volume() -> dict[str, Any]:
    token = {"path": names.ACCESS_TOKEN_FILE, "expirationSeconds": names.ACCESS_TOKEN_SECONDS}
    authority = {
        "name": names.ACCESS_CA_CONFIG_MAP,
        "items": [{"key": names.ACCESS_CA_FILE, "path": names.ACCESS_CA_FILE}],
    }
    sources = [{"serviceAccountToken": token}, {"configMap": authority}]
    return {"name": names.ACCESS_VOLUME, "projected": {"sources": sources}}
