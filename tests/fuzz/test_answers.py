"""Answers and watch lines of an API server, or of whatever stands before it: every failure is one of our own."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kubernetes.aio.client import Configuration

from longtask.core.actions import CreateJob
from longtask.shell.api import Api
from longtask.shell.errors import LONGEST_RETRY_AFTER, ApiError, Missing, NotServed, Refused, Unavailable, api_error
from longtask.shell.execute import refusal_trouble
from longtask.shell.mirror import Mirror, newer
from tests.fuzz.effort import effort
from tests.fuzz.hostile import ANY_JSON, TEXTS, damaged, nested
from tests.unit.shell.test_mirror import Thing, a_thing, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Json = dict[str, Any]
CREATE = CreateJob(name="job", attempt=1, failures_before=0, backoff_limit=6)
STATUS = {
    "kind": "Status",
    "status": "Failure",
    "message": "no",
    "reason": "Invalid",
    "code": 422,
    "details": {"name": "x", "retryAfterSeconds": 5, "causes": [{"reason": "NamespaceTerminating", "message": "m"}]},
}


class Http:
    """The official client's connection, of which one answer is known already."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._status, self._body, self._headers = status, body, headers

    async def request(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        response = SimpleNamespace(content=self._lines(), release=lambda: None, close=lambda: None)
        return SimpleNamespace(status=self._status, headers=self._headers, response=response, read=self._read)

    async def close(self) -> None:
        """Nothing is open."""

    async def _read(self) -> bytes:
        return self._body

    async def _lines(self) -> AsyncIterator[bytes]:
        for line in self._body.splitlines(keepends=True):
            yield line


API = Api(Configuration(host="http://127.0.0.1:1"), request_seconds=1)
"""One for all: making one reads every authority of this machine."""


def an_api(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Api:
    API._client.rest_client = Http(status, body, headers or {})  # type: ignore[assignment]
    return API


def as_bytes(value: Any) -> bytes:  # noqa: ANN401
    return json.dumps(value).encode(errors="surrogatepass")


BODIES = ANY_JSON.map(as_bytes) | damaged(STATUS).map(as_bytes) | st.binary(max_size=60)
"""What may come in the place of an answer."""


@effort(40)
@given(st.integers(300, 999), damaged(STATUS) | st.dictionaries(TEXTS, ANY_JSON, max_size=3), TEXTS | st.none())
@example(429, {}, "²")
@example(503, {"details": {"retryAfterSeconds": 10**400}}, None)
@example(403, {"details": {"causes": [None]}}, None)
@example(403, {"details": {"causes": 5}}, None)
def test_every_failure_has_its_error_and_words(status: int, body: Json, retry_after: str | None) -> None:
    error = api_error(status, body, retry_after=retry_after)

    assert str(error)
    assert 0 <= error.retry_after <= LONGEST_RETRY_AFTER
    assert all(isinstance(cause, str) for cause in error.causes)
    if isinstance(error, Refused):
        assert 400 <= status < 500, "only who has understood the request can refuse it"
        assert str(error) in refusal_trouble(error, CREATE).message
    assert not isinstance(error, Missing) or body, "gone is only what the API server itself says is gone"


@effort(33)
@given(st.integers(200, 999), BODIES, st.dictionaries(st.just("Retry-After"), TEXTS))
@example(200, b"[" * 2000 + b"]" * 2000, {})
@example(500, b"[" * 2000 + b"]" * 2000, {})
@example(200, b"[]", {})
@example(302, b'{"kind":"Job"}', {})
def test_an_answer_is_an_object_or_one_of_our_errors(status: int, body: bytes, headers: dict[str, str]) -> None:
    try:
        found = asyncio.run(an_api(status, body, headers).get("/apis"))
    except Unavailable:
        pass
    except ApiError:
        assert status >= 400, "nobody has refused anything"
    else:
        assert 200 <= status < 300
        assert isinstance(found, dict)


@effort(26)
@given(ANY_JSON | damaged({"metadata": {"resourceVersion": "7"}, "items": [{}]}, most=1))
@example({"metadata": {"resourceVersion": "7"}, "items": None})
@example({"metadata": {"resourceVersion": "7"}})
@example({"items": []})
def test_what_is_no_list_is_never_taken_for_an_empty_one(page: Any) -> None:  # noqa: ANN401
    async def listed() -> list[Json]:
        return [found async for found in an_api(200, as_bytes(page)).pages("/pods", {})]

    try:
        (found,) = asyncio.run(listed())
    except Unavailable:
        pass
    except ValueError as error:  # a page that says there is more, for ever
        pytest.fail(str(error))
    else:
        assert isinstance(found["items"], list)
        assert isinstance(found["metadata"]["resourceVersion"], str)


@effort(26)
@given(st.lists(BODIES, max_size=4))
@example([b"[]"])
@example([b'{"type":"ADDED","obj'])
@example([b"[" * 2000 + b"]" * 2000])
def test_every_line_of_a_watch_is_an_object_or_the_watch_is_over(lines: list[bytes]) -> None:
    async def watched() -> list[Json]:
        api = an_api(200, b"\n".join(lines) + b"\n")
        return [event async for event in api.watch("/pods", {}, idle_seconds=1)]

    try:
        events = asyncio.run(watched())
    except Unavailable:
        pass
    else:
        assert all(isinstance(event, dict) for event in events)


# --- A copy that is fed with all of that ---

SOUND = [
    {"type": "ADDED", "object": a_thing("new", 21)},
    {"type": "MODIFIED", "object": a_thing("old", 22)},
    {"type": "DELETED", "object": a_thing("gone", 23)},
    {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "24"}}},
    {"type": "ERROR", "object": {"code": 410, "message": "too old"}},
]
EVENTS = st.one_of(
    *(damaged(event) for event in SOUND),
    *(st.just(event) for event in SOUND),
    st.builds(lambda body: {"type": "ERROR", "object": body}, ANY_JSON),
    st.dictionaries(TEXTS, ANY_JSON, max_size=2),
)


def without_version(thing: Json) -> Json:
    """The same with nothing for its resource version: a copy that kept it could never compare it with anything."""
    return {**thing, "metadata": {**thing["metadata"], "resourceVersion": None}}


class Feed:
    """A source that first tells the truth, then whatever it was given, then the truth, and then nothing more."""

    def __init__(self, events: list[Json], truth: list[Json]) -> None:
        self._events, self._truth = events, truth
        self._lists = 0
        self.over = asyncio.Event()

    async def pages(self, _path: str, _query: Mapping[str, str]) -> AsyncIterator[Json]:
        self._lists += 1
        items = [a_thing("old", 10), a_thing("gone", 11)] if self._lists == 1 else self._truth
        yield {"metadata": {"resourceVersion": "20" if self._lists == 1 else "100"}, "items": items}

    async def watch(self, _path: str, _query: Mapping[str, str], *, idle_seconds: float) -> AsyncIterator[Json]:
        assert idle_seconds
        while self._events:
            yield self._events.pop(0)
        if self._lists == 1:
            raise Unavailable("cut")
        self.over.set()
        await asyncio.Event().wait()
        yield {}


@effort(26)
@given(st.lists(EVENTS, max_size=5))
@example([{"type": "ADDED", "object": without_version(a_thing("new", 21))}])
def test_whatever_a_watch_brings_the_copy_is_true_again_after_the_next_list(events: list[Json]) -> None:
    async def followed() -> set[str]:
        feed = Feed(events, [a_thing("old", 50), a_thing("last", 60)])
        mirror: Mirror[Thing] = Mirror(
            feed, "/things", parse=parse, changed=lambda _: None, idle_seconds=1, longest_backoff=0.001
        )
        async with asyncio.timeout(60):
            following = asyncio.create_task(mirror.run())
            await feed.over.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return {record.name for record in mirror._records.values()}

    assert asyncio.run(followed()) >= {"old", "last"}


@effort(33)
@given(TEXTS | st.integers(0, 10**30).map(str), TEXTS | st.integers(0, 10**30).map(str))
@example("9" * 5000, "1")
@example("²", "1")
def test_versions_of_any_shape_can_be_compared(left: str, right: str) -> None:
    numbers = left.isascii() and left.isdigit() and right.isascii() and right.isdigit()

    assert newer(left, left) is False
    if numbers and max(len(left), len(right)) < 1000 and not {left[0], right[0]} & {"0"}:
        assert newer(left, right) == (int(left) > int(right))
    elif not numbers:
        assert newer(left, right) == (left != right)


def test_an_answer_may_be_nested_deeply() -> None:
    found = asyncio.run(an_api(200, as_bytes({"deep": nested(800)})).get("/apis"))

    assert found["deep"]


def test_a_page_of_a_proxy_is_no_word_about_an_object() -> None:
    with pytest.raises(NotServed):
        asyncio.run(an_api(404, b"<html>404</html>").get("/apis"))
