"""The Job of a program that keeps its position in a file: two containers of ours beside it, and its own exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.api.checkpoint import CheckpointSpec
from longtask.core.exitcodes import ExitCodes
from longtask.core.job import job_manifest
from longtask.core.sidecar import SidecarImage
from tests.unit.core.test_job import UID, a_body, env_of, the_job

IMAGE = SidecarImage(name="longtask:7", pull_policy="IfNotPresent", cpu="10m", memory="32Mi", memory_limit="64Mi")
FILE = "/state/position"
PROGRAM = {"name": "copy", "image": "copier"}


def a_job_with(*containers: dict[str, Any], checkpoint: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """The Job of a task whose spec has that checkpoint."""
    body = a_body(*(containers or (PROGRAM,)), **spec)
    body["spec"]["checkpoint"] = {"file": FILE} if checkpoint is None else checkpoint
    return job_manifest(body, attempt=2, failures_before=0, backoff_limit=6, sidecar=IMAGE)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def the_pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return pod_of(a_job_with(*containers, **spec))


def rules_of(job: dict[str, Any]) -> list[tuple[str, str, list[int]]]:
    """Its rules about exit codes: action, container, codes."""
    rules = job["spec"]["podFailurePolicy"]["rules"]
    return [
        (rule["action"], rule["onExitCodes"]["containerName"], rule["onExitCodes"]["values"])
        for rule in rules
        if "onExitCodes" in rule
    ]


def test_the_file_is_restored_before_the_program_starts_and_saved_while_it_runs() -> None:
    restore, save = the_pod()["initContainers"]
    assert (restore["name"], restore["command"]) == ("longtask-restore", ["longtask", "sidecar", "restore"])
    assert (save["name"], save["command"]) == ("longtask-sidecar", ["longtask", "sidecar", "save"])
    assert "restartPolicy" not in restore
    assert save["restartPolicy"] == "Always"
    for container in (restore, save):
        assert (container["image"], container["imagePullPolicy"]) == ("longtask:7", "IfNotPresent")
        assert container["resources"] == {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        }


def test_the_program_does_not_start_before_the_sidecar_listens_to_sigterm() -> None:
    _, save = the_pod()["initContainers"]
    command = save["lifecycle"]["postStart"]["exec"]["command"]
    assert command[:2] == ["sh", "-c"]
    assert "/dev/termination-log" in command[2]


def test_the_templates_own_init_containers_come_first() -> None:
    names = [container["name"] for container in the_pod(initContainers=[{"name": "fetch"}])["initContainers"]]
    assert names == ["fetch", "longtask-restore", "longtask-sidecar"]


def test_who_saves_has_the_identity_and_the_token_and_the_program_has_neither() -> None:
    pod = the_pod()
    for container in pod["initContainers"]:
        env = env_of(container)
        assert (env["LONGTASK_NAME"], env["LONGTASK_UID"], env["LONGTASK_ATTEMPT"]) == ("import", UID, "2")
        assert env["LONGTASK_POD_UID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
        assert env["LONGTASK_CHECKPOINT_FILE"] == FILE
        assert "/var/run/secrets/longtask.dev" in [mount["mountPath"] for mount in container["volumeMounts"]]
    (program,) = pod["containers"]
    assert env_of(program) == {"LONGTASK_CHECKPOINT_FILE": FILE}
    assert [mount["mountPath"] for mount in program["volumeMounts"]] == ["/state"]


def test_without_a_volume_at_its_place_the_folder_is_an_empty_one_that_both_share() -> None:
    pod = the_pod()
    assert {"name": "longtask-file", "emptyDir": {}} in pod["volumes"]
    for container in (*pod["containers"], *pod["initContainers"]):
        assert {"name": "longtask-file", "mountPath": "/state"} in container["volumeMounts"]


@pytest.mark.parametrize(
    ("mounts", "chosen"),
    [
        ([{"name": "disk", "mountPath": "/state"}], "disk"),
        ([{"name": "disk", "mountPath": "/state/"}], "disk"),
        ([{"name": "all", "mountPath": "/"}, {"name": "disk", "mountPath": "/state", "subPath": "a"}], "disk"),
        ([{"name": "disk", "mountPath": "/state"}, {"name": "other", "mountPath": "/stat"}], "disk"),
        ([{"name": "other", "mountPath": "/state/position/deeper"}, {"name": "all", "mountPath": "/"}], "all"),
    ],
)
def test_the_innermost_volume_that_holds_the_file_is_shared_as_it_is_mounted(
    mounts: list[dict[str, Any]], chosen: str
) -> None:
    pod = the_pod({**PROGRAM, "volumeMounts": mounts})
    (expected,) = [mount for mount in mounts if mount["name"] == chosen]
    for container in pod["initContainers"]:
        assert container["volumeMounts"][0] == expected
    assert [volume["name"] for volume in pod["volumes"]] == ["longtask-access"]


def test_the_sidecar_is_allowed_under_restricted_pod_security() -> None:
    for container in the_pod()["initContainers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }


@pytest.mark.parametrize(
    ("pod", "program", "user", "group", "non_root"),
    [
        ({"runAsUser": 1000, "runAsGroup": 2000}, None, 1000, 2000, True),
        ({"runAsUser": 1000, "runAsGroup": 2000}, {"runAsUser": 1001}, 1001, 2000, True),
        (None, {"runAsUser": 0}, 0, None, False),
        ({"runAsUser": 1000}, {"runAsUser": 0}, 0, None, False),
    ],
)
def test_the_sidecar_is_the_programs_own_user_where_the_template_names_one(
    pod: Any,  # noqa: ANN401
    program: Any,  # noqa: ANN401
    user: int,
    group: int | None,
    non_root: bool,
) -> None:
    made = the_pod({**PROGRAM, "securityContext": program}, securityContext=pod)
    for container in made["initContainers"]:
        found = container["securityContext"]
        assert (found.get("runAsUser"), found.get("runAsGroup"), found["runAsNonRoot"]) == (user, group, non_root)


def test_a_program_that_is_alone_is_not_the_first_process_so_that_sigterm_ends_it() -> None:
    assert the_pod()["shareProcessNamespace"] is True
    assert "shareProcessNamespace" not in the_pod(PROGRAM, {"name": "proxy"})


def test_a_pod_that_could_not_claim_is_treated_like_a_worker_that_could_not() -> None:
    assert rules_of(a_job_with())[2:] == [
        ("Ignore", "longtask-restore", [75]),
        ("FailJob", "longtask-restore", [78]),
    ]


def test_without_a_file_there_is_no_sidecar_and_the_worker_is_as_ever() -> None:
    plain = the_job(a_body(PROGRAM))
    mapped = a_job_with(PROGRAM, checkpoint={"interruptedExitCodes": [143]})
    assert pod_of(mapped) == pod_of(plain)
    assert "initContainers" not in pod_of(plain)


def test_exit_codes_can_be_mapped_and_are_in_the_order_that_kubernetes_wants() -> None:
    job = a_job_with(checkpoint={"completeExitCodes": [9, 3], "interruptedExitCodes": [143, 130]})
    assert rules_of(job) == [("Ignore", "copy", [75, 130, 143]), ("FailJob", "copy", [3, 9, 78])]


def test_what_the_user_says_of_a_code_wins_over_the_protocol() -> None:
    job = a_job_with(checkpoint={"completeExitCodes": [75], "interruptedExitCodes": [78]})
    assert rules_of(job) == [("Ignore", "copy", [78]), ("FailJob", "copy", [75])]


def test_without_a_mapping_the_codes_are_the_protocols() -> None:
    protocol = ExitCodes(complete=frozenset(), interrupted=frozenset({75}), never_retry=frozenset({78}))
    assert ExitCodes.of(None) == ExitCodes.of(CheckpointSpec()) == protocol


MAPPINGS = [
    (complete, interrupted)
    for complete in ((), (3,), (75,), (78,), (75, 78))
    for interrupted in ((), (143,), (75, 143), (78,))
    if not {*complete} & {*interrupted}  # the API server refuses a code in both
]


@pytest.mark.parametrize(("complete", "interrupted"), MAPPINGS)
def test_a_code_has_one_meaning_and_it_is_the_users(complete: tuple[int, ...], interrupted: tuple[int, ...]) -> None:
    codes = ExitCodes.of(CheckpointSpec(complete_exit_codes=complete, interrupted_exit_codes=interrupted))
    kinds = (codes.complete, codes.interrupted, codes.never_retry)
    assert codes.complete == set(complete)
    assert codes.interrupted >= set(interrupted)
    assert frozenset[int]().union(*kinds) == {75, 78, *complete, *interrupted}
    assert sum(map(len, kinds)) == len({75, 78, *complete, *interrupted})


def test_a_file_without_a_sidecar_is_a_mistake_of_the_caller() -> None:
    body = a_body(PROGRAM)
    body["spec"]["checkpoint"] = {"file": FILE}
    with pytest.raises(ValueError, match="needs a sidecar"):
        the_job(body)
