"""JSON patch and merge patch, as far as the operator and the tests use them."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]


class TestFailedError(Exception):
    """A `test` of the patch does not hold, or there is nothing at its path."""

    __test__ = False  # not a class of tests


def json_patched(body: Json, operations: list[Json]) -> Json:
    """Apply RFC 6902's test, add, replace and remove on objects; lists are replaced as a whole."""
    patched = copy.deepcopy(body)
    for operation in operations:
        *parents, last = [part.replace("~1", "/") for part in operation["path"].split("/")[1:]]
        target = patched
        for part in parents:
            target = target.get(part, {})
        _apply(target, last, operation)
    return patched


def _apply(target: Json, last: str, operation: Json) -> None:
    match operation["op"]:
        case "test":
            if target.get(last) != operation["value"]:
                raise TestFailedError(operation["path"])
        case "add":
            target[last] = operation["value"]
        case "replace" if last in target:
            target[last] = operation["value"]
        case "remove" if last in target:
            del target[last]
        case _:
            raise TestFailedError(operation["path"])


def merged(body: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    """Apply RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(body) if isinstance(body, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
