"""The image of the sidecar: what the settings say, or else the image that this operator itself runs from.

Its own pod tells it, so that whoever installs the operator from another registry has to say so in one place only.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from longtask.api.names import OPERATOR_CONTAINER
from longtask.core.sidecar import SidecarImage

if TYPE_CHECKING:
    from longtask.shell.cluster import Cluster
    from longtask.shell.settings import Settings

_log = logging.getLogger(__name__)


async def find_sidecar_image(cluster: Cluster, settings: Settings) -> SidecarImage | None:
    """The image, and all else that is said of sidecars; None where nobody can tell, as outside of a cluster.

    Raises `ApiError` for a pod that can't be read now.
    """
    image, pull_policy = settings.sidecar_image, str(settings.sidecar_pull_policy)
    if not image and settings.pod_name:
        image, pull_policy = await _own_image(cluster, settings)
    if not image:
        _log.warning("no image for sidecars: tasks with spec.checkpoint.file can't run (LONGTASK_SIDECAR_IMAGE)")
        return None
    return SidecarImage(
        name=image,
        pull_policy=pull_policy,
        cpu=settings.sidecar_cpu,
        memory=settings.sidecar_memory,
        memory_limit=settings.sidecar_memory_limit,
    )


async def _own_image(cluster: Cluster, settings: Settings) -> tuple[str, str]:
    """As written in the pod: a node that has pulled a tag for us has it for the sidecar, too."""
    body = await cluster.read_pod(settings.pod_namespace, settings.pod_name)
    containers: list[dict[str, Any]] = [] if body is None else body["spec"]["containers"]
    own: dict[str, Any] = next((c for c in containers if c["name"] == OPERATOR_CONTAINER), {})
    return own.get("image", ""), own.get("imagePullPolicy") or settings.sidecar_pull_policy
