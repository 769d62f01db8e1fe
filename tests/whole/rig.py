"""One operator with kopf in this process, at a stand-in of the API server, and a hand on both.

Waiting is for conditions, never for a time. Everything has an end: see `PATIENCE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubernetes.aio.client import Configuration

from longtask.api import names
from longtask.shell.operator import run_operator
from longtask.shell.settings import Settings
from tests.whole.cluster import Controllers
from tests.whole.server import FakeApi, with_defaults
from tests.whole.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.whole.server import Call

Json = dict[str, Any]
PATIENCE = 60.0  # seconds for anything, on a busy machine
NAMESPACE = "night"
QUICK: dict[str, Any] = {
    "health_port": 0,
    "workers": 4,
    "request_seconds": 2.0,
    "watch_idle_seconds": 1.0,
    "backoff_seconds": 0.5,
    "sweep_seconds": 3600.0,
}


@dataclass
class Rig:
    """A cluster with an operator, or one that waits for it."""

    store: Store
    server: FakeApi
    controllers: Controllers

    async def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until the condition holds. Raises AssertionError that says what was waited for, and what was there."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await self.store.next_change(0.02)
        except TimeoutError:
            story = [task.get("status") for task in self.store.find("longtasks")], self.store.find("jobs")
            raise AssertionError(f"waited in vain until {what}: {story}") from None

    def create(self, name: str = "import", **spec: Any) -> Json:  # noqa: ANN401 - fields of a spec
        """Create a task, as a user does."""
        template = {"spec": {"containers": [{"name": "worker", "image": "i"}]}}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"template": template, **spec},
        }
        return self.store.create("longtasks", with_defaults(body))

    def task(self, name: str = "import") -> Json:
        """The task as it is stored."""
        return self.store.get("longtasks", NAMESPACE, name)

    def want(self, desired: str, name: str = "import") -> None:
        """Change what is wanted of it."""
        body = self.task(name)
        body["spec"]["desiredState"] = desired
        self.store.put("longtasks", body)

    def state(self, name: str = "import") -> str:
        """The observed state if it is of the present generation, or else ''."""
        body = self.task(name)
        settled = body["status"]["observedGeneration"] == body["metadata"]["generation"]
        return str(body["status"]["state"]) if settled else ""

    async def until_state(self, state: str, name: str = "import") -> None:
        """Wait for an observed state of the present generation."""
        await self.until(f"{name} is {state}", lambda: self.state(name) == state)

    def active_pods(self) -> list[Json]:
        """Pods that may be at work."""
        return self.store.find("pods", lambda pod: pod["status"]["phase"] in ("Pending", "Running"))

    async def life(self, name: str = "import") -> None:
        """Create, run, suspend, resume and complete a task."""
        self.create(name)
        await self.until_state("Running", name)
        self.want("Suspend", name)
        await self.until_state("Suspended", name)
        assert self.active_pods() == []
        self.want("Run", name)
        await self.until_state("Running", name)
        self.controllers.finish(self.task(name))
        await self.until_state("Complete", name)


@asynccontextmanager
async def cluster(*, guarded: bool = True) -> AsyncIterator[Rig]:
    """A cluster without an operator; unless `guarded` is False, with the admission policies."""
    store = Store()
    if guarded:
        install_guards(store)
    controllers = Controllers(store)
    async with FakeApi(store).serving() as server:
        rest = asyncio.create_task(controllers.run())
        try:
            yield Rig(store, server, controllers)
        finally:
            await _end(rest)


def install_guards(store: Store) -> None:
    """The admission policies and their bindings."""
    for name in (names.STATUS_POLICY, names.TEMPLATE_POLICY):
        store.create("validatingadmissionpolicies", {"metadata": {"name": name}, "spec": {}})
        binding = {"policyName": name, "validationActions": ["Deny"]}
        store.create("validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})


def is_job_creation(call: Call) -> bool:
    """For faults."""
    return call.method == "POST" and call.plural == "jobs"


def is_write(call: Call) -> bool:
    """For faults."""
    return call.is_write


def every_other(matches: Callable[[Call], bool]) -> Callable[[Call], bool]:
    """Of the calls that match, the first, the third and so on."""
    turns = itertools.cycle((True, False))
    return lambda call: matches(call) and next(turns)


def start_operator(rig: Rig, **settings: Any) -> asyncio.Task[None]:  # noqa: ANN401 - fields of Settings
    """Start one. It runs until a signal, or until it is cancelled."""
    configuration = Configuration(host=rig.server.url)
    return asyncio.create_task(run_operator(Settings(**{**QUICK, **settings}), configuration), name="operator")


@asynccontextmanager
async def operated(*, ahead: float = 0.0, **settings: Any) -> AsyncIterator[Rig]:  # noqa: ANN401 - fields of Settings
    """A cluster with an operator. An operator that ended by itself fails the test. `ahead`: seconds; see FakeApi."""
    async with cluster() as rig:
        rig.server.ahead = ahead
        operator = start_operator(rig, **settings)
        try:
            yield rig
            assert not operator.done(), f"the operator has ended: {operator}"
        finally:
            await _end(operator)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().remove_signal_handler(number)


@asynccontextmanager
async def process_of(rig: Rig, folder: Path, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The operator as a process of its own, which ends with the block if not before."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": rig.server.url}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    environment |= {"KUBECONFIG": str(folder / "kubeconfig"), "LONGTASK_HEALTH_PORT": "0", **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longtask.shell", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
