"""Every move that the world can make next, as data: a sentence, who makes it, and the world after it.

A move that changes nothing is left out. It must not know which moves are good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.model.moves_cluster import cluster_moves
from tests.model.moves_operator import deliver, kinds, operator_moves
from tests.model.moves_people import people_moves
from tests.model.moves_worker import worker_moves
from tests.model.normal import normal
from tests.model.objects import changed
from tests.model.world import same, with_operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.world import Actor, Setting, World


@dataclass(frozen=True, slots=True)
class Move:
    """One step of the world."""

    says: str
    actor: Actor
    after: World


Source = Callable[["World", "Setting"], "Iterator[tuple[str, Actor, World]]"]
Sources = tuple[Source, ...]

EVERYBODY: Sources = (operator_moves, cluster_moves, worker_moves, people_moves)


def moves(world: World, setting: Setting, sources: Sources = EVERYBODY) -> Iterator[Move]:
    """All of them, in the order of the sources."""
    for source in sources:
        for says, actor, after in source(world, setting):
            new = normal(told(after, setting), setting)
            if new != world:
                yield Move(says, actor, new)


def without_luck(world: World) -> World:
    """The same world in which nothing goes wrong any more, and nobody changes his mind."""
    return changed(world, edits=0, faults=0, harms=0)


def told(world: World, setting: Setting) -> World:
    """Where copies do not lag in this setting, they hear of everything at once."""
    if not setting.controller_lags:
        world = changed(world, controller_jobs=world.jobs, controller_pods=world.pods)
    if not setting.operator_lags:
        for number, operator in enumerate(world.operators):
            told = operator
            for kind, stored, copies in kinds(world, operator):
                told = told if same(stored, copies) else deliver(told, world, kind)
            world = with_operator(world, number, told)
    return world
