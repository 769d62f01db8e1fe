"""Tasks that have ended and are to be deleted a while after that, as a Job with `ttlSecondsAfterFinished` is.

It must not know what is deleted along: that is the garbage collector's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.core.actions import DeleteTask, Outcome, Plan
from longtask.core.status import ENDED

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import Observed

_LAST_YEAR = 9000
"""A status may say any time, and 68 years can be added to it."""


def expiry(o: Observed) -> datetime | None:
    """When the task is to be deleted; None while it has not ended, or a change of its spec is not answered yet."""
    status, ttl = o.task.status, o.task.ttl
    if ttl is None or status.state not in ENDED or status.observed_generation != o.task.generation:
        return None
    ended = status.completion_time
    return None if ended is None or ended.year > _LAST_YEAR else ended + ttl


def expired(o: Observed) -> bool:
    """Whether that time has come."""
    at = expiry(o)
    return at is not None and at <= o.now


def remove(o: Observed) -> Plan:
    """Delete the task, if it is still the version that was seen: somebody may just have asked for it again."""
    delete = DeleteTask(uid=o.task.uid, resource_version=o.task.resource_version)
    return Plan(outcome=Outcome.EXPIRED, actions=(delete,))
