"""The prover: a list proves for those who waited before it began, and for nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from longtask.shell.errors import Expired, Unavailable
from longtask.shell.prover import Prover
from tests.unit.core.builders import a_pod, a_task

if TYPE_CHECKING:
    from longtask.core.observed import ObservedPod, ObservedTask


@dataclass
class Lists:
    """Lists that begin and end when a test says so."""

    asked: list[tuple[str, str | None]] = field(default_factory=list)
    answers: list[asyncio.Future[list[ObservedPod]]] = field(default_factory=list)
    change: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, selector: str, namespace: str | None) -> list[ObservedPod]:
        self.asked.append((selector, namespace))
        answer: asyncio.Future[list[ObservedPod]] = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        self.change.set()
        return await answer

    async def begun(self, number: int) -> None:
        """Wait until so many lists have begun."""
        async with asyncio.timeout(10):
            while len(self.asked) < number:
                self.change.clear()
                await self.change.wait()


def task(uid: str, namespace: str = "team") -> ObservedTask:
    return replace(a_task(), uid=uid, namespace=namespace)


def pod(uid: str, namespace: str = "team") -> ObservedPod:
    return replace(a_pod(), task_uid=uid, namespace=namespace)


async def test_everybody_gets_his_own_pods_of_one_list() -> None:
    lists = Lists()
    prover = Prover(lists)
    waiting = [asyncio.create_task(prover.pods_of(task(uid))) for uid in ("a", "b", "c")]
    await lists.begun(1)

    lists.answers[0].set_result([pod("a"), pod("b"), pod("a")])

    assert [len(await one) for one in waiting] == [2, 1, 0]
    assert lists.asked == [("longtask.dev/task-uid in (a,b,c)", "team")]


async def test_who_comes_while_a_list_runs_waits_for_the_next() -> None:
    lists = Lists()
    prover = Prover(lists)
    early = asyncio.create_task(prover.pods_of(task("a")))
    await lists.begun(1)
    late = asyncio.create_task(prover.pods_of(task("a")))
    await asyncio.sleep(0)

    lists.answers[0].set_result([])
    assert await early == ()
    assert not late.done()

    await lists.begun(2)
    lists.answers[1].set_result([pod("a")])
    assert await late == (pod("a"),)


async def test_for_many_tasks_all_pods_are_listed_once() -> None:
    lists = Lists()
    prover = Prover(lists)
    waiting = [asyncio.create_task(prover.pods_of(task(str(n), namespace=str(n % 2)))) for n in range(500)]
    await lists.begun(1)

    lists.answers[0].set_result([])
    await asyncio.gather(*waiting)

    assert lists.asked == [("longtask.dev/task-uid", None)]


async def test_a_pod_of_another_namespace_with_the_uid_in_its_label_is_not_the_tasks() -> None:
    lists = Lists()
    waiting = [asyncio.create_task(Prover(lists).pods_of(task("a", "team")))]
    await lists.begun(1)

    lists.answers[0].set_result([pod("a", "another")])

    assert await waiting[0] == ()


async def test_pages_that_outlived_their_version_are_listed_once_more() -> None:
    lists = Lists()
    waiting = asyncio.create_task(Prover(lists).pods_of(task("a")))
    await lists.begun(1)
    lists.answers[0].set_exception(Expired("continue token"))
    await lists.begun(2)

    lists.answers[1].set_result([pod("a")])

    assert await waiting == (pod("a"),)


async def test_a_list_that_fails_proves_nothing_and_the_next_one_is_another() -> None:
    lists = Lists()
    prover = Prover(lists)
    first = asyncio.create_task(prover.pods_of(task("a")))
    await lists.begun(1)
    lists.answers[0].set_exception(Unavailable("cut"))
    with pytest.raises(Unavailable):
        await first

    second = asyncio.create_task(prover.pods_of(task("a")))
    await lists.begun(2)
    lists.answers[1].set_result([])
    assert await second == ()


async def test_a_list_that_is_cancelled_does_not_cancel_who_waits_for_it() -> None:
    lists = Lists()
    prover = Prover(lists)
    waiting = asyncio.create_task(prover.pods_of(task("a")))
    await lists.begun(1)
    assert prover._running is not None

    prover._running.cancel()

    with pytest.raises(Unavailable):
        await waiting


async def test_who_gives_up_waiting_disturbs_nobody() -> None:
    lists = Lists()
    prover = Prover(lists)
    impatient = asyncio.create_task(prover.pods_of(task("a")))
    patient = asyncio.create_task(prover.pods_of(task("b")))
    await lists.begun(1)
    impatient.cancel()
    await asyncio.sleep(0)

    lists.answers[0].set_result([pod("b")])

    assert await patient == (pod("b"),)
