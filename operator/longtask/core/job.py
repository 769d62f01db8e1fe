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
from longtask.api.checkpoint import CheckpointSpec
from longtask.api.suspension import SuspendSpec
from longtask.core.exitcodes import ExitCodes
from longtask.core.sidecar import Access, SidecarImage, add_sidecar, give_access, objects, with_more
from longtask.core.vault import add_vault, secret_sources, vault_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from longtask.core.actions import StartOver

DEFAULT_GRACE_PERIOD_SECONDS = 600
"""Kubernetes' 30 s are meant for servers; a batch and a save may take minutes."""

_ACCESS_MOUNT = {"name": names.ACCESS_VOLUME, "mountPath": names.ACCESS_MOUNT_PATH, "readOnly": True}

_SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)


def template_hash(spec: Mapping[str, Any]) -> str:
    """A short stable hash of what an attempt is made of: the template, how it is saved, and how it is asked to stop.

    16 hexadecimal digits, equal for equal content in any order of keys.
    """
    more = {key: spec[key] for key in ("checkpoint", "suspend") if spec.get(key) is not None}
    made_of = {"template": spec["template"], **more} if more else spec["template"]
    canonical = json.dumps(made_of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()[:16]


def secrets_inline(template: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of environment variables that look like secrets and have a plain value; sorted, each once."""
    spec = _object(template.get("spec"))
    containers = [*objects(spec.get("containers")), *objects(spec.get("initContainers"))]
    found = {
        str(env.get("name"))
        for container in containers
        for env in objects(container.get("env"))
        if env.get("value") and _SECRET_NAME.search(str(env.get("name", "")))
    }
    return tuple(sorted(found))


def job_manifest(
    body: Mapping[str, Any],
    *,
    attempt: int,
    failures_before: int,
    backoff_limit: int,
    start_over: StartOver | None = None,
    sidecar: SidecarImage | None = None,
) -> dict[str, Any]:
    """The Job for an attempt of the task in `body` (as the API server has it), with `backoff_limit` retries left.

    `start_over`: where it begins, if not at the last save.
    `sidecar`: the image of what saves for a program that can't do so itself. Raises ValueError if it is needed and
    missing.
    """
    metadata, spec = body["metadata"], body["spec"]
    checkpoint = CheckpointSpec.model_validate(spec.get("checkpoint") or {})
    suspend = SuspendSpec.model_validate(spec.get("suspend") or {})
    template = copy.deepcopy(spec["template"])
    labels = {
        names.LABEL_TASK_UID: metadata["uid"],
        names.LABEL_TASK_NAME: metadata["name"],
        names.LABEL_ATTEMPT: str(attempt),
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
    }
    pod_metadata = template.setdefault("metadata", {})
    pod_metadata["labels"] = {**(pod_metadata.get("labels") or {}), **labels}
    worker = _prepare_pod(template["spec"])
    who = _identity(metadata, attempt, checkpoint, suspend)
    if start_over is not None:
        who[names.ENV_START_OVER_SEQUENCE] = str(start_over.over)
        if start_over.rewind is not None:
            who[names.ENV_RESTART_SEQUENCE] = str(start_over.rewind)
    mounts = [_ACCESS_MOUNT, *add_vault(template["spec"], metadata, checkpoint)]
    own = worker if checkpoint.file is None else {}  # variables that the template sets itself stay as they are
    access = Access(_environment(own, template["spec"], who), mounts, secret_sources(checkpoint))
    _give_access(template["spec"], worker, access, checkpoint.file, sidecar)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.job_name(metadata["name"], metadata["uid"], attempt),
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": _notes(spec, failures_before, suspend),
            "ownerReferences": [owner_reference(metadata)],
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": backoff_limit,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules(str(worker.get("name", "")), checkpoint)},
            "template": template,
        },
    }


def _notes(spec: Mapping[str, Any], failures_before: int, suspend: SuspendSpec) -> dict[str, str]:
    """What a Job says of the spec that it was made from: a later change of that is seen by it."""
    notes = {
        names.ANNOTATION_TEMPLATE_HASH: template_hash(spec),
        names.ANNOTATION_FAILURES_BEFORE: str(failures_before),
    }
    if suspend.wait_for_batch:
        notes[names.ANNOTATION_WAIT_FOR_BATCH] = str(suspend.limit_seconds)
    if spec.get("restartNonce") is not None:
        notes[names.ANNOTATION_RESTART_NONCE] = str(spec["restartNonce"])
    return notes


def owner_reference(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a Job the task's own, so that it goes with it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _failure_rules(worker: str, checkpoint: CheckpointSpec) -> list[dict[str, Any]]:
    """Disruptions first, so that a worker that is being evicted can't fail the Job for good, whatever it exits with.

    A Job has no rule by which another code than 0 is a success: those end it at once, and `verdict` says what it means.
    """
    codes = ExitCodes.of(checkpoint)
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        _exit_rule("Ignore", worker, codes.interrupted),
        _exit_rule("FailJob", worker, codes.complete | codes.never_retry),
    ]
    if checkpoint.file is not None:
        rules += [
            _exit_rule("Ignore", names.RESTORE_CONTAINER, {names.EXIT_SAVED}),
            _exit_rule("FailJob", names.RESTORE_CONTAINER, {names.EXIT_NEVER_RETRY}),
        ]
    return [rule for rule in rules if rule]


def _exit_rule(action: str, container: str, codes: Iterable[int]) -> dict[str, Any]:
    """A rule for exit codes, which Kubernetes wants in order; nothing without any."""
    values = sorted(codes)
    on = {"containerName": container, "operator": "In", "values": values}
    return {"action": action, "onExitCodes": on} if values else {}


def _prepare_pod(spec: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the template leaves open; return the worker's container."""
    spec.setdefault("restartPolicy", "Never")
    spec.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_PERIOD_SECONDS)
    spec.setdefault("automountServiceAccountToken", False)
    if _may_share_processes(spec):
        spec.setdefault("shareProcessNamespace", True)
    containers: list[dict[str, Any]] = spec["containers"]
    for container in (*containers, *objects(spec.get("initContainers"))):
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    return worker_container(containers)


def _give_access(
    spec: dict[str, Any], worker: dict[str, Any], access: Access, file: str | None, sidecar: SidecarImage | None
) -> None:
    """Identity, token and volume: for the worker's container, or for the sidecar of a program that needs one."""
    if file is None:
        give_access(worker, access)
    elif sidecar is None:
        raise ValueError("a program that keeps its position in a file needs a sidecar")
    else:
        add_sidecar(spec, worker, file=file, image=sidecar, access=access)
    spec["volumes"] = with_more(spec.get("volumes"), _access_volume())


def grace_seconds(template: Mapping[str, Any]) -> int:
    """The seconds that the template leaves between SIGTERM and SIGKILL; ours where it says nothing of use."""
    written = _object(template.get("spec")).get("terminationGracePeriodSeconds")
    return written if type(written) is int and written >= 0 else DEFAULT_GRACE_PERIOD_SECONDS


def queue_of(template: Mapping[str, Any]) -> str | None:
    """The Kueue queue that the pods' labels ask for."""
    labels = _object(_object(template.get("metadata")).get("labels"))
    return labels.get(names.LABEL_KUEUE_QUEUE) or None


def _object(written: object) -> dict[str, Any]:
    """What should be an object; nothing is in anything else."""
    return written if isinstance(written, dict) else {}


def _may_share_processes(spec: Mapping[str, Any]) -> bool:
    """Whether the pod's containers may share a PID namespace, so that the worker is not PID 1.

    The kernel drops signals that PID 1 has no handler for, and the kubelet sends SIGTERM once. So a worker that is
    asked to stop while it starts up would never know, work on for its whole grace period, and be killed without having
    saved: seen in one of four quick toggles on a busy node. A program that handles no signals would outlive it too.

    Only a worker that is alone: a sidecar would see into its processes, and with them its token and variables. (Ours,
    which is added later, may: it knows no more and no less than the pod's own user.) And only where Kubernetes allows
    it.
    """
    sidecars = [item for item in objects(spec.get("initContainers")) if item.get("restartPolicy")]
    alone = len(spec["containers"]) == 1 and not sidecars
    return alone and not spec.get("hostPID") and spec.get("os") != {"name": "windows"}


def worker_container(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """The container named `worker`, or else the first."""
    named = (container for container in containers if container.get("name") == names.WORKER_CONTAINER)
    return next(named, containers[0])


def _identity(
    metadata: Mapping[str, Any], attempt: int, checkpoint: CheckpointSpec, suspend: SuspendSpec
) -> dict[str, str]:
    """The variables that say which task a pod works on, what its checkpoints are, and how it is asked to stop."""
    waits = {names.ENV_WAIT_FOR_BATCH: "1"} if suspend.wait_for_batch else {}
    schema = {} if checkpoint.schema_name is None else {names.ENV_CHECKPOINT_SCHEMA: checkpoint.schema_name}
    return {
        names.ENV_NAMESPACE: metadata["namespace"],
        names.ENV_NAME: metadata["name"],
        names.ENV_UID: metadata["uid"],
        names.ENV_ATTEMPT: str(attempt),
        **schema,
        **waits,
        **vault_variables(metadata, checkpoint),
    }


def _environment(worker: Mapping[str, Any], spec: Mapping[str, Any], who: Mapping[str, str]) -> list[dict[str, Any]]:
    """Variables of the worker protocol; a name that the template sets itself stays as the user wrote it."""
    own = {str(env.get("name")) for env in objects(worker.get("env"))}
    values = {**who, names.ENV_GRACE_PERIOD_SECONDS: str(spec["terminationGracePeriodSeconds"])}
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
