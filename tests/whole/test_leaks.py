"""What is kept in memory of tasks that are gone: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.shell import operator as composition
from tests.whole.rig import NAMESPACE, is_job_creation, operated

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from longtask.shell.operator import Operator


async def test_tasks_that_are_gone_leave_nothing_in_memory(mocker: MockerFixture) -> None:
    begun = mocker.spy(composition.Operator, "__init__")
    async with operated(backoff_seconds=0.2) as rig:
        await rig.life("complete")
        rig.create("suspended", desiredState="Suspend")
        await rig.until_state("Suspended", "suspended")
        rig.create("running")
        await rig.until_state("Running", "running")
        failing = rig.server.fault(is_job_creation, status=500, times=10_000)
        rig.create("failing")
        await rig.until("it has failed a few times", lambda: failing.met > 2)
        refused = rig.server.fault(is_job_creation, status=403, times=10_000)
        failing.times = 0
        rig.create("refused")
        await rig.until("it was refused", lambda: refused.met > 1)
        unreadable = rig.create("unreadable")
        unreadable["status"]["state"] = "Weird"
        rig.store.put("longtasks", unreadable)

        life: Operator = begun.call_args.args[0]
        assert _kept(life)
        for task in rig.store.find("longtasks"):
            rig.store.remove("longtasks", NAMESPACE, task["metadata"]["name"])

        await rig.until("all is forgotten", lambda: not _kept(life))


def _kept(life: Operator) -> list[object]:
    """Whatever is in the parts' memories that is not empty."""
    tasks, queue, jobs, pods = life._tasks, life._queue, life._jobs, life._pods
    memories: list[object] = [
        *(tasks._tasks, tasks._unreadable),
        *(queue, queue._waiting, queue._working, queue._again, queue._timers, queue._failures),
        life._cycle._censuses,
        *(mirror for copy in (jobs, pods) for mirror in (copy._records, copy._by_task)),
    ]
    return [memory for memory in memories if memory]
