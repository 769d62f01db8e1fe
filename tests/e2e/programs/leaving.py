"""Work that ends in ways that a cluster may mistake, on top of items.py. Runs inside the pods.

LEAVE: the item at which the first worker leaves.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.programs.items import Items, number, write_line
else:
    from items import Items, number, write_line  # its neighbour in the pod


class LeavesWithZero(Items):
    """Comes to an item at which it is asked to stop, and leaves at once as if all were well: many programs do."""

    def process(self, batch: int) -> None:
        if batch == number("LEAVE") and self.epoch == 1:
            write_line("log", f"waiting at {batch}")
            while not self.stopping:
                time.sleep(0.05)  # noqa: TID251 - stands for work
            os._exit(0)
        super().process(batch)


class Wasteful(Items):
    """Fills the disk of its node, the first time."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        super().setup(saved)
        if self.epoch == 1:
            Path("/tmp/waste").write_bytes(bytes(32 * 2**20))
