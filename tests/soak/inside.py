"""The operator as it is shipped, in a process that tells on SIGUSR1 what it keeps in memory.

The answer is a JSON object in the file that `SOAK_ANSWER` names, replaced as a whole. It must not know who asks.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from longtask.shell import operator as composition
from longtask.shell.__main__ import main

if TYPE_CHECKING:
    from types import FrameType

    from longtask.shell.operator import Operator

ANSWER: Final = "SOAK_ANSWER"

_lives: weakref.WeakSet[Operator] = weakref.WeakSet()


def kept(life: Operator) -> dict[str, int]:
    """How much is in each memory of the operator's parts; all of it is of tasks, so without tasks all is zero."""
    tasks, queue, executor = life._tasks, life._queue, life._executor
    memories: dict[str, Any] = {
        "tasks": tasks._tasks,
        "unreadable tasks": tasks._unreadable,
        "jobs": life._jobs._records,
        "pods": life._pods._records,
        "tasks with jobs": life._jobs._by_task,
        "tasks with pods": life._pods._by_task,
        "queued": queue._waiting,
        "worked on": queue._working,
        "to be worked on again": queue._again,
        "timers": queue._timers,
        "failures": queue._failures,
        "unanswered writes": executor._unanswered,
        "namespaces with access": executor._access_seen_for,
        "tasks that show access": executor._shows_access,
        "counts of pods": life._cycle._censuses,
    }
    return {name: len(memory) for name, memory in memories.items()}


class _Seen(composition.Operator):
    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - whatever a life is made with
        super().__init__(*arguments)
        _lives.add(self)


def _answer(_number: int, _frame: FrameType | None) -> None:
    """Collect all garbage, give freed memory back, and tell what is left."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lives = sorted(_lives, key=id)
    told = {
        "lives": len(lives),
        "ready": any(life.is_ready for life in lives),
        "objects": len(gc.get_objects()),
        "loops": len(asyncio.all_tasks()),
        "kept": {name: sum(kept(life)[name] for life in lives) for name in (kept(lives[0]) if lives else ())},
    }
    path = Path(os.environ[ANSWER])
    path.with_suffix(".new").write_text(json.dumps(told))
    path.with_suffix(".new").replace(path)


if __name__ == "__main__":
    composition.Operator = _Seen  # type: ignore[misc, assignment]
    signal.signal(signal.SIGUSR1, _answer)
    sys.exit(main())
