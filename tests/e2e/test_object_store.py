"""Checkpoints in an object store, on a real cluster and at a real server; the wire between them can be cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import cluster, condition, done_of, long_task, plain, worker
from tests.faults.network import inside_the_cluster
from tests.unit.worker.s3 import BUCKET, object_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab
    from tests.unit.worker.s3 import ObjectStore


@pytest.fixture
def store(lab: Lab) -> Iterator[ObjectStore]:
    """The server, and the access to it in a Secret."""
    kind = cluster().kind
    if kind != "local":
        pytest.skip(f"pods of a cluster of kind {kind} can't reach a server of this machine: LONGTASK_CLUSTER=local")
    with object_store(inside_the_cluster()) as server:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "stringData": server.variables}
        lab.api.create(secret, lab.namespace)
        yield server


def in_the_store(body: Body, **checkpoint: Any) -> Body:  # noqa: ANN401
    """The manifest with its checkpoints there."""
    place = {"objectStore": {"url": f"s3://{BUCKET}/team", "secretName": "s3"}, **checkpoint}
    return {**body, "spec": {**body["spec"], "checkpoint": place}}


def heavy(count: int = 200) -> Body:
    """A task whose state is ten times what the status takes."""
    env = {"ITEMS": count, "PACE": 0.05, "BYTES": 300_000}
    return long_task("heavy", worker("failing.py:Heavy", save_every=0.2, env=env))


def kept(body: Body) -> Any:  # noqa: ANN401 - what is saved
    """The versions that its status names."""
    return json.loads(body["status"]["checkpoint"]["data"])["kept"]


def setups(lab: Lab) -> list[int]:
    """The items at which its workers began, one after the other."""
    return [int(line.split()[2]) for line in lab.lines("log") if line.startswith("setup")]


def test_a_large_state_is_kept_in_an_object_store_and_gone_on_from(lab: Lab, store: ObjectStore) -> None:
    task = lab.start(in_the_store(heavy()))
    task.wait("some saves", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 4)
    task.want("Suspend")
    body = task.wait_for_state("Suspended")
    done = len(lab.items())
    assert store.names(f"team/{task.uid}") == sorted(version["name"] for version in kept(body))
    assert len(kept(body)) == 3

    lab.touch("hurry")
    task.want("Run")
    task.wait_for_state("Complete")
    assert setups(lab) == [0, done]
    assert lab.items() == list(range(200))


def test_a_damaged_object_is_told_of_and_the_one_before_is_gone_on_from(lab: Lab, store: ObjectStore) -> None:
    task = lab.start(in_the_store(heavy()))
    task.wait("some saves", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 4)
    task.want("Suspend")
    newest, before, _ = kept(task.wait_for_state("Suspended"))
    store.harm(f"team/{task.uid}/{newest['name']}", None)

    task.want("Run")
    told = task.wait("told", lambda body: condition(body, "CheckpointDamaged").get("status") == "True")
    lab.touch("hurry")
    task.wait_for_state("Complete")
    assert f"went on from checkpoint {before['sequence']}" in condition(told, "CheckpointDamaged")["message"]
    assert setups(lab) == [0, before["head"]["done"]]


def test_a_store_that_fails_halfway_delays_saves_and_loses_nothing(lab: Lab, store: ObjectStore) -> None:
    task = lab.start(in_the_store(heavy()))
    task.wait("some saves", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 2)
    store.wire.room = 400_000  # the next upload gets through, the one after that is cut in its middle
    lab.wait_for_line("items", f"{done_of(task.read()) + 40} ")
    stuck = task.checkpoint["sequence"]
    lab.touch("hurry")
    lab.wait_for_line("items", "199 ")
    assert task.checkpoint["sequence"] <= stuck + 1
    assert task.status["state"] == "Running"

    store.wire.room = None
    task.wait_for_state("Complete")
    assert setups(lab) == [0]
    assert lab.items() == list(range(200))


def test_a_program_with_a_large_file_needs_no_access_of_its_own(lab: Lab, store: ObjectStore) -> None:
    script = (
        'set -e; [ -z "$AWS_ACCESS_KEY_ID" ]; '
        "[ -e /w/big ] && { sha256sum /w/big | cut -c1-64 >> /data/sums; sleep 600; };"
        " head -c 9000000 /dev/urandom > /w/t; sha256sum /w/t | cut -c1-64 >> /data/sums; mv /w/t /w/big; sleep 600"
    )
    task = lab.start(
        in_the_store(long_task("big", plain(["sh", "-c", script])), file="/w/big", interruptedExitCodes=[143])
    )
    task.wait("its save", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 1)
    assert len(store.names(f"team/{task.uid}")) == 1
    task.want("Suspend")
    task.wait_for_state("Suspended")
    task.want("Run")
    wait_for(lambda: len(lab.lines("sums")) == 2, timeout=60, what="the second worker", state=task.story)
    first, second = lab.lines("sums")
    assert first == second
