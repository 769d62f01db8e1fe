"""What an answer of the API server means."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.shell.errors import (
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Missing,
    NotServed,
    Refused,
    Throttled,
    Unavailable,
    api_error,
)


def status(**further: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"kind": "Status", "message": "no", **further}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (400, Refused),
        (401, Unavailable),
        (403, Forbidden),
        (404, Missing),
        (409, Conflict),
        (410, Expired),
        (413, Refused),
        (418, Refused),
        (422, Refused),
        (429, Throttled),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_each_status_has_its_error_with_the_servers_words(code: int, expected: type[ApiError]) -> None:
    error = api_error(code, status())

    assert type(error) is expected
    assert (str(error), error.status) == ("no", code)


def test_a_resource_that_is_not_served_is_not_an_object_that_is_gone() -> None:
    error = api_error(404, {})

    assert type(error) is NotServed
    assert not isinstance(error, Missing)


@pytest.mark.parametrize(
    ("header", "details", "expected"),
    [
        ("7", None, 7.0),
        (None, {"retryAfterSeconds": 5}, 5.0),
        ("0", None, 0.0),
        ("86400", None, 60.0),
        ("Wed, 25 Nov 2026 20:00:00 GMT", None, 1.0),
        (None, None, 1.0),
        (None, "nonsense", 1.0),
    ],
)
def test_how_long_to_wait_when_there_were_too_many(header: str | None, details: Any, expected: float) -> None:  # noqa: ANN401
    assert api_error(429, status(details=details), retry_after=header).retry_after == expected


def test_other_errors_may_ask_to_wait_too() -> None:
    assert api_error(503, status(), retry_after="9").retry_after == 9.0
    assert api_error(503, status()).retry_after == 0.0


def test_the_machine_readable_reasons_are_found() -> None:
    error = api_error(403, status(details={"causes": [{"reason": "NamespaceTerminating"}, {}]}))

    assert "NamespaceTerminating" in error.causes
    assert api_error(403, status()).causes == frozenset()
