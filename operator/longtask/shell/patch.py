"""The JSON patch for a status: only what differs, and only over what the decision was made on.

Targeted `test` operations instead of the resource version let a worker save at any rate without ever delaying the
operator; a verdict that rests on the checkpoint tests the version as well. It must not know how a patch is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.api.names import FINALIZER

if TYPE_CHECKING:
    from longtask.core.actions import WriteStatus
    from longtask.core.observed import ObservedTask

Json = dict[str, Any]

_WORKERS = frozenset({"progress", "checkpoint"})


def status_patch(task: ObservedTask, action: WriteStatus) -> list[Json]:
    """Operations that turn the task's status, as it was when the decision was made, into the action's; maybe none."""
    old, new = _ours(task.status.dump()), _ours(action.status.dump())
    changes: list[Json] = [_operation("add", f"/status/{key}", new[key]) for key in new if new[key] != old.get(key)]
    changes += [{"op": "remove", "path": f"/status/{key}"} for key in old if key not in new]
    if action.empty_checkpoint:
        changes.append(_operation("replace", "/status/checkpoint/data", ""))
    if not changes:
        return []
    tests = [
        _operation("test", "/metadata/uid", task.uid),
        _operation("test", "/metadata/generation", task.generation),
        _operation("test", "/status/state", str(task.status.state)),
        _operation("test", "/status/attempt", task.status.attempt),
    ]
    if action.judged:
        tests.append(_operation("test", "/metadata/resourceVersion", task.resource_version))
    return tests + changes


def finalizer_patch(body: Json, *, present: bool) -> list[Json]:
    """Operations that set or remove our finalizer on exactly the version that was read; none if that is so already."""
    metadata = body["metadata"]
    old = list(metadata.get("finalizers") or ())
    new = [name for name in old if name != FINALIZER] + ([FINALIZER] if present else [])
    if present == (FINALIZER in old) or (present and "deletionTimestamp" in metadata):
        return []
    return [
        _operation("test", "/metadata/uid", metadata["uid"]),
        _operation("test", "/metadata/resourceVersion", metadata["resourceVersion"]),
        _operation("add", "/metadata/finalizers", new),
    ]


def _ours(status: Json) -> Json:
    return {key: value for key, value in status.items() if key not in _WORKERS}


def _operation(op: str, path: str, value: object) -> Json:
    return {"op": op, "path": path, "value": value}
