"""The volume of a task's checkpoints in its pods, the claim that is made for it, and where an attempt begins."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.core.actions import StartOver
from longtask.core.claim import claim_manifest
from longtask.core.cleanup_job import cleanup_job
from longtask.core.job import job_manifest
from longtask.core.sidecar import SidecarImage
from tests.unit.core.test_job import UID, a_body, env_of

Json = dict[str, Any]

SIDECAR = SidecarImage(name="longtask:1", pull_policy="Always", cpu="10m", memory="48Mi", memory_limit="128Mi")
CLAIM: Json = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
MADE = "import-1c6b0f5e-checkpoints"
FOLDER = f"/var/lib/longtask/checkpoints/{UID}"
MOUNT = {"name": "longtask-checkpoints", "mountPath": "/var/lib/longtask/checkpoints"}


def a_task(**checkpoint: Any) -> Json:  # noqa: ANN401
    body = a_body()
    body["spec"]["checkpoint"] = checkpoint
    return body


def pod_of(body: Json, **changes: Any) -> Json:  # noqa: ANN401
    job = job_manifest(body, attempt=2, failures_before=0, backoff_limit=6, sidecar=SIDECAR, **changes)
    pod: Json = job["spec"]["template"]["spec"]
    return pod


def claim_of(pod: Json) -> str:
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "longtask-checkpoints"]
    name: str = volume["persistentVolumeClaim"]["claimName"]
    return name


@pytest.mark.parametrize(("volume", "claim"), [({"claimName": "scratch"}, "scratch"), ({"claimTemplate": CLAIM}, MADE)])
def test_the_worker_has_the_volume_and_knows_its_folder_in_it(volume: Json, claim: str) -> None:
    pod = pod_of(a_task(volume=volume, keep=5))
    (worker,) = pod["containers"]
    assert claim_of(pod) == claim
    assert MOUNT in worker["volumeMounts"]
    assert env_of(worker)["LONGTASK_CHECKPOINT_VOLUME"] == FOLDER
    assert env_of(worker)["LONGTASK_CHECKPOINT_KEEP"] == "5"


def test_three_versions_are_kept_where_nothing_is_said() -> None:
    (worker,) = pod_of(a_task(volume={"claimName": "scratch"}))["containers"]
    assert env_of(worker)["LONGTASK_CHECKPOINT_KEEP"] == "3"


def test_for_a_program_with_a_file_its_sidecar_has_the_volume_and_the_program_has_not() -> None:
    pod = pod_of(a_task(volume={"claimName": "scratch"}, file="/w/position"))
    (program,) = pod["containers"]
    assert MOUNT not in program["volumeMounts"]
    assert "LONGTASK_CHECKPOINT_VOLUME" not in env_of(program)
    for container in pod["initContainers"]:
        assert MOUNT in container["volumeMounts"]
        assert env_of(container)["LONGTASK_CHECKPOINT_VOLUME"] == FOLDER


def test_a_task_without_a_volume_has_none_of_it() -> None:
    pod = pod_of(a_task(schema="rows/1"))
    assert MOUNT not in pod["containers"][0]["volumeMounts"]
    assert "LONGTASK_CHECKPOINT_VOLUME" not in env_of(pod["containers"][0])


def test_a_clean_up_has_it_too() -> None:
    body = a_task(volume={"claimTemplate": CLAIM})
    body["spec"]["cleanup"] = {"command": ["sweep"]}
    pod = cleanup_job(body)["spec"]["template"]["spec"]
    assert claim_of(pod) == MADE
    assert MOUNT in pod["containers"][0]["volumeMounts"]
    assert env_of(pod["containers"][0])["LONGTASK_CHECKPOINT_VOLUME"] == FOLDER


def test_a_claim_is_made_as_it_is_written_and_goes_with_the_task() -> None:
    claim = claim_manifest(a_task(volume={"claimTemplate": CLAIM}))
    assert claim is not None
    assert claim["metadata"]["name"] == MADE
    assert claim["spec"] == CLAIM["spec"]
    (owner,) = claim["metadata"]["ownerReferences"]
    assert owner["uid"] == UID


@pytest.mark.parametrize("body", [a_body(), a_task(schema="a"), a_task(volume={"claimName": "scratch"})])
def test_no_claim_is_made_for_others(body: Json) -> None:
    assert claim_manifest(body) is None


@pytest.mark.parametrize(
    ("start_over", "expected"),
    [
        (None, {}),
        (StartOver(over=7), {"LONGTASK_START_OVER_SEQUENCE": "7"}),
        (StartOver(over=7, rewind=5), {"LONGTASK_START_OVER_SEQUENCE": "7", "LONGTASK_RESTART_SEQUENCE": "5"}),
    ],
)
def test_an_attempt_is_told_where_it_begins(start_over: StartOver | None, expected: dict[str, str]) -> None:
    (worker,) = pod_of(a_body(), start_over=start_over)["containers"]
    names = ("LONGTASK_START_OVER_SEQUENCE", "LONGTASK_RESTART_SEQUENCE")
    assert {name: value for name, value in env_of(worker).items() if name in names} == expected


def test_its_job_says_for_which_nonce_it_was_made() -> None:
    body = a_body()
    body["spec"]["restartNonce"] = 0
    job = job_manifest(body, attempt=1, failures_before=0, backoff_limit=6)
    assert job["metadata"]["annotations"]["longtask.dev/restart-nonce"] == "0"
    plain = job_manifest(a_body(), attempt=1, failures_before=0, backoff_limit=6)
    assert "longtask.dev/restart-nonce" not in plain["metadata"]["annotations"]


# --- an object store ---

STORE: Json = {"url": "s3://checkpoints/team/", "secretName": "access"}
SECRET = {"secretRef": {"name": "access"}}


def test_the_worker_knows_its_prefix_in_the_object_store_and_has_the_access() -> None:
    pod = pod_of(a_task(objectStore=STORE, keep=5))
    (worker,) = pod["containers"]
    assert env_of(worker)["LONGTASK_CHECKPOINT_STORE"] == f"s3://checkpoints/team/{UID}"
    assert env_of(worker)["LONGTASK_CHECKPOINT_KEEP"] == "5"
    assert worker["envFrom"] == [SECRET]
    assert MOUNT not in worker["volumeMounts"]


def test_for_a_program_with_a_file_its_sidecar_has_the_access_and_the_program_has_not() -> None:
    pod = pod_of(a_task(objectStore=STORE, file="/w/position"))
    assert "envFrom" not in pod["containers"][0]
    assert [container["envFrom"] for container in pod["initContainers"]] == [[SECRET], [SECRET]]


def test_without_a_secret_access_comes_from_elsewhere() -> None:
    (worker,) = pod_of(a_task(objectStore={"url": "gs://checkpoints"}))["containers"]
    assert "envFrom" not in worker
    assert env_of(worker)["LONGTASK_CHECKPOINT_STORE"] == f"gs://checkpoints/{UID}"


def test_a_clean_up_has_the_access_too() -> None:
    body = a_task(objectStore=STORE, file="/w/position")
    body["spec"]["cleanup"] = {"command": ["sweep"]}
    body["status"] = {"checkpoint": {"data": "{}"}}
    pod = cleanup_job(body, sidecar=SIDECAR)["spec"]["template"]["spec"]
    assert [container["envFrom"] for container in (*pod["containers"], *pod["initContainers"])] == [[SECRET], [SECRET]]
