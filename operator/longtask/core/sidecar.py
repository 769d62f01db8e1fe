"""The two containers beside a program that keeps its position in a file: one restores the file, one saves it.

The restoring one is an ordinary init container, so that the program does not start before the file is in its place, and
a task that can't be claimed fails its pod as a worker would. The saving one is a native sidecar (KEP-753, stable since
1.33): the kubelet stops it after the program has ended, whatever ended it, so that SIGTERM means "save for the last
time" to it. It must not know how either does its work, nor whether the program is any good.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from longtask.api import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]


_UNTIL_IT_LISTENS = "n=0; until [ -s /dev/termination-log ] || [ $n -ge 1500 ]; do n=$((n+1)); sleep 0.02; done"
"""The kubelet starts the program when this has ended. The sidecar writes that file as soon as it handles SIGTERM: were
it stopped before, by a program that ends at once, it would never save what that has left behind. (A startup probe would
do, too, but the kubelet asks only once a second.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarImage:
    """Where the worker library comes from that saves for others: the operator's own image."""

    name: str
    pull_policy: str
    cpu: str
    memory: str
    memory_limit: str


class Access(NamedTuple):
    """By what a container takes part: variables, mounts, and sources of further variables."""

    variables: Sequence[Json]
    mounts: Sequence[Json]
    secrets: Sequence[Json]


def add_sidecar(spec: Json, worker: Json, *, file: str, image: SidecarImage, access: Access) -> None:
    """Put both containers into a pod's spec, behind the init containers of the template.

    By `access` they take part as the task's worker. The program itself gets nothing of it: a library in it that would
    claim the task must find that it runs outside of one.
    """
    common = _beside(spec, worker, file, image, access)
    restore = {"name": names.RESTORE_CONTAINER, "command": ["longtask", "sidecar", "restore"], **common}
    save = {
        "name": names.SIDECAR_CONTAINER,
        "command": ["longtask", "sidecar", "save"],
        "restartPolicy": "Always",
        "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", _UNTIL_IT_LISTENS]}}},
        **common,
    }
    spec["initContainers"] = with_more(spec.get("initContainers"), restore, save)


def add_unpacking(spec: Json, worker: Json, *, file: str, image: SidecarImage, access: Access) -> None:
    """Put a container into the pod of a clean-up that puts the saved file into its place, and claims nothing."""
    common = _beside(spec, worker, file, image, access)
    unpack = {"name": names.UNPACK_CONTAINER, "command": ["longtask", "sidecar", "unpack"], **common}
    spec["initContainers"] = with_more(spec.get("initContainers"), unpack)


def _beside(spec: Json, worker: Json, file: str, image: SidecarImage, access: Access) -> Json:
    """What our containers have in common. The program is told where its file is, and shares that place with them."""
    mount = _mount_of(worker, file) or _new_folder(spec, worker, file)
    at = {"name": names.ENV_CHECKPOINT_FILE, "value": file}
    worker["env"] = with_more(worker.get("env"), at)
    return {
        "image": image.name,
        "imagePullPolicy": image.pull_policy,
        "env": [*access.variables, at],
        **({"envFrom": list(access.secrets)} if access.secrets else {}),
        "volumeMounts": [mount, *access.mounts],
        "resources": {
            "requests": {"cpu": image.cpu, "memory": image.memory},
            "limits": {"memory": image.memory_limit},
        },
        "securityContext": _security(spec, worker),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def give_access(container: Json, access: Access) -> None:
    """Let a container take part; what it has already stays."""
    container["env"] = with_more(container.get("env"), *access.variables)
    container["volumeMounts"] = with_more(container.get("volumeMounts"), *access.mounts)
    if access.secrets:
        container["envFrom"] = with_more(container.get("envFrom"), *access.secrets)


def with_more(written: object, *more: Json) -> object:
    """What the template says and more. What is no list stays as it was written: the API server refuses it best."""
    return [*written, *more] if isinstance(written, list) else written or list(more)


def objects(written: object) -> list[Json]:
    """The objects of what should be a list of objects; nothing else of a template has been looked at by anybody yet."""
    return [item for item in written if isinstance(item, dict)] if isinstance(written, list) else []


def _mount_of(worker: Mapping[str, Any], file: str) -> Json | None:
    """The innermost of the worker's mounts that the file is in. It is mounted beside at the same place."""
    path = PurePosixPath(file)
    holding = [
        mount
        for mount in objects(worker.get("volumeMounts"))
        if PurePosixPath(str(mount.get("mountPath"))) in path.parents
    ]
    return max(holding, key=lambda mount: len(PurePosixPath(str(mount["mountPath"])).parts), default=None)


def _new_folder(spec: Json, worker: Json, file: str) -> Json:
    """An empty folder for the time of the pod: what is worth keeping of it is in the checkpoint."""
    mount = {"name": names.FILE_VOLUME, "mountPath": str(PurePosixPath(file).parent)}
    spec["volumes"] = with_more(spec.get("volumes"), {"name": names.FILE_VOLUME, "emptyDir": {}})
    worker["volumeMounts"] = with_more(worker.get("volumeMounts"), mount)
    return mount


def _security(spec: Mapping[str, Any], worker: Mapping[str, Any]) -> Json:
    """What restricted Pod Security asks for, as the worker's own user where the template names one.

    They write each other's file. Where the user is known only to the worker's image, ours is that of our image, and a
    folder that both may write to is needed: an empty folder of the pod is one.
    """
    made: Json = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    levels = [
        level for level in (worker.get("securityContext"), spec.get("securityContext")) if isinstance(level, dict)
    ]
    for key in ("runAsUser", "runAsGroup"):
        value = next((level[key] for level in levels if level.get(key) is not None), None)
        if value is not None:
            made[key] = value
    if made.get("runAsUser") == 0:
        made["runAsNonRoot"] = False
    return made
