"""What the operator may do is what it does: every request of every kind of life is allowed, and nothing else is.

The rights are those of manifests/install.yaml, which is rendered from the chart.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from longtask.core import attempts
from tests.whole.rig import Rig, is_job_creation, operated

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.whole.server import Call

Json = dict[str, Any]

INSTALL: Final = Path(__file__).parents[2] / "manifests" / "install.yaml"
OPERATOR: Final = "longtask-operator"

# needed by the API server's own checks of what is written, never asked for by a request
IMPLIED: Final = {("bind", "clusterroles"), ("update", "longtasks/finalizers")}

_VERBS: Final = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


async def test_every_request_is_allowed_and_every_right_is_used(mocker: MockerFixture) -> None:
    mocker.patch.object(attempts, "POD_PATIENCE", timedelta(0))
    async with operated(sweep_seconds=0.2) as rig:
        await rig.life("ordinary")
        await _expired(rig)
        await _terminated(rig)
        await _cleaned_up(rig)
        await _stalled(rig)
        await _without_a_pod(rig, mocker)
        await _unsure(rig)
        await _on_a_lost_node(rig)

        used = {verb_and_resource(call) for call in rig.server.calls if call.plural}

    assert used == granted(OPERATOR) - IMPLIED


async def _expired(rig: Rig) -> None:
    rig.create("expired", ttlSecondsAfterFinished=0)
    await rig.until_state("Running", "expired")
    rig.controllers.finish(rig.task("expired"))
    await rig.until("it is deleted", lambda: not rig.store.find("longtasks", lambda task: _named(task, "expired")))


def _named(body: Json, name: str) -> bool:
    return bool(body["metadata"]["name"] == name)


async def _terminated(rig: Rig) -> None:
    rig.create("terminated")
    await rig.until_state("Running", "terminated")
    rig.want("Terminate", "terminated")
    await rig.until_state("Terminated", "terminated")


async def _cleaned_up(rig: Rig) -> None:
    volume = {"claimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}
    rig.create("cleaned", cleanup={"command": ["sweep"]}, checkpoint={"volume": volume})
    await rig.until_state("Running", "cleaned")
    rig.want("Terminate", "cleaned")
    await rig.until_state("Terminated", "cleaned")
    assert rig.store.find("persistentvolumeclaims") == []


async def _stalled(rig: Rig) -> None:
    refused = rig.server.fault(is_job_creation, status=403)
    rig.create("stalled")
    await rig.until("an event was posted", lambda: refused.met and rig.store.find("events"))


async def _without_a_pod(rig: Rig, mocker: MockerFixture) -> None:
    """The Job controller has come to the Job, and may create no pod: its events are asked why."""

    def refused(job: Json) -> None:
        if "status" not in rig.store.get("jobs", job["metadata"]["namespace"], job["metadata"]["name"]):
            rig.store.put("jobs", job)  # with a start time

    making = mocker.patch.object(rig.controllers, "_make_pod", refused)
    rig.create("podless")
    await rig.until("events were asked for", lambda: any(_asks_for_events(call) for call in rig.server.calls))
    mocker.stop(making)


def _asks_for_events(call: Call) -> bool:
    return call.plural == "events" and call.method == "GET"


async def _unsure(rig: Rig) -> None:
    """The API server says that there is a Job of that name."""
    rig.server.fault(is_job_creation, status=409)
    rig.create("unsure")
    await rig.until_state("Running", "unsure")


async def _on_a_lost_node(rig: Rig) -> None:
    """The kubelet that would tell of the pod's end does not answer, and its Job keeps the pod until it is told."""
    rig.create("lost")
    await rig.until_state("Running", "lost")
    rig.controllers.step = lambda: None  # type: ignore[method-assign]
    (pod,) = rig.store.find("pods", lambda pod: bool(pod["metadata"]["labels"]["longtask.dev/task-name"] == "lost"))
    pod["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["batch.kubernetes.io/job-tracking"]}
    rig.store.put("pods", pod)
    await rig.until("its pod counts as failed", lambda: _failed(rig, pod["metadata"]["name"]))


def _failed(rig: Rig, name: str) -> bool:
    """Whether that pod has failed by a disruption."""
    (pod,) = rig.store.find("pods", lambda pod: bool(pod["metadata"]["name"] == name))
    conditions = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions", [])}
    return pod["status"]["phase"] == "Failed" and conditions.get("DisruptionTarget") == "True"


def verb_and_resource(call: Call) -> tuple[str, str]:
    """A request in the words of RBAC."""
    resource = f"{call.plural}/{call.subresource}" if call.subresource else call.plural
    if call.method != "GET":
        return _VERBS[call.method], resource
    if call.watch:
        return "watch", resource
    return "list" if call.path.endswith(f"/{call.plural}") else "get", resource


def granted(role: str) -> set[tuple[str, str]]:
    """Verb and resource of every right that a ClusterRole gives."""
    documents = [document for document in yaml.safe_load_all(INSTALL.read_text()) if document]
    (found,) = [d for d in documents if d["kind"] == "ClusterRole" and d["metadata"]["name"] == role]
    return {(verb, resource) for rule in found["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
