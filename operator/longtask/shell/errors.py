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
    ├── NotServed          404 without a word of any object: the API server does not know the resource (yet)
    └── Unavailable        401, 408, 5xx, time-out, cut connection, an answer that makes no sense: whether a write has
        │                  happened is not known
        └── Throttled      429: it has not happened; later

Each may carry `retry_after`, the seconds that the server asked to wait.
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

    retry_after: float = 0.0
    """Seconds that the server asks to wait; 0 where it says nothing."""

    def __init__(self, message: str, *, status: int = 0, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.details = details or {}

    @property
    def causes(self) -> frozenset[str]:
        """The machine-readable reasons that the server gives, such as `NamespaceTerminating`."""
        causes = self.details.get("causes")
        causes = causes if isinstance(causes, list) else []
        return frozenset(str(cause.get("reason", "")) for cause in causes if isinstance(cause, dict))


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


class NotServed(ApiError):
    """The resource itself is unknown: its CRD is not installed, or the API server has just started.

    Not to be taken for an object that is gone.
    """


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
    408: Unavailable,
    409: Conflict,
    410: Expired,
    413: Refused,
    422: Refused,
    429: Throttled,
}


LONGEST_RETRY_AFTER = 60.0
"""Seconds. A proxy may ask for hours; a task must not stand still for so long because of it."""


def api_error(status: int, body: dict[str, Any], *, retry_after: str | None = None) -> ApiError:
    """Translate an answer (HTTP status, `metav1.Status` body or {} for anything else, Retry-After header)."""
    fallback = Refused if 400 <= status < 500 else Unavailable
    kind = NotServed if status == 404 and not body else _BY_STATUS.get(status, fallback)
    details = body.get("details")
    details = details if isinstance(details, dict) else {}
    error = kind(str(body.get("message") or f"HTTP {status}"), status=status, details=details)
    asked = retry_after or str(details.get("retryAfterSeconds") or "")
    if asked.isascii() and asked.isdigit():
        error.retry_after = min(float(asked), LONGEST_RETRY_AFTER)
    return error
