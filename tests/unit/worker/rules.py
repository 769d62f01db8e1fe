"""What a real API server enforces on a worker's write, in a few lines of Python.

The CEL rules of the CRD and the policy on `longtasks/status`, as docs/worker-protocol.md states them. The real ones
are tested on a real server; here they let the worker be tested without one. It must not know HTTP.
"""

from __future__ import annotations

import copy
from typing import Any

Object = dict[str, Any]


class RefusedError(Exception):
    """The write is refused: with this status and these words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def apply_patch(old: Object, operations: list[Object]) -> Object:
    """Return the object after a JSON patch of `test`, `add` and `replace` on object members."""
    new = copy.deepcopy(old)
    for operation in operations:
        *parents, last = operation["path"].removeprefix("/").split("/")
        place = new
        for key in parents:
            place = place[key]
        match operation["op"]:
            case "test":
                if place.get(last) != operation["value"]:
                    raise RefusedError(422, f"testing value {operation['path']} failed")
            case "add" | "replace":
                place[last] = operation["value"]
            case other:
                raise RefusedError(400, f"unknown op {other}")
    return new


def check_policy(old: Object, new: Object, pod_uid: str, attempt: int = 1) -> None:
    """Refuse what the policy on the status of a task refuses to a pod of it. `attempt`: the pod's."""
    if old["status"]["attempt"] != attempt:
        raise RefusedError(403, "the pod is not of the current attempt of this task")
    if new.get("status", {}).get("checkpoint", {}).get("holder") != pod_uid:
        raise RefusedError(403, "checkpoint.holder must be the UID of the pod that the token is bound to")
    if old["status"]["state"] in {"Complete", "Terminated"}:
        raise RefusedError(403, "the task is in a final state")
    mine = {"progress", "checkpoint"}
    for side, other in ((old["status"], new["status"]), (new["status"], old["status"])):
        for key in side.keys() - mine:
            if key not in other or other[key] != side[key]:
                raise RefusedError(403, f"a worker must not change status.{key}")


def check_rules(old: Object, new: Object) -> None:
    """Refuse what the CEL rules at the root of the CRD refuse."""
    was, now = old["status"].get("checkpoint"), new["status"].get("checkpoint")
    if now is None:
        if was is not None:
            raise RefusedError(422, "a checkpoint must not be removed")
        return
    _check_schema(now)
    if was is None or was["epoch"] != now["epoch"]:
        _check_claim(was, now, new)
    elif was != now and was["sequence"] != now["sequence"]:
        same = all(was[key] == now[key] for key in ("holder", "attempt"))
        if not (same and now["sequence"] > was["sequence"] and now["cause"] != "Claim"):
            raise RefusedError(422, "a save must keep epoch, holder and attempt, and have a greater sequence")
    elif was != now:
        same = all(was[key] == now[key] for key in ("holder", "attempt", "cause", "time"))
        if not (same and now["data"] == "" and new["status"]["state"] == "Terminated"):
            raise RefusedError(422, "a checkpoint must not change without a greater sequence")


def _check_claim(was: Object | None, now: Object, new: Object) -> None:
    base = was or {"epoch": 0, "sequence": 0, "data": ""}
    follows = now["epoch"] == base["epoch"] + 1 and now["cause"] == "Claim"
    if not (follows and all(now[key] == base[key] for key in ("sequence", "data"))):
        raise RefusedError(422, "a claim must raise epoch by exactly 1 and leave sequence and data as they are")
    if now["attempt"] != new["status"]["attempt"]:
        raise RefusedError(422, "a claim must be made for the current attempt")
    if new["spec"]["desiredState"] != "Run":
        raise RefusedError(422, "a claim must wait until spec.desiredState is Run")


def _check_schema(checkpoint: Object) -> None:
    kinds = {"epoch": int, "holder": str, "attempt": int, "sequence": int, "cause": str, "time": str, "data": str}
    if set(checkpoint) != set(kinds) or not all(isinstance(checkpoint[key], kind) for key, kind in kinds.items()):
        raise RefusedError(422, "status.checkpoint: a field is missing or of the wrong type")
    if len(checkpoint["data"]) > 32_768:
        raise RefusedError(422, "status.checkpoint.data: Too long: may not be more than 32768 bytes")
    if checkpoint["cause"] not in {"Claim", "Interval", "Stop", "Done"}:
        raise RefusedError(422, "status.checkpoint.cause: Unsupported value")
