"""The claim of a volume that is made for a task's checkpoints: the user's specification as written, and an owner."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.core.job import owner_reference

if TYPE_CHECKING:
    from collections.abc import Mapping


def claim_manifest(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The claim for the task in `body`, as the API server has it; None if it brings its own, or has no volume."""
    metadata, checkpoint = body["metadata"], body["spec"].get("checkpoint") or {}
    template = (checkpoint.get("volume") or {}).get("claimTemplate")
    if template is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.claim_name(metadata["name"], metadata["uid"]),
            "namespace": metadata["namespace"],
            "labels": {names.LABEL_TASK_NAME: metadata["name"], names.LABEL_MANAGED_BY: names.MANAGED_BY},
            "ownerReferences": [owner_reference(metadata)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }
