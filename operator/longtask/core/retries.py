"""When the next try comes after a failure: later and later, and not for all tasks at once.

It must not know what a failure is; it counts them.
"""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import Observed

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
"""As the Job controller has them (DefaultJobPodFailureBackOff in pkg/controller/job/job_controller.go, and its max)."""

SPREAD = 0.2
"""Tasks that failed together, as when a database was away, don't come back together."""


def pause_after(failures: int) -> timedelta:
    """The pause that the Job controller makes after so many failures of a Job: doubled each time."""
    doublings = min(max(failures, 1) - 1, 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def next_try(o: Observed, failures: int) -> datetime:
    """When the next attempt is to begin, if it follows so many failures in a row.

    The same for the same task and attempt, whoever decides, and whenever it is decided again.
    """
    dice = zlib.crc32(f"{o.task.uid}/{o.task.status.attempt}".encode()) / 2**32
    return o.now + pause_after(failures) * (1 - SPREAD + 2 * SPREAD * dice)


def must_wait(o: Observed) -> bool:
    """Whether that time has yet to come. A changed spec is tried at once, and so is after a clock was put back."""
    at = o.task.status.next_try_time
    if at is None or o.task.status.observed_generation != o.task.generation:
        return False
    return timedelta(0) < at - o.now <= LONGEST_PAUSE * (1 + SPREAD)
