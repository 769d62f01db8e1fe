"""Cold start: thousands of tasks, Jobs and Pods are there, and an operator that knows nothing of them is started.

It must not know how the operator fills its memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from tests.bench.cold_operator import KINDS
from tests.bench.fleet_contenders import CREATE, OURS
from tests.bench.fleet_drive import at_once, claim_and_save, limit, start
from tests.bench.fleet_watch import Watcher
from tests.bench.plane import Plane
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.children import Child

SIZE: Final = 10000
QUICK_SIZE: Final = 1000
QUICK: Final = {QUICK_SIZE: 3}
SIZES: Final = {**QUICK, SIZE: 5}
"""Repetitions by size; a full run has the small one, too, for `check` to compare with."""
SECONDS_GOAL: Final = 10.0
MEMORY_GOAL: Final = 256e6
SETTLE_SECONDS: Final = 10.0
"""How long after everything is reconciled the memory is read that it settles at."""

CONTENDERS: Final = {"whole": "LongTask", "kopf": "kopf's stream alone", "mirrors": "mirrors of Jobs and Pods alone"}
TIME: Final = "start to everything reconciled"
CPU: Final = "processor time until then"
PEAK: Final = "memory at most"
SETTLED: Final = "memory settled"
DATA: Final = json.dumps({"file": "part-00042.csv", "row": 123456, "seen": list(range(40))})
"""A checkpoint of ordinary size."""


async def _fill(plane: Plane, size: int) -> None:
    """Have tasks at work, each with a Job, a Pod, progress and a checkpoint; the operator that made them is ended."""
    namespace = "cold"
    plane.make_namespace(namespace)
    operator = await start(plane, OURS)
    api = await plane.api()
    tasks = [f"task-{number:05}" for number in range(size)]
    collection = OURS.collection(namespace)
    try:
        async with Watcher(api, namespace, OURS.api) as watcher:
            watcher.begin(tasks, OURS.done[CREATE])
            await at_once(lambda name: api.post(collection, OURS.manifest(namespace, name)), tasks)
            await watcher.end(limit(size))
            await at_once(lambda name: claim_and_save(api, f"{collection}/{name}", cause="Interval", data=DATA), tasks)
            await watcher.quiet(60)
    finally:
        operator.stop()
        await api.close()


def _start(plane: Plane, kind: str, size: int, repetition: int) -> dict[str, float]:
    """Start one contender, and what it took by measure."""
    said = plane.folder / f"cold-{kind}-{repetition}.json"
    command = ["-m", "tests.bench.cold_operator", kind, str(size), str(said)]
    env = {
        **os.environ,
        "KUBECONFIG": str(plane.kubeconfig_of(*OURS.account)),
        "LONGTASK_HEALTH_PORT": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    began = time.monotonic()
    child = plane.start(f"cold-{kind}-{repetition}", [sys.executable, *command], env=env)
    try:
        child.wait_until("everything reconciled", said.exists, seconds=limit(size))
        told = json.loads(said.read_text())
        peak = child.cost().peak
        _settle(child)
        cost = child.cost()
        return {TIME: told["at"] - began, CPU: told["cpu"], PEAK: max(peak, cost.peak), SETTLED: cost.memory}
    finally:
        child.stop()


def _settle(child: Child) -> None:
    """Give it time to write what it may still want to, and to return memory."""
    deadline = time.monotonic() + SETTLE_SECONDS
    child.wait_until("settled", lambda: time.monotonic() > deadline, seconds=SETTLE_SECONDS + 5)


def measure(settings: Settings) -> Measured:
    """Measure the three contenders in turns, at each size on a control plane of its own."""
    series: list[Series] = []
    flags: dict[str, str] = {}
    for size, repetitions in (QUICK if settings.quick else SIZES).items():
        with Plane() as plane:
            flags = plane.flags
            settings.say(f"filling the cluster with {size} tasks, Jobs and Pods")
            asyncio.run(_fill(plane, size))
            for repetition in range(1, repetitions + 1):
                series += _turn(settings, plane, size, repetition)
    return Measured(series=tuple(series), flags=flags)


def _turn(settings: Settings, plane: Plane, size: int, repetition: int) -> Iterator[Series]:
    """Start each of them once, another one first in every repetition."""
    shift = (repetition - 1) % len(KINDS)
    for kind in (*KINDS[shift:], *KINDS[:shift]):
        took = _start(plane, kind, size, repetition)
        settings.say(f"{size}: {CONTENDERS[kind]}: {took[TIME]:.1f} s, {took[PEAK] / 1e6:.0f} MB at most")
        yield from _series(CONTENDERS[kind], took, size, repetition)


def _series(contender: str, took: dict[str, float], size: int, repetition: int) -> Iterator[Series]:
    for measured, value in took.items():
        unit = Unit.BYTES if measured in (PEAK, SETTLED) else Unit.SECONDS
        yield Series(
            measure=measured, contender=contender, unit=unit, samples=(value,), size=size, repetition=repetition
        )


def _comparisons() -> Iterator[Comparison]:
    goals = {TIME: SECONDS_GOAL, PEAK: float(MEMORY_GOAL)}
    for measured in (TIME, CPU, PEAK, SETTLED):
        value: dict[str, Any] = {"measure": measured, "judged": Judged.VALUE, "size": SIZE, "checked": False}
        yield Comparison(
            title=f"{measured[0].upper()}{measured[1:]}", contender="LongTask", limit=goals.get(measured), **value
        )
        for kind in ("kopf", "mirrors"):
            name = CONTENDERS[kind]
            yield Comparison(title=f"{name[0].upper()}{name[1:]}: {measured}", contender=name, **value)
    for size in (QUICK_SIZE, SIZE):
        yield Comparison(
            title=f"{size:,} tasks: processor time, against kopf's stream alone",
            measure=CPU,
            contender="LongTask",
            baseline=CONTENDERS["kopf"],
            judged=Judged.RATIO,
            size=size,
        )


PART: Final = Part(
    name="cold-start",
    title="Cold start with 10,000 tasks, Jobs and Pods",
    about=(
        "All tasks are at work and have a checkpoint. From the start of the process until every one of them has "
        "been decided on once. The same process with nothing but kopf's stream of tasks, and with nothing but the "
        "mirrors of Jobs and Pods, shows who has which share. The goal for memory is for its maximum."
    ),
    comparisons=tuple(_comparisons()),
    measure=measure,
)
