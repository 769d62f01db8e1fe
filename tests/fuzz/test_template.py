"""Templates of any JSON: what the API server would take, we take; what it refuses, it refuses in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtask.api import names
from longtask.api.names import Reason
from longtask.core.actions import CreateJob
from longtask.core.job import grace_seconds, job_manifest, queue_of, secrets_inline, template_hash
from longtask.core.sidecar import SidecarImage
from longtask.shell.errors import Refused
from longtask.shell.execute import Executor
from tests.fuzz.bodies import a_task_body, a_template
from tests.fuzz.effort import effort
from tests.fuzz.hostile import ANY_JSON, Path, damaged, nested
from tests.unit.core.builders import UID, a_task
from tests.unit.shell.doubles import a_body, a_cluster

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

Json = dict[str, Any]


def checked_by_the_crd(path: Path) -> bool:
    """Parts whose shape the CRD enforces: metadata, labels and spec are objects, there is a list of containers."""
    return path in {("metadata",), ("metadata", "labels"), ("spec",), ("spec", "containers")} or (
        path[:2] in {("metadata", "labels"), ("spec", "containers")} and len(path) == 3
    )


SIDECAR = SidecarImage(name="longtask:7", pull_policy="Always", cpu="1m", memory="1Mi", memory_limit="2Mi")
TEMPLATES = damaged(a_template(), spare=checked_by_the_crd)


def manifest(template: Json, file: str | None = None) -> Json:
    """The Job; `file`: of a task whose program keeps its position in one."""
    body = a_task_body()
    body["spec"] |= {"template": template} | ({} if file is None else {"checkpoint": {"file": file}})
    return job_manifest(body, attempt=3, failures_before=2, backoff_limit=4, sidecar=SIDECAR)


def hashed(template: Json, file: str | None = None) -> str:
    """What tells one template from another."""
    return template_hash({"template": template} | ({} if file is None else {"checkpoint": {"file": file}}))


@effort(120)
@given(TEMPLATES, st.sampled_from([None, "/state/position", "/data/deeper/position"]))
def test_every_template_that_the_crd_takes_becomes_a_job_of_ours(template: Json, file: str | None) -> None:
    before = hashed(template, file)

    job = manifest(template, file)

    assert hashed(template, file) == before, "what was given is not changed"
    metadata, pod = job["metadata"], job["spec"]["template"]
    assert metadata["annotations"][names.ANNOTATION_TEMPLATE_HASH] == before
    assert pod["metadata"]["labels"][names.LABEL_TASK_UID] == metadata["labels"][names.LABEL_TASK_UID] == UID
    assert metadata["ownerReferences"][0]["uid"] == UID
    assert job["spec"]["podReplacementPolicy"] == "Failed"


@effort(80)
@given(TEMPLATES)
def test_what_the_user_wrote_is_sent_as_written(template: Json) -> None:
    pod = manifest(template)["spec"]["template"]

    for key, written in template["spec"].items():
        if key not in ("containers", "initContainers", "volumes"):
            assert repr(pod["spec"][key]) == repr(written)
    assert len(pod["spec"]["containers"]) == len(template["spec"]["containers"])
    for made, written in zip(pod["spec"]["containers"], template["spec"]["containers"], strict=True):
        kept = {key: value for key, value in written.items() if key not in ("env", "volumeMounts")}
        assert repr(kept) == repr({key: made[key] for key in kept})


@effort(80)
@given(ANY_JSON.filter(lambda value: isinstance(value, dict)) | damaged(a_template()))
@example({"spec": [None]})
@example({"metadata": [], "spec": {"containers": "many"}})
@example({"name": "\ud800"})
def test_what_is_only_looked_at_is_never_too_odd_to_be_looked_at(template: Json) -> None:
    assert len(hashed(template)) == 16
    assert grace_seconds(template) >= 0
    assert all(isinstance(name, str) for name in secrets_inline(template))
    assert queue_of(template) is None or queue_of(template)


@effort(60)
@given(damaged(a_template()))
def test_equal_templates_have_equal_hashes_and_others_have_others(template: Json) -> None:
    def turned(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    assert hashed(turned(template)) == hashed(template)
    assert hashed({**template, "one": "more"}) != hashed(template)


async def test_what_the_api_server_refuses_becomes_a_trouble_in_its_own_words(mocker: MockerFixture) -> None:
    task = a_task()
    cluster = a_cluster(mocker, task)
    cluster.read_task.return_value = a_body(task, template={"spec": {"containers": [{"nmae": 5, "env": "x"}]}})
    cluster.create_job.side_effect = Refused('strict decoding error: unknown field "nmae"', status=400)

    trouble = await Executor(cluster).execute(
        task, CreateJob(name=task.job_name, attempt=1, failures_before=0, backoff_limit=6)
    )

    assert trouble is not None
    assert (trouble.reason, trouble.only_a_person_can_help) == (Reason.JOB_REFUSED, True)
    assert 'unknown field "nmae"' in trouble.message


@pytest.mark.parametrize("levels", [100, 400])
def test_a_deep_template_is_the_api_servers_to_refuse(levels: int) -> None:
    template = a_template()
    template["spec"]["deep"] = nested(levels)

    assert manifest(template)["spec"]["template"]["spec"]["deep"] == nested(levels)
