"""The workload of most end-to-end tests: writes every item to a file on a volume, with the epoch that wrote it.

Runs inside the pods, from a ConfigMap; it knows only what users are told. What it does is set by the environment:
ITEMS (how many), PACE (seconds of work for each, until the file `hurry` appears), HOLD (a batch that takes until the
file `go` appears: one that a test wants to be in the middle of), CRASH (fail at that item, with exit code CODE, until
the file `mended` appears), NEVER (fail at that item, where no retry can help), EXIT_ZERO (leave at that item as if all
were well), DATA (folder of its files).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask.worker import NeverRetry, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from longtask.worker import Reason

DATA = Path(os.environ.get("DATA", "/data"))


def number(name: str, default: float = -1) -> float:
    """Read a number from the environment."""
    return float(os.environ.get(name, default))


def write_line(name: str, line: str) -> None:
    """Append a line in one write, so that two workers at once can't mix theirs."""
    DATA.mkdir(parents=True, exist_ok=True)
    with (DATA / name).open("a") as file:
        file.write(line + "\n")


class Items(Task):
    """Counts, and leaves a line for each number."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        self.next = saved["next"] if saved else 0
        write_line("log", f"setup at {self.next} epoch {self.epoch} pod {os.environ.get('HOSTNAME', '')}")

    def total(self) -> int:
        return int(number("ITEMS", 40))

    def batches(self) -> Iterable[int]:
        return range(self.next, self.total())  # knows its length, so that the last one is known to be the last

    def process(self, batch: int) -> None:
        if batch == number("HOLD"):
            write_line("log", f"holding at {batch} epoch {self.epoch}")
            while not (DATA / "go").exists():
                time.sleep(0.05)  # noqa: TID251 - stands for work
        if batch == number("CRASH") and not (DATA / "mended").exists():
            sys.exit(int(number("CODE", 3)))
        if batch == number("NEVER"):
            raise NeverRetry("the input can never be read")
        if batch == number("EXIT_ZERO"):
            os._exit(0)
        if not (DATA / "hurry").exists():
            time.sleep(number("PACE", 0.05))  # noqa: TID251 - stands for work
        write_line("items", f"{batch} {self.epoch}")
        self.next = batch + 1

    def save(self) -> dict[str, int]:
        return {"next": self.next}

    def cleanup(self, reason: Reason) -> None:
        write_line("log", f"cleanup {reason.value} epoch {self.epoch}")
