"""The tasks in memory, by UID, from kopf's stream and our own writes. Older versions never replace newer ones."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from longtask.api.status import CheckpointCause
from longtask.shell.mirror import newer, object_name, require_object
from longtask.shell.slim import task_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from longtask.core.observed import ObservedTask

_log = logging.getLogger(__name__)

_QUIET_CAUSES = frozenset({CheckpointCause.CLAIM, CheckpointCause.INTERVAL})


class TaskStore:
    """`changed` is told the UID of every task that must be looked at again."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._tasks: dict[str, ObservedTask] = {}
        self._unreadable: dict[str, str] = {}  # version by UID

    def get(self, uid: str) -> ObservedTask | None:
        """The task, if it is known."""
        return self._tasks.get(uid)

    def version(self, uid: str) -> str | None:
        """The resource version that has been seen of it, also if nothing could be made of it."""
        known = self._tasks.get(uid)
        return self._unreadable.get(uid) if known is None else known.resource_version

    def __iter__(self) -> Iterator[ObservedTask]:
        return iter(tuple(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def apply(self, body: Mapping[str, Any]) -> None:
        """Take in a LongTask as the stream or a list has it. One that can't be read is told of and left alone."""
        uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
        seen = self.version(uid)
        if seen is not None and not newer(version, seen):
            return
        try:
            record = task_record(body)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this task's alone
            self._tasks.pop(uid, None)
            self._unreadable[uid] = version
            _log.error("a LongTask that can't be read is left alone: %s", error, extra={"task": object_name(body)})
            return
        self._unreadable.pop(uid, None)
        known = self._tasks.get(uid)
        self._tasks[uid] = record
        if known is None or not _only_the_worker_wrote(known, record):
            self._changed(uid)

    def update(self, body: Mapping[str, Any]) -> None:
        """Take in the answer to a request of ours, unless the stream has said meanwhile that the task is gone.

        Raises `Unavailable` for an answer that is no object: what was asked for may have been carried out.
        """
        require_object(body)
        if body["metadata"]["uid"] in self._tasks:
            self.apply(body)

    def remove(self, uid: str) -> None:
        """Forget a task that is gone. It is told of, so that nothing else is kept of it either."""
        self._unreadable.pop(uid, None)
        if self._tasks.pop(uid, None) is not None:
            self._changed(uid)


def _only_the_worker_wrote(old: ObservedTask, new: ObservedTask) -> bool:
    """Whether nothing changed but progress and a regular save, which decide nothing but a warning."""
    if (old.batches_too_long, old.damage) != (new.batches_too_long, new.damage):
        return False
    checkpoint = new.status.checkpoint
    if checkpoint is not None and checkpoint.cause not in _QUIET_CAUSES and checkpoint != old.status.checkpoint:
        return False
    return _without_the_workers_part(old) == _without_the_workers_part(new)


def _without_the_workers_part(task: ObservedTask) -> ObservedTask:
    status = task.status.model_copy(update={"progress": None, "checkpoint": None})
    return replace(task, resource_version="", status=status)
