"""The executor: one call for each action, nothing without a look at what is there, nothing taken for granted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.api.status import State
from longtask.core.actions import CreateJob, DeleteJob, DeletePod, SetJobSuspended, WriteStatus
from longtask.core.sidecar import SidecarImage
from longtask.shell.errors import ApiError, Conflict, Forbidden, Missing, Outdated, Refused, Unavailable
from longtask.shell.execute import Executor
from tests.unit.core.builders import JOB_UID, UID, a_task
from tests.unit.shell.doubles import a_body, a_cluster, a_job_body

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from longtask.core.actions import Action

TASK = a_task()
CREATE = CreateJob(name=TASK.job_name, attempt=1, failures_before=0, backoff_limit=6)
RESUME = SetJobSuspended(name=TASK.job_name, uid=JOB_UID, resource_version="200", suspend=False)
SUSPEND = replace(RESUME, suspend=True)
DELETE_JOB = DeleteJob(name=TASK.job_name, uid=JOB_UID)
DELETE_POD = DeletePod(name="pod", uid="pod-uid", force=False)
RUNNING = WriteStatus(status=TASK.status.model_copy(update={"state": State.RUNNING}))
QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: small'


# --- The status ---


async def test_a_status_is_sent_as_a_patch_of_what_differs(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)

    assert await Executor(cluster).execute(TASK, RUNNING) is None

    (task, operations), _ = cluster.patch_status.call_args
    assert task is TASK
    assert {"op": "add", "path": "/status/state", "value": "Running"} in operations
    assert operations[0] == {"op": "test", "path": "/metadata/uid", "value": UID}


async def test_a_status_that_says_nothing_new_is_not_sent(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)

    assert await Executor(cluster).execute(TASK, WriteStatus(status=TASK.status)) is None

    cluster.patch_status.assert_not_called()


async def test_the_status_of_a_task_that_is_gone_makes_it_forgotten(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.patch_status.side_effect = Missing("no such task")

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, RUNNING)

    cluster.tasks.remove.assert_called_once_with(UID)


async def test_a_status_that_fits_no_more_is_looked_at_again(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.patch_status.side_effect = Refused("error in our request", status=422)

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, RUNNING)

    cluster.read_task.assert_awaited_once_with(TASK)
    cluster.tasks.remove.assert_not_called()


async def test_a_status_of_a_task_whose_name_another_one_has_makes_it_forgotten(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.patch_status.side_effect = Refused("error in our request", status=422)
    cluster.read_task.return_value = None

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, RUNNING)

    cluster.tasks.remove.assert_called_once_with(UID)


@pytest.mark.parametrize(
    "refusal",
    [
        Forbidden("may not patch longtasks/status", status=403),
        Refused("too long", status=422, details={"causes": [{"reason": "FieldValueInvalid"}]}),
    ],
    ids=["no-right", "a-rule-of-the-crd"],
)
async def test_a_status_that_can_not_be_written_at_all_is_an_error_and_not_told_in_the_status(
    mocker: MockerFixture, refusal: Refused
) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.patch_status.side_effect = refusal

    with pytest.raises(ApiError, match=str(refusal)):
        await Executor(cluster).execute(TASK, RUNNING)


# --- Creating a Job ---


async def test_a_job_is_created_from_the_template_as_it_is_on_the_server(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    fresh = {"spec": {"containers": [{"name": "worker", "image": "newest"}]}}
    cluster.read_task.return_value = a_body(TASK, template=fresh)

    assert await Executor(cluster).execute(TASK, CREATE) is None

    (manifest,), _ = cluster.create_job.call_args
    assert manifest["metadata"]["name"] == TASK.job_name
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == UID
    assert manifest["spec"]["template"]["spec"]["containers"][0]["image"] == "newest"


def _changed(part: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    body = a_body(TASK)
    return body | {part: body[part] | changes}


@pytest.mark.parametrize(
    "found",
    [
        None,
        _changed("metadata", deletionTimestamp="2026-03-01T12:00:00Z"),
        _changed("spec", desiredState="Suspend"),
        _changed("spec", desiredState="Terminate"),
        _changed("metadata", generation=2),
        _changed("status", attempt=2),
    ],
    ids=["gone", "being-deleted", "suspended", "terminated", "changed", "another-attempt"],
)
@pytest.mark.parametrize("action", [CREATE, RESUME], ids=["create", "resume"])
async def test_nothing_is_started_for_a_task_that_is_not_as_it_was(
    mocker: MockerFixture, action: Action, found: dict[str, Any] | None
) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value = found

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, action)

    cluster.create_job.assert_not_called()
    cluster.set_job_suspended.assert_not_called()


async def test_workers_get_access_before_their_first_job_and_once_for_a_namespace(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)

    await executor.execute(TASK, CREATE)
    await executor.execute(TASK, CREATE)

    called = [call[0] for call in cluster.method_calls if call[0] in ("ensure_worker_access", "create_job")]
    assert called == ["ensure_worker_access", "create_job", "create_job"]


async def test_access_is_looked_at_again_when_the_task_it_was_seen_for_is_gone(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)
    await executor.execute(TASK, CREATE)

    another = replace(TASK, uid="another")
    cluster.tasks.get.side_effect = lambda uid: another if uid == "another" else None
    cluster.read_task.return_value = a_body(another)
    await executor.execute(another, CREATE)

    assert cluster.ensure_worker_access.await_count == 2


async def test_nothing_is_kept_of_a_namespace_whose_tasks_are_gone(mocker: MockerFixture) -> None:
    executor = Executor(a_cluster(mocker, TASK))
    await executor.execute(TASK, CREATE)
    assert (executor._access_seen_for, executor._shows_access) == ({TASK.namespace: UID}, {UID: TASK.namespace})

    executor.forget(UID)

    assert (executor._access_seen_for, executor._shows_access) == ({}, {})


async def test_access_is_looked_at_again_for_every_further_attempt(mocker: MockerFixture) -> None:
    """What the last one failed of may be that somebody has removed it."""
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)
    await executor.execute(TASK, CREATE)

    await executor.execute(TASK, replace(CREATE, attempt=2))

    assert cluster.ensure_worker_access.await_count == 2


async def test_without_access_for_its_worker_no_job_is_created(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.ensure_worker_access.side_effect = Forbidden("may not bind", status=403)

    trouble = await Executor(cluster).execute(TASK, CREATE)

    assert trouble is not None
    assert "may not bind" in trouble.message
    cluster.create_job.assert_not_called()


async def test_without_a_sidecar_a_program_that_needs_one_is_not_started_and_its_user_is_told(
    mocker: MockerFixture,
) -> None:
    cluster = a_cluster(mocker, TASK)

    trouble = await Executor(cluster).execute(a_task(keeps_file=True), CREATE)

    assert trouble is not None
    assert trouble.reason == Reason.NO_SIDECAR_IMAGE
    assert trouble.only_a_person_can_help
    assert "LONGTASK_SIDECAR_IMAGE" in trouble.message
    cluster.create_job.assert_not_called()


async def test_the_sidecar_comes_from_the_image_that_the_operator_was_told_of(mocker: MockerFixture) -> None:
    image = SidecarImage(name="longtask:7", pull_policy="Never", cpu="1m", memory="1Mi", memory_limit="2Mi")
    cluster = a_cluster(mocker, TASK)
    cluster.read_task.return_value["spec"]["checkpoint"] = {"file": "/state/position"}

    assert await Executor(cluster, image).execute(a_task(keeps_file=True), CREATE) is None

    ((manifest,), _) = cluster.create_job.await_args
    containers = manifest["spec"]["template"]["spec"]["initContainers"]
    assert {container["image"] for container in containers} == {"longtask:7"}


async def test_a_job_of_that_name_that_is_ours_was_created_by_a_write_without_an_answer(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.create_job.side_effect = Conflict("exists already")
    cluster.read_job.return_value = a_job_body()

    assert await Executor(cluster).execute(TASK, CREATE) is None


@pytest.mark.parametrize("owners", [[], [{"kind": "LongTask", "uid": UID}], [{"uid": "other", "controller": True}]])
async def test_a_job_of_that_name_that_is_not_ours_is_left_alone(mocker: MockerFixture, owners: list[Any]) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.create_job.side_effect = Conflict("exists already")
    cluster.read_job.return_value = a_job_body(ownerReferences=owners)

    trouble = await Executor(cluster).execute(TASK, CREATE)

    assert trouble is not None
    assert trouble.reason == Reason.NAME_TAKEN
    cluster.delete_job.assert_not_called()


@pytest.mark.parametrize(
    "error",
    [
        Missing('namespaces "team" not found', status=404),
        Forbidden("being terminated", status=403, details={"causes": [{"reason": "NamespaceTerminating"}]}),
    ],
    ids=["gone", "being-deleted"],
)
async def test_a_namespace_on_its_way_out_is_no_trouble_of_the_user(mocker: MockerFixture, error: ApiError) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.create_job.side_effect = error

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, CREATE)


# --- What the server refuses, and what nobody knows ---


@pytest.mark.parametrize(
    ("action", "call", "words"),
    [
        (CREATE, "create_job", "refuses to create the Job: no"),
        (RESUME, "set_job_suspended", "refuses to suspend or resume the Job: no"),
        (SUSPEND, "set_job_suspended", "refuses to suspend or resume the Job: no"),
        (DELETE_JOB, "delete_job", "refuses to delete the Job: no"),
        (DELETE_POD, "delete_pod", "refuses to delete the pod: no"),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(
    mocker: MockerFixture, action: Action, call: str, words: str
) -> None:
    cluster = a_cluster(mocker, TASK)
    getattr(cluster, call).side_effect = Refused("no", status=422)

    trouble = await Executor(cluster).execute(TASK, action)

    assert trouble is not None
    assert (trouble.reason, trouble.only_a_person_can_help) == (Reason.JOB_REFUSED, True)
    assert words in trouble.message


@pytest.mark.parametrize(("words", "reason"), [(QUOTA, Reason.QUOTA_EXCEEDED), ("no right", Reason.FORBIDDEN)])
async def test_a_quota_is_told_apart_from_a_missing_right(mocker: MockerFixture, words: str, reason: str) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.create_job.side_effect = Forbidden(words, status=403)

    trouble = await Executor(cluster).execute(TASK, CREATE)

    assert trouble is not None
    assert trouble.reason == reason


@pytest.mark.parametrize(
    ("action", "call"),
    [
        (RUNNING, "patch_status"),
        (CREATE, "create_job"),
        (RESUME, "set_job_suspended"),
        (DELETE_JOB, "delete_job"),
        (DELETE_POD, "delete_pod"),
    ],
)
async def test_an_unknown_outcome_is_not_taken_for_any(mocker: MockerFixture, action: Action, call: str) -> None:
    cluster = a_cluster(mocker, TASK)
    getattr(cluster, call).side_effect = Unavailable("connection cut")

    with pytest.raises(Unavailable):
        await Executor(cluster).execute(TASK, action)


# --- Suspending, resuming, deleting ---


async def test_a_resume_that_the_status_was_just_written_for_needs_no_second_look(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)

    assert await Executor(cluster).execute(TASK, RESUME, confirmed=True) is None

    cluster.read_task.assert_not_called()
    cluster.set_job_suspended.assert_awaited_once_with("team", RESUME)


async def test_a_suspension_needs_no_look_at_the_task(mocker: MockerFixture) -> None:
    task = replace(TASK, desired=DesiredState.SUSPEND)
    cluster = a_cluster(mocker, task)

    assert await Executor(cluster).execute(task, SUSPEND) is None

    cluster.read_task.assert_not_called()
    cluster.set_job_suspended.assert_awaited_once_with("team", SUSPEND)


async def test_a_job_that_has_changed_meanwhile_is_read_before_anything_else_is_planned(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.set_job_suspended.side_effect = Conflict("another version")

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, SUSPEND)

    cluster.read_job.assert_awaited_once_with("team", SUSPEND.name)


async def test_a_job_that_is_gone_can_not_be_suspended(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    cluster.set_job_suspended.side_effect = Missing("no such Job")

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, SUSPEND)


@pytest.mark.parametrize(("action", "call"), [(DELETE_JOB, "delete_job"), (DELETE_POD, "delete_pod")])
async def test_another_one_of_that_name_is_not_deleted(mocker: MockerFixture, action: Action, call: str) -> None:
    cluster = a_cluster(mocker, TASK)
    getattr(cluster, call).side_effect = Conflict("the UID in the precondition does not match")

    with pytest.raises(Outdated):
        await Executor(cluster).execute(TASK, action)
