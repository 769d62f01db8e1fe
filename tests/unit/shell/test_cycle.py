"""The cycle: observe, decide, carry out; and what follows when one of them fails."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.api.status import State
from longtask.core.actions import CreateJob, DeleteJob, Outcome, Plan, Question, WriteStatus
from longtask.core.observed import Observed, Trouble
from longtask.core.status import troubled
from longtask.shell import cycle as module
from longtask.shell.cycle import Cycle
from longtask.shell.errors import Forbidden, Outdated, Throttled, Unavailable
from longtask.shell.execute import Executor
from longtask.shell.prover import Prover
from longtask.shell.workqueue import WorkQueue
from tests.unit.core.builders import JOB_UID, NOW, UID, a_job, a_pod, a_suspended_job, a_task, ago, observed
from tests.unit.shell.doubles import a_cluster

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

TASK = a_task()
CREATE = CreateJob(name=TASK.job_name, attempt=1, failures_before=0, backoff_limit=6)
REFUSAL = Trouble(reason=Reason.QUOTA_EXCEEDED, message="exceeded quota", only_a_person_can_help=True)


class Bench:
    """A cycle among mocks: `plans` is what is decided, one after the other."""

    def __init__(self, mocker: MockerFixture, *plans: Plan, task: Any = TASK, **copies: Any) -> None:  # noqa: ANN401
        self.cluster = a_cluster(mocker, task, **copies)
        self.executor = mocker.create_autospec(Executor, instance=True)
        self.executor.execute.return_value = None
        self.prover = mocker.create_autospec(Prover, instance=True)
        self.queue = mocker.create_autospec(WorkQueue, instance=True)
        self.decide: Any = mocker.patch.object(module, "reconcile", side_effect=plans)
        self.cycle = Cycle(self.cluster, self.executor, self.prover, self.queue, now=lambda: NOW)

    @property
    def snapshots(self) -> list[Observed]:
        """What was decided on."""
        return [call.args[0] for call in self.decide.call_args_list]

    @property
    def carried_out(self) -> list[Any]:
        """The actions, in their order."""
        return [call.args[1] for call in self.executor.execute.call_args_list]


SUSPENDS = Plan(
    outcome=Outcome.SUSPENDED,
    actions=(WriteStatus(status=TASK.status.model_copy(update={"state": State.SUSPENDED}), judged=True),),
)


def a_plan(*actions: Any, **parts: Any) -> Plan:  # noqa: ANN401 - fields of a Plan
    return Plan(outcome=parts.pop("outcome", Outcome.WAIT), actions=actions, **parts)


async def test_a_task_that_is_gone_leaves_nothing_behind(mocker: MockerFixture) -> None:
    bench = Bench(mocker, task=None)

    await bench.cycle.once(UID)

    bench.queue.forget.assert_called_once_with(UID)
    bench.decide.assert_not_called()


async def test_the_decision_sees_the_copies_and_the_time(mocker: MockerFixture) -> None:
    job, pod = a_job(), a_pod()
    bench = Bench(mocker, a_plan(), jobs=(job,), pods=(pod,))

    await bench.cycle.once(UID)

    assert bench.snapshots == [observed(TASK, job, pod)]


async def test_what_carries_its_uid_in_another_namespace_is_not_the_tasks(mocker: MockerFixture) -> None:
    foreign = replace(a_pod(), namespace="another")
    bench = Bench(mocker, a_plan(), jobs=(replace(a_job(), namespace="another"),), pods=(foreign,))

    await bench.cycle.once(UID)

    assert bench.snapshots == [observed(TASK)]


async def test_a_question_is_answered_before_the_plan_is_made(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(question=Question.LIVE_PODS), a_plan(CREATE))
    bench.prover.pods_of.return_value = (a_pod(),)

    await bench.cycle.once(UID)

    assert [snapshot.live_pods for snapshot in bench.snapshots] == [None, (a_pod(),)]
    assert bench.carried_out == [CREATE]


DRAINING = {"task": a_task(DesiredState.SUSPEND, State.RUNNING), "jobs": (a_suspended_job(),), "pods": (a_pod(),)}


async def test_a_count_of_the_pods_is_kept_while_they_end_and_dropped_afterwards(mocker: MockerFixture) -> None:
    waits = a_plan()
    bench = Bench(mocker, a_plan(question=Question.LIVE_PODS), waits, waits, SUSPENDS, waits, **DRAINING)
    bench.prover.pods_of.return_value = (a_pod(),)

    for _ in range(4):
        await bench.cycle.once(UID)

    counted = frozenset({(JOB_UID, 1)})
    assert [snapshot.census for snapshot in bench.snapshots] == [None, None, counted, counted, None]


async def test_a_count_that_misses_a_pod_is_not_kept(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(question=Question.LIVE_PODS), a_plan(), a_plan(), **DRAINING)
    bench.prover.pods_of.return_value = (a_pod(), a_pod(uid="unknown"))

    await bench.cycle.once(UID)
    await bench.cycle.once(UID)

    assert bench.snapshots[-1].census is None


async def test_a_count_is_kept_when_the_proof_could_not_be_written(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(question=Question.LIVE_PODS), a_plan(), SUSPENDS, a_plan(), **DRAINING)
    bench.prover.pods_of.return_value = (a_pod(),)
    await bench.cycle.once(UID)
    bench.executor.execute.side_effect = Outdated("a worker has saved meanwhile")

    with pytest.raises(Outdated):
        await bench.cycle.once(UID)
    await bench.cycle.once(UID)

    assert bench.snapshots[-1].census == frozenset({(JOB_UID, 1)})


async def test_a_count_goes_with_its_task(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(question=Question.LIVE_PODS), a_plan(), a_plan(), **DRAINING)
    bench.prover.pods_of.return_value = (a_pod(),)
    await bench.cycle.once(UID)
    there = bench.cluster.tasks.get.side_effect
    bench.cluster.tasks.get.side_effect = [None]
    await bench.cycle.once(UID)
    bench.cluster.tasks.get.side_effect = there

    await bench.cycle.once(UID)

    assert bench.snapshots[-1].census is None


async def test_the_events_of_the_job_are_asked(mocker: MockerFixture) -> None:
    job = a_job()
    bench = Bench(mocker, a_plan(question=Question.JOB_TROUBLES), a_plan(), jobs=(job,))
    bench.cluster.job_troubles.return_value = (REFUSAL,)

    await bench.cycle.once(UID)

    bench.cluster.job_troubles.assert_awaited_once_with(job)
    assert bench.snapshots[-1].job_troubles == (REFUSAL,)


async def test_only_nodes_of_overdue_pods_are_asked_for(mocker: MockerFixture) -> None:
    overdue = ago(minutes=5)
    pods = (
        a_pod(node="well", deletion_time=overdue),
        a_pod(node="lost", uid="2", deletion_time=overdue),
        a_pod(node=None, uid="3", deletion_time=overdue),
        a_pod(node="busy", uid="4"),
    )
    bench = Bench(mocker, a_plan(question=Question.LOST_NODES), a_plan(), pods=pods)
    bench.cluster.node_is_lost.side_effect = lambda node: node == "lost"

    await bench.cycle.once(UID)

    assert bench.snapshots[-1].lost_nodes == frozenset({"lost"})
    assert {call.args[0] for call in bench.cluster.node_is_lost.await_args_list} == {"well", "lost"}


async def test_actions_are_carried_out_in_their_order(mocker: MockerFixture) -> None:
    delete = DeleteJob(name="old", uid="old")
    bench = Bench(mocker, a_plan(delete, CREATE))

    await bench.cycle.once(UID)

    assert bench.carried_out == [delete, CREATE]


async def test_what_follows_a_change_of_state_in_the_same_plan_is_confirmed_by_that_write(
    mocker: MockerFixture,
) -> None:
    """The server took it for this generation and attempt only, so nothing needs to be read again."""
    failed = WriteStatus(status=TASK.status.model_copy(update={"state": State.FAILED}))
    same = WriteStatus(status=TASK.status.model_copy(update={"failures": 1}))
    bench = Bench(mocker, a_plan(failed, CREATE, CREATE), a_plan(CREATE), a_plan(same, CREATE))

    for _ in range(3):
        await bench.cycle.once(UID)

    confirmed = [call.kwargs["confirmed"] for call in bench.executor.execute.call_args_list]
    assert confirmed == [False, True, False, False, False, False]


async def test_after_a_refusal_nothing_more_of_the_plan_is_done_and_it_is_told(mocker: MockerFixture) -> None:
    stalled = WriteStatus(status=troubled(observed(TASK), REFUSAL))
    told = a_plan(stalled, outcome=Outcome.STALLED, wake_at=NOW + timedelta(seconds=15))
    bench = Bench(mocker, a_plan(CREATE, DeleteJob(name="next", uid="next")), told)
    bench.executor.execute.side_effect = [REFUSAL, None]

    await bench.cycle.once(UID)

    assert bench.carried_out == [CREATE, stalled]
    assert bench.snapshots[-1].refusal == REFUSAL
    bench.queue.add.assert_not_called()


async def test_what_has_been_done_is_followed_at_once(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(CREATE))
    bench.cluster.jobs.of_task.side_effect = [(), (a_job(),)]

    await bench.cycle.once(UID)

    bench.queue.add.assert_called_once_with(UID)


async def test_an_action_of_which_nothing_shows_is_not_repeated_at_once(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(DeleteJob(name="job", uid="job")))

    await bench.cycle.once(UID)

    bench.queue.add.assert_not_called()
    bench.queue.add_after.assert_called_once_with(UID, module._UNSEEN_SECONDS)


async def test_a_settled_task_is_not_looked_at_again(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(outcome=Outcome.SETTLED))

    await bench.cycle.once(UID)

    assert bench.queue.method_calls == []


async def test_a_plan_may_ask_to_be_woken(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(wake_at=NOW + timedelta(seconds=5)))

    await bench.cycle.once(UID)

    bench.queue.add_after.assert_called_once_with(UID, 5.0)


@pytest.mark.parametrize(
    ("error", "at_least"),
    [(Unavailable("cut"), 0.0), (Outdated("changed"), None), (ZeroDivisionError(), 1.0)],
    ids=["no-answer", "outdated", "a-bug"],
)
async def test_whatever_fails_is_tried_again(mocker: MockerFixture, error: Exception, at_least: float | None) -> None:
    bench = Bench(mocker, a_plan(CREATE))
    bench.executor.execute.side_effect = error

    await bench.cycle._safely(UID)

    further = {} if at_least is None else {"at_least": at_least}
    bench.queue.add_after_failure.assert_called_once_with(UID, **further)
    bench.queue.succeeded.assert_not_called()


async def test_the_server_is_given_the_time_that_it_asks_for(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(CREATE))
    error = Throttled("later")
    error.retry_after = 7.0
    bench.executor.execute.side_effect = error

    await bench.cycle._safely(UID)

    bench.queue.add_after_failure.assert_called_once_with(UID, at_least=7.0)


async def test_a_success_ends_the_row_of_failures(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan())

    await bench.cycle._safely(UID)

    bench.queue.succeeded.assert_called_once_with(UID)


async def test_a_warning_is_posted_only_after_the_status_is_written(mocker: MockerFixture) -> None:
    stalled = WriteStatus(status=troubled(observed(TASK), REFUSAL))
    bench = Bench(mocker, a_plan(stalled))
    bench.executor.execute.side_effect = Unavailable("not written")

    await bench.cycle._safely(UID)
    bench.cluster.post_event.assert_not_called()

    bench.decide.side_effect = [a_plan(stalled)]
    bench.executor.execute.side_effect = None
    await bench.cycle._safely(UID)
    (namespace, event), _ = bench.cluster.post_event.call_args
    assert (namespace, event["reason"], event["message"]) == ("team", "TaskStalled", "exceeded quota")


async def test_an_event_that_is_lost_is_no_failure(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan(WriteStatus(status=troubled(observed(TASK), REFUSAL))))
    bench.cluster.post_event.side_effect = Forbidden("no", status=403)

    await bench.cycle._safely(UID)

    bench.queue.succeeded.assert_called_once_with(UID)


async def test_a_change_of_state_is_one_line_of_the_log_with_its_fields(
    mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    running = WriteStatus(status=TASK.status.model_copy(update={"state": State.RUNNING}))
    bench = Bench(mocker, a_plan(running, outcome=Outcome.RECORD))

    with caplog.at_level(logging.INFO):
        await bench.cycle.once(UID)

    (line,) = caplog.records
    assert {"task": "team/import", "state": "Running", "was": "Init", "attempt": 1}.items() <= vars(line).items()


async def test_nothing_is_decided_before_an_unanswered_write_is_looked_at(mocker: MockerFixture) -> None:
    bench = Bench(mocker, a_plan())
    bench.executor.look_again.side_effect = Unavailable("still away")

    with pytest.raises(Unavailable):
        await bench.cycle.once(UID)

    bench.decide.assert_not_called()
