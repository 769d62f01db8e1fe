"""What goes wrong in a cluster now and then, drawn by luck, one thing after another while the tasks live.

It must not know any task.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tests.whole.rig import is_write

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from tests.whole.rig import Rig

_PAUSES = (0.5, 3.0)  # seconds between two troubles
_AWAY_SECONDS = 0.5
_MOST = 5  # requests that one trouble meets


@asynccontextmanager
async def troubled(rig: Rig, luck: random.Random) -> AsyncIterator[None]:
    """Trouble inside the block; none of it is left behind."""
    source = asyncio.create_task(_make(rig, luck))
    try:
        yield
    finally:
        source.cancel()
        with suppress(asyncio.CancelledError):
            await source
        rig.server.away = False
        rig.server.faults.clear()
        rig.server.end_watches()


async def _make(rig: Rig, luck: random.Random) -> None:
    server = rig.server
    while True:
        await asyncio.sleep(luck.uniform(*_PAUSES))
        times = luck.randint(1, _MOST)
        match luck.randrange(20):
            case 0 | 1 | 2 | 3:
                server.fault(is_write, times=times, status=luck.choice((409, 500, 503)))
            case 4 | 5 | 6:
                server.fault(is_write, times=times, status=429, headers={"Retry-After": "1"})
            case 7 | 8 | 9:
                server.fault(is_write, times=times, cut=True)
            case 10 | 11 | 12 | 13:
                server.fault(is_write, times=times, cut_after=True)
            case 14 | 15 | 16 | 17:
                server.end_watches(luck.choice((None, {"code": 410, "message": "too old resource version"})))
            case 18:
                server.freeze_watches()
            case _:
                server.away = True
                server.end_watches(luck.choice((None, {"code": 500, "message": "etcdserver: leader changed"})))
                await asyncio.sleep(_AWAY_SECONDS)
                server.away = False
