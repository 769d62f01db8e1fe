"""A count of a task's pods that makes the copy of them a proof: no list needs to be waited for when the last one ends.

While a suspended Job's pods end, a live list tells which there are. If the copy has every active one of them, it is
complete: a suspended Job makes no more, and in the copy a pod is gone, or has ended, only when the API server has said
so. Then the copy alone shows when the last one has ended. Without the list it would not: the copy may show the end of a
pod of long ago, and not have heard yet of the one that came after it.

A count is void as soon as a Job of the task is not the one, or not as it was, when it was taken: somebody may have
resumed it, and it may have made another pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.core.situation import Situation, situation

if TYPE_CHECKING:
    from longtask.core.observed import Census, Observed


def take(o: Observed) -> Census | None:
    """The count that this snapshot's live list makes; None: it makes none, or the copy lacks a pod that is active."""
    if o.live_pods is None or situation(o) is not Situation.DRAINING:
        return None
    known = {pod.uid for pod in o.pods}
    complete = all(pod.uid in known for pod in o.live_pods if pod.active)
    return _jobs(o) if complete else None


def is_valid(o: Observed) -> bool:
    """Whether the last count still holds: its Jobs are those of now, and nobody has changed their specs since."""
    return o.census is not None and o.census == _jobs(o)


def _jobs(o: Observed) -> Census:
    return frozenset((job.uid, job.generation) for job in o.jobs)
