"""Who made a write: told by the API server, never guessed from what was written.

A version names the managers of its fields, and one of them has written just now: its entry is not as it was. All
controllers of the controller manager share one manager's name, and deletions and bindings have none. Those are told by
the audit log: the last request that could have done it and had begun when the version arrived. Without an audit log
they are `kube-controller-manager` and `?`, and the replay lets any actor have done it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.support.client import Body
    from tests.e2e.support.watch import Seen

UNKNOWN: Final = "?"
USER: Final = "user"
CONTROLLERS: Final = "kube-controller-manager"
MANAGERS: Final = {"kubelet": "kubelet", "kube-scheduler": "scheduler", CONTROLLERS: CONTROLLERS}
"""What the fields' managers and the programs' names are called here; whoever else writes is a user."""
RESOURCES: Final = {"Job": "jobs", "Pod": "pods", "LongTask": "longtasks"}
SERVICE_ACCOUNT: Final = "system:serviceaccount:kube-system:"
LATE: Final = 0.005
"""Seconds by which a version may seem to arrive before its request has begun: clocks are read at different times."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A write that the audit log has: when it began, in seconds since 1970, of which program and whose."""

    resource: str
    name: str
    verb: str
    subresource: str
    began: float
    program: str
    who: str

    @property
    def deletes(self) -> bool:
        """Whether it asks for the end of the object: an eviction does, too."""
        return self.verb.startswith("delete") or self.subresource == "eviction"

    @property
    def creates(self) -> bool:
        """Whether it makes the object."""
        return self.verb == "create" and not self.subresource


@dataclass
class Audit:
    """The writes to one namespace that were accepted."""

    requests: list[Request] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, namespace: str) -> Audit:
        """The log at `path`; empty where there is none."""
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        mine = (json.loads(line) for line in lines if f'"namespace":"{namespace}"' in line and line.endswith("}"))
        return cls([_request(entry) for entry in mine if entry.get("responseStatus", {}).get("code", 500) < 400])

    def last(self, seen: Seen, could: Callable[[Request], bool]) -> str:
        """Whose the last request was that could have made this version; UNKNOWN if there is none."""
        target = (RESOURCES[seen.kind], seen.body["metadata"]["name"])
        fits = (
            request
            for request in self.requests
            if request.began <= seen.at + LATE
            and request.resource == target[0]
            and request.name in (target[1], "")  # a name that the server makes up is not in the log
            and could(request)
        )
        last = max(fits, key=lambda request: request.began, default=None)
        return last.who if last else UNKNOWN


def _request(entry: Body) -> Request:
    target = entry["objectRef"]
    program = entry.get("userAgent", "").split("/")[0]
    user: str = entry["user"]["username"]
    account = user.removeprefix(SERVICE_ACCOUNT) if user.startswith(SERVICE_ACCOUNT) else USER
    return Request(
        resource=target["resource"],
        name=target.get("name", ""),
        verb=entry["verb"],
        subresource=target.get("subresource", ""),
        began=datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp(),
        program=program,
        who=account if program == CONTROLLERS else MANAGERS.get(program, USER),
    )


def writer(before: Seen | None, seen: Seen, audit: Audit) -> str:
    """Who made this version out of the one before."""
    if before is None:
        manager = _manager(before, seen)
        return manager if manager != CONTROLLERS else audit.last(seen, lambda request: request.creates)
    if seen.gone:
        # what was marked and kept by finalizers goes with the patch that takes off the last of them
        kept = bool(before.body["metadata"].get("finalizers"))
        return audit.last(seen, lambda request: request.deletes != kept and request.subresource in ("", "eviction"))
    if _newly_marked(before, seen):
        return audit.last(seen, lambda request: request.deletes)
    if before.body["spec"].get("nodeName") != seen.body["spec"].get("nodeName"):
        return audit.last(seen, lambda request: request.subresource == "binding")
    manager = _manager(before, seen)
    if manager not in {CONTROLLERS, UNKNOWN}:
        return manager
    part = "status" if before.body.get("status") != seen.body.get("status") else ""
    found = audit.last(
        seen,
        lambda request: (
            manager in {UNKNOWN, request.program}
            and request.subresource in (part, "eviction")  # that marks the pod before it deletes it
            and (request.verb in {"patch", "update"} or request.deletes)
        ),
    )
    return manager if found == UNKNOWN else found


def _newly_marked(before: Seen, seen: Seen) -> bool:
    old, new = before.body["metadata"], seen.body["metadata"]
    marks = ("deletionTimestamp", "deletionGracePeriodSeconds")
    return any(old.get(mark) != new.get(mark) for mark in marks)


def _manager(before: Seen | None, seen: Seen) -> str:
    """The one manager whose entry is not as it was before; UNKNOWN where none or more than one is."""
    old = [] if before is None else before.body["metadata"].get("managedFields", [])
    new = seen.body["metadata"].get("managedFields", [])
    changed = {entry["manager"] for entry in new if entry not in old}
    changed = changed or {entry["manager"] for entry in old if entry not in new}
    return MANAGERS.get(changed.pop(), USER) if len(changed) == 1 else UNKNOWN
