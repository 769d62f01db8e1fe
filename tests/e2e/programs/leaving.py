"""Work that ends in ways that a cluster may mistake, on top of items.py. Runs inside the pods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.programs.items import Items
else:
    from items import Items  # its neighbour in the pod


class LeavesWithZero(Items):
    """When it is asked to stop it leaves at once, without a save, as if all were well: many programs do."""

    def process(self, batch: int) -> None:
        super().process(batch)
        if self.stopping:
            os._exit(0)


class Wasteful(Items):
    """Fills the disk of its node, the first time."""

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        super().setup(saved)
        if self.epoch == 1:
            Path("/tmp/waste").write_bytes(bytes(32 * 2**20))
