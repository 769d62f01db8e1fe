"""All plans: for every scenario, one for each step at which bad luck could strike. Pure: from a scenario to plans.

Which of them are tried is the caller's business, and so is what came of them.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from tests.faults.plan import Clocks, Plan, Rule, Turns
from tests.faults.scenarios import SCENARIOS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from tests.faults.plan import Client
    from tests.faults.scenarios import Scenario

HOUR: Final = 3600.0
FOLLOWED: Final = ("longtasks", "jobs", "pods")
HIDDEN: Final = 6  # events of each watch that are hidden, one in each plan
SOON: Final = {"watch_idle_seconds": 2.0, "sweep_seconds": 2.0}
"""A watch that says nothing is taken for dead, and what the stream of tasks has missed is found, within seconds."""

TROUBLES: Final = (500, 409, 503, 410)
"""What a write of the operator is answered, one after the other."""

WORKED_ON: Final = {"complete": 10, "suspend-resume": 14, "terminate-running": 9, "pod-deleted": 14}
"""The scenarios whose workers meet faults, and about how many requests they make when all goes well."""


def everything(luck: random.Random) -> dict[str, Plan]:
    """Every plan, by a name that says what it does. `luck` chooses the places that are too many to be all tried."""
    return dict(chain.from_iterable(plans_of(scenario, luck) for scenario in SCENARIOS.values()))


def plans_of(scenario: Scenario, luck: random.Random) -> Iterator[tuple[str, Plan]]:
    """The plans of one scenario."""
    named = chain(killed(scenario), refused(scenario), blinded(luck), stale(scenario, luck))
    for name, rules, settings in chain(named, worker_faults(scenario)):
        yield f"{scenario.name}/{name}", Plan(scenario=scenario.name, settings=settings, rules=tuple(rules))
    for n in range(1, scenario.writes + 1):
        yield f"{scenario.name}/clocks-differ-{n}", clocks_differ(scenario, n)


Made = tuple[str, "Iterable[Rule]", dict[str, float]]


def killed(scenario: Scenario) -> Iterator[Made]:
    """The operator dies after its n-th write, for every n: before it hears the answer, and right after it."""
    for n in range(1, scenario.writes + 1):
        for response in ("before", "after"):
            yield f"killed-{response}-answer-{n}", [on_write(n, action="kill", response=response)], {}


def refused(scenario: Scenario) -> Iterator[Made]:
    """Every write in turn meets all that is no verdict on it, and is then carried out and not answered.

    A 422 is a verdict: the task is `Stalled` then, as it should be, and does not end like an undisturbed one.
    """
    for n in range(1, scenario.writes + 1):
        refusals = [on_write(n + more, action="refuse", status=status) for more, status in enumerate(TROUBLES)]
        busy = on_write(n + len(TROUBLES), action="refuse", status=429, seconds=1.0)
        lost = [on_write(n + len(TROUBLES) + 1, action="drop-before"), on_write(n, action="drop-after-commit")]
        yield f"every-trouble-with-write-{n}", [*refusals, busy, *lost], {}


def blinded(luck: random.Random) -> Iterator[Made]:
    """The watches hide their n-th events; and each of them, somewhere, is cut, freezes, and tells of an error."""
    for n in range(1, HIDDEN + 1):
        yield f"event-{n}-hidden", [on_event(kind, n, action="hide") for kind in FOLLOWED], SOON
    ends: list[dict[str, object]] = [{"action": "cut"}, {"action": "freeze"}, {"action": "error-event", "status": 410}]
    for turn in range(len(ends)):
        faults = ends[turn:] + ends[:turn]
        pairs = zip(FOLLOWED, faults, strict=True)
        rules = [on_event(kind, luck.randint(1, HIDDEN), **fault) for kind, fault in pairs]
        yield f"watches-end-{turn + 1}", rules, SOON


def stale(scenario: Scenario, luck: random.Random) -> Iterator[Made]:
    """The operator dies after a write, and its successor is told the world as it was some writes before."""
    for n in range(2, scenario.writes + 1):
        then = luck.randint(1, n - 1)
        rules = [
            on_write(then, action="remember"),
            on_write(n, action="kill", response="after"),
            *(again(kind) for kind in FOLLOWED),
        ]
        yield f"stale-lists-after-{n}-as-of-{then}", rules, {}


def worker_faults(scenario: Scenario) -> Iterator[Made]:
    """Every request of the worker in turn: all that can be said instead of an answer, and death on both sides of it."""
    for n in range(1, WORKED_ON.get(scenario.name, 0) + 1):
        for response in ("before", "after"):
            yield f"worker-killed-{response}-answer-{n}", [on_request(n, action="kill", response=response)], {}
        refusals = [on_request(n + more, action="refuse", status=status) for more, status in enumerate((500, 409, 503))]
        busy = on_request(n + 3, action="refuse", status=429, seconds=1.0)
        lost = [on_request(n + 4, action="drop-before"), on_request(n, action="drop-after-commit")]
        yield f"every-trouble-with-worker-{n}", [*refusals, busy, *lost], {}


def clocks_differ(scenario: Scenario, n: int) -> Plan:
    """After its n-th write the operator gives way to one on a machine whose clock is two hours off from its own, in the
    one or the other direction. Every task of these tests has deadlines, and is to be deleted, after half an hour.
    """
    ahead = HOUR if n % 2 else -HOUR
    clocks = Clocks(operators=(ahead, -ahead), workers=-ahead)
    return Plan(scenario=scenario.name, clocks=clocks, rules=(on_write(n, action="kill", response="after"),))


def on_request(n: int, **action: object) -> Rule:
    """The workers' n-th request."""
    return rule("worker", occurrence=n, **action)


def on_write(n: int, **action: object) -> Rule:
    """The operator's n-th write."""
    return rule("operator", verb="write", occurrence=n, **action)


def on_event(resource: str, n: int, **action: object) -> Rule:
    """The n-th event of one of the operator's watches, whichever connection brings it."""
    return rule("operator", verb="watch", resource=resource, occurrence="every", event=n, **action)


def again(resource: str) -> Rule:
    """The second time that the operator asks what there is: the first time of its successor."""
    selector = None if resource == "longtasks" else "labelSelector=longtask.dev/task-uid&"
    occurrence = 4 if resource == "longtasks" else 2  # both look first whether the resource is served at all
    return rule("operator", verb="list", resource=resource, query=selector, occurrence=occurrence, action="stale")


def rule(client: Client, *, occurrence: int | str, **fields: object) -> Rule:
    """A rule as it would stand in a file."""
    return Rule.model_validate({"client": client, "occurrence": Turns.parse(occurrence), **fields})
