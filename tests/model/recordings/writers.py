"""Who made a write: told by the API server, never guessed from what was written.

A version names the managers of its fields, and one of them has written just now: its entry is not as it was. All
controllers of the controller manager share one manager's name, and deletions and bindings have none. Those are told by
the audit log. A request that changes an object makes one version of it, so of the requests that could have made a
version it is the first to have ended that made none before. Many requests to delete change nothing: there it is the
last that had begun when the version arrived. Without an audit log they are `kube-controller-manager` and `?`, and the
replay lets any actor have done it.
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
    """A write that the audit log has: when it began and ended, in seconds since 1970, of which program and whose."""

    resource: str
    name: str
    verb: str
    subresource: str
    began: float
    ended: float
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
        last = max(self._fit(seen, could), key=lambda request: request.began, default=None)
        return last.who if last else UNKNOWN

    def take(self, seen: Seen, could: Callable[[Request], bool]) -> str:
        """Whose the first request was that could have made this version and made none before; UNKNOWN if none."""
        first = min(self._fit(seen, could), key=lambda request: request.ended, default=None)
        if first is None:
            return UNKNOWN
        if not first.deletes:  # an eviction makes two
            self.requests.remove(first)
        return first.who

    def _fit(self, seen: Seen, could: Callable[[Request], bool]) -> list[Request]:
        resource, name = RESOURCES[seen.kind], seen.body["metadata"]["name"]
        return [
            request
            for request in self.requests
            if request.began <= seen.at + LATE
            and request.resource == resource
            and request.name in (name, "")  # a name that the server makes up is not in the log
            and could(request)
        ]


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
        ended=datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
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
    part = "status" if before.body.get("status") != seen.body.get("status") else ""
    found = audit.take(
        seen,
        lambda request: (
            manager in {UNKNOWN, request.program, request.who}
            and (
                (request.verb in {"patch", "update"} and request.subresource == part)
                or request.subresource == "eviction"  # that marks the pod before it deletes it
            )
        ),
    )
    return manager if manager not in {CONTROLLERS, UNKNOWN} or found == UNKNOWN else found


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
