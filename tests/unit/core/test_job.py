"""The Job of an attempt: the template as it was written, and only what an attempt needs around it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from longtask.core.job import grace_seconds, job_manifest, secrets_inline, template_hash, worker_container

UID = "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b"


def a_body(*containers: dict[str, Any], metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """A LongTask as the API server has it."""
    template: dict[str, Any] = {"spec": {"containers": list(containers or ({"name": "work", "image": "i"},))} | spec}
    if metadata is not None:
        template["metadata"] = metadata
    return {
        "metadata": {"name": "import", "namespace": "team", "uid": UID},
        "spec": {"desiredState": "Run", "template": template},
    }


def the_job(body: dict[str, Any], *, attempt: int = 2) -> dict[str, Any]:
    return job_manifest(body, attempt=attempt, failures_before=3, backoff_limit=4)


def the_pod(body: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = the_job(body)["spec"]["template"]["spec"]
    return spec


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {env["name"]: env.get("value", env.get("valueFrom")) for env in container["env"]}


def test_the_job_is_named_and_labelled_after_the_attempt_and_owned_by_the_task() -> None:
    metadata = the_job(a_body())["metadata"]
    assert metadata["name"] == "import-1c6b0f5e-2"
    assert metadata["namespace"] == "team"
    assert metadata["labels"] == {
        "longtask.dev/task-uid": UID,
        "longtask.dev/task-name": "import",
        "longtask.dev/attempt": "2",
        "app.kubernetes.io/managed-by": "longtask-operator",
    }
    (owner,) = metadata["ownerReferences"]
    assert owner == {
        "apiVersion": "longtask.dev/v1alpha1",
        "kind": "LongTask",
        "name": "import",
        "uid": UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_the_job_says_which_template_it_is_of_and_what_had_failed_before() -> None:
    body = a_body()
    annotations = the_job(body)["metadata"]["annotations"]
    assert annotations == {
        "longtask.dev/template-hash": template_hash(body["spec"]),
        "longtask.dev/failures-before": "3",
    }


def test_one_pod_after_the_other_and_never_two_at_once() -> None:
    spec = the_job(a_body())["spec"]
    chosen = {key: spec[key] for key in ("parallelism", "completions", "backoffLimit", "podReplacementPolicy")}
    assert chosen == {"parallelism": 1, "completions": 1, "backoffLimit": 4, "podReplacementPolicy": "Failed"}
    assert "suspend" not in spec


def test_disruptions_and_saved_stops_are_free_and_78_is_final_in_that_order() -> None:
    rules = the_job(a_body({"name": "work"}))["spec"]["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "Ignore", "FailJob"]
    assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert rules[1]["onExitCodes"] == {"containerName": "work", "operator": "In", "values": [75]}
    assert rules[2]["onExitCodes"] == {"containerName": "work", "operator": "In", "values": [78]}


def test_the_template_is_sent_as_written_and_not_changed_by_that() -> None:
    """Fields that this code has never heard of go through; a misspelt one is for the API server to refuse."""
    body = a_body({"name": "work", "imgae": "i", "newField": {"a": [1]}}, futureField=True)
    before = copy.deepcopy(body)
    pod = the_pod(body)
    assert body == before
    assert pod["futureField"] is True
    assert pod["containers"][0]["imgae"] == "i"
    assert pod["containers"][0]["newField"] == {"a": [1]}


def test_what_the_template_leaves_open_is_filled_in() -> None:
    pod = the_pod(a_body({"name": "work"}, initContainers=[{"name": "first"}]))
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] == 600
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert pod["initContainers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_what_the_template_says_stays() -> None:
    pod = the_pod(
        a_body(
            {"name": "work", "terminationMessagePolicy": "File"},
            restartPolicy="OnFailure",
            terminationGracePeriodSeconds=5,
            automountServiceAccountToken=True,
        )
    )
    assert pod["restartPolicy"] == "OnFailure"  # for the API server to refuse
    assert pod["terminationGracePeriodSeconds"] == 5
    assert pod["automountServiceAccountToken"] is True
    assert pod["containers"][0]["terminationMessagePolicy"] == "File"


def test_labels_of_the_template_are_kept_but_ours_cannot_be_forged() -> None:
    body = a_body(metadata={"labels": {"team": "a", "longtask.dev/task-uid": "forged"}, "annotations": {"a": "b"}})
    metadata = the_job(body)["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["longtask.dev/task-uid"] == UID
    assert metadata["annotations"] == {"a": "b"}


def test_only_the_workers_container_gets_access_and_identity() -> None:
    pod = the_pod(a_body({"name": "helper"}, {"name": "worker"}))
    helper, worker = pod["containers"]
    assert "env" not in helper
    assert "volumeMounts" not in helper
    assert env_of(worker) == {
        "LONGTASK_NAMESPACE": "team",
        "LONGTASK_NAME": "import",
        "LONGTASK_UID": UID,
        "LONGTASK_ATTEMPT": "2",
        "LONGTASK_GRACE_PERIOD_SECONDS": "600",
        "LONGTASK_POD_UID": {"fieldRef": {"fieldPath": "metadata.uid"}},
    }
    (mount,) = worker["volumeMounts"]
    assert mount == {"name": "longtask-access", "mountPath": "/var/run/secrets/longtask.dev", "readOnly": True}


def test_a_worker_is_told_the_schema_and_whether_it_is_asked_before_it_is_stopped() -> None:
    body = a_body()
    body["spec"] |= {"checkpoint": {"schema": "rows/2"}, "suspend": {"waitForBatch": True, "limitSeconds": 90}}
    env = env_of(the_pod(body)["containers"][0])
    assert (env["LONGTASK_CHECKPOINT_SCHEMA"], env["LONGTASK_WAIT_FOR_BATCH"]) == ("rows/2", "1")
    assert the_job(body)["metadata"]["annotations"]["longtask.dev/wait-for-batch-seconds"] == "90"


@pytest.mark.parametrize("spec", [{}, {"checkpoint": {}, "suspend": {"waitForBatch": False, "limitSeconds": 90}}])
def test_a_worker_is_told_nothing_of_what_the_task_does_not_have(spec: dict[str, Any]) -> None:
    body = a_body()
    body["spec"] |= spec
    env = env_of(the_pod(body)["containers"][0])
    assert not {"LONGTASK_CHECKPOINT_SCHEMA", "LONGTASK_WAIT_FOR_BATCH"} & env.keys()
    assert "longtask.dev/wait-for-batch-seconds" not in the_job(body)["metadata"]["annotations"]


def test_access_is_a_token_of_the_pods_own_account_and_the_clusters_authority() -> None:
    (volume,) = the_pod(a_body())["volumes"]
    token, authority = volume["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    assert authority["configMap"]["name"] == "kube-root-ca.crt"


def test_what_the_container_has_already_comes_first_and_its_own_variables_win() -> None:
    container = {
        "name": "work",
        "env": [{"name": "A", "value": "a"}, {"name": "LONGTASK_GRACE_PERIOD_SECONDS", "value": "9"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = the_pod(a_body(container, volumes=[{"name": "data"}]))
    (worker,) = pod["containers"]
    assert [env["name"] for env in worker["env"]][:2] == ["A", "LONGTASK_GRACE_PERIOD_SECONDS"]
    assert [env["name"] for env in worker["env"]].count("LONGTASK_GRACE_PERIOD_SECONDS") == 1
    assert env_of(worker)["LONGTASK_GRACE_PERIOD_SECONDS"] == "9"
    assert [mount["name"] for mount in worker["volumeMounts"]] == ["data", "longtask-access"]
    assert [volume["name"] for volume in pod["volumes"]] == ["data", "longtask-access"]


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, 600),
        ({"terminationGracePeriodSeconds": 7}, 7),
        ({"terminationGracePeriodSeconds": 0}, 0),
        ({"terminationGracePeriodSeconds": "7"}, 600),
        ({"terminationGracePeriodSeconds": True}, 600),
        ({"terminationGracePeriodSeconds": -1}, 600),
        (None, 600),
    ],
)
def test_the_grace_period_is_the_templates_or_else_ours(spec: Any, seconds: int) -> None:  # noqa: ANN401
    assert grace_seconds({"spec": spec}) == seconds


def test_a_list_that_is_none_is_left_for_the_api_server_to_refuse() -> None:
    pod = the_pod(a_body({"name": "work", "env": "none", "volumeMounts": "none"}, volumes="none", initContainers="x"))
    assert pod["volumes"] == "none"
    assert pod["containers"][0]["env"] == "none"
    assert pod["containers"][0]["volumeMounts"] == "none"


@pytest.mark.parametrize(("names", "chosen"), [(["a", "worker"], "worker"), (["a", "b"], "a")])
def test_the_container_named_worker_or_else_the_first_does_the_work(names: list[str], chosen: str) -> None:
    assert worker_container([{"name": name} for name in names])["name"] == chosen


# --- what is read from a template ---


def hashed(template: dict[str, Any], **spec: Any) -> str:  # noqa: ANN401
    return template_hash({"template": template, **spec})


def test_the_hash_is_of_the_content_and_not_of_its_order() -> None:
    assert hashed({"a": 1, "b": {"c": 2, "d": "ä"}}) == hashed({"b": {"d": "ä", "c": 2}, "a": 1})
    assert hashed({"a": 1}) != hashed({"a": 2})
    assert len(hashed({})) == 16


def test_the_hash_is_of_what_pods_are_made_of_and_of_nothing_else() -> None:
    assert hashed({"a": 1}, checkpoint={"file": "/a/b"}) != hashed({"a": 1}, checkpoint={"file": "/a/c"})
    assert hashed({"a": 1}, checkpoint={"file": "/a/b"}) != hashed({"a": 1})
    assert hashed({"a": 1}, desiredState="Suspend", backoffLimit=3) == hashed({"a": 1})


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "passwd", "API_KEY", "ApiKey", "GITHUB_TOKEN", "PRIVATE_KEY", "AWS_CREDENTIALS", "A_SECRET"]
)
def test_a_variable_that_looks_like_a_secret_with_a_plain_value_is_found(name: str) -> None:
    for kind in ("containers", "initContainers"):
        template = {"spec": {kind: [{"env": [{"name": name, "value": "x"}]}]}}
        assert secrets_inline(template) == (name,)


@pytest.mark.parametrize(
    "env",
    [
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {"name": "DB_PASSWORD", "value": ""},
        {"name": "KEYBOARD", "value": "x"},
        {"value": "x"},
        "DB_PASSWORD",
    ],
    ids=["a reference", "empty", "harmless", "no name", "no object"],
)
def test_nothing_else_is_taken_for_a_secret(env: object) -> None:
    assert secrets_inline({"spec": {"containers": [{"env": [env]}]}}) == ()


@pytest.mark.parametrize(
    "template", [{}, {"spec": None}, {"spec": {"containers": None}}, {"spec": {"containers": "x"}}]
)
def test_a_template_that_nobody_has_looked_at_yet_breaks_nothing(template: dict[str, Any]) -> None:
    assert secrets_inline(template) == ()


def test_each_secret_is_named_once_in_order() -> None:
    env = [{"name": "B_TOKEN", "value": "x"}, {"name": "A_TOKEN", "value": "x"}]
    template = {"spec": {"containers": [{"env": env}], "initContainers": [{"env": env}]}}
    assert secrets_inline(template) == ("A_TOKEN", "B_TOKEN")
