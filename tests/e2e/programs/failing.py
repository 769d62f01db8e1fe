"""Work that goes wrong in ways of its own, on top of items.py: errors that pass, and states that can't be saved.

Runs inside the pods. RAISE: an error at that item, until somebody makes the file `mended`. ONCE: the same, and it
makes that file itself first.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask.worker import NeverRetry

if TYPE_CHECKING:
    from tests.e2e.programs.items import DATA, Items, number, write_line
else:
    from items import DATA, Items, number, write_line  # its neighbour in the pod


class Failing(Items):
    """Fails at an item, and is healed by a file."""

    def process(self, batch: int) -> None:
        mended = DATA / "mended"
        if batch in {number("RAISE"), number("ONCE")} and not mended.exists():
            if batch == number("ONCE"):
                mended.touch()
            raise ValueError(f"item {batch} has no name")
        super().process(batch)


class FailsTwice(Items):
    """Fails at items 10 and 20, each time when it comes there for the first time."""

    def process(self, batch: int) -> None:
        met = DATA / f"met-{batch}"
        if batch in {10, 20} and not met.exists():
            met.touch()
            raise ValueError(f"item {batch} has no name")
        super().process(batch)


class StopsBadly(Items):
    """Says that no retry can help when it is asked to stop in the middle of item 5."""

    def process(self, batch: int) -> None:
        if batch == 5 and not (DATA / "mended").exists():
            write_line("log", "waiting to be stopped")
            while not self.stopping:
                time.sleep(0.05)  # noqa: TID251 - stands for work
            raise NeverRetry("stopped in the middle")
        super().process(batch)


class TooLarge(Items):
    """Wants to keep what it has made where only the way on belongs."""

    def save(self) -> Any:  # noqa: ANN401 - as in Task
        return {"next": self.next, "made": "x" * (40_000 if self.next >= 5 else 0)}


class Heavy(Items):
    """Saves a large state: BYTES of it. FULL: fills the disk that it is saved on from item 20 on, until `room`."""

    def process(self, batch: int) -> None:
        filler, full = Path("/var/lib/longtask/small/filler"), bool(os.environ.get("FULL"))
        if full and batch >= 20 and not (DATA / "room").exists():
            with contextlib.suppress(OSError), filler.open("ab") as file:
                while True:  # again with each batch: versions that are not kept any more leave room behind
                    file.write(b"x" * 4096)
                    file.flush()
            if batch == 20:
                write_line("log", "the disk is full")
        elif full:
            filler.unlink(missing_ok=True)
        super().process(batch)

    def save(self) -> Any:  # noqa: ANN401 - as in Task
        return {"next": self.next, "made": "x" * int(number("BYTES"))}


class NotJson(Items):
    """Saves a set."""

    def save(self) -> Any:  # noqa: ANN401 - as in Task
        return {"next": self.next, "seen": {1, 2}}
