"""The fair run: what becomes of a world in which nothing goes wrong any more and everybody does what he can do.

By then everybody hears of everything at once, and every move that stays possible is made in the end. Two orders are
tried: the operator always first, and always last. It must not know what should come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.model.invariants import broken
from tests.model.moves import Move, Sources, moves, told, without_luck
from tests.model.moves_cluster import cluster_moves
from tests.model.moves_operator import operator_moves
from tests.model.moves_worker import worker_moves
from tests.model.normal import normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.world import Setting, World

MOST_MOVES = 250
"""K: a world that still moves after so many is taken for one that never comes to rest."""

_OPERATOR_FIRST: Sources = (operator_moves, cluster_moves, worker_moves)
_OPERATOR_LAST: Sources = (worker_moves, cluster_moves, operator_moves)


@dataclass(slots=True)
class Run:
    """One fair run: its moves, and the world at rest; None where it led into one that was followed before."""

    length: int
    steps: list[Move] = field(default_factory=list)
    last: World | None = None
    violation: str = ""

    def way(self) -> list[str]:
        """Its moves as sentences."""
        return [move.says for move in self.steps]


class Fairness:
    """Fair runs of one setting. What was followed once is known to end well, and is not followed again."""

    def __init__(self, setting: Setting) -> None:
        self._setting = replace(setting, operator_lags=False, controller_lags=False)
        self._lengths: dict[Sources, dict[World, int]] = {_OPERATOR_FIRST: {}, _OPERATOR_LAST: {}}

    def runs(self, world: World) -> Iterator[Run]:
        """Both runs from that world."""
        start = normal(told(without_luck(world), self._setting), self._setting)
        for order in (_OPERATOR_FIRST, _OPERATOR_LAST):
            yield self._run(start, order)

    def _run(self, world: World, order: Sources) -> Run:
        known, steps = self._lengths[order], list[Move]()
        seen = [world]
        while world not in known:
            move = next(moves(world, self._setting, order), None)
            if move is None:
                known[world] = 0
                break
            steps.append(move)
            words = broken(world, move, self._setting)
            if words or len(steps) > MOST_MOVES:
                return Run(len(steps), steps, None, words or f"it still moves after {MOST_MOVES} moves")
            world = move.after
            seen.append(world)
        rest = known[world]
        for back, passed in enumerate(reversed(seen)):
            known[passed] = rest + back
        at_rest = world if rest == 0 else None
        return Run(len(steps) + rest, steps, at_rest)
