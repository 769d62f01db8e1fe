"""One form for all worlds that differ by nothing that matters: so that a search ends.

Versions of an object are only compared with each other, and so are times of a logical world: both become ranks. It must
not lose anything that a move, a decision or an invariant could tell apart.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from longtask.core.actions import SetJobSuspended
from tests.model.objects import SimJob, SimPod, SimTask, changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from longtask.core.actions import Action
    from tests.model.world import Flight, Setting, SimOperator, World

T = TypeVar("T", SimTask, SimJob, SimPod)


def normal(world: World, setting: Setting) -> World:
    """The world with ranks in place of versions and times."""
    versions: dict[str, set[int]] = defaultdict(set)
    times: set[int] = set()
    for thing in _everything(world):
        versions[thing.uid].add(thing.version)
        if isinstance(thing, SimTask):
            if thing.checkpoint is not None:
                times.add(thing.checkpoint.time)
        elif isinstance(thing, SimPod):
            times.update(time for time in (thing.created, thing.asked, thing.ended) if time is not None)
    moved = {uid: _ranks(found) for uid, found in versions.items() if len(found) != max(found) + 1}
    late = _ranks(times) if setting.logical and times and len(times) != max(times) + 1 else None
    if setting.logical and world.now != len(times):
        world = changed(world, now=len(times))
    if not moved and late is None:
        return world
    return _Renumber(moved, late).world(world)


def _everything(world: World) -> Iterator[SimTask | SimJob | SimPod]:
    yield from world.tasks
    yield from world.jobs
    yield from world.pods
    yield from world.controller_jobs
    yield from world.controller_pods
    for operator in world.operators:
        yield from operator.tasks
        yield from operator.jobs
        yield from operator.pods
        if operator.flight is not None:
            yield operator.flight.task
    for flight in world.late:
        yield flight.task


def _ranks(numbers: Iterable[int]) -> dict[int, int]:
    return {number: rank for rank, number in enumerate(sorted(numbers))}


class _Renumber:
    """Gives everything its new numbers."""

    def __init__(self, versions: dict[str, dict[int, int]], times: dict[int, int] | None) -> None:
        self._versions = versions
        self._times = times
        self._done: dict[int, tuple[object, object]] = {}
        """By identity: copies of one object stay one object."""

    def world(self, world: World) -> World:
        return changed(
            world,
            tasks=self._all(world.tasks),
            jobs=self._all(world.jobs),
            pods=self._all(world.pods),
            controller_jobs=self._all(world.controller_jobs),
            controller_pods=self._all(world.controller_pods),
            operators=tuple(self._operator(operator) for operator in world.operators),
            late=tuple(self._flight(flight) for flight in world.late),
        )

    def _operator(self, operator: SimOperator) -> SimOperator:
        return changed(
            operator,
            tasks=self._all(operator.tasks),
            jobs=self._all(operator.jobs),
            pods=self._all(operator.pods),
            flight=None if operator.flight is None else self._flight(operator.flight),
        )

    def _flight(self, flight: Flight) -> Flight:
        return changed(
            flight, task=self._one(flight.task), actions=tuple(self._action(action) for action in flight.actions)
        )

    def _action(self, action: Action) -> Action:
        if not isinstance(action, SetJobSuspended) or action.uid not in self._versions:
            return action
        ranks = self._versions[action.uid]
        return replace(action, resource_version=str(ranks.get(int(action.resource_version), -1)))

    def _all(self, things: tuple[T, ...]) -> tuple[T, ...]:
        known = self._done.get(id(things))
        if known is not None:
            return known[1]  # type: ignore[return-value]  # what was made of this very tuple
        new = tuple([self._one(thing) for thing in things])
        self._done[id(things)] = (things, new)
        return new

    def _one(self, thing: T) -> T:
        known = self._done.get(id(thing))
        if known is not None:
            return known[1]  # type: ignore[return-value]  # what was made of this very object
        ranks = self._versions.get(thing.uid)
        new: T = thing if ranks is None else changed(thing, version=ranks[thing.version])
        if self._times is not None:
            new = self._timed(new)
        self._done[id(thing)] = (thing, new)
        return new

    def _timed(self, thing: T) -> T:
        times = self._times or {}
        if isinstance(thing, SimPod):
            asked = None if thing.asked is None else times[thing.asked]
            ended = None if thing.ended is None else times[thing.ended]
            return changed(thing, created=times[thing.created], asked=asked, ended=ended)
        if isinstance(thing, SimTask) and thing.checkpoint is not None:
            return changed(thing, checkpoint=changed(thing.checkpoint, time=times[thing.checkpoint.time]))
        return thing
