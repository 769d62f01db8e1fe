"""The time of day as the API server has it.

Deletion times, conditions and checkpoints are compared with one another, and written by machines whose clocks differ.
It must not know what a time is used for, nor send anything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_EARLIEST, _LATEST = 946_684_800.0, 7_258_118_400.0
"""The years 2000 to 2199: a time outside is no time of day, and could not be reckoned with."""


class ServerClock:
    """Begins with this machine's clock, and is moved by what the API server's answers say, no farther than they show.

    An answer carries the second at which it was written (`Date`, RFC 9110 §6.6.1), which was some time between request
    and answer. A clock that is right, to the second and the time of a round trip, is therefore never moved. In between
    it goes by the steady clock, so that nobody who sets this machine's clock moves it.
    """

    def __init__(self, local: Callable[[], float] | None = None, steady: Callable[[], float] = time.monotonic) -> None:
        self._local, self._steady = local or time.time, steady
        self._lead = self._local() - steady()
        self._heard: str | None = None
        self._second: float | None = None  # what that means: many answers have the same date

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._steady() + self._lead

    def asking(self) -> float:
        """What `hear` has to be told of a request that is about to be sent."""
        return self._steady()

    def hear(self, date: str | None, asked: float) -> None:
        """Take notice of an answer that has just begun to arrive. A date that makes no sense says nothing."""
        if date != self._heard:
            self._heard, self._second = date, _seconds(date or "")
        if self._second is not None:
            self._lead = min(max(self._lead, self._second - self._steady()), self._second + 1.0 - asked)

    def local_is_ahead(self) -> float:
        """By how many seconds this machine's clock is ahead of the API server's; negative: behind."""
        return self._local() - self.now()


def utc(seconds: float) -> datetime:
    """Seconds since the epoch, as the operator reckons with them."""
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(date: str) -> float | None:
    try:
        parts = parsedate_tz(date)
        seconds = None if parts is None else float(mktime_tz(parts))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return seconds if seconds is not None and _EARLIEST <= seconds < _LATEST else None
