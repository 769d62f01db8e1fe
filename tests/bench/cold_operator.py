"""The operator, or only one of its streams, in a process that says when it has seen everything there is.

`python -m tests.bench.cold_operator whole|kopf|mirrors COUNT FILE`: when COUNT tasks have been decided on with nothing
left in the queue (whole), COUNT events of kopf's stream have come (kopf), or both mirrors are full (mirrors), it writes
a line of JSON into FILE and goes on. The operator is the real one; all that is added is a set of the UIDs that its
cycle was through with.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import kopf

from longtask.api import names
from longtask.shell.__main__ import set_up_python
from longtask.shell.api import Api, load_configuration
from longtask.shell.cluster import JOBS_PATH, PODS_PATH
from longtask.shell.cycle import Cycle
from longtask.shell.log import set_up_logging
from longtask.shell.mirror import Mirror
from longtask.shell.operator import run_operator
from longtask.shell.settings import Settings
from longtask.shell.slim import job_record, pod_record
from longtask.shell.stream import IDENTITY, connection_info, kopf_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KINDS: Final = ("whole", "kopf", "mirrors")


class Finish:
    """Counts UIDs until there are enough of them, and then writes down when that was, once."""

    def __init__(self, count: int, file: Path) -> None:
        self._count = count
        self._file = file
        self._seen: set[str] = set()
        self._said = False

    def see(self, uid: str) -> None:
        """Note one."""
        self._seen.add(uid)
        if len(self._seen) >= self._count:
            self.say()

    def say(self) -> None:
        """Write it down, by the clock that all processes of the machine share."""
        if not self._said:
            self._said = True
            half = self._file.with_suffix(".half")
            half.write_text(json.dumps({"at": time.monotonic(), "cpu": time.process_time()}))
            half.replace(self._file)


async def whole(settings: Settings, finish: Finish) -> None:
    """The operator as it is, with a look at what its cycle is through with."""
    Cycle.once = _noted(Cycle.once, finish)  # type: ignore[method-assign]
    await run_operator(settings)


def _noted(once: Callable[[Cycle, str], Awaitable[None]], finish: Finish) -> Any:  # noqa: ANN401
    @wraps(once)
    async def noted(self: Cycle, uid: str) -> None:
        await once(self, uid)
        if self._cluster.tasks.get(uid) is not None:  # a Job or pod may be seen before its task: that decides nothing
            finish.see(uid)

    return noted


async def kopf_alone(settings: Settings, finish: Finish) -> None:
    """kopf's stream of tasks with a handler that does nothing."""
    configuration = await load_configuration()
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.ConnectionInfo:
        return await connection_info(configuration)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def task_seen(event: kopf.RawEvent, **_: object) -> None:
        finish.see(event["object"]["metadata"]["uid"])

    await kopf.operator(
        registry=registry, settings=kopf_settings(settings), identity=IDENTITY, clusterwide=True, standalone=True
    )


async def mirrors(settings: Settings, finish: Finish) -> None:
    """The mirrors of Jobs and Pods, with nobody to tell."""
    api = Api(await load_configuration(), request_seconds=settings.request_seconds)
    rest: dict[str, Any] = {
        "changed": lambda _: None,
        "idle_seconds": settings.watch_idle_seconds,
        "longest_backoff": settings.backoff_seconds,
    }
    jobs = Mirror(api, JOBS_PATH, parse=job_record, **rest)
    pods = Mirror(api, PODS_PATH, parse=pod_record, **rest)

    async def full() -> None:
        await jobs.synced.wait()
        await pods.synced.wait()
        finish.say()

    await asyncio.gather(jobs.run(), pods.run(), full())


PROGRAMS: Final = {"whole": whole, "kopf": kopf_alone, "mirrors": mirrors}


def main(kind: str, count: str, file: str) -> None:
    """Run until the process is ended."""
    set_up_python()
    settings = Settings.from_environment(os.environ)
    set_up_logging(settings.log_level, settings.log_format)
    asyncio.run(PROGRAMS[kind](settings, Finish(int(count), Path(file))))


if __name__ == "__main__":
    main(*sys.argv[1:])
