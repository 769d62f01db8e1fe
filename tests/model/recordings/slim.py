"""What is kept of a version of an object: the fields that the simulators know, with small names and relative times.

A recording is read by people, and lives as long as the repository. So objects are called `job-1`, `pod-2` in the order
in which they appeared, times are seconds since the recording began, and what is empty is left out. It must not know
what the simulators make of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.e2e.support.client import Body

SHORT: Final = {
    "batch.kubernetes.io/job-tracking": "job-tracking",
    "foregroundDeletion": "foregroundDeletion",
    "orphan": "orphan",
}
"""Finalizers, by the names they have here; others are kept as they are."""
POD_CONDITIONS: Final = frozenset({"DisruptionTarget"})
WORKER: Final = "worker"


@dataclass
class Slimmer:
    """One recording's names and clock. `start`: seconds since 1970 that are called 0."""

    start: float
    _names: dict[str, str] = field(default_factory=dict)
    _count: Counter[str] = field(default_factory=Counter)

    def name(self, kind: str, uid: str) -> str:
        """What an object is called in this recording: its kind and the how-many-th of that kind it is."""
        if uid not in self._names:
            self._count[kind] += 1
            self._names[uid] = f"{kind.lower().removeprefix('long')}-{self._count[kind]}"
        return self._names[uid]

    def slim(self, kind: str, body: Body) -> Body:
        """The fields of one version that matter, without those that are empty."""
        metadata = body["metadata"]
        kept = {
            "name": self.name(kind, metadata["uid"]),
            "owner": [self.name(owner["kind"], owner["uid"]) for owner in metadata.get("ownerReferences", [])],
            "finalizers": [SHORT.get(finalizer, finalizer) for finalizer in metadata.get("finalizers", [])],
            "deletion": self._deletion(metadata),
            **(self._job(body) if kind == "Job" else self._pod(body) if kind == "Pod" else {}),
        }
        return _filled(kept)

    def _deletion(self, metadata: Body) -> Body:
        if "deletionTimestamp" not in metadata:
            return {}
        grace = metadata.get("deletionGracePeriodSeconds", 0)
        return {"time": self._seconds(metadata["deletionTimestamp"]), "grace": grace}

    def _job(self, body: Body) -> Body:
        spec, status = body["spec"], body.get("status", {})
        uncounted = status.get("uncountedTerminatedPods") or {}
        return {
            "suspend": spec.get("suspend") or None,
            "backoffLimit": spec["backoffLimit"],
            "status": _filled(
                {
                    **{count: status.get(count) for count in ("active", "ready", "terminating", "succeeded", "failed")},
                    "uncounted": _filled(
                        {how: [self.name("Pod", uid) for uid in uncounted.get(how) or []] for how in uncounted}
                    ),
                    "conditions": _conditions(status),
                    "started": self._seconds(status.get("startTime")),
                }
            ),
        }

    def _pod(self, body: Body) -> Body:
        status = body.get("status", {})
        container: Body = next((c for c in status.get("containerStatuses", []) if c["name"] == WORKER), {})
        return {
            "node": body["spec"].get("nodeName"),
            "phase": status.get("phase"),
            "reason": status.get("reason"),
            "conditions": _conditions(status, POD_CONDITIONS),
            "container": self._container(container.get("state", {})),
        }

    def _container(self, state: Body) -> Body:
        if ended := state.get("terminated"):
            return {"exit": ended["exitCode"], "ended": self._seconds(ended.get("finishedAt"))}
        return _filled({"running": "running" in state or None})

    def _seconds(self, stamp: str | None) -> float | None:
        if not stamp:
            return None
        return round(datetime.fromisoformat(stamp).timestamp() - self.start, 3)


def _conditions(status: Body, kinds: frozenset[str] | None = None) -> dict[str, str]:
    """Conditions as `{type: "status reason"}`, in the order in which they were added."""
    return {
        condition["type"]: f"{condition['status']} {condition.get('reason', '')}".strip()
        for condition in status.get("conditions") or []
        if kinds is None or condition["type"] in kinds
    }


def _filled(fields: Body) -> Body:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
