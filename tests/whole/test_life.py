"""The whole operator, kopf included, through the lives of tasks, and what they cost."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.whole.rig import NAMESPACE, is_job_creation, operated

if TYPE_CHECKING:
    from tests.whole.server import Call

AGENT = "longtask-operator"


async def test_a_task_is_run_suspended_resumed_and_completed() -> None:
    async with operated() as rig:
        await rig.life()

        history = [entry["state"] for entry in rig.task()["status"]["history"]]
    assert history == ["Running", "Suspended", "Running", "Complete"]


async def test_nobody_waits_for_a_list_when_the_last_pod_of_a_suspension_has_ended() -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")
        rig.controllers.hold_ends = True
        began = len(rig.server.calls)

        rig.want("Suspend")
        await rig.until("the pods are listed while one works", lambda: _lists_of_pods(rig.server.calls[began:]))
        assert rig.state() == ""
        rig.controllers.hold_ends = False
        rig.controllers.step()
        await rig.until_state("Suspended")

        assert _lists_of_pods(rig.server.calls[began:]) == 1


def _lists_of_pods(calls: list[Call]) -> int:
    return sum(call.plural == "pods" and call.method == "GET" and not call.watch for call in calls)


async def test_a_whole_life_costs_eight_writes_and_kopf_makes_none() -> None:
    async with operated() as rig:
        await rig.life("first")
        binding = [call.plural for call in rig.server.done if call.plural == "rolebindings"]
        before = len(rig.server.done)

        await rig.life("second")

        writes = [(call.method, call.plural, call.subresource) for call in rig.server.done[before:]]
        writers = {call.agent for call in rig.server.writes()}
        streamed_by = {call.agent for call in rig.server.calls if call.plural == "longtasks" and call.watch}
    create, status, suspend = ("POST", "jobs", ""), ("PATCH", "longtasks", "status"), ("PATCH", "jobs", "")
    assert writes == [create, status, suspend, status, status, suspend, status, status]
    assert binding == ["rolebindings"], "once for a namespace"
    assert writers == {AGENT}
    assert streamed_by.isdisjoint(writers), "kopf streams the tasks, as itself, so it was there to write something"


async def test_a_task_that_nothing_happens_to_costs_no_write() -> None:
    async with operated(sweep_seconds=0.05) as rig:
        rig.create("suspended", desiredState="Suspend")
        await rig.until_state("Suspended", "suspended")
        rig.create("running")
        await rig.until_state("Running", "running")
        before = len(rig.server.writes())

        rig.controllers.save(rig.task("running"))
        rig.server.end_watches({"code": 410, "message": "too old"})
        seen = len(rig.server.calls)
        await rig.until("all has been listed again", lambda: _lists_since(rig.server.calls[seen:]) >= 6)

        assert rig.server.writes()[before:] == []


async def test_a_terminated_task_leaves_no_job_no_pod_and_no_saved_data() -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")
        rig.controllers.save(rig.task())

        rig.want("Terminate")
        await rig.until_state("Terminated")

        assert rig.store.find("jobs") == []
        assert rig.store.find("pods") == []
        assert rig.task()["status"]["checkpoint"]["data"] == ""


async def test_nothing_is_started_for_a_task_that_is_deleted_meanwhile() -> None:
    async with operated() as rig:
        refused = rig.server.fault(is_job_creation, status=500, times=1000)
        rig.create("short-lived")
        await rig.until("its Job was asked for", lambda: refused.met)

        rig.store.remove("longtasks", NAMESPACE, "short-lived")
        refused.times = 0
        rig.create("other")
        await rig.until_state("Running", "other")

        owners = [job["metadata"]["ownerReferences"][0]["name"] for job in rig.store.find("jobs")]
    assert owners == ["other"]


async def test_a_namespace_that_was_made_anew_gets_access_for_its_workers_again() -> None:
    async with operated() as rig:
        await rig.life()
        for plural, name in (("longtasks", "import"), ("rolebindings", "longtask-worker")):
            rig.store.remove(plural, NAMESPACE, name)

        rig.create("again")
        await rig.until_state("Running", "again")

        assert rig.store.get("rolebindings", NAMESPACE, "longtask-worker")["subjects"]


async def test_time_is_counted_by_the_api_servers_clock_whatever_the_own_one_shows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = time.time() - 7200
    async with operated(ahead=-7200) as rig:
        rig.create()
        await rig.until_state("Running")
        rig.controllers.finish(rig.task())
        await rig.until_state("Complete")
        status = rig.task()["status"]

    assert re.search(r"this machine's clock is \+(7199|7200|7201) s off", caplog.text)
    for written in (status["startTime"], status["completionTime"], status["conditions"][0]["lastTransitionTime"]):
        assert datetime.fromisoformat(written).timestamp() == pytest.approx(began, abs=70)


def _lists_since(calls: list[Call]) -> int:
    return sum(call.method == "GET" and not call.watch for call in calls)
