"""Values that a structural schema accepts: what the API server may have stored, and so may show us.

Of JSON schema only what `longtask.api.crd` writes is known; a key that is new is an error here, so that nothing is
passed over. Times are those that the API server takes for a `date-time` (kube-openapi `pkg/validation/strfmt`,
`IsDateTime`: the date must exist). It must not know the models.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Schema = dict[str, Any]
_KNOWN: Final = frozenset(
    {
        *("type", "description", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength"),
        *("minItems", "maxItems", "required", "default", "properties", "items"),
    }
)
_INT64_MAX: Final = 2**63 - 1


def accepted_by(schema: Schema) -> SearchStrategy[Any]:
    """Values of the schema. Raises ValueError for a key that is not known here."""
    unknown = {key for key in schema if key not in _KNOWN and not key.startswith("x-kubernetes-")}
    if unknown:
        raise ValueError(f"{unknown} must be taught to {__name__}")
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "integer":
            return st.integers(schema.get("minimum", -_INT64_MAX), schema.get("maximum", _INT64_MAX))
        case "string":
            return _strings(schema)
        case "array":
            keys = schema.get("x-kubernetes-list-map-keys", ())
            return st.lists(
                accepted_by(schema["items"]),
                max_size=min(4, schema.get("maxItems", 4)),
                unique_by=(lambda item: tuple(item[key] for key in keys)) if keys else None,
            )
        case "object":
            return _objects(schema)
    raise ValueError(f"type {schema['type']} must be taught to {__name__}")


def _strings(schema: Schema) -> SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return _times()
    most = min(60, schema.get("maxLength", 60))
    if "pattern" in schema:
        whole = re.compile(schema["pattern"].replace("$", r"\Z"), re.ASCII)  # Go's $ is no line's end
        return st.from_regex(whole).filter(lambda text: len(text) <= most)
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=schema.get("minLength", 0), max_size=most)


def _objects(schema: Schema) -> SearchStrategy[dict[str, Any]]:
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    parts = {key: accepted_by(part) for key, part in properties.items()}
    return st.fixed_dictionaries(
        {key: part for key, part in parts.items() if key in required},
        optional={key: part for key, part in parts.items() if key not in required},
    )


def _times() -> SearchStrategy[str]:
    days = st.dates(date(1000, 1, 1), date(9999, 12, 31))
    clock = st.from_regex(re.compile(r"\A([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z\Z", re.ASCII))
    return st.builds(lambda day, time: f"{day.isoformat()}T{time}", days, clock)
