"""The executor at a task's end: the clean-up is made of what is there now, and the finalizers of others stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import FINALIZER, Reason
from longtask.core.actions import CreateCleanup, CreateJob, DeleteClaim, SetFinalizer
from longtask.core.sidecar import SidecarImage
from longtask.shell.errors import Conflict, Forbidden, Missing, Outdated, Refused
from longtask.shell.execute import Executor
from tests.unit.core.builders import a_task
from tests.unit.shell.doubles import a_body, a_cluster, a_job_body

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

TASK = a_task(DesiredState.TERMINATE, has_cleanup=True, has_finalizer=True)
CREATE = CreateCleanup(name=TASK.cleanup_job_name)
CLEANUP = {"command": ["sweep"]}
GONE: dict[str, Any] = {"deletionTimestamp": "2026-03-01T12:00:00Z"}


def body(desired: str = "Terminate", *, generation: int = 1, cleanup: Any = CLEANUP, **metadata: Any) -> Any:  # noqa: ANN401
    made = a_body(TASK, desiredState=desired, **({} if cleanup is None else {"cleanup": cleanup}))
    made["metadata"] |= {"generation": generation, **metadata}
    return made


@pytest.mark.parametrize("found", [body(), body("Run", **GONE)])
async def test_the_job_is_made_of_the_task_as_it_is_now(mocker: MockerFixture, found: Any) -> None:  # noqa: ANN401
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = found
    assert await Executor(cluster).execute(TASK, CREATE) is None
    (manifest,), _ = cluster.create_job.call_args
    assert manifest["metadata"]["name"] == TASK.cleanup_job_name


@pytest.mark.parametrize("found", [body("Run"), body(generation=2), body(cleanup=None), None])
async def test_nothing_is_cleaned_up_for_a_task_that_was_changed_meanwhile(mocker: MockerFixture, found: Any) -> None:  # noqa: ANN401
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = found
    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, CREATE)
    cluster.create_job.assert_not_called()


async def test_a_task_that_is_terminated_by_now_is_not_cleaned_up_again(mocker: MockerFixture) -> None:
    """Seen with an operator that had died after that, and whose successor was told the world as it was before."""
    cluster = a_cluster(mocker, TASK)
    found = body()
    found["status"]["state"] = "Terminated"
    cluster.read_task.return_value = found
    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, CREATE)
    cluster.create_job.assert_not_called()


async def test_a_program_with_a_file_needs_the_sidecars_image(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    trouble = await Executor(cluster).execute(replace(TASK, keeps_file=True), CREATE)
    assert trouble is not None
    assert trouble.reason == Reason.NO_SIDECAR_IMAGE
    image = SidecarImage(name="i", pull_policy="Always", cpu="1m", memory="1Mi", memory_limit="1Mi")
    cluster.read_task.return_value = body()
    assert await Executor(cluster, image).execute(replace(TASK, keeps_file=True), CREATE) is None


async def test_in_a_namespace_that_is_being_deleted_that_is_said(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body()
    causes = {"causes": [{"reason": "NamespaceTerminating"}]}
    cluster.create_job.side_effect = Refused("namespace is being terminated", status=403, details=causes)
    trouble = await Executor(cluster).execute(TASK, CREATE)
    assert trouble is not None
    assert trouble.reason == Reason.NAMESPACE_TERMINATING


async def test_other_refusals_are_told_in_the_servers_words(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body()
    cluster.create_job.side_effect = Refused("unknown field: spec.template.x", status=400)
    trouble = await Executor(cluster).execute(TASK, CREATE)
    assert trouble is not None
    assert "create the Job of the clean-up" in trouble.message
    assert "unknown field" in trouble.message


async def test_a_namespace_that_is_gone_is_looked_at_again(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body()
    cluster.create_job.side_effect = Missing("no such namespace")
    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, CREATE)


@pytest.mark.parametrize("ours", [True, False])
async def test_a_job_of_that_name_is_ours_or_is_left_alone(mocker: MockerFixture, ours: bool) -> None:
    labels = {"longtask.dev/attempt": "0", "longtask.dev/task-uid": TASK.uid, "longtask.dev/task-name": TASK.name}
    found = a_job_body(name=TASK.cleanup_job_name, ownerReferences=[], labels=labels if ours else {})
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body()
    cluster.create_job.side_effect = Conflict("exists")
    cluster.read_job.return_value = found
    trouble = await Executor(cluster).execute(TASK, CREATE)
    assert (trouble is None) == ours


# --- the finalizer ---


@pytest.mark.parametrize(
    ("present", "before", "after"),
    [
        (True, None, [FINALIZER]),
        (True, ["theirs"], ["theirs", FINALIZER]),
        (False, [FINALIZER, "theirs"], ["theirs"]),
        (False, [FINALIZER], []),
    ],
)
async def test_it_is_set_and_removed_beside_those_of_others(
    mocker: MockerFixture, present: bool, before: list[str] | None, after: list[str]
) -> None:
    cluster = a_cluster(mocker, TASK)
    finalizers: dict[str, Any] = {} if before is None else {"finalizers": before}
    cluster.read_task.return_value = body(**finalizers)
    await Executor(cluster).execute(TASK, SetFinalizer(present=present))
    (_, operations), _ = cluster.patch_task.call_args
    assert operations[-1] == {"op": "add", "path": "/metadata/finalizers", "value": after}


async def test_what_is_so_already_is_not_written(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body(finalizers=[FINALIZER])
    await Executor(cluster).execute(TASK, SetFinalizer(present=True))
    cluster.read_task.return_value = body(**GONE)
    await Executor(cluster).execute(TASK, SetFinalizer(present=True))
    cluster.patch_task.assert_not_called()


async def test_a_task_that_was_changed_is_looked_at_again(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = body()
    cluster.patch_task.side_effect = Refused(
        "the server rejected our request due to an error in our request", status=422
    )
    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, SetFinalizer(present=True))


# --- the claim of a volume ---


def a_body_with_a_claim() -> Any:  # noqa: ANN401
    return a_body(TASK, desiredState="Run", checkpoint={"volume": {"claimTemplate": {"spec": {"x": 1}}}})


async def test_a_claim_is_there_before_the_job_that_needs_it(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = a_body_with_a_claim()
    cluster.ensure_claim.return_value = True
    create = CreateJob(name=TASK.job_name, attempt=1, failures_before=0, backoff_limit=6)
    assert await Executor(cluster).execute(TASK, create) is None
    calls = [name for name, _, _ in cluster.method_calls]
    assert calls.index("ensure_claim") < calls.index("create_job")


async def test_a_claim_of_that_name_that_is_somebody_elses_is_left_alone(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = a_body_with_a_claim()
    cluster.ensure_claim.return_value = False
    create = CreateJob(name=TASK.job_name, attempt=1, failures_before=0, backoff_limit=6)
    trouble = await Executor(cluster).execute(TASK, create)
    assert trouble is not None
    assert trouble.reason == Reason.NAME_TAKEN
    cluster.create_job.assert_not_called()


async def test_the_claim_of_a_task_is_deleted_only_if_it_is_its_own(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    await Executor(cluster).execute(TASK, DeleteClaim(name="import-checkpoints"))
    cluster.delete_claim.assert_awaited_once_with("team", "import-checkpoints", TASK.uid)


async def test_a_claim_that_may_not_be_deleted_is_told_of_by_its_name(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.delete_claim.side_effect = Forbidden("no right", status=403)
    trouble = await Executor(cluster).execute(TASK, DeleteClaim(name="import-checkpoints"))
    assert trouble is not None
    assert trouble.message == "the API server refuses to delete the claim of the checkpoints' volume: no right"
