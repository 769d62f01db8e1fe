"""The work that chaos is let loose on: each batch makes a piece, and the state is a digest of all pieces in order.

Runs inside the pods, from a ConfigMap, and once more undisturbed beside the test. Two outputs must come out the same:
the files, whatever is done twice; and the saved digest, which is right only if every batch went into it exactly once
and in order. A journal tells which batch was done with which epoch; it is for counting, and no output.

ITEMS: how many batches. PACE: seconds of work for each, until the file `hurry` appears. SALT: what makes one task's
work differ from another's. DATA: the folder of its files.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask.worker import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from longtask.worker import Reason

DATA = Path(os.environ["DATA"])
HURRY = DATA.parent / "hurry"
ROUNDS = 500


class Chain(Task):
    """Makes piece after piece, and keeps a digest of them."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        self.next: int = saved["next"] if saved else 0
        self.digest: str = saved["digest"] if saved else ""
        (DATA / "out").mkdir(parents=True, exist_ok=True)

    def total(self) -> int:
        return int(os.environ["ITEMS"])

    def batches(self) -> Iterable[int]:
        return range(self.next, self.total())

    def process(self, batch: int) -> None:
        if not HURRY.exists():
            time.sleep(float(os.environ["PACE"]))  # noqa: TID251 - stands for work
        piece = hashlib.pbkdf2_hmac("sha256", os.environ["SALT"].encode(), str(batch).encode(), ROUNDS).hex()
        self.digest = hashlib.sha256(f"{self.digest}{piece}".encode()).hexdigest()
        self.write(f"{batch:05}", piece)
        if batch == self.total() - 1:
            self.write("digest", self.digest)
        with (DATA / "journal").open("a") as journal:
            journal.write(f"{batch} {self.epoch}\n")  # in one write, so that two workers at once can't mix theirs
        self.next = batch + 1

    def write(self, name: str, text: str) -> None:
        """Replace a file of the output as a whole: two workers may be at it at once."""
        half = DATA / f"half-{self.epoch}"
        half.write_text(text)
        half.replace(DATA / "out" / name)

    def save(self) -> dict[str, Any]:
        return {"next": self.next, "digest": self.digest}

    def cleanup(self, reason: Reason) -> None:
        with (DATA / "endings").open("a") as endings:
            endings.write(f"{reason.value} {self.epoch}\n")
