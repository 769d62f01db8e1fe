"""Carries out one plan on a real cluster: the task, the operator behind the proxy, the observer, and the verdict."""

from __future__ import annotations

import contextlib
import itertools
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.cluster.common import ClusterError
from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import cluster, done_of
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import versions
from tests.faults.network import certificate, inside_the_cluster, on_loopback, url_of
from tests.faults.process import Operator, write_kubeconfig
from tests.faults.proxy import Door, Proxy
from tests.faults.scenarios import SCENARIOS
from tests.faults.scene import Scene
from tests.faults.verdicts import (
    as_far_as_it_got,
    foreign_writes,
    needless_calls,
    violations,
    wrong_end,
    wrong_output,
    wrong_times,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.tasks import Handle
    from tests.e2e.support.watch import Seen
    from tests.faults.ledger import Ledger
    from tests.faults.plan import Plan, Rule
    from tests.faults.request import Request
    from tests.faults.scenarios import Scenario
    from tests.faults.site import Site
    from tests.faults.verdicts import Output

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
    wrong: list[str] = []
    began = time.time()
    try:
        with ExitStack() as stack:
            observer = stack.enter_context(Observer(site.api, site.namespace, kinds=("LongTask", "Pod", "Job")))
            settings = QUICK | plan.settings
            operator = Operator(folder / "kubeconfig", folder / "operator.log", settings, plan.clocks.operators)
            doors = [operators_door(site, operator, token), *([workers_door()] if plan.is_about("worker") else [])]
            for door in doors:
                stack.enter_context(door.listener)
            trust = ssl.create_default_context(cafile=site.api.ca_file)
            ledger = stack.enter_context(Proxy(site.api.server, trust, doors, plan))
            stack.enter_context(operator)
            task = site.start(name, {**scenario.settings, "CLOCK": plan.clocks.workers, **detour(doors)})
            try:
                killing = any(rule.client == "worker" and rule.action == "kill" for rule in plan.rules)
                scenario.steps(Scene(task, partial(site.touch, name), killing))
                settle(ledger, operator)
            except AssertionError as error:
                wrong.append(f"it does not get there: {error}")
            wrong += filter(None, [operator.ended_by_itself()])
        wrong += judge(scenario, ledger, observer.log(), task, site.output(name))
        wrong += wrong_times(versions(observer.log(), task.uid), began, time.time())
        return Outcome(plan, wrong, list(ledger.log), ledger.unfired())
    finally:
        site.clear()


def judge(scenario: Scenario, ledger: Ledger, log: list[Seen], task: Handle, output: Output) -> list[str]:
    """Every verdict on a run that is over."""
    redone = scenario.redone or ledger.plan.is_about("worker")
    killed = ledger.kills("worker")
    end = written = scenario.end
    if killed:
        end = as_far_as_it_got(end, done_of(versions(log, task.uid)[-1]))
        written = as_far_as_it_got(written, len({item for item, _ in output}))
    return [
        *violations(log, task.uid),
        *([] if scenario.stalls else needless_calls(versions(log, task.uid))),
        *foreign_writes(ledger.writes("operator"), task.name, task.uid, finalizer=scenario.finalizer),
        *wrong_end(log, task.uid, end, killed=killed),
        *wrong_output(output, log, task.uid, written, redone=redone),
    ]


def operators_door(site: Site, operator: Operator, token: str) -> Door:
    """Where the operator comes in, by the login that it finds."""
    listener = on_loopback()
    write_kubeconfig(operator.kubeconfig, url_of(listener, "http"), token)
    return Door(client="operator", listener=listener, scope=site.namespace, kill=lambda _: operator.kill())


def workers_door() -> Door:
    """Where workers come in. Raises ClusterError where there can be none."""
    return Door(client="worker", listener=inside_the_cluster(), tls=certificate(), kill=kill_worker)


def detour(doors: list[Door]) -> dict[str, object]:
    """The setting that sends workers to their door, if they have one."""
    doors = [door for door in doors if door.client == "worker"]
    return {"LONGTASK_API_SERVER": url_of(doors[0].listener, "https")} if doors else {}


def kill_worker(request: Request) -> None:
    """SIGKILL the worker that has sent a request, whose token says which pod it is."""
    with contextlib.suppress(ClusterError):  # it has ended by itself
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
        follows = {"longtasks", "jobs", "pods"} <= ledger.watched("operator", since=operator.started)
        if not follows:
            quiet_since = time.monotonic()
        return bool(operator.ended_by_itself()) or (follows and time.monotonic() - quiet_since > QUIET)

    wait_for(settled, timeout=SETTLED, every=0.05, what="an operator at rest", state=lambda: ledger.log[-5:])
