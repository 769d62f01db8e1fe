"""What users say of suspending, `spec.suspend`, as data. Descriptions are what `kubectl explain` shows."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from longtask.api.model import Model

DEFAULT_WAIT_SECONDS: Final = 3600
_YEAR: Final = 366 * 86_400


class SuspendSpec(Model):
    """How a worker is asked to stop when the task is to be suspended."""

    wait_for_batch: bool = Field(
        default=False,
        description="Ask the worker first, and stop its pod only when it has finished its batch and saved: for batches "
        "that take longer than the grace period. The worker must know of this, as the worker library does. While it "
        "has not stopped, running the task again costs nothing: the same worker goes on.",
    )
    limit_seconds: int = Field(
        default=DEFAULT_WAIT_SECONDS,
        ge=1,
        le=_YEAR,
        description="How long the worker is waited for, at most. Then its pod is stopped as usual.",
    )
