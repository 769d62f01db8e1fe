"""The copy of Jobs and Pods: as the server has them after whatever happened to list and watch."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api import names
from longtask.shell.errors import Expired, Throttled, Unavailable
from longtask.shell.mirror import Mirror, newer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]
GONE = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}


@dataclass(frozen=True)
class Thing:
    namespace: str
    name: str
    uid: str
    resource_version: str
    task_uid: str
    says: str


def a_thing(
    name: str, version: int, *, task: str = "task", uid: str = "", namespace: str = "team", says: str = ""
) -> Json:
    metadata = {"namespace": namespace, "name": name, "uid": uid or f"uid of {name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "task": task, "says": says}


def parse(item: Json) -> Thing | None:
    if item["task"] == "unreadable":
        raise ValueError("unreadable")
    metadata = item["metadata"]
    made = Thing(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        metadata["resourceVersion"],
        task_uid=item["task"],
        says=item["says"],
    )
    return made if item["task"] else None


def event(kind: str, item: Json) -> Json:
    return {"type": kind, "object": item}


def bookmark(version: int) -> Json:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


@dataclass
class Script:
    """A source that gives prepared answers: each list is pages or an error, each watch events and errors in order."""

    lists: deque[list[Any]] = field(default_factory=deque)
    watches: deque[list[Any]] = field(default_factory=deque)
    watched_from: list[str] = field(default_factory=list)
    listed: int = 0
    through: asyncio.Event = field(default_factory=asyncio.Event)

    async def pages(self, _path: str, _query: Any) -> AsyncIterator[Json]:  # noqa: ANN401
        self.listed += 1
        for page in await self._next(self.lists):
            yield _raised(page)

    async def watch(self, _path: str, query: Any, *, idle_seconds: float) -> AsyncIterator[Json]:  # noqa: ANN401
        assert idle_seconds > 0
        self.watched_from.append(query["resourceVersion"])
        for happening in await self._next(self.watches):
            yield _raised(happening)

    async def _next(self, answers: deque[list[Any]]) -> list[Any]:
        if not answers:
            self.through.set()
            await asyncio.Event().wait()
        return answers.popleft()


def _raised(answer: Any) -> Json:  # noqa: ANN401
    if isinstance(answer, Exception):
        raise answer
    found: Json = answer
    return found


def page(version: int, *items: Json) -> Json:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


class Bench:
    """A mirror of a script, and the tasks that it was said to have changed."""

    def __init__(self, lists: list[list[Any]], watches: list[list[Any]] | None = None) -> None:
        self.script = Script(deque(lists), deque(watches or []))
        self.changed: list[str] = []
        self.mirror = Mirror(
            self.script, "/things", parse=parse, changed=self.changed.append, idle_seconds=1, longest_backoff=0.01
        )

    @asynccontextmanager
    async def played(self) -> AsyncIterator[Bench]:
        """Run until the script is through."""
        running = asyncio.create_task(self.mirror.run())
        try:
            async with asyncio.timeout(10):
                await self.script.through.wait()
            assert not running.done(), "a mirror never gives up"
            yield self
        finally:
            running.cancel()

    def names(self, task: str = "task") -> set[str]:
        return {thing.name for thing in self.mirror.of_task(task)}


async def test_it_is_full_after_the_last_page_and_not_before() -> None:
    bench = Bench([[page(5, a_thing("a", 1)), page(5, a_thing("b", 2))]])
    assert not bench.mirror.synced.is_set()

    async with bench.played():
        assert bench.mirror.synced.is_set()
        assert bench.names() == {"a", "b"}
        assert bench.script.watched_from == ["5"]


async def test_it_is_not_full_after_half_a_list() -> None:
    bench = Bench([[page(5, a_thing("a", 1)), Unavailable("cut")]])

    async with bench.played():
        assert not bench.mirror.synced.is_set()
        assert bench.names() == set()


async def test_a_list_that_breaks_off_changes_nothing() -> None:
    bench = Bench(
        [[page(5, a_thing("a", 1), a_thing("b", 2))], [page(9, a_thing("a", 1)), Unavailable("cut")]], [[Expired("")]]
    )

    async with bench.played():
        assert bench.names() == {"a", "b"}


async def test_events_are_followed() -> None:
    changed = event("MODIFIED", a_thing("a", 7, says="more"))
    events = [event("ADDED", a_thing("b", 6)), changed, event("DELETED", a_thing("b", 8))]
    bench = Bench([[page(5, a_thing("a", 1))]], [events])

    async with bench.played():
        (a,) = bench.mirror.of_task("task")
        assert (a.name, a.resource_version) == ("a", "7")
        assert bench.changed == ["task"] * 4
        assert len(bench.mirror) == 1


async def test_a_version_that_says_nothing_new_is_kept_but_not_told_of() -> None:
    bench = Bench([[page(5, a_thing("a", 1))]], [[event("MODIFIED", a_thing("a", 7))]])

    async with bench.played():
        assert [thing.resource_version for thing in bench.mirror.of_task("task")] == ["7"]
        assert bench.changed == ["task"]


async def test_an_answer_to_a_request_of_ours_is_told_of_even_if_it_says_nothing_new() -> None:
    bench = Bench([[page(5, a_thing("a", 1))]], [])

    async with bench.played():
        bench.mirror.apply(a_thing("a", 7))
        assert bench.changed == ["task", "task"], "whoever asked was refused, and wants to try again with this version"


async def test_a_watch_goes_on_from_the_last_event_or_bookmark() -> None:
    bench = Bench([[page(5)]], [[event("ADDED", a_thing("a", 6))], [bookmark(9)]])

    async with bench.played():
        assert bench.script.watched_from == ["5", "6", "9"]
        assert bench.script.listed == 1


@pytest.mark.parametrize(
    "harm",
    [
        GONE,
        Expired("HTTP 410", status=410),
        Unavailable("cut"),
        {"type": "ERROR", "object": {"code": 500, "message": "no leader"}},
        {"type": "NONSENSE", "object": {}},
        {"type": "ADDED", "object": {}},
        {},
    ],
    ids=["410-event", "410", "cut", "500-event", "unknown-type", "no-object", "no-event"],
)
async def test_whatever_breaks_a_watch_it_lists_again_and_deletes_what_has_vanished(harm: Any) -> None:  # noqa: ANN401
    bench = Bench(
        [[page(5, a_thing("stays", 1), a_thing("vanishes", 2, task="other"))], [page(9, a_thing("stays", 1))]], [[harm]]
    )

    async with bench.played():
        assert bench.names() == {"stays"}
        assert bench.names("other") == set()
        assert bench.changed.count("other") == 2, "its task was told that it came and went"
        assert bench.script.watched_from == ["5", "9"]


async def test_an_older_version_never_replaces_a_newer_one() -> None:
    bench = Bench([[page(5, a_thing("a", 5))]], [[event("MODIFIED", a_thing("a", 3))]])

    async with bench.played():
        assert [thing.resource_version for thing in bench.mirror.of_task("task")] == ["5"]


async def test_a_deletion_of_an_earlier_one_of_that_name_takes_no_later_one_along() -> None:
    later = a_thing("a", 8, uid="later")
    bench = Bench([[page(8, later)]], [[event("DELETED", a_thing("a", 7, uid="earlier"))]])

    async with bench.played():
        assert [thing.uid for thing in bench.mirror.of_task("task")] == ["later"]


async def test_what_is_ours_no_more_is_dropped() -> None:
    bench = Bench([[page(5, a_thing("a", 1))]], [[event("MODIFIED", a_thing("a", 6, task=""))]])

    async with bench.played():
        assert bench.names() == set()
        assert bench.changed == ["task", "task"]


async def test_what_goes_to_another_task_leaves_the_first() -> None:
    bench = Bench([[page(5, a_thing("a", 1))]], [[event("MODIFIED", a_thing("a", 6, task="other"))]])

    async with bench.played():
        assert (bench.names(), bench.names("other")) == (set(), {"a"})


async def test_the_same_name_in_two_namespaces_is_two_things() -> None:
    bench = Bench([[page(5, a_thing("a", 1), a_thing("a", 2, namespace="other"))]])

    async with bench.played():
        assert {thing.namespace for thing in bench.mirror.of_task("task")} == {"team", "other"}


async def test_an_object_that_can_not_be_read_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench([[page(5, a_thing("bad", 1, task="unreadable"), a_thing("good", 2))]])

    async with bench.played():
        assert bench.names() == {"good"}
        assert [vars(record)["object"] for record in caplog.records if record.levelno == logging.ERROR] == ["team/bad"]


async def test_what_can_not_be_read_does_not_pass_for_nothing() -> None:
    bad = a_thing("bad", 1, task="unreadable")
    bad["metadata"]["labels"] = {names.LABEL_TASK_UID: "task"}
    bench = Bench([[page(5, bad)]])

    async with bench.played():
        with pytest.raises(Unavailable, match="team/bad can't be read"):
            bench.mirror.require_readable("task")
        bench.mirror.require_readable("another task")


async def test_an_answer_to_our_own_write_is_seen_at_once_and_not_undone_by_the_watch() -> None:
    bench = Bench([[page(5)]], [[event("ADDED", a_thing("a", 6)), bookmark(7)]])
    bench.mirror.apply(a_thing("a", 8))
    assert bench.names() == {"a"}

    async with bench.played():
        assert [thing.resource_version for thing in bench.mirror.of_task("task")] == ["8"]


async def test_an_answer_that_the_watch_is_past_does_not_bring_back_what_is_gone() -> None:
    bench = Bench([[page(5)]], [[event("ADDED", a_thing("a", 6)), event("DELETED", a_thing("a", 9))]])

    async with bench.played():
        bench.mirror.apply(a_thing("a", 6))
        assert bench.names() == set()


async def test_what_the_server_says_is_gone_can_be_forgotten_by_its_uid_alone() -> None:
    bench = Bench([[page(5, a_thing("a", 1))]])

    async with bench.played():
        bench.mirror.forget("team", "a", "another uid")
        assert bench.names() == {"a"}
        bench.mirror.forget("team", "a", "uid of a")
        assert bench.names() == set()


async def test_watches_that_end_at_once_make_pauses_that_grow(mocker: Any) -> None:  # noqa: ANN401
    slept = mocker.patch("longtask.shell.mirror.asyncio.sleep")
    bench = Bench([[page(5)]], [[], [], [], [bookmark(6)], []])
    bench.mirror._longest_backoff = 60

    async with bench.played():
        first, second, third, after_a_bookmark = (call.args[0] for call in slept.await_args_list)
    assert 0.1 <= first <= 0.2 <= second <= 0.4 <= third <= 0.8
    assert after_a_bookmark <= 0.2


async def test_lists_that_fail_make_pauses_that_grow_to_the_limit(mocker: Any) -> None:  # noqa: ANN401
    slept = mocker.patch("longtask.shell.mirror.asyncio.sleep")
    bench = Bench([[Unavailable("away")]] * 12)
    bench.mirror._longest_backoff = 15

    async with bench.played():
        pauses = [call.args[0] for call in slept.await_args_list]
    assert len(pauses) == 12
    assert max(pauses) <= 15
    assert min(pauses[-3:]) >= 7.5


async def test_the_server_is_given_the_time_that_it_asks_for(mocker: Any) -> None:  # noqa: ANN401
    slept = mocker.patch("longtask.shell.mirror.asyncio.sleep")
    error = Throttled("later")
    error.retry_after = 30.0
    bench = Bench([[error]])

    async with bench.played():
        assert slept.await_args_list[0].args[0] == 30.0


@pytest.mark.parametrize(("left", "right", "expected"), [("10", "9", True), ("9", "10", False), ("9", "9", False)])
def test_versions_are_numbers(left: str, right: str, expected: bool) -> None:
    assert newer(left, right) is expected
