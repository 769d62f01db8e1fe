"""The proxy changes nothing that its plan does not name, and every action does what its name says."""

from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import pytest

from tests.unit.faults.builders import PODS, TASK_STATUS, name_in, staged, until

TOLERANT = (aiohttp.ClientError, ConnectionError)


# --- What is not named passes ---


async def test_a_request_goes_on_as_it_was_sent() -> None:
    async with staged() as stage:
        headers = {"Authorization": "Bearer it", "Content-Type": "application/json-patch+json"}
        status, _ = await stage.send("PATCH", f"{TASK_STATUS}?fieldManager=a%2Fb", data="[1]", headers=headers)
    assert status == 200
    assert stage.server.heard == [("PATCH", f"{TASK_STATUS}?fieldManager=a%2Fb")]
    assert stage.server.bodies == ["[1]"]
    assert {key: stage.server.headers[0][key] for key in headers} == headers


async def test_a_compressed_answer_stays_compressed() -> None:
    async with (
        staged() as stage,
        stage.session.get(stage.url + PODS, headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.json(content_type=None))["metadata"] == {"resourceVersion": "0"}


async def test_an_event_is_passed_on_before_the_next_one_comes() -> None:
    async with staged() as stage, stage.watch() as lines:
        stage.server.tell("a")
        assert name_in(await lines.readline()) == "a"
        assert list(stage.ledger.open_watches.values()) == ["pods"]
        stage.server.tell("b")
        assert name_in(await lines.readline()) == "b"


async def test_every_request_is_recorded_and_only_what_was_carried_out_counts() -> None:
    async with staged() as stage:
        await stage.send("POST", PODS)
        stage.server.status = 409
        await stage.send("PATCH", TASK_STATUS)
        stage.server.status = 200
        await stage.send("PATCH", TASK_STATUS)
        await stage.send("GET", f"{PODS}?limit=1")
    assert [str(request) for request in stage.ledger.log] == [
        "operator 1: create pods -> 200, write 1",
        "operator 2: patch longtasks/import/status -> 409",
        "operator 3: patch longtasks/import/status -> 200, write 2",
        "operator 4: list pods -> 200",
    ]
    assert [request.number for request in stage.ledger.writes("operator")] == [1, 3]


async def test_a_token_says_which_pod_it_is() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"kubernetes.io": {"pod": {"uid": "u-1"}}}).encode()).decode()
    async with staged() as stage:
        await stage.send("GET", PODS, headers={"Authorization": f"Bearer x.{claims.rstrip('=')}.y"})
        await stage.send("GET", PODS, headers={"Authorization": "Bearer opaque"})
    assert [request.who for request in stage.ledger.log] == ["u-1", ""]


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ("/api/v1/pods?limit=5", "/api/v1/namespaces/night/pods?limit=5"),
        ("/apis/batch/v1/jobs", "/apis/batch/v1/namespaces/night/jobs"),
        ("/apis/longtask.dev/v1alpha1/longtasks", "/apis/longtask.dev/v1alpha1/namespaces/night/longtasks"),
        ("/api/v1/namespaces/day/pods", "/api/v1/namespaces/day/pods"),
        ("/api/v1/nodes", "/api/v1/nodes"),
        ("/apis/longtask.dev/v1alpha1", "/apis/longtask.dev/v1alpha1"),
    ],
)
async def test_a_scope_narrows_what_is_asked_of_all_namespaces(asked: str, heard: str) -> None:
    async with staged(scope="night") as stage:
        await stage.send("GET", asked)
    assert stage.server.heard == [("GET", heard)]


# --- Requests that meet a fault ---


async def test_delay_lets_a_later_request_overtake() -> None:
    async with staged({"verb": "create", "action": "delay", "seconds": 1.0}) as stage:
        late = asyncio.create_task(stage.send("POST", PODS))
        await until(lambda: stage.ledger.log)
        await stage.send("GET", PODS)
        assert (await late)[0] == 200
    assert [method for method, _ in stage.server.heard] == ["GET", "POST"]


async def test_drop_before_reaches_nobody() -> None:
    async with staged({"verb": "create", "action": "drop-before"}) as stage:
        with pytest.raises(TOLERANT):
            await stage.send("POST", PODS)
        assert stage.server.heard == []


async def test_drop_after_commit_is_carried_out_and_not_answered() -> None:
    async with staged({"verb": "create", "action": "drop-after-commit"}) as stage:
        with pytest.raises(TOLERANT):
            await stage.send("POST", PODS)
        assert stage.server.version == 1
        assert [str(request) for request in stage.ledger.log] == [
            "operator 1: create pods -> 200, write 1 [drop-after-commit]"
        ]


@pytest.mark.parametrize("status", [409, 410, 422, 429, 500, 503])
async def test_refuse_answers_as_the_server_would_which_hears_nothing(status: int) -> None:
    async with staged({"verb": "create", "action": "refuse", "status": status}) as stage:
        answered, body = await stage.send("POST", PODS)
        assert (answered, body["kind"], body["code"]) == (status, "Status", status)
        assert stage.server.heard == []
        assert (await stage.send("POST", PODS))[0] == 200


async def test_refuse_says_when_to_come_again() -> None:
    async with (
        staged({"action": "refuse", "status": 429, "seconds": 3}) as stage,
        stage.session.get(stage.url + PODS) as answer,
    ):
        assert answer.headers["Retry-After"] == "3"


async def test_kill_before_the_answer_comes_after_the_write() -> None:
    async with staged({"verb": "write", "action": "kill", "response": "before"}) as stage:
        with pytest.raises(TOLERANT):
            await stage.send("POST", PODS)
        assert stage.server.version == 1
        assert [request.write for request in stage.killed] == [1]


async def test_kill_after_the_answer_lets_it_be_heard() -> None:
    async with staged({"verb": "write", "action": "kill", "response": "after"}) as stage:
        assert (await stage.send("POST", PODS))[0] == 200
        await until(lambda: stage.killed)
        assert [request.write for request in stage.killed] == [1]


async def test_a_write_that_the_server_refuses_is_not_the_one_to_die_of() -> None:
    async with staged({"verb": "write", "action": "kill", "response": "after"}) as stage:
        stage.server.status = 409
        await stage.send("POST", PODS)
        await stage.send("GET", PODS)
        assert stage.killed == []
    assert len(stage.ledger.unfired()) == 1


async def test_stale_repeats_the_first_list() -> None:
    async with staged({"verb": "list", "occurrence": 3, "action": "stale"}) as stage:
        said = []
        for _ in range(4):
            said.append(await stage.version())
            await stage.send("POST", PODS)
    assert said == ["0", "1", "0", "3"]


async def test_stale_repeats_what_was_remembered_after_a_write() -> None:
    rules = (
        {"verb": "write", "occurrence": 2, "action": "remember"},
        {"verb": "list", "action": "stale", "occurrence": 2},
    )
    async with staged(*rules, scope="night") as stage:
        await stage.version()
        for _ in range(4):
            await stage.send("POST", PODS)
        assert await stage.version() == "2"
        assert await stage.version() == "4"


@pytest.mark.parametrize(
    ("occurrence", "refused"), [("2", [2]), ("2-3", [2, 3]), ("3-", [3, 4]), ("every", [1, 2, 3, 4])]
)
async def test_occurrences_are_counted_among_those_that_match(occurrence: str, refused: list[int]) -> None:
    rule = {"verb": "patch", "name": "imp*", "occurrence": occurrence, "action": "refuse", "status": 500}
    async with staged(rule) as stage:
        found = []
        for _ in range(4):
            await stage.send("GET", PODS)
            await stage.send("PATCH", TASK_STATUS.replace("import", "export"))
            found.append((await stage.send("PATCH", TASK_STATUS))[0])
    assert [number for number, status in enumerate(found, 1) if status == 500] == refused


# --- Watches ---


async def test_hide_swallows_one_event_and_goes_on() -> None:
    rule = {"verb": "watch", "occurrence": "every", "action": "hide", "event": 2}
    async with staged(rule) as stage, stage.watch() as lines:
        stage.server.tell("a", "b", "c")
        assert [name_in(await lines.readline()) for _ in range(2)] == ["a", "c"]


async def test_cut_ends_a_watch_in_the_middle() -> None:
    async with staged({"verb": "watch", "action": "cut", "event": 2}) as stage, stage.watch() as lines:
        stage.server.tell("a", "b")
        assert name_in(await lines.readline()) == "a"
        with pytest.raises(TOLERANT):
            await lines.readline()


async def test_freeze_keeps_the_connection_and_says_nothing_more() -> None:
    async with staged({"verb": "watch", "action": "freeze", "event": 2}) as stage, stage.watch() as lines:
        stage.server.tell("a", "b", "c")
        assert name_in(await lines.readline()) == "a"
        await until(lambda: stage.ledger.log[0].fault == "freeze")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lines.readline(), 0.3)
        assert not lines.at_eof()
        assert (await stage.send("GET", PODS))[0] == 200


@pytest.mark.parametrize("status", [410, 500])
async def test_error_event_takes_the_place_of_an_event(status: int) -> None:
    rule = {"verb": "watch", "action": "error-event", "status": status, "event": 2}
    async with staged(rule) as stage, stage.watch() as lines:
        stage.server.tell("a", "b")
        assert name_in(await lines.readline()) == "a"
        event = json.loads(await lines.readline())
        assert (event["type"], event["object"]["code"]) == ("ERROR", status)


async def test_bookmarks_are_no_events() -> None:
    async with staged({"verb": "watch", "action": "hide", "event": 1}) as stage, stage.watch() as lines:
        stage.server.events.put_nowait({"type": "BOOKMARK", "object": {"metadata": {"name": "mark"}}})
        stage.server.tell("a", "b")
        assert [name_in(await lines.readline()) for _ in range(2)] == ["mark", "b"]


async def test_events_are_counted_over_all_connections() -> None:
    async with staged({"verb": "watch", "occurrence": "every", "action": "hide", "event": 2}) as stage:
        async with stage.watch() as lines:
            stage.server.tell("a")
            assert name_in(await lines.readline()) == "a"
        await until(lambda: not stage.ledger.open_watches)
        stage.server.events = asyncio.Queue()
        async with stage.watch() as lines:
            stage.server.tell("b", "c")
            assert name_in(await lines.readline()) == "c"
