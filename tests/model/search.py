"""Breadth-first search over all worlds that can be reached, and the fair run from each of them.

The first violation comes with the shortest way to it. It must not know what is looked for.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.model.fair import Fairness
from tests.model.invariants import broken
from tests.model.liveness import unreached
from tests.model.moves import Move, moves
from tests.model.world import first_world

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.model.world import Setting, World


@dataclass(slots=True)
class Found:
    """What a search has seen."""

    worlds: int = 0
    moves: int = 0
    deepest: int = 0
    ended: int = 0
    """Fair runs that were followed to their end, or to where one had been already."""
    longest_run: int = 0
    complete: bool = False
    """All worlds were seen; otherwise time or room ran out."""
    violation: str = ""
    way: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kind = "all" if self.complete else "the first"
        text = (
            f"{kind} {self.worlds} worlds, {self.moves} moves, depth {self.deepest};"
            f" {self.ended} fair runs of at most {self.longest_run} moves"
        )
        return f"{text}\n{self.violation}\n{story(self.way)}" if self.violation else text


def story(way: list[str]) -> str:
    """A way as numbered sentences."""
    return "\n".join(f"{number:3}. {says}" for number, says in enumerate(way, 1))


@dataclass(frozen=True, slots=True)
class _Came:
    """How a world was first reached."""

    origin: World | None
    says: str
    depth: int


def search(
    setting: Setting,
    *,
    seconds: float = 600.0,
    most_worlds: int = 10_000_000,
    sample: float = 1.0,
    luck: random.Random | None = None,
) -> Found:
    """Search until everything is seen, something is broken, or time or room is up.

    `seconds`: of the processor, so that a busy machine changes nothing.
    `sample`: the share of worlds from which the fair run is tried, drawn from `luck`.
    """
    first = first_world(setting)
    came: dict[World, _Came] = {first: _Came(None, "", 0)}
    fronts = deque((first,))
    found, fair, until = Found(worlds=1), Fairness(setting), time.process_time() + seconds
    while fronts:
        world = fronts.popleft()
        depth = came[world].depth
        found.deepest = depth
        if luck is None or luck.random() < sample:
            _try_fair_run(world, fair, found, came)
            if found.violation:
                return found
        for move in moves(world, setting):
            found.moves += 1
            words = broken(world, move, setting)
            if words:
                found.violation = words
                found.way = [*_way(world, came), move.says]
                return found
            if move.after not in came:
                came[move.after] = _Came(world, move.says, depth + 1)
                fronts.append(move.after)
        found.worlds = len(came)
        if found.worlds > most_worlds or time.process_time() > until:
            return found
    found.complete = True
    return found


def _try_fair_run(world: World, fair: Fairness, found: Found, came: dict[World, _Came]) -> None:
    for run in fair.runs(world):
        found.ended += 1
        found.longest_run = max(found.longest_run, run.length)
        words = run.violation or (unreached(run.last) if run.last is not None else "")
        if words:
            found.violation = f"the desired state is not reached: {words}"
            found.way = [*_way(world, came), "--- from here on nothing goes wrong any more ---", *run.way()]
            return


def _way(world: World, came: dict[World, _Came]) -> list[str]:
    def back() -> Iterator[str]:
        step: World | None = world
        while step is not None:
            how = came[step]
            if how.origin is not None:
                yield how.says
            step = how.origin

    return [*back()][::-1]


def shown(move: Move) -> str:
    """A move as a line."""
    return f"{move.actor}: {move.says}"
