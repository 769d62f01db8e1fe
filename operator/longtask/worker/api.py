"""The one door to the API server: GET and PATCH, nothing else. It must not know what a checkpoint is.

http.client is used directly: it starts faster than urllib, and takes no notice of proxies, which have no business
between a pod and its API server. Token and CA are read again and again because the kubelet renews them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from longtask import __version__
from longtask.clock import ServerClock
from longtask.worker.errors import AwayError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_RETRY_AFTER = 300.0  # seconds; a proxy may ask for days, and what is not saved meanwhile would be lost
CREDENTIALS_PATIENCE = 120.0  # seconds; a restarting API server refuses good tokens for a while


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said: the status, the object (empty if it sent none), and its own words for people."""

    status: int
    body: dict[str, Any]
    words: str

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300


class Door:
    """Requests to one API server as one pod, from one thread at a time."""

    def __init__(self, api_server: str, credentials: Path) -> None:
        self._address = urlsplit(api_server)
        self._credentials = credentials
        self._connection: http.client.HTTPConnection | None = None
        self.clock = ServerClock()

    def get(self, path: str, seconds: float) -> Answer:
        """Read an object. `seconds` bounds every wait for the network. Raises AwayError, see `_ask`."""
        return self._ask("GET", path, None, seconds)

    def patch(self, path: str, operations: list[dict[str, Any]], seconds: float) -> Answer:
        """Send a JSON patch. After an AwayError it is unknown whether it was carried out."""
        return self._ask("PATCH", path, json.dumps(operations, separators=(",", ":")).encode(), seconds)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str, body: bytes | None, seconds: float) -> Answer:
        """Raise AwayError for everything that may be better next time: no answer, 401, 409, 429, 5xx, gibberish."""
        try:
            answer, retry_after = self._exchange(method, path, body, seconds)
        except (OSError, http.client.HTTPException) as error:  # time-outs, resets and TLS errors are OSErrors
            self.close()
            raise AwayError(f"{self._address.netloc}: {error or type(error).__name__}") from error
        if answer.status == 401:
            raise AwayError(f"the token is refused (401): {answer.words}", patience=CREDENTIALS_PATIENCE)
        if answer.status in {408, 409, 429} or answer.status >= 500:
            raise AwayError(f"{answer.status}: {answer.words}", retry_after=retry_after)
        if answer.ok and not answer.body:
            raise AwayError(f"the answer is no object: {answer.words}")
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, seconds: float) -> tuple[Answer, float | None]:
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Accept": "application/json",
            "User-Agent": f"longtask-worker/{__version__}",  # what stands before the slash becomes the field manager
        }
        if body is not None:
            headers["Content-Type"] = "application/json-patch+json"
        connection = self._connect(seconds)
        asked = self.clock.asking()
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        self.clock.hear(response.headers.get("Date"), asked)
        text = response.read()
        if response.will_close:
            self.close()
        return _answer(response.status, text), _seconds(response.headers.get("Retry-After"))

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        """Return the connection of the last request, or a new one, with this time-out."""
        if self._connection is None:
            host, port = self._address.hostname or "", self._address.port
            if self._address.scheme == "https":
                self._connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._trust())
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=seconds)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)
        return self._connection

    def _trust(self) -> ssl.SSLContext:
        """Trust the cluster's authority and no other. It is read for every connection, because it may be renewed."""
        try:
            context = ssl.create_default_context(cafile=str(self._credentials / "ca.crt"))
        except OSError as error:
            raise AwayError(f"no certificate authority: {error}", patience=CREDENTIALS_PATIENCE) from error
        # Python 3.13 made the default stricter than what many clusters' certificates fulfil: some lack an authority
        # key identifier, which says nothing about who signed them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _token(self) -> str:
        try:
            token = (self._credentials / "token").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AwayError(f"no token: {error}", patience=CREDENTIALS_PATIENCE) from error
        if not token.isprintable() or " " in token:  # no header can hold it
            raise AwayError("no token: what is in its file is none", patience=CREDENTIALS_PATIENCE)
        return token


def _answer(status: int, text: bytes) -> Answer:
    """Parse what was sent. A `Status` object has the server's words in `message`; others speak plain text."""
    body: dict[str, Any] = {}
    with contextlib.suppress(ValueError, RecursionError):  # among them UnicodeDecodeError
        parsed = json.loads(text)
        body = parsed if isinstance(parsed, dict) else {}
    message = body.get("message")
    words = message if isinstance(message, str) else text[:300].decode(errors="replace").strip()
    return Answer(status, body, words or http.client.responses.get(status, "no words"))


def _seconds(retry_after: str | None) -> float | None:
    """Return a Retry-After in seconds, which is how the API server writes it; None for anything else."""
    seconds = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)
