"""Drives one contender through the phases of a fleet, and takes the times.

The clients are the same for all: so many requests at once, from one process, as an administrator. It must not know who
is compared with whom.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from longtask.api import names
from longtask.clock import utc
from tests.bench.audit import Account, Calls
from tests.bench.children import Child, Cost, free_port
from tests.bench.fleet_contenders import CREATE, PHASES
from tests.bench.fleet_watch import LateError, Watcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from longtask.shell.api import Api
    from tests.bench.fleet_contenders import Contender
    from tests.bench.plane import Plane

AT_ONCE: Final = 50
"""Requests of the clients at the same time."""

Json = dict[str, Any]


@dataclass(kw_only=True)
class Fleet:
    """What one contender's fleet gave: by phase, seconds and the operator's requests."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, Calls] = field(default_factory=dict)
    cost: Cost | None = None
    """Of its operator, over all phases."""
    trouble: str = ""
    """Why it has not come to its end."""

    @property
    def total(self) -> float | None:
        """Seconds of all phases together."""
        return sum(self.seconds.values()) if len(self.seconds) == len(PHASES) else None


def limit(size: int) -> float:
    """How long a phase may take, in seconds: ten times what it takes on a quiet machine."""
    return 60.0 + 0.2 * size


async def drive(plane: Plane, contender: Contender, size: int, namespace: str) -> Fleet:
    """Bring `size` tasks through all phases, at once. What does not come to its end is told of in the result."""
    fleet = Fleet()
    plane.make_namespace(namespace)
    api = await plane.api()
    operator = await start(plane, contender) if contender.program else None
    try:
        async with Watcher(api, namespace, contender.api if contender.program else names.API_VERSION) as watcher:
            driver = _Driver(plane=plane, api=api, contender=contender, watcher=watcher, namespace=namespace, size=size)
            for phase in PHASES:
                fleet.seconds[phase], fleet.calls[phase] = await driver.phase(phase)
                if phase == CREATE and contender.claims:
                    await driver.claims()
    except LateError as error:
        last_words = "" if operator is None else f"; {operator.tail()[-300:]}"
        fleet.trouble = f"{contender.name}, {size} at once: {error}{last_words}"
    finally:
        if operator is not None:
            fleet.cost = operator.cost()
            operator.stop()
        await _clear(api, contender, namespace, size)
        await api.close()
    return fleet


@dataclass(frozen=True, kw_only=True)
class _Driver:
    """The clients of one fleet."""

    plane: Plane
    api: Api
    contender: Contender
    watcher: Watcher
    namespace: str
    size: int

    @property
    def tasks(self) -> list[str]:
        return [f"task-{number:05}" for number in range(self.size)]

    async def phase(self, name: str) -> tuple[float, Calls]:
        """Change all tasks, and wait until all are as awaited: seconds, and what the operator has asked for."""
        account = Account(self.plane.audit_log, self.contender.user)
        self.watcher.begin(self.tasks, self.contender.done[name])
        began = time.monotonic()
        await at_once(self._change(name), self.tasks)
        ended = await self.watcher.end(limit(self.size))
        await self.watcher.quiet(30)
        return ended - began, account.calls()

    async def claims(self) -> None:
        """Write what a worker would have written by the time it has stopped: nothing of that is timed."""
        collection = self.contender.collection(self.namespace)
        await at_once(lambda name: claim_and_save(self.api, f"{collection}/{name}"), self.tasks)
        await self.watcher.quiet(30)

    def _change(self, phase: str) -> Callable[[str], Awaitable[object]]:
        """The request of a client in a phase."""
        api, contender = self.api, self.contender
        collection = contender.collection(self.namespace)
        if phase == CREATE:
            return lambda name: api.post(collection, contender.manifest(self.namespace, name))
        change = contender.changes[phase]
        if change is None:
            foreground = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
            return lambda name: api.delete(f"{collection}/{name}", foreground)
        return lambda name: api.patch(f"{collection}/{name}", change, "merge-patch")


async def start(plane: Plane, contender: Contender, **env: str) -> Child:
    """Start a contender's operator with its own account, and wait until it says that it is ready."""
    port = free_port()
    own = {
        **os.environ,
        "KUBECONFIG": str(plane.kubeconfig_of(*contender.account)),
        "LONGTASK_HEALTH_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **contender.env,
        **env,
    }
    name = f"{contender.name.replace(' ', '-')}-{port}"
    child = plane.start(name, [sys.executable, *contender.program], env=own)
    await asyncio.to_thread(child.wait_until, "ready", lambda: is_ready(port), seconds=60)
    return child


def is_ready(port: int) -> bool:
    """Whether an operator says that it is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def at_once(call: Callable[[str], Awaitable[object]], tasks: Sequence[str]) -> None:
    """Make a request for each of the tasks, `AT_ONCE` at a time."""
    left = iter(tasks)

    async def client() -> None:
        for name in left:
            await call(name)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def claim_and_save(api: Api, path: str, *, cause: str = "Stop", data: str = '{"next": 1}') -> None:
    """Claim a task's checkpoint as its worker does, and save once. Admission policies are not for administrators."""
    now = utc(time.time()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    claim = {"epoch": 1, "holder": "a-pod", "attempt": 1, "sequence": 0, "cause": "Claim", "time": now, "data": ""}
    await api.patch(f"{path}/status", {"status": {"checkpoint": claim}}, "merge-patch")
    save = {
        "checkpoint": {"sequence": 1, "cause": cause, "data": data},
        "progress": {"done": 1, "total": 2, "percent": 50},
    }
    await api.patch(f"{path}/status", {"status": save}, "merge-patch")


async def _clear(api: Api, contender: Contender, namespace: str, size: int) -> None:
    """Leave nothing behind that the next contender would pay for."""
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    paths = [
        contender.collection(namespace),
        f"/apis/batch/v1/namespaces/{namespace}/jobs",
        f"/api/v1/namespaces/{namespace}/pods",
    ]
    deadline = time.monotonic() + limit(size)
    for path in paths:
        while (await api.get(path, {"limit": "1"}))["items"]:
            if time.monotonic() > deadline:
                raise LateError(f"{path} is not empty")
            await api.delete(path, options)
            await asyncio.sleep(0.5)
