"""Checkpoints in a volume, on a real cluster: larger than the status takes, older ones kept, damage told of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import ApiError, wait_for
from tests.e2e.support.tasks import condition, done_of, items, long_task, plain, worker

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

LARGE = 300_000
"""Bytes of a state: ten times what the status takes."""


def with_volume(body: Body, *, keep: int = 3, **volume: Any) -> Body:  # noqa: ANN401
    """The manifest with a volume for its checkpoints: by default one that the test can look into."""
    checkpoint = {"volume": volume or {"claimName": "data"}, "keep": keep} | body["spec"].get("checkpoint", {})
    return {**body, "spec": {**body["spec"], "checkpoint": checkpoint}}


def heavy(name: str = "heavy", *, count: int = 200, **settings: Any) -> Body:  # noqa: ANN401
    """A task whose state is large."""
    env = {"ITEMS": count, "PACE": 0.05, "BYTES": LARGE, **settings}
    return long_task(name, worker("failing.py:Heavy", save_every=0.2, env=env))


def data(body: Body) -> Any:  # noqa: ANN401 - what is saved
    """What stands in its checkpoint."""
    return json.loads(body["status"]["checkpoint"]["data"])


def versions(lab: Lab, task: Handle) -> list[str]:
    """Names of the files in its folder."""
    return sorted(lab.in_reader("sh", "-c", f"ls /data/{task.uid}").split())


def setups(lab: Lab) -> list[int]:
    """The items at which its workers began, one after the other."""
    return [int(line.split()[2]) for line in lab.lines("log") if line.startswith("setup")]


def suspended(lab: Lab, body: Body, *, sequence: int = 4) -> tuple[Handle, Body]:
    """A task that has saved so often and was suspended."""
    task = lab.start(body)
    task.wait("some saves", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= sequence)
    task.want("Suspend")
    return task, task.wait_for_state("Suspended")


def test_a_state_larger_than_the_status_is_saved_in_the_volume_and_gone_on_from(lab: Lab) -> None:
    task, body = suspended(lab, with_volume(heavy()))
    saved = data(body)
    assert "state" not in saved
    assert [entry["size"] > LARGE for entry in saved["kept"]] == [True] * 3
    assert [entry["sequence"] for entry in saved["kept"]] == sorted(
        (entry["sequence"] for entry in saved["kept"]), reverse=True
    )
    assert versions(lab, task) == sorted(entry["name"] for entry in saved["kept"])
    done = len(lab.items())

    lab.touch("hurry")
    task.want("Run")
    task.wait_for_state("Complete")

    assert setups(lab) == [0, done]
    assert lab.items() == list(range(200))


def test_a_damaged_version_is_told_of_and_the_one_before_is_gone_on_from(lab: Lab) -> None:
    task, body = suspended(lab, with_volume(heavy()))
    newest, before, _ = data(body)["kept"]
    lab.in_reader("sh", "-c", f"printf x >> /data/{task.uid}/{newest['name']}")

    task.want("Run")
    told = task.wait("told", lambda body: condition(body, "CheckpointDamaged").get("status") == "True")
    lab.touch("hurry")
    task.wait_for_state("Complete")

    assert "SHA-256" in condition(told, "CheckpointDamaged")["message"]
    assert f"went on from checkpoint {before['sequence']}" in condition(told, "CheckpointDamaged")["message"]
    assert len(task.warnings("CheckpointDamaged")) == 1
    assert setups(lab) == [0, before["head"]["done"]]
    assert sorted(set(lab.items())) == list(range(200))


def test_when_no_version_is_whole_the_task_fails_and_never_begins_at_zero_by_itself(lab: Lab) -> None:
    task, _ = suspended(lab, with_volume(heavy()))
    lab.in_reader("sh", "-c", f"rm /data/{task.uid}/*")

    task.want("Run")
    body = task.wait_for_state("Failed")

    assert condition(body, "Failed")["reason"] == "NeverRetry"
    assert "it is gone" in condition(body, "Failed")["message"]
    assert "spec.restartFrom: Beginning" in condition(body, "Failed")["message"]
    assert setups(lab) == [0]
    lab.touch("hurry")
    task.patch({"spec": {"restartNonce": 1, "restartFrom": "Beginning"}})
    task.wait_for_state("Complete")
    assert setups(lab) == [0, 0]


def test_a_task_is_set_back_to_an_older_save(lab: Lab) -> None:
    task, body = suspended(lab, with_volume(items(count=400, save_every=0.2), keep=5), sequence=6)
    saved = data(body)
    assert saved["state"] == {"next": len(lab.items())}, "what is small stands in the status, too"
    oldest = saved["kept"][-1]
    assert len(saved["kept"]) == 5

    task.patch({"spec": {"restartNonce": 1, "restartFrom": str(oldest["sequence"])}})
    lab.touch("hurry")
    task.want("Run")
    body = task.wait_for_state("Complete")

    assert setups(lab) == [0, oldest["head"]["done"]]
    assert body["status"]["restartSequence"] == oldest["sequence"]
    assert body["status"]["attempt"] == 2


def test_a_save_that_is_not_kept_can_not_be_gone_back_to_and_the_task_says_so(lab: Lab) -> None:
    task, _ = suspended(lab, with_volume(heavy()), sequence=5)
    task.patch({"spec": {"restartNonce": 1, "restartFrom": "1", "desiredState": "Run"}})
    body = task.wait_for_state("Failed")
    assert "checkpoint 1 is not kept; kept are" in condition(body, "Failed")["message"]


def test_without_a_volume_only_the_last_save_can_be_gone_back_to(lab: Lab) -> None:
    task, _ = suspended(lab, items(count=400))
    task.patch({"spec": {"restartNonce": 1, "restartFrom": "1", "desiredState": "Run"}})
    body = task.wait_for_state("Failed")
    assert (
        "without spec.checkpoint.volume or objectStore none but the last save" in condition(body, "Failed")["message"]
    )


def test_a_disk_that_is_full_delays_a_save_and_loses_nothing(lab: Lab) -> None:
    """The volume of the test is a folder of the node; a small file system of the pod's stands for one that is full."""
    body = with_volume(heavy(count=120, FULL="vault"), claimName="data")
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] += [
        {"name": "small", "mountPath": "/var/lib/longtask/small"}
    ]
    body["spec"]["template"]["spec"]["containers"][0]["env"] += [
        {"name": "LONGTASK_CHECKPOINT_VOLUME", "value": "/var/lib/longtask/small/it"}
    ]
    body["spec"]["template"]["spec"]["volumes"] += [
        {"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
    ]
    task = lab.start(body)
    lab.wait_for_line("log", "the disk is full")
    lab.wait_for_line("items", "80 ")
    assert done_of(task.read()) < 40, "what was done since is not saved, and the work goes on"
    lab.touch("room")
    task.wait_for_state("Complete")
    assert lab.items() == list(range(120))
    assert task.status["attempt"] == 1


# --- claims that are made for a task ---

CLAIM: Body = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}}


def claims(lab: Lab) -> list[str]:
    """Names of the claims that were made for tasks."""
    found = lab.api.list_all("PersistentVolumeClaim", lab.namespace)
    return [claim["metadata"]["name"] for claim in found if claim["metadata"]["name"] != "data"]


def test_a_claim_is_made_for_the_task_and_goes_when_it_is_terminated(lab: Lab) -> None:
    task, _ = suspended(lab, with_volume(heavy(), claimTemplate=CLAIM))
    assert claims(lab) == [f"heavy-{task.uid[:8]}-checkpoints"]
    task.want("Run")
    task.wait_for_state("Running")
    task.want("Terminate")
    task.wait_for_state("Terminated")
    wait_for(lambda: not claims(lab), what="the claim to be gone")


def test_a_claim_goes_with_a_deleted_task(lab: Lab) -> None:
    task, _ = suspended(lab, with_volume(heavy(), claimTemplate=CLAIM), sequence=1)
    task.delete()
    wait_for(lambda: not claims(lab), timeout=60, what="the claim to be gone")


def test_a_claim_that_the_server_refuses_stalls_the_task_in_the_servers_words(lab: Lab) -> None:
    wrong = {"spec": {"accessModes": ["ReadWriteOften"], "resources": {"requests": {"storage": "16Mi"}}}}
    task = lab.start(with_volume(heavy(), claimTemplate=wrong))
    body = task.wait("a complaint", lambda body: condition(body, "Stalled").get("status") == "True")
    assert "ReadWriteOften" in condition(body, "Stalled")["message"]


# --- programs with a file ---


@pytest.mark.parametrize("size", [100_000, 12_000_000])
def test_a_large_file_of_a_program_is_saved_and_restored(lab: Lab, size: int) -> None:
    """Larger than the status takes, and larger than is ever read as a whole."""
    script = (
        "set -e; [ -e /w/big ] && { sha256sum /w/big | cut -c1-64 >> /data/sums; sleep 600; };"
        f" head -c {size} /dev/urandom > /w/t; sha256sum /w/t | cut -c1-64 >> /data/sums; mv /w/t /w/big; sleep 600"
    )
    body = long_task("big", plain(["sh", "-c", script]))
    body["spec"]["checkpoint"] = {"file": "/w/big", "interruptedExitCodes": [143]}
    task = lab.start(with_volume(body))
    task.wait("its save", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 1)
    task.want("Suspend")
    stopped = task.wait_for_state("Suspended")
    assert data(stopped)["kept"][0]["size"] == size
    task.want("Run")
    wait_for(lambda: len(lab.lines("sums")) == 2, timeout=60, what="the second worker", state=task.story)
    first, second = lab.lines("sums")
    assert first == second
    assert done_of(stopped) >= 1


# --- an object store ---


@pytest.mark.parametrize("kind", ["worker", "program"])
def test_an_object_store_that_can_not_be_used_is_told_before_the_work_begins(lab: Lab, kind: str) -> None:
    """Nobody listens there. What the Secret says has arrived, or the region would be missing."""
    access = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "here", "AWS_ACCESS_KEY_ID": "a"}
    secret = {**access, "AWS_SECRET_ACCESS_KEY": "b"}
    lab.api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "stringData": secret}, lab.namespace
    )
    body = items(count=50, backoff_limit=0)
    checkpoint: Body = {"objectStore": {"url": "s3://checkpoints/team", "secretName": "s3"}}
    if kind == "program":
        body = long_task("program", plain(["sleep", "600"]), backoff_limit=0)
        checkpoint["file"] = "/w/position"
    body["spec"]["checkpoint"] = checkpoint
    task = lab.start(body)
    body = task.wait_for_state("Failed", seconds=120)
    assert "the object store can't be used" in condition(body, "Failed")["message"]
    assert "127.0.0.1:9/checkpoints" in condition(body, "Failed")["message"]
    assert lab.items() == []


# --- bad input ---


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ({"volume": {}}, "either a claimName or a claimTemplate"),
        ({"volume": {"claimName": "a", "claimTemplate": CLAIM}}, "either a claimName or a claimTemplate"),
        ({"volume": {"claimName": "a"}, "keep": 0}, "greater than or equal to 1"),
    ],
)
def test_a_volume_that_can_not_be_meant_is_refused_with_what_to_do(lab: Lab, checkpoint: Body, words: str) -> None:
    body = items(count=3)
    body["spec"]["checkpoint"] = checkpoint
    with pytest.raises(ApiError, match=words):
        lab.start(body)
