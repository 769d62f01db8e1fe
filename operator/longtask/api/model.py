"""What all models of the resource have in common: how keys and times look outside, and that nothing changes inside.

It must not know any field of the resource.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

INT32_MAX: Final = 2**31 - 1


def _to_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:  # pydantic takes a ValueError for an invalid value, and nothing else
        raise ValueError(f"{time} is no time that Python can count with in UTC") from error


def rfc3339(time: datetime) -> str:
    """Write a time as Kubernetes does: UTC with `Z`; microseconds only where there are some."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_to_utc),
    PlainSerializer(rfc3339, when_used="json"),
    # Narrower than what the API server takes for a date-time, so that whatever is stored can be read back
    # here: no year 0, no 24 o'clock, no local times.
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^[1-9]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z$",
        }
    ),
]
"""A point in time, always in UTC; at the edge a string in RFC 3339."""


class Model(BaseModel):
    """camelCase outside, snake_case inside; frozen; tolerant of fields that this version does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=False,
    )

    def dump(self) -> dict[str, Any]:
        """Return what JSON holds: camelCase keys, strings for times and enums, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
