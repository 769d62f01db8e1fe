"""A write that was not answered may have been carried out: nothing is decided before that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from longtask.core.actions import CreateJob, DeleteJob, SetJobSuspended
from longtask.shell.errors import Missing, Unavailable
from longtask.shell.execute import Executor
from tests.unit.core.builders import JOB_UID, a_task
from tests.unit.shell.doubles import a_cluster

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from longtask.core.actions import Action

TASK = a_task()
CREATE = CreateJob(name=TASK.job_name, attempt=1, failures_before=0, backoff_limit=6)
RESUME = SetJobSuspended(name=TASK.job_name, uid=JOB_UID, resource_version="200", suspend=False)
SUSPEND = SetJobSuspended(name=TASK.job_name, uid=JOB_UID, resource_version="200", suspend=True)
DELETE_JOB = DeleteJob(name=TASK.job_name, uid=JOB_UID)


@pytest.mark.parametrize(
    ("call", "action"),
    [("create_job", CREATE), ("set_job_suspended", RESUME), ("set_job_suspended", SUSPEND), ("delete_job", DELETE_JOB)],
)
async def test_a_job_is_read_live_after_a_write_to_it_that_was_not_answered(
    mocker: MockerFixture, call: str, action: Action
) -> None:
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)
    getattr(cluster, call).side_effect = Unavailable("connection cut")
    with pytest.raises(Unavailable):
        await executor.execute(TASK, action)

    await executor.look_again(TASK)
    await executor.look_again(TASK)

    cluster.read_job.assert_called_once_with(TASK.namespace, TASK.job_name)


async def test_it_is_read_until_that_succeeds(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)
    cluster.set_job_suspended.side_effect = Unavailable("connection cut")
    with pytest.raises(Unavailable):
        await executor.execute(TASK, RESUME)
    cluster.read_job.side_effect = Unavailable("still away")
    with pytest.raises(Unavailable):
        await executor.look_again(TASK)

    cluster.read_job.side_effect = Missing("no such Job")
    await executor.look_again(TASK)
    await executor.look_again(TASK)

    assert cluster.read_job.call_count == 2


async def test_nothing_is_read_again_after_an_answer_or_for_a_task_that_is_gone(mocker: MockerFixture) -> None:
    cluster = a_cluster(mocker, TASK)
    executor = Executor(cluster)
    await executor.execute(TASK, RESUME)
    await executor.look_again(TASK)
    cluster.set_job_suspended.side_effect = Unavailable("connection cut")
    with pytest.raises(Unavailable):
        await executor.execute(TASK, RESUME)
    executor.forget(TASK.uid)

    await executor.look_again(TASK)

    cluster.read_job.assert_not_called()
