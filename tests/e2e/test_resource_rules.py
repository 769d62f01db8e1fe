"""What a LongTask must look like to be stored: schema, and the rules on spec and state, tried on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import APPLY, JSON_PATCH, MERGE, ApiError

if TYPE_CHECKING:
    from tests.e2e.support.client import Body, Json
    from tests.e2e.support.rules import Bench

CONTAINERS = "must list at least one container"
FINAL = "must stay so"


def refused(bench: Bench, patch: Json, *, how: str = MERGE, subresource: str = "", query: str = "") -> ApiError:
    """Return the refusal of a patch of the task `import`, which must leave the task as it was."""
    before = bench.read()
    with pytest.raises(ApiError) as caught:
        bench.api.patch("LongTask", "import", bench.namespace, patch, how=how, subresource=subresource, query=query)
    assert bench.read() == before
    return caught.value


def test_a_new_task_shows_init_without_a_write(bench: Bench) -> None:
    created = bench.task()

    task = bench.read()

    assert task["status"] == {"attempt": 1, "observedGeneration": 0, "state": "Init"}
    assert task["spec"] | {"template": None} == {"desiredState": "Run", "backoffLimit": 6, "template": None}
    assert task["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert task["metadata"]["generation"] == 1


def test_a_status_in_a_manifest_is_dropped(bench: Bench) -> None:
    bench.api.create(bench.manifest() | {"status": {"attempt": 9, "observedGeneration": 9, "state": "Complete"}})

    assert bench.read()["status"]["state"] == "Init"


def test_an_unknown_desired_state_is_refused_with_the_known_ones(bench: Bench) -> None:
    bench.task()

    error = refused(bench, {"spec": {"desiredState": "Pause"}})

    assert error.status == 422
    assert 'Unsupported value: "Pause": supported values: "Run", "Suspend", "Terminate"' in error.message


@pytest.mark.parametrize("name", ["a", "0", "a" * 36, "import-2026-11-21"])
def test_a_name_of_at_most_36_characters_is_accepted(bench: Bench, name: str) -> None:
    assert bench.task(name)["metadata"]["name"] == name


@pytest.mark.parametrize("name", ["a" * 37, "a" * 200, "import.csv", "a.b"])
def test_a_name_that_jobs_can_not_be_named_after_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(ApiError, match="must be a DNS label of at most 36 characters"):
        bench.task(name)


def test_a_generated_name_that_gets_too_long_is_refused(bench: Bench) -> None:
    manifest = bench.manifest()
    manifest["metadata"] = {"generateName": "a" * 32, "namespace": bench.namespace}

    with pytest.raises(ApiError, match="must be a DNS label of at most 36 characters"):
        bench.api.create(manifest)


@pytest.mark.parametrize(
    "template",
    [{}, {"metadata": {"labels": {"a": "b"}}}, {"spec": {}}, {"spec": None}, {"spec": {"containers": []}}],
    ids=["empty", "metadata alone", "empty spec", "null spec", "no containers"],
)
def test_a_template_without_containers_is_refused(bench: Bench, template: Body) -> None:
    with pytest.raises(ApiError, match=CONTAINERS):
        bench.task(template=template)


@pytest.mark.parametrize("template", [None, {"spec": {"containers": {}}}, {"spec": {"containers": ["worker"]}}, "pod"])
def test_a_template_of_another_shape_is_refused(bench: Bench, template: object) -> None:
    with pytest.raises(ApiError, match=r"Required value|must be of type"):
        bench.task(template=template)


def test_containers_can_not_be_taken_out_of_a_template(bench: Bench) -> None:
    bench.task()

    assert CONTAINERS in refused(bench, {"spec": {"template": {"spec": {"containers": []}}}}).message
    assert CONTAINERS in refused(bench, {"spec": {"template": {"spec": None}}}).message
    remove = [{"op": "remove", "path": "/spec/template/spec/containers"}]
    assert CONTAINERS in refused(bench, remove, how=JSON_PATCH).message


@pytest.mark.parametrize("limit", [-1, -(2**31), 2**31, 2**40, 1.5, "6"])
def test_a_limit_that_is_no_count_is_refused(bench: Bench, limit: object) -> None:
    with pytest.raises(ApiError, match=r"spec\.backoffLimit"):
        bench.task(backoffLimit=limit)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "/",
        "position",
        "/position",
        "/state/",
        "state/position",
        "/state//position",
        "/a/../etc/x",
        "/a/./x",
        "/a/..",
    ],
)
def test_a_checkpoint_file_that_is_no_plain_path_is_refused(bench: Bench, file: str) -> None:
    with pytest.raises(ApiError, match=r"spec\.checkpoint\.file"):
        bench.task(checkpoint={"file": file})


@pytest.mark.parametrize("file", ["/state/position", "/a/b/c.d", "/state/..position", "/.state/a.", "/ä/ö ü"])
def test_a_checkpoint_file_may_have_any_name(bench: Bench, file: str) -> None:
    assert bench.task(checkpoint={"file": file})["spec"]["checkpoint"] == {"file": file}


@pytest.mark.parametrize("schema", ["", "/", "rows/", "-rows", "rows 2", "x" * 64])
def test_a_schema_that_is_no_name_is_refused(bench: Bench, schema: str) -> None:
    with pytest.raises(ApiError, match=r"spec\.checkpoint\.schema"):
        bench.task(checkpoint={"schema": schema})


@pytest.mark.parametrize("codes", [[0], [256], [-1], [3, 3], ["3"], list(range(1, 102))])
@pytest.mark.parametrize("kind", ["completeExitCodes", "interruptedExitCodes"])
def test_exit_codes_that_can_not_be_are_refused(bench: Bench, kind: str, codes: object) -> None:
    with pytest.raises(ApiError, match=rf"spec\.checkpoint\.{kind}"):
        bench.task(checkpoint={kind: codes})


def test_a_program_that_is_saved_by_its_file_can_not_be_asked(bench: Bench) -> None:
    with pytest.raises(ApiError, match=r"suspend\.waitForBatch must be left out where checkpoint\.file is set"):
        bench.task(suspend={"waitForBatch": True}, checkpoint={"file": "/state/position"})
    made = bench.task(suspend={"waitForBatch": True}, checkpoint={"schema": "rows/1"})
    assert made["spec"]["suspend"] == {"waitForBatch": True, "limitSeconds": 3600}


def test_an_exit_code_has_one_meaning(bench: Bench) -> None:
    with pytest.raises(ApiError, match="an exit code must not be in both completeExitCodes and interruptedExitCodes"):
        bench.task(checkpoint={"completeExitCodes": [3, 143], "interruptedExitCodes": [130, 143]})
    assert bench.task(checkpoint={"completeExitCodes": [3], "interruptedExitCodes": [130]})


def test_a_template_is_kept_exactly_as_written(bench: Bench) -> None:
    template: dict[str, Any] = {
        "metadata": {"labels": {"team": "data"}, "annotations": {"a/b": "c"}, "fieldOfTheFuture": [1, {"x": None}]},
        "spec": {
            "containers": [
                {
                    "name": "worker",
                    "image": "i",
                    "resources": {"limits": {"cpu": 1}},
                    "future": {"deep": [[{"a": 1.5}]]},
                },
                {"name": "side", "args": ["--flag", ""], "ports": [{"containerPort": 80, "name": "http"}]},
            ],
            "initContainers": [{"name": "first"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "terminationGracePeriodSeconds": 7,
            "misspeltByTheUser": True,
            "futureMap": {"null": None, "empty": {}, "list": []},
        },
        "futureTop": "kept",
    }

    bench.task(template=template)

    assert bench.read()["spec"]["template"] == template


def test_a_misspelt_field_outside_the_template_is_refused_when_validation_is_strict(bench: Bench) -> None:
    with pytest.raises(ApiError, match=r'unknown field "spec\.backofLimit"'):
        bench.api.create(bench.manifest(backofLimit=1), query="fieldValidation=Strict")


def test_a_kueue_label_on_the_template_is_refused(bench: Bench) -> None:
    template = bench.manifest()["spec"]["template"] | {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}}}

    with pytest.raises(ApiError, match="Kueue is not supported yet"):
        bench.task(template=template)


def test_a_kueue_label_on_the_task_is_refused(bench: Bench) -> None:
    manifest = bench.manifest()
    manifest["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}

    with pytest.raises(ApiError, match="Kueue is not supported yet"):
        bench.api.create(manifest)


@pytest.mark.parametrize(
    ("patch", "how", "words"),
    [
        ({"spec": {"desiredState": "Run"}}, MERGE, FINAL),
        ({"spec": {"desiredState": "Suspend"}}, MERGE, FINAL),
        ({"spec": {"desiredState": None}}, MERGE, FINAL),
        ({"spec": {"desiredState": ""}}, MERGE, "Unsupported value"),
        ({"spec": None}, MERGE, "spec: Required value"),
        ([{"op": "remove", "path": "/spec/desiredState"}], JSON_PATCH, FINAL),
        ([{"op": "remove", "path": "/spec"}], JSON_PATCH, "spec: Required value"),
        ([{"op": "replace", "path": "/spec/desiredState", "value": "Run"}], JSON_PATCH, FINAL),
    ],
)
def test_terminate_can_not_be_taken_back(bench: Bench, patch: Json, how: str, words: str) -> None:
    bench.task()
    bench.desire("Terminate")

    assert words in refused(bench, patch, how=how).message


def test_terminate_can_not_be_taken_back_by_replacing_the_object(bench: Bench) -> None:
    bench.task()
    task = bench.desire("Terminate")

    without_state = task | {"spec": {"template": task["spec"]["template"]}}
    with pytest.raises(ApiError, match=FINAL):
        bench.api.replace(without_state)
    with pytest.raises(ApiError, match="spec: Required value"):
        bench.api.replace({key: task[key] for key in ("apiVersion", "kind", "metadata")})

    assert bench.read()["spec"]["desiredState"] == "Terminate"


def test_terminate_can_not_be_taken_back_by_the_one_who_applied_it(bench: Bench) -> None:
    """Leaving out a field that one owns removes it, and the default would be Run."""
    bench.api.apply(bench.manifest(desiredState="Terminate"))

    assert FINAL in refused(bench, bench.manifest(), how=APPLY, query="fieldManager=tests&force=true").message


def test_a_terminated_task_can_still_be_labelled_and_deleted(bench: Bench) -> None:
    bench.task(desiredState="Terminate")

    bench.api.patch("LongTask", "import", bench.namespace, {"metadata": {"labels": {"team": "data"}}})
    bench.api.delete("LongTask", "import", bench.namespace)

    assert bench.api.find("LongTask", "import", bench.namespace) is None


def test_terminated_needs_the_wish_to_terminate(bench: Bench) -> None:
    bench.task()

    error = refused(bench, {"status": {"state": "Terminated"}}, subresource="status")

    assert "unless spec.desiredState is Terminate" in error.message


def test_terminated_never_changes(bench: Bench) -> None:
    bench.task(desiredState="Terminate")
    bench.set_status(state="Terminated")

    for state in ("Init", "Running", "Suspended", "Complete", "Failed"):
        assert "Terminated is final" in refused(bench, {"status": {"state": state}}, subresource="status").message
    assert "Terminated is final" in refused(bench, {"status": None}, subresource="status").message
    assert "status.state: Required value" in refused(bench, {"status": {"state": None}}, subresource="status").message


def test_complete_changes_to_nothing_but_terminated(bench: Bench) -> None:
    bench.task()
    bench.set_status(state="Complete")

    for state in ("Init", "Running", "Suspended", "Failed"):
        assert "Complete is final" in refused(bench, {"status": {"state": state}}, subresource="status").message
    assert "Complete is final" in refused(bench, {"status": None}, subresource="status").message
    bench.desire("Terminate")
    assert bench.set_status(state="Terminated")["status"]["state"] == "Terminated"


def test_failed_is_no_dead_end(bench: Bench) -> None:
    bench.task()
    bench.set_status(state="Failed")

    assert bench.set_status(state="Init")["status"]["state"] == "Init"


def test_an_attempt_never_goes_back(bench: Bench) -> None:
    bench.task()
    bench.set_status(attempt=2)

    assert "attempt must never go back" in refused(bench, {"status": {"attempt": 1}}, subresource="status").message
    assert "attempt must never go back" in refused(bench, {"status": None}, subresource="status").message
    assert "status.attempt" in refused(bench, {"status": {"attempt": 100_000}}, subresource="status").message
    assert bench.set_status(attempt=3)["status"]["attempt"] == 3


def test_conditions_are_kept_by_type(bench: Bench) -> None:
    bench.task()
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "message": "",
        "lastTransitionTime": "2026-11-21T21:00:00Z",
    }
    bench.set_status(conditions=[ready])

    error = refused(bench, {"status": {"conditions": [ready, ready]}}, subresource="status")

    assert 'Duplicate value: {"type":"Ready"}' in error.message


def test_history_holds_ten_entries_at_most(bench: Bench) -> None:
    bench.task()
    entry = {"time": "2026-11-21T21:00:00Z", "state": "Running", "reason": "Running", "attempt": 1}
    bench.set_status(history=[entry] * 10)

    error = refused(bench, {"status": {"history": [entry] * 11}}, subresource="status")

    assert "must have at most 10 items" in error.message


@pytest.mark.parametrize(
    "time", ["2026-11-21 21:00:00", "2026-11-21T21:00:00", "2026-13-21T21:00:00Z", "0000-01-01T00:00:00Z"]
)
def test_a_time_that_can_not_be_read_everywhere_is_refused(bench: Bench, time: str) -> None:
    bench.task()

    assert "status.startTime" in refused(bench, {"status": {"startTime": time}}, subresource="status").message


def test_tasks_can_be_selected_by_desired_and_observed_state(bench: Bench) -> None:
    bench.task("one")
    bench.task("two", desiredState="Suspend")
    bench.set_status("two", state="Suspended")

    def selected(selector: str) -> list[str]:
        return [
            item["metadata"]["name"]
            for item in bench.api.list_all("LongTask", bench.namespace, f"fieldSelector={selector}")
        ]

    assert selected("status.state=Suspended") == ["two"]
    assert selected("status.state!=Suspended") == ["one"]
    assert selected("spec.desiredState=Run,status.state=Init") == ["one"]


@pytest.mark.parametrize("cleanup", [{}, {"command": ["a"], "template": {"spec": {"containers": [{"name": "a"}]}}}])
def test_a_cleanup_is_either_a_command_or_a_pod(bench: Bench, cleanup: Body) -> None:
    with pytest.raises(ApiError, match="cleanup must have either a command"):
        bench.task(cleanup=cleanup)
    with pytest.raises(ApiError, match="must list at least one container"):
        bench.task(cleanup={"template": {"spec": {"containers": []}}})
    bench.task(cleanup={"command": ["a"]})


def test_a_volume_is_either_a_claim_or_a_template_of_one(bench: Bench) -> None:
    template = {"spec": {"accessModes": ["ReadWriteOnce"]}}
    for volume in ({}, {"claimName": "a", "claimTemplate": template}):
        with pytest.raises(ApiError, match="must have either a claimName or a claimTemplate"):
            bench.task(checkpoint={"volume": volume})
    bench.task(checkpoint={"volume": {"claimTemplate": template}})


def test_versions_are_kept_in_one_place(bench: Bench) -> None:
    store = {"url": "s3://checkpoints/team"}
    with pytest.raises(ApiError, match="must not have both a volume and an objectStore"):
        bench.task(checkpoint={"volume": {"claimName": "a"}, "objectStore": store})
    with pytest.raises(ApiError, match=r"objectStore\.url"):
        bench.task(checkpoint={"objectStore": {"url": "https://checkpoints"}})
    bench.task(checkpoint={"objectStore": store})
