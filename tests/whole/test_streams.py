"""Lists and watches that fail in every way: the operator comes back by itself, and knows what has changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from longtask.shell import sweep
from tests.whole.rig import NAMESPACE, Rig, operated

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture


def _cut(rig: Rig) -> None:
    rig.server.away = True
    rig.server.end_watches()


def _gone(rig: Rig) -> None:
    rig.server.end_watches({"code": 410, "message": "too old resource version"})


def _error(rig: Rig) -> None:
    rig.server.end_watches({"code": 500, "message": "etcd has no leader"})


def _frozen(rig: Rig) -> None:
    rig.server.freeze_watches()


def _too_old(rig: Rig) -> None:
    rig.server.oldest = rig.store.version + 1
    rig.server.end_watches()


@pytest.mark.parametrize(
    "harm",
    [_gone, _error, _frozen, _too_old],
    ids=["410-in-the-watch", "500-in-the-watch", "watch-frozen", "410-at-the-watch"],
)
async def test_a_watch_that_is_lost_loses_no_change(harm: Callable[[Rig], None]) -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")

        harm(rig)
        rig.want("Suspend")
        rig.create("made-in-the-gap")

        await rig.until_state("Suspended")
        await rig.until_state("Running", "made-in-the-gap")
        assert [pod["metadata"]["labels"]["longtask.dev/task-name"] for pod in rig.active_pods()] == ["made-in-the-gap"]


async def test_what_happened_while_the_api_server_was_away_is_caught_up() -> None:
    async with operated() as rig:
        for name in ("to-suspend", "to-complete", "to-delete"):
            rig.create(name)
            await rig.until_state("Running", name)

        _cut(rig)
        rig.want("Suspend", "to-suspend")
        rig.controllers.finish(rig.task("to-complete"))
        rig.store.remove("longtasks", NAMESPACE, "to-delete")
        rig.create("new")
        await rig.until("the cluster has noticed", lambda: len(rig.active_pods()) == 1)
        rig.server.away = False

        await rig.until_state("Suspended", "to-suspend")
        await rig.until_state("Complete", "to-complete")
        await rig.until_state("Running", "new")
        names = {job["metadata"]["ownerReferences"][0]["name"] for job in rig.store.find("jobs")}
    assert names == {"to-suspend", "to-complete", "new"}, "nothing was made for the one that is gone"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_server_that_refuses_everything_for_a_while_is_waited_for(status: int) -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")

        refusing = rig.server.fault(lambda _: True, status=status, times=10_000)
        rig.server.end_watches()
        rig.want("Suspend")
        rig.create("new")
        await rig.until("everything was refused a few times", lambda: refusing.met > 20)
        refusing.times = 0

        await rig.until_state("Suspended")
        await rig.until_state("Running", "new")


async def test_a_task_that_vanished_in_a_gap_is_forgotten_by_the_sweep(mocker: MockerFixture) -> None:
    forgotten = mocker.spy(sweep.Sweep, "_missed")
    async with operated(sweep_seconds=0.1) as rig:
        rig.create()
        await rig.until_state("Running")
        _cut(rig)
        rig.store.remove("longtasks", NAMESPACE, "import")
        rig.server.away = False

        await rig.until("swept", lambda: _tasks_in_memory(forgotten) == 0)


async def test_a_stream_that_died_without_a_word_is_noticed_and_started_anew(mocker: MockerFixture) -> None:
    mocker.patch.object(sweep, "_GRACE_SECONDS", 0.05)
    async with operated(sweep_seconds=0.2) as rig:
        rig.create("known")
        await rig.until_state("Running", "known")
        rig.server.deaf.add("longtasks")

        rig.create("first")
        await rig.until_state("Running", "first")
        lists = _stream_lists(rig)
        rig.create("second")
        await rig.until("the stream begins anew", lambda: _stream_lists(rig) > lists)
        rig.server.deaf.clear()
        rig.want("Suspend", "second")
        await rig.until_state("Suspended", "second")


def _stream_lists(rig: Rig) -> int:
    """How often kopf, which is not our own agent, has listed the tasks."""
    return sum(
        call.plural == "longtasks" and call.method == "GET" and not call.watch and call.agent != "longtask-operator"
        for call in rig.server.calls
    )


def _tasks_in_memory(spy: Any) -> int:  # noqa: ANN401 - a mock
    return len(spy.call_args.args[0].cluster.tasks) if spy.spy_return_list else -1
