"""The tasks in memory, by UID, from kopf's stream and our own writes. Older versions never replace newer ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from longtask.api.longtask import CheckpointCause
from longtask.shell.mirror import newer
from longtask.shell.slim import task_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from longtask.core.observed import ObservedTask

_QUIET_CAUSES = frozenset({CheckpointCause.CLAIM, CheckpointCause.INTERVAL})


class TaskStore:
    """`changed` is told the UID of every task that must be looked at again."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._tasks: dict[str, ObservedTask] = {}

    def get(self, uid: str) -> ObservedTask | None:
        """The task, if it is known."""
        return self._tasks.get(uid)

    def __iter__(self) -> Iterator[ObservedTask]:
        return iter(tuple(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def apply(self, body: Mapping[str, Any]) -> None:
        """Take in a LongTask as the server has it."""
        record = task_record(body)
        if record is None:
            return
        known = self._tasks.get(record.uid)
        if known is not None and not newer(record.resource_version, known.resource_version):
            return
        self._tasks[record.uid] = record
        if known is None or not _only_the_worker_wrote(known, record):
            self._changed(record.uid)

    def remove(self, uid: str) -> None:
        """Forget a task that is gone."""
        self._tasks.pop(uid, None)


def _only_the_worker_wrote(old: ObservedTask, new: ObservedTask) -> bool:
    """Whether nothing changed but progress and a regular save, which decide nothing."""
    checkpoint = new.status.checkpoint
    if checkpoint is not None and checkpoint.cause not in _QUIET_CAUSES and checkpoint != old.status.checkpoint:
        return False
    return _without_the_workers_part(old) == _without_the_workers_part(new)


def _without_the_workers_part(task: ObservedTask) -> ObservedTask:
    status = task.status.model_copy(update={"progress": None, "checkpoint": None})
    return replace(task, resource_version="", status=status)
