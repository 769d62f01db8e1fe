"""Live lists of pods for the proofs of `Suspended` and `Terminated`, shared by all who wait for one.

A list proves it for everybody whose waiting began before it did. One list at a time: those who come while it runs
wait for the next. So suspending ten thousand tasks takes a few lists, not ten thousand.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from longtask.api import names
from longtask.shell.errors import Expired, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from longtask.core.observed import ObservedPod, ObservedTask

    ListPods = Callable[[str, str | None], Awaitable[list[ObservedPod]]]
    _Waiting = tuple[ObservedTask, asyncio.Future[tuple[ObservedPod, ...]]]

_BY_UID = 16
"""Up to so many tasks are asked for by their UIDs; for more, all pods of all tasks are listed."""


class Prover:
    """For one event loop. `list_pods(selector, namespace or None)` must read live, to the last page."""

    def __init__(self, list_pods: ListPods) -> None:
        self._list_pods = list_pods
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def pods_of(self, task: ObservedTask) -> tuple[ObservedPod, ...]:
        """The task's pods, from a list that begins after this call. Raises what the list raises."""
        answer: asyncio.Future[tuple[ObservedPod, ...]] = asyncio.get_running_loop().create_future()
        self._waiting.append((task, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._serve(), name="prover")
        return await answer

    async def _serve(self) -> None:
        while self._waiting:
            served, self._waiting = self._waiting, []
            try:
                found = await self._ask([task for task, _ in served])
            except Exception as error:  # noqa: BLE001  it is raised where it is waited for
                _fail(served, error)
            except BaseException:  # whoever waits is not cancelled, too: kopf ends every task that it does not know
                _fail(served + self._waiting, Unavailable("the list of pods was cut short"))
                self._waiting = []
                raise
            else:
                for task, answer in served:
                    if not answer.done():
                        answer.set_result(tuple(found[task.namespace, task.uid]))

    async def _ask(self, tasks: list[ObservedTask]) -> dict[tuple[str, str], list[ObservedPod]]:
        selector = names.LABEL_TASK_UID
        if len(tasks) <= _BY_UID:
            selector = f"{selector} in ({','.join(sorted({task.uid for task in tasks}))})"
        namespaces = {task.namespace for task in tasks}
        namespace = namespaces.pop() if len(namespaces) == 1 else None
        try:
            pods = await self._list_pods(selector, namespace)
        except Expired:  # the pages outlived the version that they were of: once more from the start
            pods = await self._list_pods(selector, namespace)
        by_task: dict[tuple[str, str], list[ObservedPod]] = defaultdict(list)
        for pod in pods:
            by_task[pod.namespace, pod.task_uid].append(pod)
        return by_task


def _fail(served: list[_Waiting], error: Exception) -> None:
    for _, answer in served:
        if not answer.done():
            answer.set_exception(error)
