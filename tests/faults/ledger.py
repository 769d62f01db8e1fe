"""What a proxy has seen and what its plan says about it: counters, the log of requests, lists to be repeated.

No I/O. It must not know how a fault is made.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.plan import AFTERWARDS, STREAM, is_write

if TYPE_CHECKING:
    from tests.faults.plan import Plan, Rule
    from tests.faults.request import Request


@dataclass(frozen=True)
class Answer:
    """A whole answer of the server, as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Counted:
    """A rule, and what it has met so far."""

    rule: Rule
    requests: int = 0
    events: int = 0
    fired: int = 0

    def is_turn(self, request: Request) -> bool:
        """Count a request if it matches, and say whether it is one of those that are meant."""
        if not request.matches(self.rule):
            return False
        self.requests += 1
        return self.requests in self.rule.occurrence

    def is_turn_of_event(self) -> bool:
        """Count one event of a watch that matches, and say whether it is one of those that are meant."""
        self.events += 1
        return self.rule.event is not None and self.events in self.rule.event

    def fire(self, request: Request) -> Rule:
        """Note that it happens, and return what."""
        self.fired += 1
        request.fault = f"{request.fault} {self.rule.action}".strip()
        return self.rule


@dataclass
class Ledger:
    """`log` is every request so far; `open_watches` those watches that still stream, by number within their client."""

    plan: Plan
    log: list[Request] = field(default_factory=list)
    open_watches: dict[tuple[str, int], str] = field(default_factory=dict)
    lists: dict[str, Answer] = field(default_factory=dict)
    _numbers: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _writes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.rules = [Counted(rule) for rule in self.plan.rules]

    def next_number(self, client: str) -> int:
        """Number of the next request of a client."""
        self._numbers[client] += 1
        return self._numbers[client]

    def before(self, request: Request) -> list[Rule]:
        """What happens to a request before the server hears of it."""
        self.log.append(request)
        early = [counted for counted in self.rules if counted.rule.action not in AFTERWARDS | STREAM]
        return [counted.fire(request) for counted in early if counted.is_turn(request)]

    def after(self, request: Request, status: int) -> list[Rule]:
        """What happens once the server has carried a request out; nothing after one that it has refused."""
        request.status = status
        if status >= 300:
            return []
        request.committed = True
        if is_write(request.verb):
            self._writes[request.client] += 1
            request.write = self._writes[request.client]
        late = [counted for counted in self.rules if counted.rule.action in AFTERWARDS]
        return [counted.fire(request) for counted in late if counted.is_turn(request)]

    def on_stream(self, request: Request) -> list[Counted]:
        """The rules for the events of a watch."""
        return [counted for counted in self.rules if counted.rule.action in STREAM and counted.is_turn(request)]

    def unfired(self) -> list[Rule]:
        """Rules that nothing has met."""
        return [counted.rule for counted in self.rules if not counted.fired]

    def writes(self, client: str) -> list[Request]:
        """The writes of a client that the server has carried out, in order."""
        return [request for request in self.log if request.client == client and request.write]

    def watched(self, client: str, *, since: float) -> set[str]:
        """The resources that a client has begun to watch since then."""
        own = (request for request in self.log if request.client == client and request.at > since)
        return {request.resource for request in own if request.verb == "watch" and request.status == 200}

    def kills(self, client: str) -> int:
        """How often the plan has killed a client."""
        rules = [counted for counted in self.rules if (counted.rule.client, counted.rule.action) == (client, "kill")]
        return sum(counted.fired for counted in rules)
