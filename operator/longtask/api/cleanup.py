"""What users say of the clean-up at a task's end, `spec.cleanup`, as data. `kubectl explain` shows the descriptions."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from longtask.api.model import INT32_MAX, Model

DEFAULT_BACKOFF_LIMIT: Final = 3
DEFAULT_DEADLINE_SECONDS: Final = 600


class CleanupSpec(Model):
    """What is run once when the task is terminated or deleted: a command in the worker's image, or a pod of its own."""

    command: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Program and arguments, run in the worker's image, with its variables, volumes and user. "
        "Either this or template.",
    )
    template: dict[str, Any] | None = Field(
        default=None,
        description="The pod that cleans up, as in a Job: metadata and spec. Either this or command.",
    )
    backoff_limit: int = Field(
        default=DEFAULT_BACKOFF_LIMIT,
        ge=0,
        le=100,
        description="How many failed pods are replaced before the clean-up is given up.",
    )
    active_deadline_seconds: int = Field(
        default=DEFAULT_DEADLINE_SECONDS,
        ge=1,
        le=INT32_MAX,
        description="For how many seconds it is tried, a pod that does not start included, before it is given up.",
    )
