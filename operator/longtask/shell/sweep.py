"""Compares the tasks in memory with those on the server, now and then, and mends what differs.

It covers what kopf's stream is known to miss: objects deleted during a gap stay for ever, and a watch may die without a
word. Twice in a row something missed means that the stream is dead: `StreamDead`, so that it is started anew.
It also gives worker access back where somebody removed it, and sees that the policies are still there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtask.api.status import State
from longtask.shell.cluster import TASKS_PATH
from longtask.shell.errors import ApiError, Misconfigured, Missing, Refused, ShellError
from longtask.shell.mirror import newer

if TYPE_CHECKING:
    from longtask.shell.cluster import Cluster

_log = logging.getLogger(__name__)

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_GRACE_SECONDS = 10.0
"""How long the stream may lag behind a list before that counts as missed."""

_OVER = (State.COMPLETE, State.TERMINATED)


class StreamDead(ShellError):
    """The stream of tasks has missed changes twice in a row."""


@dataclass(slots=True)
class Sweep:
    """One loop over one cluster."""

    cluster: Cluster
    seconds: float
    missed_in_a_row: int = 0

    async def run(self) -> None:
        """Sweep until cancelled. Raises `StreamDead`, or `Misconfigured` if a policy is gone."""
        while True:
            await asyncio.sleep(self.seconds * random.uniform(0.9, 1.1))  # noqa: S311  jitter
            try:
                await self.once()
            except ApiError as error:
                _log.warning("sweep: %s", error)

    async def once(self) -> None:
        """Compare once and mend."""
        await require_guards(self.cluster)
        await self._give_access_back()
        missed = await self._missed()
        if missed:
            await asyncio.sleep(_GRACE_SECONDS)
            missed = [key for key in missed if self._still_missing(*key)]
        for namespace, name, uid, _ in missed:
            _log.error("the stream of tasks has missed a change", extra={"task": f"{namespace}/{name}"})
            await self._mend(namespace, name, uid)
        self.missed_in_a_row = self.missed_in_a_row + 1 if missed else 0
        if self.missed_in_a_row >= 2:
            message = "the stream of tasks has missed changes twice in a row"
            raise StreamDead(message)

    async def _give_access_back(self) -> None:
        """Where tasks may run. That one namespace is being deleted, or refuses it, is no reason to skip the rest."""
        at_work = {
            task.namespace for task in self.cluster.tasks if not task.deleting and task.status.state not in _OVER
        }
        for namespace in sorted(at_work):
            try:
                await self.cluster.ensure_worker_access(namespace)
            except (Missing, Refused) as error:
                _log.warning("workers of a namespace have no access: %s", error, extra={"namespace": namespace})

    async def _missed(self) -> list[tuple[str, str, str, str]]:
        """Namespace, name, UID and version of each task that is not in memory as it is on the server."""
        listed: dict[str, tuple[str, str, str, str]] = {}
        version = "0"
        async for page in self.cluster.api.pages(TASKS_PATH, {}, accept=_METADATA_ONLY):
            version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                metadata = item["metadata"]
                uid = metadata["uid"]
                listed[uid] = (metadata["namespace"], metadata["name"], uid, metadata["resourceVersion"])
        for task in self.cluster.tasks:
            if task.uid not in listed and not newer(task.resource_version, version):
                self.cluster.tasks.remove(task.uid)
        return [key for key in listed.values() if self._still_missing(*key)]

    def _still_missing(self, _namespace: str, _name: str, uid: str, version: str) -> bool:
        known = self.cluster.tasks.version(uid)
        return known is None or newer(version, known)

    async def _mend(self, namespace: str, name: str, uid: str) -> None:
        body = await self.cluster.read_task_named(namespace, name)
        if body is not None:
            self.cluster.tasks.apply(body)
        if body is None or body["metadata"]["uid"] != uid:
            self.cluster.tasks.remove(uid)


async def require_guards(cluster: Cluster) -> None:
    """Raise `Misconfigured` unless both admission policies and their bindings are there."""
    missing = await cluster.missing_guards()
    if missing:
        message = (
            f"missing: {', '.join(missing)}. Without the resource there is nothing to do, and without its policies any"
            " pod could change the state of any task, so the operator does not work."
            " Install them with the Helm chart, or apply manifests/install.yaml"
        )
        raise Misconfigured(message)
