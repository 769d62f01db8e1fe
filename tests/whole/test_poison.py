"""Objects that make no sense: told of and left alone, and no harm to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.core.reconcile import reconcile
from longtask.shell import cycle, sweep
from tests.whole.rig import NAMESPACE, operated

if TYPE_CHECKING:
    import pytest
    from pytest_mock import MockerFixture

    from longtask.core.actions import Plan
    from longtask.core.observed import Observed


async def test_a_task_that_can_not_be_read_harms_no_other_and_restarts_nothing(
    mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    mocker.patch.object(sweep, "_GRACE_SECONDS", 0.0)
    sweeps = mocker.spy(sweep.Sweep, "once")
    async with operated(sweep_seconds=0.05) as rig:
        poison = rig.create("poison")
        poison["status"]["state"] = "Weird"
        rig.store.put("longtasks", poison)
        rig.create("sound")
        await rig.until_state("Running", "sound")

        already = sweeps.call_count
        await rig.until("some sweeps are done", lambda: sweeps.call_count > already + 3)
        rig.want("Suspend", "sound")
        await rig.until_state("Suspended", "sound")

    told = [record for record in caplog.records if "can't be read" in record.getMessage()]
    assert {record.__dict__["task"] for record in told} == {f"{NAMESPACE}/poison"}
    assert not [record for record in caplog.records if "starting anew" in record.getMessage()]


async def test_a_template_that_makes_no_sense_reaches_the_api_server() -> None:
    async with operated() as rig:
        template = {"spec": {"containers": [{"name": "worker", "env": "NAME=value", "volumeMounts": 5}]}}
        rig.create(template=template)

        await rig.until("a Job was asked for", lambda: rig.store.find("jobs"))

        (job,) = rig.store.find("jobs")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert (container["env"], container["volumeMounts"]) == ("NAME=value", 5)


async def test_an_absurd_pod_counts_as_active_and_harms_no_other_task() -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")
        (pod,) = rig.active_pods()
        pod["metadata"]["deletionGracePeriodSeconds"] = 2**63 - 1
        pod["metadata"]["deletionTimestamp"] = "292277026596-12-04T15:30:07Z"
        pod["status"] = {"phase": "Confused"}
        rig.controllers.step = lambda: None  # type: ignore[method-assign]  # nobody ends it
        rig.store.put("pods", pod)
        other = rig.create("other", desiredState="Suspend")

        rig.want("Suspend")
        await rig.until_state("Suspended", other["metadata"]["name"])

        assert rig.task()["status"]["state"] == "Running"


async def test_a_bug_with_one_task_stops_no_other(mocker: MockerFixture) -> None:
    def buggy(observed: Observed) -> Plan:
        if observed.task.name == "unlucky":
            raise ZeroDivisionError
        return reconcile(observed)

    decided: Any = mocker.patch.object(cycle, "reconcile", side_effect=buggy)
    async with operated() as rig:
        rig.create("unlucky")
        await rig.until("it was looked at", lambda: decided.call_count)

        await rig.life("lucky")
