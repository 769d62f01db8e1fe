"""Where a task's versions are kept besides its status, as its pods see it: a volume, or an object store.

It must not know what a pod is for: a worker, a sidecar and a clean-up get the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.api.checkpoint import DEFAULT_KEEP
from longtask.core.sidecar import with_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    from longtask.api.checkpoint import CheckpointSpec


def add_vault(spec: dict[str, Any], metadata: Mapping[str, Any], checkpoint: CheckpointSpec) -> list[dict[str, Any]]:
    """Put the volume of the checkpoints into a pod's spec; the mounts by which a container has it. None without one."""
    if checkpoint.volume is None:
        return []
    claim = checkpoint.volume.claim_name or names.claim_name(metadata["name"], metadata["uid"])
    volume = {"name": names.VAULT_VOLUME, "persistentVolumeClaim": {"claimName": claim}}
    spec["volumes"] = with_more(spec.get("volumes"), volume)
    return [{"name": names.VAULT_VOLUME, "mountPath": names.VAULT_MOUNT_PATH}]


def vault_variables(metadata: Mapping[str, Any], checkpoint: CheckpointSpec) -> dict[str, str]:
    """The variables that say where the task's versions are, and how many are kept. None without such a place."""
    keep = {names.ENV_CHECKPOINT_KEEP: str(checkpoint.keep or DEFAULT_KEEP)}
    if checkpoint.object_store is not None:
        return {names.ENV_CHECKPOINT_STORE: f"{checkpoint.object_store.url.rstrip('/')}/{metadata['uid']}", **keep}
    if checkpoint.volume is not None:
        return {names.ENV_CHECKPOINT_VOLUME: f"{names.VAULT_MOUNT_PATH}/{metadata['uid']}", **keep}
    return {}


def secret_sources(checkpoint: CheckpointSpec) -> list[dict[str, Any]]:
    """The Secret with the access to an object store, for the variables of whatever container saves."""
    store = checkpoint.object_store
    return [] if store is None or store.secret_name is None else [{"secretRef": {"name": store.secret_name}}]
