"""Whether a worker was interrupted, and whether the work gets on: what makes the next attempt free, and at once.

It must not know what is done about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.api.status import CheckpointCause, State
from longtask.core.restart import starts_over
from longtask.core.status import attempt_claimed

if TYPE_CHECKING:
    from longtask.core.observed import Observed

IDLE_RESTARTS_LIMIT = 5
"""Interruptions in a row without progress before the next attempt is left to the Job controller's slow backoff."""


def interrupted(o: Observed) -> bool:
    """Whether the worker that was at work has saved because it was asked to stop, and has ended.

    The save of an earlier suspend looks the same. So a worker must have been seen since (`Running`), and no other pod
    that has ended by itself may have been created after that save (times of pods have whole seconds).
    """
    checkpoint = o.task.status.checkpoint
    if checkpoint is None or not was_at_work(o):
        return False
    if o.task.keeps_file:
        return _program_interrupted(o, checkpoint.holder)
    last = o.last_failed(o.pods)
    saved = checkpoint.time.replace(microsecond=0)
    crashed_since = last is not None and last.uid != checkpoint.holder and (last.created or o.now) >= saved
    return checkpoint.cause is CheckpointCause.STOP and not crashed_since


def _program_interrupted(o: Observed, holder: str) -> bool:
    """The same of a program whose file is saved for it, which says nothing at its end: its pod does.

    One that has ended by itself stays. So one that is not there any more was deleted, and its file saved before: this
    takes a live list, in which there is no successor either.
    """
    pods = o.pods if o.live_pods is None else o.live_pods
    pod = next((pod for pod in pods if pod.uid == holder), None)
    if pod is None:
        return o.live_pods is not None and not any(pod.active for pod in pods)
    return not pod.active and (pod.disrupted or pod.exit_code in o.task.exit_codes.interrupted)


def was_at_work(o: Observed) -> bool:
    """Whether a worker of this attempt has claimed, and was seen at work."""
    return attempt_claimed(o) and o.task.status.state is State.RUNNING


def idle_too_often(o: Observed) -> bool:
    """Whether attempt after attempt was interrupted, and this one has not got on either."""
    return (o.task.status.idle_restarts or 0) >= IDLE_RESTARTS_LIMIT and not has_got_on(o)


def has_got_on(o: Observed) -> bool:
    """Whether more is done than when the current attempt was recorded."""
    return done(o) > (o.task.status.done_at_start or 0)


def done(o: Observed) -> int:
    """How much the worker says is done; nothing, as long as it starts over and has not saved yet."""
    progress = None if starts_over(o) else o.task.status.progress
    return 0 if progress is None else progress.done
