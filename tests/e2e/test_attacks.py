"""One writer (G3): what a worker's own token can not do, tried with the token that a real pod of a real task got.

The task stands in the middle of a batch, so nothing about it moves: after each attack it must be, to the letter, what
it was. Whose pods may write at all is the matter of test_writers.py.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.attacks import ON_CHECKPOINT, ON_PROGRESS, ON_ROOT, ON_STATUS, a_claim, a_save, put
from tests.e2e.support.client import APPLY, JSON_PATCH, MERGE, ApiError
from tests.e2e.support.tasks import Lab, items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.attacks import Attack
    from tests.e2e.support.client import Api, Body, Json
    from tests.e2e.support.tasks import Handle

pytestmark = pytest.mark.xdist_group("attacks")  # they share one task

TOKEN = "/var/run/secrets/longtask.dev/token"  # noqa: S105 - the name of a file


@dataclass(frozen=True)
class Victim:
    """A task whose worker holds still, another task beside it, and what the worker's token is good for."""

    lab: Lab
    task: Handle
    pod: Body
    neighbour: Handle
    token: str

    @property
    def worker(self) -> Api:
        """The API server as the worker's pod sees it."""
        return self.lab.api.with_token(self.token)

    def send(self, patch: Json, *, how: str = JSON_PATCH, subresource: str = "status", query: str = "") -> Body:
        """Patch the task with the worker's token."""
        if how == APPLY:
            query = "fieldManager=attacker&force=true"
        where = (self.task.name, self.lab.namespace)
        return self.worker.patch("LongTask", *where, patch, how=how, subresource=subresource, query=query)


@pytest.fixture(scope="module")
def victim(api: Api, kubeconfig: Path, operator: str) -> Iterator[Victim]:  # noqa: ARG001 - must be there
    """Bring a task to the middle of its fourth batch, with three saved."""
    namespace = f"e2e-attacks-{uuid.uuid4().hex[:6]}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    lab = Lab(api, namespace, kubeconfig).furnish()
    try:
        task = lab.start(items("victim", HOLD=3, save_every=0.001))
        neighbour = lab.start(items("neighbour", HOLD=3, save_every=0.001, DATA="/data/neighbour"))
        for each in (task, neighbour):
            each.wait_for_state("Running")
            each.wait_for_saved(3)
        pod = task.running_pod()
        token = lab.kubectl("exec", pod["metadata"]["name"], "--", "cat", TOKEN).strip()
        yield Victim(lab, task, pod, neighbour, token)
    finally:
        api.delete("Namespace", namespace)


def refused(victim: Victim, attack: Attack) -> None:
    """Make an attack: the server must say why not, and the task must be as it was."""
    before = victim.task.read()
    with pytest.raises(ApiError, match=attack.words):
        victim.send(attack.patch(before), how=attack.how, subresource=attack.subresource)
    assert victim.task.read() == before


def test_the_token_that_attacks_is_good_for_saves_and_claims(victim: Victim) -> None:
    """Else every refusal below would prove nothing. Dry runs, which the server checks like any other write."""
    task = victim.task.read()

    for write in (a_save(task), a_claim(task)):
        answer = victim.send([put("/status/checkpoint", write)], query="dryRun=All")
        assert answer["status"]["checkpoint"] == write
    assert task["status"]["checkpoint"]["sequence"] >= 1
    assert task["status"]["checkpoint"]["data"] != ""
    assert victim.task.read() == task


@pytest.mark.parametrize("attack", ON_CHECKPOINT, ids=str)
def test_a_worker_can_not_break_the_rules_of_the_checkpoint(victim: Victim, attack: Attack) -> None:
    refused(victim, attack)


@pytest.mark.parametrize("attack", ON_PROGRESS, ids=str)
def test_a_worker_can_not_report_nonsense(victim: Victim, attack: Attack) -> None:
    refused(victim, attack)


@pytest.mark.parametrize("attack", ON_STATUS, ids=str)
def test_a_worker_can_not_write_the_operators_part_of_the_status(victim: Victim, attack: Attack) -> None:
    refused(victim, attack)


@pytest.mark.parametrize("attack", ON_ROOT, ids=str)
def test_a_worker_can_not_change_anything_outside_the_status(victim: Victim, attack: Attack) -> None:
    refused(victim, attack)


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"mine": "yes"}},
        {"annotations": {"mine": "yes"}},
        {"finalizers": ["longtask.dev/stay"]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "programs", "uid": str(uuid.uuid4())}]},
        {"deletionTimestamp": "2026-11-25T21:00:00Z"},
        {"generation": 99},
        {"managedFields": [{}]},
        {
            "managedFields": [
                {
                    "manager": "kubectl",
                    "operation": "Apply",
                    "apiVersion": "longtask.dev/v1alpha1",
                    "time": "2026-11-25T21:00:00Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:desiredState": {}}},
                }
            ]
        },
    ],
    ids="-".join,
)
def test_a_worker_can_not_change_metadata_by_way_of_the_status(victim: Victim, metadata: Body) -> None:
    """Kubernetes drops most of these without a word, and refuses others; what counts is that nothing changes."""
    before = victim.task.read()

    with suppress(ApiError):
        victim.send({"metadata": metadata}, how=MERGE)

    assert victim.task.read() == before


def test_a_worker_can_not_replace_its_task(victim: Victim) -> None:
    before = victim.task.read()

    for subresource in ("", "status"):
        with pytest.raises(ApiError, match="cannot update resource"):
            victim.worker.replace(before | {"status": {**before["status"], "state": "Complete"}}, subresource)

    assert victim.task.read() == before


def test_a_worker_can_not_write_into_another_task_of_its_namespace(victim: Victim) -> None:
    before = victim.neighbour.read()
    pod = victim.pod["metadata"]
    writes = (
        {"checkpoint": a_claim(before, holder=pod["uid"])},
        {"checkpoint": a_save(before)},
        {"progress": {"done": 0}},
    )

    for write in writes:
        patch = [put(f"/status/{key}", value) for key, value in write.items()]
        with pytest.raises(ApiError, match=f"pod {pod['name']} is not of the current attempt of this task") as caught:
            victim.worker.patch(
                "LongTask", victim.neighbour.name, victim.lab.namespace, patch, subresource="status", how=JSON_PATCH
            )
        assert caught.value.status == 403

    assert victim.neighbour.read() == before


def test_a_worker_reads_the_tasks_of_its_namespace_by_name_only(victim: Victim) -> None:
    """So a worker learns what is wanted of it; the docs say to put no secrets into a template."""
    namespace = victim.lab.namespace

    assert victim.worker.get("LongTask", "neighbour", namespace)["metadata"]["uid"] == victim.neighbour.uid
    for query in ("", "watch=true"):
        with pytest.raises(ApiError, match=r"cannot (list|watch) resource"):
            victim.worker.list_all("LongTask", namespace, query)


def test_a_worker_can_not_touch_a_task_of_another_namespace(victim: Victim, lab: Lab) -> None:
    other = lab.start(items("victim", desired="Suspend"))
    other.wait_for_state("Suspended")
    before = other.read()
    claim = a_claim(victim.task.read(), epoch=1, sequence=0, data="")

    with pytest.raises(ApiError, match='cannot get resource "longtasks"'):
        victim.worker.get("LongTask", "victim", lab.namespace)
    patch = [put("/status/checkpoint", claim)]
    with pytest.raises(ApiError, match='cannot patch resource "longtasks/status"'):
        victim.worker.patch("LongTask", "victim", lab.namespace, patch, subresource="status", how=JSON_PATCH)

    assert other.read() == before


@pytest.mark.parametrize(
    ("method", "kind", "name", "subresource"),
    [
        ("POST", "LongTask", "", ""),
        ("DELETE", "LongTask", "victim", ""),
        ("DELETE", "LongTask", "neighbour", ""),
        ("DELETE", "LongTask", "", ""),
        ("GET", "Job", "", ""),
        ("POST", "Job", "", ""),
        ("DELETE", "Job", "", ""),
        ("GET", "Pod", "", ""),
        ("POST", "Pod", "", ""),
        ("DELETE", "Pod", "reader", ""),
        ("POST", "Pod", "reader", "exec"),
        ("POST", "Pod", "reader", "eviction"),
        ("GET", "Pod", "reader", "log"),
        ("GET", "Secret", "", ""),
        ("GET", "ConfigMap", "programs", ""),
        ("POST", "Event", "", ""),
        ("POST", "ServiceAccount", "default", "token"),
        ("POST", "RoleBinding", "", ""),
        ("GET", "Node", "", ""),
        ("GET", "Namespace", "", ""),
    ],
)
def test_a_worker_may_do_nothing_else(victim: Victim, method: str, kind: str, name: str, subresource: str) -> None:
    before = victim.task.read(), victim.neighbour.read()
    path = victim.lab.api.path(kind, name, victim.lab.namespace, subresource)

    with pytest.raises(ApiError, match=r"is forbidden: User .* cannot") as caught:
        victim.worker.request(method, path, {} if method == "POST" else None)

    assert caught.value.status == 403
    assert (victim.task.read(), victim.neighbour.read()) == before
