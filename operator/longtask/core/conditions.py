"""Conditions the way Kubernetes tools read them (kstatus, `kubectl wait`): set, kept, never removed once true.

It must not know what a task is; it knows lists of conditions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtask.api.names import ConditionStatus, Reason
from longtask.api.status import Condition

if TYPE_CHECKING:
    from datetime import datetime

MESSAGE_LIMIT = 4096
"""Longest message we write, in characters: the last words of a pod have at most 2048 bytes."""

_MESSAGE_ALTERNATES = frozenset({Reason.IMAGE_PULL, Reason.CRASH_LOOP})
"""Reasons whose message the kubelet changes to and fro; writing each change would never end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one condition should say."""

    type: str
    status: bool
    reason: str
    message: str = ""
    always: bool = False
    """Say it even when it is false and was never there."""


def merge(
    present: tuple[Condition, ...], claims: tuple[Claim, ...], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Put the claims over the present conditions; the time of transition moves only when the status does.

    A condition that would be False and was never there is left out: absent says the same, and is shorter to read.
    One that no claim speaks of is as it was, and still so at this generation: `kubectl wait` trusts no older one.
    """
    merged = {kept.type: kept for kept in at_generation(present, generation)}
    for claim in claims:
        old = merged.get(claim.type)
        if old is None and not claim.status and not claim.always:
            continue
        merged[claim.type] = _condition(old, claim, generation=generation, now=now)
    return tuple(merged.values())


def at_generation(conditions: tuple[Condition, ...], generation: int) -> tuple[Condition, ...]:
    """The same conditions, said of that generation."""
    return tuple(
        said if said.observed_generation == generation else said.model_copy(update={"observed_generation": generation})
        for said in conditions
    )


def _condition(old: Condition | None, claim: Claim, *, generation: int, now: datetime) -> Condition:
    status = ConditionStatus.TRUE if claim.status else ConditionStatus.FALSE
    same = old is not None and old.status == status
    keep = old is not None and same and old.reason == claim.reason and claim.reason in _MESSAGE_ALTERNATES
    return Condition(
        type=claim.type,
        status=status,
        reason=claim.reason,
        message=old.message if keep and old is not None else claim.message[:MESSAGE_LIMIT],
        last_transition_time=old.last_transition_time if same and old is not None else now,
        observed_generation=generation,
    )


def is_true(conditions: tuple[Condition, ...], kind: str) -> bool:
    """Whether the condition is there and true."""
    return any(c.type == kind and c.status == ConditionStatus.TRUE for c in conditions)


def reason_of(conditions: tuple[Condition, ...], kind: str) -> str | None:
    """The reason that a condition gives, whatever its status; None if it is not there."""
    return next((c.reason for c in conditions if c.type == kind), None)
