"""Carries out one plan on a real cluster: the task, the operator behind the proxy, the observer, and the verdict."""

from __future__ import annotations

import itertools
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import cluster
from tests.e2e.support.watch import Observer
from tests.faults.network import certificate, inside_the_cluster, on_loopback, url_of
from tests.faults.process import Operator, write_kubeconfig
from tests.faults.proxy import Door, Proxy
from tests.faults.scenarios import SCENARIOS, Scene
from tests.faults.verdicts import foreign_writes, violations, wrong_end, wrong_output

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.ledger import Ledger
    from tests.faults.plan import Plan, Rule
    from tests.faults.request import Request
    from tests.faults.site import Site

QUIET: Final = 1.0  # seconds in which an operator that follows everything writes nothing: it has nothing more to do
SETTLED: Final = 60.0
QUICK: Final = {"request_seconds": 5, "backoff_seconds": 1, "workers": 4}
_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class Outcome:
    """What came of a plan. `wrong` is empty when every promise was kept."""

    plan: Plan
    wrong: list[str]
    requests: list[Request]
    unfired: list[Rule]

    @property
    def writes(self) -> int:
        """How many of the operator's writes the server has carried out."""
        return sum(request.client == "operator" and bool(request.write) for request in self.requests)

    def story(self) -> str:
        """For whoever has to find the reason."""
        done = "\n".join(str(request) for request in self.requests)
        problems = "\n".join(f"  * {problem}" for problem in self.wrong)
        return f"{problems}\nSave this as tests/faults/plans/<name>.yaml:\n\n{self.plan.dump()}\nRequests:\n{done}"


def carry_out(site: Site, plan: Plan, token: str, folder: Path) -> Outcome:
    """Do it; `token` is that of the operator's service account, `folder` is for its log and login."""
    scenario = SCENARIOS[plan.scenario]
    name = f"task-{next(_numbers)}"
    has_worker_rules = any(rule.client == "worker" for rule in plan.rules)
    wrong: list[str] = []
    try:
        with ExitStack() as stack:
            observer = stack.enter_context(Observer(site.api, site.namespace, kinds=("LongTask", "Pod", "Job")))
            listener = stack.enter_context(on_loopback())
            write_kubeconfig(folder / "kubeconfig", url_of(listener, "http"), token)
            operator = Operator(folder / "kubeconfig", folder / "operator.log", QUICK | plan.settings)
            doors = [Door(client="operator", listener=listener, scope=site.namespace, kill=lambda _: operator.kill())]
            settings = dict(scenario.settings)
            if has_worker_rules:
                inside = stack.enter_context(inside_the_cluster())
                doors.append(Door(client="worker", listener=inside, tls=certificate(), kill=kill_worker))
                settings["LONGTASK_API_SERVER"] = url_of(inside, "https")
            trust = ssl.create_default_context(cafile=site.api.ca_file)
            ledger = stack.enter_context(Proxy(site.api.server, trust, doors, plan))
            stack.enter_context(operator)
            task = site.start(name, settings)
            try:
                scenario.steps(Scene(task))
                settle(ledger, operator)
            except AssertionError as error:
                wrong.append(f"it does not get there: {error}")
            wrong += filter(None, [operator.ended_by_itself()])
        log = observer.log()
        redone = scenario.redone or has_worker_rules
        wrong += violations(log, task.uid)
        wrong += foreign_writes(ledger.writes("operator"), name, task.uid)
        wrong += wrong_end(log, task.uid, scenario.end, killed=ledger.kills("worker"))
        wrong += wrong_output(site.output(name), log, task.uid, scenario.end, redone=redone)
        return Outcome(plan, wrong, list(ledger.log), ledger.unfired())
    finally:
        site.clear()


def kill_worker(request: Request) -> None:
    """SIGKILL the worker that has sent a request, whose token says which pod it is."""
    cluster().kill_container(request.who, "worker")


def settle(ledger: Ledger, operator: Operator) -> None:
    """Wait until the operator that there is now follows everything, and has nothing to write."""
    quiet_since = time.monotonic()
    before = -1

    def settled() -> bool:
        nonlocal quiet_since, before
        writes = len(ledger.writes("operator")) + operator.kills
        if writes != before:
            before, quiet_since = writes, time.monotonic()
        follows = {"longtasks", "jobs", "pods"} <= set(ledger.open_watches.values())
        if not follows:
            quiet_since = time.monotonic()
        return bool(operator.ended_by_itself()) or (follows and time.monotonic() - quiet_since > QUIET)

    wait_for(settled, timeout=SETTLED, every=0.05, what="an operator at rest", state=lambda: ledger.log[-5:])
