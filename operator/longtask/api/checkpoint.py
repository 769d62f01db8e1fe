"""What users say of checkpoints, `spec.checkpoint`, as data. What workers save is in longtask.py.

Descriptions are what `kubectl explain` shows.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from longtask.api import names
from longtask.api.model import Model

ExitCodes = Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(max_length=names.MAX_EXIT_CODES)]


class CheckpointSpec(Model):
    """What the saved position is, and how a program that knows nothing of LongTask keeps it."""

    schema_name: (
        Annotated[
            str, StringConstraints(max_length=names.MAX_SCHEMA, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._/]*[A-Za-z0-9])?$")
        ]
        | None
    ) = Field(
        default=None,
        alias="schema",
        description="Name of the form in which the position is saved, such as rows/2. Change it when a new version of "
        "the work can't read what an older one has saved: a worker that finds a position of another schema "
        "refuses it before it touches anything, unless it knows how to migrate it.",
    )
    file: Annotated[str, StringConstraints(max_length=names.MAX_FILE_PATH, pattern=r"^(/[^/]+){2,}$")] | None = Field(
        default=None,
        description="Absolute path, in the worker's container, of the file in which the program keeps its position. "
        "A sidecar puts the saved file there before the program starts, saves it whenever it has changed, and once "
        "more when the program has ended. Up to 32 KiB, more if it can be compressed. The program should replace the "
        "file (write another one and rename it), so that it is never half a file. Where no volume of the template "
        "holds the path, its folder becomes an empty one for the time of the pod. A file of the same name "
        "with .progress behind it, holding a line such as `120 5000 copying`, is shown as the task's progress.",
    )
    complete_exit_codes: ExitCodes | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Exit codes besides 0 with which the program says that all its work is done.",
    )
    interrupted_exit_codes: ExitCodes | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Exit codes besides 75 with which the program says that it was asked to stop, such as 130 or 143: "
        "they use no retry.",
    )
