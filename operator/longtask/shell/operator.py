"""The composition: settings, door, copies, queue, workers and kopf's stream, started together and stopped together.

kopf ends when its stream meets an error that it holds for fatal. Then everything is started anew after a pause: with no
state but copies of the server's, that is safe at any moment. Signals are listened to here, in every phase of a life:
kopf does so only while it runs, and the first process of a container ignores a signal that nobody listens to.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import kopf

from longtask import __version__
from longtask.api import names
from longtask.clock import utc
from longtask.core.observed import ObservedJob, ObservedPod
from longtask.shell.api import Api, load_configuration
from longtask.shell.cluster import JOBS_PATH, PODS_PATH, Cluster
from longtask.shell.cycle import Cycle
from longtask.shell.errors import ApiError, Misconfigured
from longtask.shell.execute import Executor
from longtask.shell.health import serve_health
from longtask.shell.mirror import Mirror
from longtask.shell.own_image import find_sidecar_image
from longtask.shell.prover import Prover
from longtask.shell.slim import job_record, pod_record
from longtask.shell.stream import IDENTITY, kopf_settings, task_registry
from longtask.shell.sweep import StreamDead, Sweep, require_guards
from longtask.shell.tasks import TaskStore
from longtask.shell.workqueue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from kubernetes.aio.client import Configuration

    from longtask.shell.settings import Settings

R = TypeVar("R", ObservedJob, ObservedPod)

_log = logging.getLogger(__name__)

_GUARD_PATIENCE = 30.0
"""Seconds. Helm creates the Deployment before kinds that it does not know, such as admission policies."""

_CLOCKS_DIFFER = 5.0
"""Seconds of difference that are worth a line in the log."""


async def run_operator(settings: Settings, configuration: Configuration | None = None) -> None:
    """Run until SIGTERM or SIGINT ends it. Raises `Misconfigured` if it can't work here at all."""
    stop = asyncio.Event()
    listen(stop)
    configuration = configuration or await load_configuration()
    _log.info("longtask operator %s", __version__, extra={"server": configuration.host})
    lives = Lives(settings, configuration, stop)
    async with serve_health(settings.health_port, ready=lambda: lives.is_ready):
        await _first_of(lives.run(), stop.wait())


class Lives:
    """One life of all parts after another."""

    def __init__(self, settings: Settings, configuration: Configuration, stop: asyncio.Event) -> None:
        self._settings = settings
        self._configuration = configuration
        self._stop = stop
        self._life: Operator | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the present life has begun to decide."""
        return self._life is not None and self._life.is_ready

    async def run(self) -> None:
        """Live on until cancelled. Raises `Misconfigured`."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            self._life = Operator(self._settings, self._configuration, self._stop)
            try:
                await self._life.run()
            except Misconfigured:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, the next life may be luckier
                self._life = None
                lasted = asyncio.get_running_loop().time() - began
                failures = 0 if lasted > self._settings.backoff_seconds else failures + 1
                pause = min(self._settings.backoff_seconds, 0.5 * 2 ** min(failures, 20)) * random.uniform(0.5, 1.0)  # noqa: S311
                _log.warning("starting anew in %.1f s after: %s %s", pause, type(error).__name__, error, exc_info=error)
                await asyncio.sleep(pause)


class Operator:
    """One life of all the parts."""

    def __init__(self, settings: Settings, configuration: Configuration, stop: asyncio.Event) -> None:
        self._settings = settings
        self._configuration = configuration
        self._stop = stop
        self._api = Api(configuration, request_seconds=settings.request_seconds)
        self._queue = WorkQueue(longest_backoff=settings.backoff_seconds)
        self._tasks = TaskStore(self._queue.add)
        self._jobs: Mirror[ObservedJob] = self._mirror(JOBS_PATH, job_record)
        self._pods: Mirror[ObservedPod] = self._mirror(PODS_PATH, pod_record)
        self._cluster = Cluster(api=self._api, tasks=self._tasks, jobs=self._jobs, pods=self._pods)
        self._executor = Executor(self._cluster)
        prover = Prover(self._cluster.list_pods)
        self._cycle = Cycle(self._cluster, self._executor, prover, self._queue, now=self._api_time)

    async def run(self) -> None:
        """Run until cancelled; raises what made one of the parts give up."""
        try:
            await self._wait_for_guards()
            self._executor.sidecar = await find_sidecar_image(self._cluster, self._settings)
            # kopf cancels every task that was created after its own start, so ours are created before: its is the last
            await _first_of(*self._parts(), self._stream())
        finally:
            await self._api.close()

    def _parts(self) -> list[Coroutine[None, None, None]]:
        sweep = Sweep(self._cluster, self._settings.sweep_seconds)
        workers = [self._work() for _ in range(self._settings.workers)]
        return [self._jobs.run(), self._pods.run(), sweep.run(), *workers]

    async def _work(self) -> None:
        """Decide nothing before both copies are full: what is not known would look like what is not there."""
        await self._jobs.synced.wait()
        await self._pods.synced.wait()
        await self._cycle.run()

    async def _stream(self) -> None:
        """Run kopf, which has no reason to end but a failure, and give it back the signals no more than necessary."""
        others = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=task_registry(self._tasks, self._configuration),
            settings=kopf_settings(self._settings),
            identity=IDENTITY,
            clusterwide=True,
            standalone=True,
        )
        listen(self._stop)
        await kopf.run_tasks(tasks, ignored=others)
        raise StreamDead("kopf has ended the stream of tasks")

    async def _wait_for_guards(self) -> None:
        """Give an installation in progress a moment to bring the policies; then refuse to work without them."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _GUARD_PATIENCE
        while True:
            try:
                await require_guards(self._cluster)
                if await self._cluster.is_discoverable():
                    self._compare_clocks()
                    return
                _log.warning("waiting for discovery to show %s", names.CRD_NAME)
            except Misconfigured as problem:
                if loop.time() >= deadline:
                    raise
                _log.warning("waiting: %s", problem)
            except ApiError as error:
                _log.warning("waiting for the API server: %s", error)
            await asyncio.sleep(1)

    def _compare_clocks(self) -> None:
        ahead = self._api.clock.local_is_ahead()
        if abs(ahead) > _CLOCKS_DIFFER:
            _log.warning("this machine's clock is %+.0f s off the API server's, by which tasks are timed", ahead)

    def _api_time(self) -> datetime:
        return utc(self._api.clock.now())

    @property
    def is_ready(self) -> bool:
        """Whether both copies are full, so that decisions are made."""
        return self._jobs.synced.is_set() and self._pods.synced.is_set()

    def _mirror(self, path: str, parse: Callable[[dict[str, Any]], R | None]) -> Mirror[R]:
        return Mirror(
            self._api,
            path,
            parse=parse,
            changed=self._queue.add,
            idle_seconds=self._settings.watch_idle_seconds,
            longest_backoff=self._settings.backoff_seconds,
        )


def listen(stop: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT set the event, whoever listened to them before."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _first_of(*parts: Coroutine[None, None, object]) -> None:
    """Run all parts until the first ends, end the others, and raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
