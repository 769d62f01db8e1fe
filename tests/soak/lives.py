"""Lives of tasks, drawn by luck, at a stand-in of the API server: every way in which one can end.

It must not know what the operator keeps. Each life has a name of its own, and every tenth a namespace of its own, so
that whatever is kept by name, by UID or by namespace grows when it is not forgotten.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from longtask.api import names
from tests.whole.server import with_defaults

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from tests.whole.rig import Rig
    from tests.whole.server import Call

Json = dict[str, Any]
_PER_NAMESPACE = 10
_PATIENCE = 600.0  # seconds for one step of one life, among many on a machine that is busy for hours


async def until(rig: Rig, what: str, condition: Callable[[], object]) -> None:
    """Wait until the condition holds. Raises AssertionError that says what was waited for."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while not condition():
                await rig.store.next_change(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain until {what}") from None


class Task:
    """One task of a user."""

    def __init__(self, rig: Rig, number: int) -> None:
        self.name = f"task-{number}"
        self.namespace = f"team-{number // _PER_NAMESPACE}"
        self._rig = rig

    def create(self) -> None:
        """Create it, to be run."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "i"}]}}},
        }
        self._rig.store.create("longtasks", with_defaults(body))

    def body(self) -> Json:
        """The task as it is stored."""
        return self._rig.store.get("longtasks", self.namespace, self.name)

    def change(self, part: str, **values: object) -> None:
        """Change its spec or its status."""
        body = self.body()
        body[part] |= values
        self._rig.store.put("longtasks", body)

    def finish(self) -> None:
        """Its worker does all its work."""
        self._rig.controllers.finish(self.body())

    def save(self) -> None:
        """Its worker saves."""
        self._rig.controllers.save(self.body())

    def delete(self) -> None:
        """Delete it, whatever it is doing."""
        self._rig.store.remove("longtasks", self.namespace, self.name)

    async def until(self, state: str) -> None:
        """Wait for an observed state of the present generation, with a live pod where it is `Running`."""

        def reached() -> bool:
            body = self.body()
            settled = body["status"]["observedGeneration"] == body["metadata"]["generation"]
            return bool(settled and body["status"]["state"] == state)

        await until(self._rig, f"{self.name} is {state}", reached)

    def is_job_write(self, call: Call) -> bool:
        """For faults of this task alone."""
        return call.is_write and call.plural == "jobs" and f"/{self.namespace}/" in call.path


class Lives:
    """Makes lives, and counts those that are over."""

    def __init__(self, rig: Rig, luck: random.Random) -> None:
        self.over = 0
        self._rig = rig
        self._luck = luck
        self._numbers = itertools.count()
        self._ways: dict[Callable[[Task], Awaitable[None]], int] = {
            self._complete: 6,
            self._terminated: 2,
            self._deleted_at_work: 1,
            self._deleted_while_unanswered: 1,
            self._deleted_while_refused: 1,
            self._deleted_unreadable: 1,
        }

    async def one(self) -> None:
        """One life from its creation until it is deleted."""
        task = Task(self._rig, next(self._numbers))
        (way,) = self._luck.choices([*self._ways], [*self._ways.values()])
        task.create()
        await way(task)
        task.delete()
        self.over += 1

    async def _work(self, task: Task) -> None:
        """Run it, and suspend and resume it a few times."""
        await task.until("Running")
        for _ in range(self._luck.randrange(3)):
            task.change("spec", desiredState="Suspend")
            await task.until("Suspended")
            task.change("spec", desiredState="Run")
            await task.until("Running")
            task.save()

    async def _complete(self, task: Task) -> None:
        await self._work(task)
        task.finish()
        await task.until("Complete")

    async def _terminated(self, task: Task) -> None:
        await self._work(task)
        task.change("spec", desiredState="Terminate")
        await task.until("Terminated")

    async def _deleted_at_work(self, task: Task) -> None:
        await self._work(task)

    async def _deleted_while_unanswered(self, task: Task) -> None:
        """What was not answered is remembered until it is looked at: a task may be gone before that."""
        await self._fault(task, cut=True)

    async def _deleted_while_refused(self, task: Task) -> None:
        await self._fault(task, status=403)

    async def _deleted_unreadable(self, task: Task) -> None:
        await task.until("Running")
        task.change("status", state="Weird")

    async def _fault(self, task: Task, **how: Any) -> None:  # noqa: ANN401 - fields of a Fault
        """Have all writes to its Jobs fail until it has been seen. A neighbour of its namespace bears it, too."""
        fault = self._rig.server.fault(task.is_job_write, times=1_000_000, **how)
        task.change("spec", desiredState="Suspend")  # if its Job is there already; else its creation fails
        await until(self._rig, f"{task.name} has failed", lambda: fault.met or self._settled(task))
        task.delete()
        self._rig.server.faults.remove(fault)

    def _settled(self, task: Task) -> bool:
        body = task.body()
        return bool(body["status"]["observedGeneration"] == body["metadata"]["generation"])
