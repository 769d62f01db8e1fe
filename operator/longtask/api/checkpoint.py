"""What users say of checkpoints, `spec.checkpoint`, as data. What workers save is in longtask.py.

Descriptions are what `kubectl explain` shows.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from longtask.api import names
from longtask.api.model import Model

DEFAULT_KEEP: Final = 3

ExitCodes = Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(max_length=names.MAX_EXIT_CODES)]


class ClaimTemplate(Model):
    """A claim that is made for the task, and deleted with it."""

    spec: dict[str, Any] = Field(
        description="Specification of a PersistentVolumeClaim, sent to the API server as it is written; see "
        "kubectl explain persistentvolumeclaim.spec."
    )


class VolumeSpec(Model):
    """Where versions of the position are kept."""

    claim_name: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = Field(
        default=None,
        description="Name of a PersistentVolumeClaim of this namespace. Several tasks may share one: each has a folder "
        "of its own, named by the task's UID. It is never deleted. Either this or claimTemplate.",
    )
    claim_template: ClaimTemplate | None = Field(
        default=None,
        description="A claim that is made for this task alone, and deleted when the task is terminated or deleted. "
        "Either this or claimName.",
    )


class ObjectStoreSpec(Model):
    """Where versions of the position are kept, in an object store."""

    url: Annotated[
        str, StringConstraints(max_length=1024, pattern=r"^(s3|gs|az|azure|abfss?)://[^/\s?#]+(/[^\s?#]*)?$")
    ] = Field(
        description="Bucket and prefix, such as s3://checkpoints/team. Each task keeps its versions under a prefix of "
        "its own below that, named by the task's UID. They are never removed when the task ends."
    )
    secret_name: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = Field(
        default=None,
        description="Name of a Secret of this namespace whose keys become variables of the containers that save, "
        "such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL. Absent: access comes from "
        "the pod's service account, or from variables of the template.",
    )


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
    volume: VolumeSpec | None = Field(
        default=None,
        description="A volume in which versions of the position are kept, each with its SHA-256: for positions that "
        "are larger than 32 KiB, for going on from an older one when the last is damaged, and for going back "
        "(restartFrom). A save counts when it is on the volume and the status names it.",
    )
    object_store: ObjectStoreSpec | None = Field(
        default=None,
        description="The same as volume, in an object store. A worker in Python needs longtask[objectstore] in its "
        "image. Either this or volume.",
    )
    keep: int | None = Field(
        default=None, ge=1, le=50, description="How many versions are kept there; 3 where nothing is said."
    )
    file: Annotated[str, StringConstraints(max_length=names.MAX_FILE_PATH, pattern=r"^(/[^/]+){2,}$")] | None = Field(
        default=None,
        description="Absolute path, in the worker's container, of the file in which the program keeps its position. "
        "A sidecar puts the saved file there before the program starts, saves it whenever it has changed, and once "
        "more when the program has ended. Up to 32 KiB, more if it can be compressed, of any size with a volume. "
        "The program should replace the file (write another one and rename it), so that it is never half a file. Where "
        "no volume of the template holds the path, its folder becomes an empty one for the time of the pod. A file of "
        "the same name with .progress behind it, holding a line such as `120 5000 copying`, is shown as the task's "
        "progress.",
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
