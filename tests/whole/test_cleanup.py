"""The clean-up at a task's end, through the whole operator: what waits for what, and what it costs."""

from __future__ import annotations

from typing import Any

from longtask.api import names
from tests.whole.rig import Rig, operated

Json = dict[str, Any]

SWEEP: Json = {"command": ["sweep"]}


def cleanups(rig: Rig) -> list[Json]:
    return [job for job in rig.store.find("jobs") if job["metadata"]["labels"][names.LABEL_ATTEMPT] == "0"]


async def test_a_terminated_task_is_cleaned_up_first_and_keeps_nothing() -> None:
    async with operated() as rig:
        rig.controllers.hold_cleanups = True
        rig.create(cleanup=SWEEP)
        await rig.until_state("Running")
        assert rig.task()["metadata"]["finalizers"] == [names.FINALIZER]
        rig.controllers.save(rig.task())
        rig.want("Terminate")
        await rig.until("the clean-up", lambda: cleanups(rig))
        (job,) = cleanups(rig)
        assert job["spec"]["template"]["metadata"]["annotations"][names.ANNOTATION_CHECKPOINT] != ""
        assert rig.store.find("jobs") == [job]
        assert rig.state() == "Running"

        rig.controllers.hold_cleanups = False
        rig.controllers.step()
        await rig.until_state("Terminated")
        await rig.until("nothing to be left", lambda: not rig.store.find("jobs"))
        await rig.until("no finalizer", lambda: not rig.task()["metadata"].get("finalizers"))


async def test_a_task_with_a_cleanup_costs_one_write_more_until_its_end() -> None:
    async with operated() as rig:
        await rig.life("first")
        before = len(rig.server.done)
        rig.create("second", cleanup=SWEEP)
        await rig.until_state("Running", "second")
        writes = [(call.method, call.plural, call.subresource) for call in rig.server.done[before:]]
    assert writes == [("PATCH", "longtasks", ""), ("POST", "jobs", ""), ("PATCH", "longtasks", "status")]
