"""Why the work ends: what `cleanup` is told. It must not know how that is found out."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a worker is leaving. Each equals its own lower-case word: `reason == "done"` works."""

    DONE = "done"  # all the work is done, and that is on record
    SUSPENDED = "suspended"  # everything is saved; somebody wants to go on later
    TERMINATED = "terminated"  # ended for good by its user: nobody will go on
    DELETED = "deleted"  # the task itself is gone: nobody will go on
    INTERRUPTED = "interrupted"  # everything is saved; another pod goes on (a drain, an eviction)
    FAILED = "failed"  # an error, or not everything could be saved; a retry goes on from the last checkpoint
