"""Warning events on the LongTask, for what a person may want to hear of; posted only after the status was written.

What goes well makes no event: conditions and history tell it already, and a whole life must cost few writes.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.api.names import ConditionType, EventReason, Reason
from longtask.api.status import State
from longtask.core.conditions import is_true, reason_of

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.api.status import LongTaskStatus
    from longtask.core.observed import ObservedTask

_MESSAGE_LIMIT = 1024  # of core/v1 Events


def warning(old: LongTaskStatus, new: LongTaskStatus) -> tuple[EventReason, str] | None:
    """What to warn of, as reason and message, now that the status has changed from old to new."""
    ready = next((c.message for c in new.conditions if c.type == ConditionType.READY), "")
    if new.state is State.FAILED and old.state is not State.FAILED:
        return EventReason.TASK_FAILED, ready
    retrying = reason_of(new.conditions, ConditionType.READY) == Reason.RETRYING
    if new.attempt > old.attempt and retrying and new.failures:  # its pod goes with its Job, and with it its log
        return EventReason.TASK_RETRIED, ready
    if is_true(new.conditions, ConditionType.CHECKPOINT_DAMAGED) and not is_true(
        old.conditions, ConditionType.CHECKPOINT_DAMAGED
    ):
        damage = next(c.message for c in new.conditions if c.type == ConditionType.CHECKPOINT_DAMAGED)
        return EventReason.CHECKPOINT_DAMAGED, damage
    failed = reason_of(new.conditions, ConditionType.CLEANED_UP) == Reason.CLEANUP_FAILED
    if failed and reason_of(old.conditions, ConditionType.CLEANED_UP) != Reason.CLEANUP_FAILED:
        message = next(c.message for c in new.conditions if c.type == ConditionType.CLEANED_UP)
        return EventReason.CLEANUP_FAILED, message
    stalled = is_true(new.conditions, ConditionType.STALLED)
    if stalled and reason_of(old.conditions, ConditionType.STALLED) != reason_of(new.conditions, ConditionType.STALLED):
        return EventReason.TASK_STALLED, ready
    suspended = new.state is State.SUSPENDED and old.state is not State.SUSPENDED
    if suspended and reason_of(new.conditions, ConditionType.SUSPENDED) in (Reason.KILLED, Reason.NODE_LOST):
        return EventReason.TASK_SUSPENDED, ready
    return None


def event(task: ObservedTask, reason: str, message: str, *, now: datetime) -> dict[str, Any]:
    """A core/v1 Event, which `kubectl describe` shows under the task."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{task.name}.{secrets.token_hex(8)}", "namespace": task.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": task.namespace,
            "name": task.name,
            "uid": task.uid,
            "resourceVersion": task.resource_version,
        },
        "type": "Warning",
        "reason": reason,
        "message": message[:_MESSAGE_LIMIT],
        "source": {"component": names.OPERATOR_NAME},
        "reportingComponent": names.OPERATOR_NAME,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
