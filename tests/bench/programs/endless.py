"""The work of the real worker's part: batches of 10 ms without end. It says so when it is at work."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from longtask.worker import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_WORK = "at work"


class Endless(Task):
    """Counts."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        self.next = saved["next"] if saved else 0
        self.said = False

    def batches(self) -> Iterator[int]:
        while True:
            yield self.next

    def process(self, batch: int) -> None:
        if not self.said:
            self.said = True
            print(AT_WORK, file=sys.stderr, flush=True)  # noqa: T201 - looked for in the log
        time.sleep(0.01)  # noqa: TID251 - stands for work
        self.next = batch + 1

    def save(self) -> dict[str, int]:
        return {"next": self.next}
