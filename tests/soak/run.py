"""The soak: rounds of lives, and after each, when all tasks are gone and all is quiet, a look at its memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.proof import luck
from tests.soak.lives import Lives, until
from tests.soak.subject import running
from tests.soak.trouble import troubled
from tests.whole.rig import cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.subject import Sample, Subject
    from tests.whole.rig import Rig

PER_ROUND: Final = 2
"""Lives of each task between two looks."""

_PATIENCE = 120.0  # seconds until all is quiet
_LOOK_SECONDS = 1.0
_LOG_KEPT = 100  # changes that the stand-in keeps: watches from before them must list again
_SETTINGS: Final[dict[str, str]] = {
    "LONGTASK_HEALTH_PORT": "0",
    "LONGTASK_REQUEST_SECONDS": "10",
    "LONGTASK_WATCH_IDLE_SECONDS": "2",
    "LONGTASK_BACKOFF_SECONDS": "0.5",
    "LONGTASK_SWEEP_SECONDS": "20",
    "LONGTASK_LOG_LEVEL": "WARNING",
}


class NotForgottenError(Exception):
    """Something is still kept of tasks that are gone."""


@dataclass(frozen=True, slots=True)
class Point:
    """One look."""

    lives: int  # over by then
    seconds: float  # since the beginning
    sample: Sample


@dataclass
class Soak:
    """One run. `tell` is given every point as soon as it is there."""

    tasks: int
    seconds: float
    tell: Callable[[Point], None]
    points: list[Point] = field(default_factory=list)

    async def run(self, folder: Path) -> None:
        """Fill `points`. Raises NotForgottenError when the operator does not let go of tasks that are gone."""
        begun = time.monotonic()
        async with cluster() as rig, running(rig.server.url, folder, **_SETTINGS) as subject:
            await rig.until("it watches all three", lambda: _watched(rig) >= {"longtasks", "jobs", "pods"})
            lives = Lives(rig, luck("soak/lives"))
            self._note(Point(0, 0.0, await _until_quiet(subject, most_loops=None)))
            while time.monotonic() - begun < self.seconds:
                await self._round(rig, lives)
                quiet = await _until_quiet(subject, most_loops=self.points[0].sample.loops)
                self._note(Point(lives.over, time.monotonic() - begun, quiet))

    def _note(self, point: Point) -> None:
        self.points.append(point)
        self.tell(point)

    async def _round(self, rig: Rig, lives: Lives) -> None:
        async with troubled(rig, luck(f"soak/trouble/{lives.over}")), asyncio.TaskGroup() as group:
            for _ in range(self.tasks):
                group.create_task(_some(lives))
        await until(rig, "Jobs and pods are gone", lambda: not rig.store.find("jobs") and not rig.store.find("pods"))
        _forget(rig)


async def _some(lives: Lives) -> None:
    for _ in range(PER_ROUND):
        await lives.one()


async def _until_quiet(subject: Subject, *, most_loops: int | None) -> Sample:
    """Wait until all parts are at work, nothing is kept of any task, and no more loops run than so many."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        sample = await subject.sample()
        if sample.ready and not sample.held and sample.lives == 1 and sample.loops <= (most_loops or sample.loops):
            return sample
        if time.monotonic() > deadline:
            words = f"{sample.held}, {sample.lives} lives of the parts, {sample.loops} loops instead of {most_loops}"
            raise NotForgottenError(words)
        await asyncio.sleep(_LOOK_SECONDS)  # kopf ends the loop of an object that is gone after some seconds


def _watched(rig: Rig) -> set[Any]:
    return {call.plural for call in rig.server.calls if call.watch}


def _forget(rig: Rig) -> None:
    """The stand-in remembers everything that ever was; here it must not."""
    store, server = rig.store, rig.server
    del store.log[:-_LOG_KEPT]
    server.oldest = store.log[0].version if store.log else 0
    for remembered in (server.calls, server.done, rig.controllers.started):
        remembered.clear()
