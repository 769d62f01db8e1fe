"""Restarts that the user asks for: whether one is due, and what the next attempt is told about it.

Whether one is due is told by numbers, never by a moment: so it can't be missed, nor happen twice. It must not know how
a worker is stopped for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.core.actions import StartOver

if TYPE_CHECKING:
    from longtask.core.observed import Observed


def restart_asked(o: Observed) -> bool:
    """Whether `spec.restartNonce` is another one than that of the current attempt. A task without a past has none."""
    nonce, status = o.task.restart_nonce, o.task.status
    new = o.job is None and status.attempt == 1 and status.checkpoint is None
    return nonce is not None and nonce != _answered(o) and not new


def answer(o: Observed) -> dict[str, Any]:
    """The part of the next attempt's status that answers it: every new attempt does."""
    set_back = restart_asked(o) and (o.task.from_beginning or o.task.rewind is not None)
    if not set_back:
        return {"restart_nonce": o.task.restart_nonce}
    checkpoint = o.task.status.checkpoint
    over = 0 if checkpoint is None else checkpoint.sequence
    return {
        "restart_nonce": o.task.restart_nonce,
        "start_over_sequence": over,
        "restart_sequence": None if o.task.from_beginning else o.task.rewind,
    }


def start_over(o: Observed) -> StartOver | None:
    """What this attempt and all later ones are told. One that saved nothing must not bring back what was given up."""
    status = o.task.status
    if status.start_over_sequence is None:
        return None
    return StartOver(over=status.start_over_sequence, rewind=status.restart_sequence)


def starts_over(o: Observed) -> bool:
    """Whether the current attempt begins as if nothing had been saved, and has not saved anything itself."""
    checkpoint, over = o.task.status.checkpoint, o.task.status.start_over_sequence
    return over is not None and (checkpoint is None or checkpoint.sequence <= over)


def _answered(o: Observed) -> int | None:
    return o.task.status.restart_nonce if o.job is None else o.job.restart_nonce
