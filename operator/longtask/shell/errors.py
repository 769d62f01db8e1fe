"""What can go wrong with the API server, translated once, at the one door to it.

ShellError
├── Misconfigured          the operator can't start like this; the message says what to do
├── Outdated               what was planned no longer fits what is there: look again and plan anew
└── ApiError               the API server said no, or nothing
    ├── Refused            400, 403, 413, 422: it will not do this; its own words are for the user
    │   └── Forbidden      403
    ├── Missing            404
    ├── Conflict           409: somebody was there first
    ├── Expired            410: the list or watch must start anew
    ├── Throttled          429: later, after `retry_after` seconds
    └── Unavailable        401, 5xx, time-out, cut connection: whether a write has happened is not known
"""

from __future__ import annotations

from typing import Any


class ShellError(Exception):
    """Anything this package raises on purpose."""


class Misconfigured(ShellError):
    """The operator can't start like this."""


class Outdated(ShellError):
    """What was planned no longer fits what is there."""


class ApiError(ShellError):
    """An answer of the API server that is not a success; `status` is 0 where there was no answer at all."""

    def __init__(self, message: str, *, status: int = 0, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.details = details or {}

    @property
    def causes(self) -> frozenset[str]:
        """The machine-readable reasons that the server gives, such as `NamespaceTerminating`."""
        return frozenset(str(cause.get("reason", "")) for cause in self.details.get("causes") or ())


class Refused(ApiError):
    """The server understood and will not do it."""


class Forbidden(Refused):
    """No permission, a quota, or an admission policy."""


class Missing(ApiError):
    """There is no such object, or no such namespace."""


class Conflict(ApiError):
    """The object is not as expected, or exists already."""


class Expired(ApiError):
    """The resource version is too old: list again."""


class Unavailable(ApiError):
    """No answer, or none that says what has happened."""


class Throttled(Unavailable):
    """Too many requests. The write has not happened, but trying again later is right for both."""

    retry_after: float = 1.0


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Refused,
    401: Unavailable,
    403: Forbidden,
    404: Missing,
    409: Conflict,
    410: Expired,
    413: Refused,
    422: Refused,
    429: Throttled,
}


def api_error(status: int, body: dict[str, Any], *, retry_after: str | None = None) -> ApiError:
    """Translate an answer (HTTP status, `metav1.Status` body, Retry-After header) into one of ours."""
    fallback = Unavailable if status >= 500 else Refused
    message = str(body.get("message") or f"HTTP {status}")
    error = _BY_STATUS.get(status, fallback)(message, status=status, details=body.get("details"))
    if isinstance(error, Throttled) and retry_after and retry_after.isdigit():
        error.retry_after = float(retry_after)
    return error
