"""The workload of the fault tests: a few batches of milliseconds, each leaving a line with the epoch that wrote it.

Runs inside the pods, from a ConfigMap. At the item HOLD the batch lasts until the worker is asked to stop, or until
somebody lets it go on; once per task, so that what a scenario does to it always meets it at the same place. LINGER:
seconds that this batch lasts on after that. CRASH, LEAVE: the item at which the first attempt fails, or leaves with 0
as if all were well. CLOCK: seconds by which the clock of its node is ahead.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask.worker import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = Path(os.environ["DATA"])
STAYED = DATA / "stayed"
FIRST = os.environ["LONGTASK_ATTEMPT"] == "1"
RIGHT = time.time
time.time = lambda: RIGHT() + float(os.environ["CLOCK"])


def number(name: str) -> float:
    """A setting, or -1."""
    return float(os.environ.get(name, "-1"))


class Steps(Task):
    """Counts to ITEMS."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        DATA.mkdir(parents=True, exist_ok=True)
        self.next = saved["next"] if saved else 0

    def total(self) -> int:
        return int(number("ITEMS"))

    def batches(self) -> Iterable[int]:
        return range(self.next, self.total())

    def process(self, batch: int) -> None:
        if batch == number("HOLD") and not STAYED.exists():
            self._stay()
        if FIRST and batch == number("CRASH"):
            sys.exit(3)
        if FIRST and batch == number("LEAVE"):
            os._exit(0)
        with (DATA / "items").open("a") as file:
            file.write(f"{batch} {self.epoch}\n")
        self.next = batch + 1

    def save(self) -> dict[str, int]:
        return {"next": self.next}

    def _stay(self) -> None:
        while not self.stopping and not (DATA / "go").exists():
            time.sleep(0.02)  # noqa: TID251 - stands for work
        time.sleep(max(0.0, number("LINGER")))  # noqa: TID251 - stands for work
        STAYED.touch()
