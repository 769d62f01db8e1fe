"""What the operator asks of the API server: writes and reads for each transition, a whole life, and doing nothing.

Counted by the API server's audit log. The pods are kwok's; what their workers would write, an administrator writes, and
it is not counted. It must not know how the operator decides what to write.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.bench.audit import Account, Calls, reads, told, writes
from tests.bench.fleet_contenders import CREATE, OURS, RESUME, SUSPEND, TERMINATE
from tests.bench.fleet_drive import at_once, claim_and_save, limit, start
from tests.bench.fleet_watch import Watcher
from tests.bench.plane import Plane
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from longtask.shell.api import Api
    from tests.bench.fleet_watch import View

GOAL: Final = 8.0
TASKS: Final = 20
ROUNDS: Final = 5
QUICK_ROUNDS: Final = 2
IDLE_SECONDS: Final = 600.0
QUICK_IDLE_SECONDS: Final = 30.0

COMPLETE: Final = "complete"
LIFE: Final = "whole life"
IDLE: Final = "idle, per task and hour"
OF_A_LIFE: Final = (CREATE, SUSPEND, RESUME, COMPLETE)
DESIRED: Final = {SUSPEND: "Suspend", RESUME: "Run", TERMINATE: "Terminate"}
STATES: Final = {
    CREATE: "Running",
    SUSPEND: "Suspended",
    RESUME: "Running",
    COMPLETE: "Complete",
    TERMINATE: "Terminated",
}

Json = dict[str, Any]


@dataclass(kw_only=True)
class Lab:
    """Tasks in one namespace, and the operator's account."""

    plane: Plane
    api: Api
    watcher: Watcher
    namespace: str
    calls: dict[str, list[Calls]] = field(default_factory=dict)

    async def transition(self, name: str, tasks: Sequence[str], change: Callable[[str], Awaitable[object]]) -> None:
        """Have tasks make a transition, and count what the operator asks for meanwhile."""
        account = Account(self.plane.audit_log, OURS.user)
        awaited = _becomes(STATES[name])
        self.watcher.begin(tasks, awaited)
        await at_once(change, tasks)
        await self.watcher.end(limit(len(tasks)))
        await self.watcher.quiet(30)
        self.calls.setdefault(name, []).append(account.calls())

    def path(self, task: str) -> str:
        """Of a task."""
        return f"{OURS.collection(self.namespace)}/{task}"


def _becomes(state: str) -> Callable[[View], bool]:
    return lambda view: view.state == state


async def _life(lab: Lab, number: int) -> None:
    """One round: half of what is here completes, the other half is terminated; both go through everything before."""
    tasks = [f"life-{number}-{index}" for index in range(TASKS)]
    collection = OURS.collection(lab.namespace)
    await lab.transition(CREATE, tasks, lambda name: lab.api.post(collection, OURS.manifest(lab.namespace, name)))
    await at_once(lambda name: claim_and_save(lab.api, lab.path(name)), tasks)
    await lab.transition(SUSPEND, tasks, lambda name: _want(lab, name, SUSPEND))
    await lab.transition(RESUME, tasks, lambda name: _want(lab, name, RESUME))
    await lab.transition(COMPLETE, tasks, lambda name: _finish(lab, name))
    others = [f"end-{number}-{index}" for index in range(TASKS)]
    await at_once(lambda name: lab.api.post(collection, OURS.manifest(lab.namespace, name)), others)
    lab.watcher.begin(others, _becomes("Running"))
    await lab.watcher.end(limit(TASKS))
    await at_once(lambda name: claim_and_save(lab.api, lab.path(name)), others)
    await lab.watcher.quiet(30)
    await lab.transition(TERMINATE, others, lambda name: _want(lab, name, TERMINATE))


async def _want(lab: Lab, name: str, transition: str) -> None:
    await lab.api.patch(lab.path(name), {"spec": {"desiredState": DESIRED[transition]}}, "merge-patch")


async def _finish(lab: Lab, name: str) -> None:
    """End the work: the last save says so, and the pod exits with 0."""
    done = {"checkpoint": {"sequence": 2, "cause": "Done"}, "progress": {"done": 2, "percent": 100}}
    await lab.api.patch(f"{lab.path(name)}/status", {"status": done}, "merge-patch")
    pods = f"/api/v1/namespaces/{lab.namespace}/pods"
    found = await lab.api.get(pods, {"labelSelector": f"longtask.dev/task-name={name}"})
    for pod in found["items"]:
        ended = {"name": "worker", "image": "worker:1", "imageID": "", "ready": False, "restartCount": 0}
        status = {"phase": "Succeeded", "containerStatuses": [ended | {"state": {"terminated": {"exitCode": 0}}}]}
        await lab.api.patch(f"{pods}/{pod['metadata']['name']}/status", {"status": status}, "merge-patch")


async def _idle(lab: Lab, settled: int, seconds: float) -> Calls:
    """Count while nothing happens to many tasks: running, suspended, complete and terminated ones."""
    running = [f"idle-{index}" for index in range(settled)]
    collection = OURS.collection(lab.namespace)
    await lab.transition(CREATE, running, lambda name: lab.api.post(collection, OURS.manifest(lab.namespace, name)))
    del lab.calls[CREATE][-1]
    half = running[: settled // 2]
    await at_once(lambda name: claim_and_save(lab.api, lab.path(name)), half)
    await lab.transition(SUSPEND, half, lambda name: _want(lab, name, SUSPEND))
    del lab.calls[SUSPEND][-1]
    account = Account(lab.plane.audit_log, OURS.user)
    await asyncio.sleep(seconds)
    return account.calls()


async def _measure(settings: Settings, plane: Plane) -> Measured:
    rounds = QUICK_ROUNDS if settings.quick else ROUNDS
    seconds = QUICK_IDLE_SECONDS if settings.quick else IDLE_SECONDS
    namespace = "writes"
    plane.make_namespace(namespace)
    operator = await start(plane, OURS)
    api = await plane.api()
    try:
        async with Watcher(api, namespace, OURS.api) as watcher:
            lab = Lab(plane=plane, api=api, watcher=watcher, namespace=namespace)
            for number in range(rounds + 1):
                await _life(lab, number)
                settings.say(f"round {number} of {rounds}")
                if number == 0:
                    lab.calls.clear()  # the first tasks of a namespace also pay for the access of its workers
            settled = 5 * TASKS
            idle = await _idle(lab, settled, seconds)
    finally:
        operator.stop()
        await api.close()
    tasks = settled + (rounds + 1) * 2 * TASKS
    notes = [f"{name}, {TASKS} tasks: {told(found[0])}." for name, found in lab.calls.items()]
    notes.append(
        f"Idle: {tasks} tasks (running, suspended, complete, terminated), {seconds:.0f} s, extrapolated to an hour: "
        f"{writes(idle)} writes ({told(idle) or 'no request at all'})."
    )
    return Measured(
        series=(*_series(lab.calls), *_idle_series(idle, tasks, seconds)), flags=plane.flags, notes=tuple(notes)
    )


def _series(calls: dict[str, list[Calls]]) -> Iterator[Series]:
    """Requests per task: a sample a round."""
    for what, number in (("writes", writes), ("reads", reads)):
        each = {name: [number(found) / TASKS for found in rounds] for name, rounds in calls.items()}
        each[LIFE] = [sum(parts) for parts in zip(*(each[name] for name in OF_A_LIFE), strict=True)]
        for name, samples in each.items():
            yield Series(measure=f"{what}, {name}", contender=OURS.name, unit=Unit.COUNT, samples=tuple(samples))


def _idle_series(idle: Calls, tasks: int, seconds: float) -> Iterator[Series]:
    for what, number in (("writes", writes), ("reads", reads)):
        sample = number(idle) / tasks * 3600 / seconds
        yield Series(measure=f"{what}, {IDLE}", contender=OURS.name, unit=Unit.COUNT, samples=(sample,))


def measure(settings: Settings) -> Measured:
    """Measure on a control plane that also audits the operator's reads."""
    with Plane(reads_of=(OURS.user,)) as plane:
        return asyncio.run(_measure(settings, plane))


def _comparisons() -> Iterator[Comparison]:
    goals = {f"writes, {LIFE}": GOAL, f"writes, {IDLE}": 0.0}
    for what in ("writes", "reads"):
        for name in (*OF_A_LIFE, TERMINATE, LIFE, IDLE):
            measured = f"{what}, {name}"
            yield Comparison(
                title=f"{measured[0].upper()}{measured[1:]}",
                measure=measured,
                contender=OURS.name,
                judged=Judged.VALUE,
                limit=goals.get(measured),
                checked=what == "writes",  # counts do not differ by machine
            )


PART: Final = Part(
    name="writes",
    title="Requests to the API server",
    about=(
        "The operator's requests per task, counted by the API server's audit log. A whole life is: create, run, "
        "suspend, resume, complete."
    ),
    comparisons=tuple(_comparisons()),
    measure=measure,
)
