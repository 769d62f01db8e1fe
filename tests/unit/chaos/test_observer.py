"""How the observer of a chaos run finds out what happened while it could not watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.observer import Observer, World, between, differences, revision_of
from tests.e2e.support.client import ApiError

if TYPE_CHECKING:
    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.watch import Seen


def version(uid: str, revision: int) -> Body:
    return {"metadata": {"uid": uid, "resourceVersion": str(revision)}}


class Past:
    """A store with every revision of it; other kinds are written to in between."""

    def __init__(self) -> None:
        self.worlds: list[World] = [{}]
        self.asked = 0

    def write(self, uid: str) -> Past:
        return self._next({**self.worlds[-1], uid: version(uid, len(self.worlds))})

    def remove(self, uid: str) -> Past:
        return self._next({other: body for other, body in self.worlds[-1].items() if other != uid})

    def elsewhere(self, times: int = 1) -> Past:
        for _ in range(times):
            self._next(self.worlds[-1])
        return self

    def at(self, revision: int) -> World:
        self.asked += 1
        return self.worlds[revision]

    def seen(self) -> list[tuple[int, str, bool]]:
        last = len(self.worlds) - 1
        return short(between("Pod", (0, self.worlds[0]), (last, self.worlds[last]), self.at))

    def _next(self, world: World) -> Past:
        self.worlds.append(world)
        return self


def short(found: object) -> list[tuple[int, str, bool]]:
    versions: list[Seen] = list(found)  # type: ignore[call-overload]
    return [(seen.revision, seen.body["metadata"]["uid"], seen.gone) for seen in versions]


def test_every_version_in_a_gap_is_found_with_its_revision() -> None:
    past = Past().write("a").elsewhere(20).write("a").write("b").elsewhere(7).remove("a").elsewhere().write("b")

    assert past.seen() == [
        (1, "a", False),
        (22, "a", False),
        (23, "b", False),
        (31, "a", True),
        (33, "b", False),
    ]


def test_a_gap_in_which_nothing_happened_costs_no_question() -> None:
    past = Past().elsewhere(1000)

    assert (past.seen(), past.asked) == ([], 0)


def test_one_write_in_a_long_gap_costs_a_few_questions() -> None:
    past = Past().elsewhere(500).write("a").elsewhere(500)

    assert past.seen() == [(501, "a", False)]
    assert past.asked <= 11


@given(st.lists(st.sampled_from(["write a", "write b", "write c", "elsewhere"]), max_size=60))
def test_nothing_is_missed_where_objects_are_only_written(steps: list[str]) -> None:
    past = Past()
    for step in steps:
        past = past.elsewhere() if step == "elsewhere" else past.write(step[-1])

    written = [(index, step[-1], False) for index, step in enumerate(steps, 1) if step != "elsewhere"]
    assert past.seen() == written


def test_what_was_lost_of_a_gap_shows_at_least_in_what_differs() -> None:
    old = {"a": version("a", 1), "b": version("b", 2)}
    new = {"b": version("b", 9), "c": version("c", 8)}

    found = differences("Pod", 10, old, new)

    assert short(found) == [(10, "a", True), (9, "b", False), (8, "c", False)]
    assert revision_of(found[1].body) == 9


class Server:
    """An API server with a past, whose watches end at once; `compacted`: before that, all is forgotten."""

    server = ""

    def __init__(self, past: Past, *, compacted: int = 0) -> None:
        self.past, self.compacted = past, compacted
        self.pool = self

    def path(self, kind: str, *, namespace: str) -> str:
        return f"/{namespace}/{kind}"

    def request(self, _method: str, url: str, **options: object) -> Body:
        if options:
            raise OSError("no watches here")
        revision = len(self.past.worlds) - 1
        if "resourceVersion=" in url:
            revision = int(url.partition("resourceVersion=")[2].partition("&")[0])
        if revision < self.compacted:
            raise ApiError(410, {"message": "the past is gone"})
        return {"metadata": {"resourceVersion": str(revision)}, "items": list(self.past.worlds[revision].values())}


def observed(past: Past, *, compacted: int = 0) -> Observer:
    """What was observed of two writes and a removal that no watch has shown."""
    server = Server(past.write("a"))
    observer = Observer(cast("Api", server), "here")
    observer.start()
    past.write("a").elsewhere(5).write("b").remove("a")
    server.compacted = compacted
    observer.stop()
    return observer


def test_what_no_watch_has_shown_is_filled_in_from_the_past() -> None:
    observer = observed(Past())

    assert observer.missed == []
    assert sorted(set(short(observer.log()))) == [(1, "a", False), (2, "a", False), (8, "b", False), (9, "a", True)]


def test_a_gap_whose_past_is_gone_is_told() -> None:
    observer = observed(Past(), compacted=9)

    assert any("Pod: between 1 and 9: the past is gone" in words for words in observer.missed)
