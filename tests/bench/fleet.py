"""Fleets: thousands of tasks created, suspended, resumed and terminated at once, against raw Jobs and a null operator.

It must not know how a fleet is driven (fleet_drive.py), nor what the contenders do (fleet_contenders.py).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from longtask.shell.settings import Settings as OperatorSettings
from tests.bench.audit import told, writes
from tests.bench.fleet_contenders import NULL, OURS, PHASES, RAW
from tests.bench.fleet_drive import AT_ONCE, Fleet, drive
from tests.bench.plane import Plane
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.bench.fleet_contenders import Contender

ALL: Final = "all four phases"
SIZES: Final = {500: 5}
"""Repetitions by size."""
QUICK: Final = {500: 3}
LARGEST: Final = 10000
"""Here only growth is judged: the null operator, the floor of the others, would take a third of the time in vain."""
AGAINST_RAW: Final = 1.25
AGAINST_NULL: Final = 1.1


def measure_fleets(
    settings: Settings,
    sizes: Mapping[int, int],
    contenders: Sequence[Contender],
    *,
    prepare: Callable[[Plane], None] = lambda _: None,
) -> tuple[list[Series], list[str], dict[str, str]]:
    """Measure fleets of each size: in each repetition all contenders in turns, the first of one the last of the next.

    Returns the series, notes on requests and failures, and the flags of the control plane.
    """
    series: list[Series] = []
    notes: list[str] = []
    flags: dict[str, str] = {}
    for size, repetitions in sizes.items():
        with Plane() as plane:  # a new one for each size: what the one before has left in etcd is gone
            flags = plane.flags
            prepare(plane)
            for repetition in range(1, repetitions + 1):
                taking_part = [one for one in contenders if size < LARGEST or one is not NULL]
                fleets = _repetition(settings, plane, size, repetition, taking_part)
                series += _series(fleets, size, repetition)
                notes += _notes(fleets, size, repetition)
    return series, notes, flags


def _repetition(
    settings: Settings, plane: Plane, size: int, repetition: int, contenders: Sequence[Contender]
) -> dict[str, Fleet]:
    shift = (repetition - 1) % len(contenders)
    fleets: dict[str, Fleet] = {}
    for contender in (*contenders[shift:], *contenders[:shift]):
        namespace = f"{contender.name.lower().replace(' ', '-')}-{repetition}"
        fleet = asyncio.run(drive(plane, contender, size, namespace))
        fleets[contender.name] = fleet
        times = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in fleet.seconds.items())
        settings.say(f"{size} at once, {repetition}: {contender.name}: {times} {fleet.trouble}".rstrip())
    return fleets


def _series(fleets: dict[str, Fleet], size: int, repetition: int) -> Iterator[Series]:
    """One sample a repetition. Where one contender has failed, the pair is left out of all."""
    for measure in (*PHASES, ALL):
        took = {name: _took(fleet, measure) for name, fleet in fleets.items()}
        whole = all(seconds is not None for seconds in took.values())
        for name, seconds in took.items():
            samples = (seconds,) if whole and seconds is not None else ()
            yield Series(
                measure=measure,
                contender=name,
                unit=Unit.SECONDS,
                samples=samples,
                size=size,
                repetition=repetition,
                failures=0 if whole else 1,
            )
    for name, fleet in fleets.items():
        if fleet.cost is not None:
            common: dict[str, Any] = {"contender": name, "size": size, "repetition": repetition}
            yield Series(measure="operator's processor time", unit=Unit.SECONDS, samples=(fleet.cost.cpu,), **common)
            yield Series(measure="operator's memory at most", unit=Unit.BYTES, samples=(fleet.cost.peak,), **common)
            made = sum(writes(calls) for calls in fleet.calls.values())
            yield Series(measure="operator's writes per task", unit=Unit.COUNT, samples=(made / size,), **common)


def _took(fleet: Fleet, measure: str) -> float | None:
    return fleet.total if measure == ALL else fleet.seconds.get(measure)


def _notes(fleets: dict[str, Fleet], size: int, repetition: int) -> Iterator[str]:
    """Failures, and once for each size what the operators have asked of the API server."""
    for name, fleet in fleets.items():
        if fleet.trouble:
            yield f"Failed: {fleet.trouble}"
        if repetition == 1 and fleet.cost is not None:
            for phase, calls in fleet.calls.items():
                yield f"Writes of {name} at {size}, {phase}: {told(calls)}"


def comparisons(size: int, *, checked: bool = True) -> Iterator[Comparison]:
    """Against raw Jobs and the null operator, of all phases together and of each."""
    against = ((RAW, AGAINST_RAW), (NULL, AGAINST_NULL)) if size < LARGEST else ((RAW, None),)
    for measured in (ALL, *PHASES):
        for baseline, goal in against:
            yield Comparison(
                title=f"{size:,} at once, {measured}, against {baseline.name}",
                measure=measured,
                contender=OURS.name,
                baseline=baseline.name,
                judged=Judged.RATIO,
                size=size,
                limit=goal,
                checked=checked,
            )


def measure_sizes(settings: Settings, sizes: Mapping[int, int]) -> Measured:
    """Measure fleets of these sizes, with so many repetitions of each."""
    series, notes, flags = measure_fleets(settings, sizes, (RAW, OURS, NULL))
    flags |= {
        "clients": f"{AT_ONCE} requests at once, as administrator",
        "operators": f"LONGTASK_WORKERS={OperatorSettings().workers}, everything else by default, logging to a file",
    }
    return Measured(series=tuple(series), flags=flags, notes=tuple(notes))


def measure(settings: Settings) -> Measured:
    """Measure fleets of 500."""
    return measure_sizes(settings, QUICK if settings.quick else SIZES)


PART: Final = Part(
    name="fleets",
    title="Fleets: 500 at once",
    about=(
        "Tasks are created, suspended, resumed and terminated at once, on a control plane of real components whose "
        "nodes and pods are played by kwok. Three contenders in turns, with Jobs of the same manifest: raw Jobs, which "
        "nobody but Kubernetes looks after; LongTasks with their operator; and LongTasks with a null operator, which "
        "makes the same writes at the same events without deciding anything: the floor of this design. A phase ends "
        "when one watcher, the same for all, has seen the last of them: a raw Job is suspended when it says so and has "
        "no pod, a LongTask when its state says so. The pods have no workers: between the first two phases a worker's "
        "checkpoint is written for each LongTask, untimed."
    ),
    comparisons=tuple(comparisons(500)),
    measure=measure,
)
