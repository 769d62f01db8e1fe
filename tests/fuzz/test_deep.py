"""A task nested as deeply as the API server takes it: anybody may create one, and kopf reads it before we do.

Python's own limit of 1,000 levels ended the stream of all tasks, again and again, as long as that one was there.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from longtask.shell.__main__ import _DEEPEST
from tests.fuzz.hostile import nested
from tests.whole.rig import cluster, process_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


async def test_one_task_nested_thousands_of_levels_deep_harms_no_other(tmp_path: Path) -> None:
    template = {"spec": {"containers": [{"name": "worker", "image": "i"}], "deep": nested(3000)}}
    with deep_reader():
        async with cluster() as rig, process_of(rig, tmp_path, LONGTASK_LOG_LEVEL="ERROR"):
            rig.create("deep", template=template)
            rig.create("sound")

            await rig.until_state("Running", "sound")
            await rig.until_state("Running", "deep")


@contextmanager
def deep_reader() -> Iterator[None]:
    """The stand-in is in this process, and must be able to read it, too."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
