"""The sweep: what the stream has missed is mended, and twice in a row means that the stream is dead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.status import State
from longtask.shell import sweep as module
from longtask.shell.cluster import Cluster
from longtask.shell.errors import Forbidden, Misconfigured, Missing, Unavailable
from longtask.shell.sweep import StreamDead, Sweep, require_guards
from longtask.shell.tasks import TaskStore
from tests.unit.core.builders import UID, a_task
from tests.unit.shell.doubles import a_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_mock import MockerFixture

    from longtask.core.observed import ObservedTask


class Bench:
    """A sweep over a store, and over what the server lists."""

    def __init__(self, mocker: MockerFixture, *, known: list[ObservedTask], listed: list[ObservedTask]) -> None:
        mocker.patch.object(module, "_GRACE_SECONDS", 0.0)
        self.listed = listed
        self.store = TaskStore(lambda _: None)
        for task in known:
            self.store.apply(a_body(task))
        self.cluster: Any = mocker.create_autospec(Cluster, instance=True)
        self.cluster.tasks = self.store
        self.cluster.api = mocker.Mock()
        self.cluster.api.pages = self._pages
        self.cluster.missing_guards.return_value = []
        self.cluster.read_task_named.side_effect = self._read
        self.sweep = Sweep(self.cluster, 300)

    async def _pages(self, *_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
        items = [{"metadata": a_body(task)["metadata"]} for task in self.listed]
        yield {"metadata": {"resourceVersion": "1000"}, "items": items}

    async def _read(self, _namespace: str, name: str) -> dict[str, Any] | None:
        return next((a_body(task) for task in self.listed if task.name == name), None)

    @property
    def known(self) -> set[str]:
        return {task.uid for task in self.store}


def a_version(version: int, **changes: Any) -> ObservedTask:  # noqa: ANN401
    return replace(a_task(), resource_version=str(version), **changes)


async def test_what_is_as_it_should_be_is_not_read(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[a_version(5)], listed=[a_version(5)])
    await bench.sweep.once()

    bench.cluster.read_task_named.assert_not_called()
    assert bench.sweep.missed_in_a_row == 0


async def test_a_ghost_is_forgotten(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[a_version(5)], listed=[])
    await bench.sweep.once()

    assert bench.known == set()
    assert bench.sweep.missed_in_a_row == 0, "kopf is known for it: no sign of a dead stream"


async def test_a_task_that_is_newer_than_the_list_is_no_ghost(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[a_version(1001)], listed=[])
    await bench.sweep.once()

    assert bench.known == {UID}


@pytest.mark.parametrize("known", [[], [a_version(5)]], ids=["a-new-one", "a-change"])
async def test_what_was_missed_is_read_and_twice_in_a_row_means_that_the_stream_is_dead(
    mocker: MockerFixture, known: list[ObservedTask]
) -> None:
    bench = Bench(mocker, known=known, listed=[a_version(7)])
    await bench.sweep.once()
    assert bench.store.version(UID) == "7"

    bench.listed = [a_version(9)]
    with pytest.raises(StreamDead):
        await bench.sweep.once()
    assert bench.store.version(UID) == "9"


async def test_what_the_stream_brings_a_moment_after_the_list_was_not_missed(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[a_version(5)], listed=[a_version(7)])

    async def lagging_stream(_seconds: float) -> None:
        bench.store.apply(a_body(a_version(7)))

    mocker.patch("asyncio.sleep", lagging_stream)
    await bench.sweep.once()

    bench.cluster.read_task_named.assert_not_called()
    assert bench.sweep.missed_in_a_row == 0


async def test_missed_once_and_not_again_is_no_dead_stream(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[], listed=[a_version(7)])
    await bench.sweep.once()
    await bench.sweep.once()
    bench.listed = [a_version(9)]
    await bench.sweep.once()

    assert bench.sweep.missed_in_a_row == 1


async def test_a_task_that_can_not_be_read_is_not_missed_for_ever(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[], listed=[a_version(7)])
    unreadable = a_body(a_version(7))
    unreadable["status"]["state"] = "Weird"
    bench.store.apply(unreadable)

    await bench.sweep.once()
    await bench.sweep.once()

    assert bench.sweep.missed_in_a_row == 0


async def test_another_task_under_the_name_of_one_that_was_missed(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[], listed=[a_version(7)])
    another = a_body(a_version(9, uid="another"))
    bench.cluster.read_task_named.side_effect = None
    bench.cluster.read_task_named.return_value = another
    await bench.sweep.once()

    assert bench.known == {"another"}


async def test_access_is_given_back_where_tasks_may_run(mocker: MockerFixture) -> None:
    tasks = [
        a_version(1, uid="a", namespace="one"),
        a_version(2, uid="b", namespace="two"),
        a_version(3, uid="c", namespace="over", status=a_task(state=State.COMPLETE).status),
    ]
    bench = Bench(mocker, known=tasks, listed=tasks)
    await bench.sweep.once()

    assert [call.args[0] for call in bench.cluster.ensure_worker_access.await_args_list] == ["one", "two"]


@pytest.mark.parametrize("error", [Missing("no such namespace"), Forbidden("being terminated")])
async def test_a_namespace_that_refuses_it_does_not_stop_the_sweep(mocker: MockerFixture, error: Exception) -> None:
    task = a_version(5)
    bench = Bench(mocker, known=[task], listed=[a_version(7)])
    bench.cluster.ensure_worker_access.side_effect = error
    await bench.sweep.once()

    assert bench.store.version(UID) == "7"


async def test_a_policy_that_is_gone_is_told_with_what_to_do(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[], listed=[])
    bench.cluster.missing_guards.return_value = ["validatingadmissionpolicies/longtask-status"]

    with pytest.raises(Misconfigured, match=r"longtask-status.*Install them with the Helm chart"):
        await require_guards(bench.cluster)


async def test_an_api_server_that_is_away_ends_no_sweep(mocker: MockerFixture) -> None:
    bench = Bench(mocker, known=[], listed=[])
    mocker.patch("longtask.shell.sweep.asyncio.sleep")
    once = mocker.patch.object(Sweep, "once", side_effect=[Unavailable("away"), Unavailable("away"), StreamDead("x")])

    with pytest.raises(StreamDead):
        await bench.sweep.run()

    assert once.await_count == 3
