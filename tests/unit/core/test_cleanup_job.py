"""The Job of a clean-up: in the worker's image or another, with what was saved last, and without any rights."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from longtask.core.cleanup_job import cleanup_job
from longtask.core.sidecar import SidecarImage

Json = dict[str, Any]

SIDECAR = SidecarImage(name="longtask:1", pull_policy="Always", cpu="10m", memory="48Mi", memory_limit="128Mi")
UID = "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b"
WORKER: Json = {
    "name": "worker",
    "image": "import:1",
    "command": ["import"],
    "args": ["--all"],
    "env": [{"name": "TARGET", "value": "db"}],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "livenessProbe": {"exec": {"command": ["true"]}},
    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
}


def a_task(cleanup: Json | None = None, *, deleting: bool = False, **spec: Any) -> Json:  # noqa: ANN401
    template = {
        "metadata": {"labels": {"team": "data"}},
        "spec": {
            "serviceAccountName": "importer",
            "initContainers": [{"name": "wait", "image": "wait:1"}],
            "containers": [{"name": "proxy", "image": "proxy:1"}, copy.deepcopy(WORKER)],
            "volumes": [{"name": "scratch", "persistentVolumeClaim": {"claimName": "scratch"}}],
        },
    }
    metadata = {"name": "import", "namespace": "team", "uid": UID, "generation": 3}
    return {
        "metadata": metadata | ({"deletionTimestamp": "2026-03-01T12:00:00Z"} if deleting else {}),
        "spec": {"template": template, "cleanup": cleanup or {"command": ["import", "--undo"]}, **spec},
        "status": {"checkpoint": {"data": '{"next": 7}', "sequence": 4}},
    }


def pod_of(job: Json) -> Json:
    pod: Json = job["spec"]["template"]["spec"]
    return pod


def test_a_command_runs_in_the_workers_place_with_all_it_has_and_alone() -> None:
    job = cleanup_job(a_task())
    pod = pod_of(job)
    (container,) = pod["containers"]
    assert (container["image"], container["command"], container["args"]) == ("import:1", ["import", "--undo"], [])
    assert WORKER["env"][0] in container["env"]
    assert WORKER["volumeMounts"][0] in container["volumeMounts"]
    assert {"livenessProbe", "lifecycle"}.isdisjoint(container)
    assert pod["initContainers"] == []
    assert pod["serviceAccountName"] == "importer"
    assert pod["restartPolicy"] == "Never"
    assert job["spec"]["template"]["metadata"]["labels"] == {"team": "data", "longtask.dev/task-name": "import"}


def test_the_template_of_the_task_stays_as_it_is() -> None:
    task = a_task()
    before = copy.deepcopy(task)
    cleanup_job(task)
    assert task == before


def test_it_is_bounded_in_tries_and_time() -> None:
    assert (cleanup_job(a_task())["spec"]["backoffLimit"], cleanup_job(a_task())["spec"]["activeDeadlineSeconds"]) == (
        3,
        600,
    )
    chosen = cleanup_job(a_task({"command": ["x"], "backoffLimit": 0, "activeDeadlineSeconds": 5}))["spec"]
    assert (chosen["backoffLimit"], chosen["activeDeadlineSeconds"]) == (0, 5)


def test_what_was_saved_last_is_in_a_file_that_the_command_is_told_of() -> None:
    job = cleanup_job(a_task())
    template, (container,) = job["spec"]["template"], pod_of(job)["containers"]
    assert template["metadata"]["annotations"] == {"longtask.dev/checkpoint": '{"next": 7}'}
    told = {env["name"]: env.get("value") for env in container["env"]}
    assert told["LONGTASK_LAST_CHECKPOINT"] == "/var/run/longtask.dev/checkpoint"
    assert told["LONGTASK_NAME"] == "import"
    assert "LONGTASK_UID" not in told, "it is no worker, and the library must not take it for one"
    (volume,) = [volume for volume in pod_of(job)["volumes"] if "downwardAPI" in volume]
    path = {"path": "checkpoint", "fieldRef": {"fieldPath": "metadata.annotations['longtask.dev/checkpoint']"}}
    assert volume["downwardAPI"]["items"] == [path]
    assert {"name": volume["name"], "mountPath": "/var/run/longtask.dev", "readOnly": True} in container["volumeMounts"]


def test_a_task_that_never_saved_leaves_an_empty_file() -> None:
    task = a_task()
    del task["status"]["checkpoint"]
    annotations = cleanup_job(task)["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"longtask.dev/checkpoint": ""}


def test_it_has_no_token_to_write_checkpoints_with() -> None:
    pod = pod_of(cleanup_job(a_task()))
    assert pod["automountServiceAccountToken"] is False
    assert all("projected" not in volume for volume in pod["volumes"])


def test_a_pod_of_its_own_is_sent_as_it_is_written_with_the_checkpoint_for_every_container() -> None:
    own = {"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}], "hostNetwork": True}}
    pod = pod_of(cleanup_job(a_task({"template": own})))
    assert [container["image"] for container in pod["containers"]] == ["a:1", "b:1"]
    assert pod["hostNetwork"]
    assert all(container["volumeMounts"][0]["name"] == "longtask-checkpoint" for container in pod["containers"])


def test_its_job_goes_with_the_task_unless_the_task_is_being_deleted() -> None:
    """A deletion in the foreground deletes first what the task owns."""
    owned = cleanup_job(a_task())
    (owner,) = owned["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (UID, True)
    assert "ttlSecondsAfterFinished" not in owned["spec"]
    orphan = cleanup_job(a_task(deleting=True))
    assert "ownerReferences" not in orphan["metadata"]
    assert orphan["spec"]["ttlSecondsAfterFinished"] == 86_400


def test_its_name_and_labels_make_it_no_attempt() -> None:
    metadata = cleanup_job(a_task())["metadata"]
    assert metadata["name"] == "import-1c6b0f5e-cleanup"
    assert metadata["labels"]["longtask.dev/attempt"] == "0"
    assert metadata["labels"]["longtask.dev/task-uid"] == UID


def test_a_programs_file_is_put_into_its_place_again() -> None:
    job = cleanup_job(a_task(checkpoint={"file": "/scratch/position"}), sidecar=SIDECAR)
    (unpack,) = pod_of(job)["initContainers"]
    assert unpack["image"] == "longtask:1"
    assert unpack["command"] == ["longtask", "sidecar", "unpack"]
    assert {"name": "scratch", "mountPath": "/scratch"} in unpack["volumeMounts"]
    told = {env["name"]: env["value"] for env in unpack["env"]}
    assert told["LONGTASK_CHECKPOINT_FILE"] == "/scratch/position"
    assert told["LONGTASK_LAST_CHECKPOINT"] == "/var/run/longtask.dev/checkpoint"


def test_without_a_sidecars_image_that_can_not_be_done() -> None:
    with pytest.raises(ValueError, match="needs a sidecar"):
        cleanup_job(a_task(checkpoint={"file": "/scratch/position"}))


def test_nothing_is_unpacked_for_a_pod_of_its_own_nor_where_nothing_was_saved() -> None:
    own = {"template": {"spec": {"containers": [{"name": "a", "image": "a:1"}]}}}
    assert "initContainers" not in pod_of(cleanup_job(a_task(own, checkpoint={"file": "/scratch/position"})))
    task = a_task(checkpoint={"file": "/scratch/position"})
    task["status"]["checkpoint"]["data"] = ""
    assert pod_of(cleanup_job(task))["initContainers"] == []
