"""The parts of the simulated cluster, each by itself: what was seen on a real 1.36, and what its source says."""

from __future__ import annotations

from dataclasses import replace

from longtask.core.observed import PodPhase
from tests.model.garbage import Collect, Owners, collect_job, collect_pod
from tests.model.job_controller import CreatePod, DeletePod, DropFinalizer, UpdateStatus, Write, sync
from tests.model.kubelet import last_delete, may_delete, report_end
from tests.model.objects import JobCondition, SimJob, SimPod
from tests.model.storage import delete_pod, drop_finalizer, job_status_refused


def a_job(**changes: object) -> SimJob:
    return replace(SimJob(name="import-1", uid="job", owner="task", started=1, active=1), **changes)  # type: ignore[arg-type]


def a_pod(**changes: object) -> SimPod:
    pod = SimPod(name="import-1-a", uid="pod", task_uid="task", owner="job", node="node", phase=PodPhase.RUNNING)
    return replace(pod, **changes)  # type: ignore[arg-type]


def an_ended_pod(exit_code: int, **changes: object) -> SimPod:
    return replace(report_end(a_pod(), exit_code, now=5), **changes)  # type: ignore[arg-type]


def kinds(writes: tuple[Write, ...]) -> list[str]:
    return [type(write).__name__ for write in writes]


def last_status(writes: tuple[Write, ...]) -> SimJob:
    return [write for write in writes if isinstance(write, UpdateStatus)][-1].job


def test_a_new_job_gets_a_pod_and_a_start_time() -> None:
    writes = sync(a_job(started=None, active=0), (), now=7)
    assert kinds(writes) == ["CreatePod", "UpdateStatus"]
    assert (last_status(writes).active, last_status(writes).started) == (1, 7)


def test_a_suspension_frees_the_pod_of_its_finalizer_before_deleting_it_so_it_is_never_counted() -> None:
    writes = sync(a_job(suspend=True), (a_pod(),), now=7)
    assert writes[:2] == (DropFinalizer(uid="pod"), DeletePod(uid="pod"))
    after = last_status(writes)
    assert (after.says(JobCondition.SUSPENDED), after.active, after.terminating, after.started) == (True, 0, 1, None)


def test_a_job_says_suspended_while_its_pod_still_runs() -> None:
    dying = a_pod(tracked=False, asked=7, grace=600)
    (write,) = sync(a_job(suspend=True), (dying,), now=8)
    assert isinstance(write, UpdateStatus)
    assert write.job.says(JobCondition.SUSPENDED) is True


def test_a_failed_pod_is_noted_then_freed_then_counted_and_replaced_after_the_pause() -> None:
    failed = an_ended_pod(1)
    job = a_job(backoff_limit=3)
    writes = sync(job, (failed,), now=7, backing_off=True)
    assert kinds(writes) == ["UpdateStatus", "DropFinalizer", "UpdateStatus"]
    assert (last_status(writes).failed, last_status(writes).uncounted_failed) == (1, ())
    assert CreatePod(job=job) in sync(job, (failed,), now=7)


def test_no_pod_is_replaced_while_it_is_only_terminating() -> None:
    assert "CreatePod" not in kinds(sync(a_job(), (a_pod(asked=3, grace=600),), now=7))


def test_disruptions_and_75_use_no_retry() -> None:
    for pod in (an_ended_pod(75), an_ended_pod(143, disrupted=True), an_ended_pod(78, disrupted=True)):
        after = last_status(sync(a_job(backoff_limit=0), (pod,), now=7, backing_off=True))
        assert (after.failed, after.conditions) == (0, ())


def test_78_fails_the_job() -> None:
    after = last_status(sync(a_job(), (an_ended_pod(78),), now=7))
    assert after.reason(JobCondition.FAILED) == "PodFailurePolicy"


def test_78_of_a_pod_that_a_suspension_has_deleted_fails_a_job_that_is_resumed_too_soon() -> None:
    """The pod lost its finalizer at the suspension; the rules still look at it. Seen on 1.36."""
    left = an_ended_pod(78, tracked=False, asked=3, grace=600)
    suspended = a_job(
        suspend=True, started=None, active=0, conditions=((JobCondition.SUSPENDED, True, "JobSuspended"),)
    )
    resumed = replace(suspended, suspend=False)
    assert last_status(sync(resumed, (left,), now=7)).says(JobCondition.FAILED) is True


def test_a_suspended_job_can_not_say_failed() -> None:
    """The API server refuses it, because there is no start time; the Job stays at `FailureTarget`. Seen on 1.36."""
    left = an_ended_pod(78, tracked=False, asked=3, grace=600)
    suspended = a_job(
        suspend=True, started=None, active=0, conditions=((JobCondition.SUSPENDED, True, "JobSuspended"),)
    )
    first, second = sync(suspended, (left,), now=7)
    assert isinstance(first, UpdateStatus)
    assert isinstance(second, UpdateStatus)
    assert job_status_refused(suspended, first.job) == ""
    assert job_status_refused(first.job, second.job) == "startTime is required for finished job"


def test_a_success_is_said_in_two_steps() -> None:
    first, freed, second = sync(a_job(), (an_ended_pod(0),), now=7)
    assert freed == DropFinalizer(uid="pod")
    assert isinstance(first, UpdateStatus)
    assert isinstance(second, UpdateStatus)
    assert first.job.uncounted_succeeded == ("pod",)
    assert (second.job.succeeded, second.job.says(JobCondition.COMPLETE)) == (1, True)


def test_a_pod_that_is_not_scheduled_or_has_ended_is_deleted_at_once() -> None:
    assert delete_pod(a_pod(node=None, tracked=False), now=7, grace=600) is None
    assert delete_pod(an_ended_pod(1, tracked=False), now=7, grace=600) is None
    asked = delete_pod(a_pod(), now=7, grace=600)
    assert asked is not None
    assert (asked.asked, asked.grace) == (7, 600)


def test_the_kubelets_last_delete_leaves_a_pod_that_has_a_finalizer_and_sets_the_time_anew() -> None:
    ended = an_ended_pod(0, asked=3, grace=600)
    assert may_delete(ended)
    left = last_delete(ended, now=9)
    assert left is not None
    assert (left.asked, left.grace) == (9, 0)
    assert drop_finalizer(left) is None


def test_a_job_deleted_in_the_foreground_goes_after_its_pods() -> None:
    leaving = a_job(deleting=True)
    owners = Owners(present=("task", "job"), leaving=("job",))
    assert collect_job(leaving, (a_pod(),), owners) is None
    assert collect_pod(a_pod(), owners) is Collect.DELETE
    assert collect_job(leaving, (), owners) is Collect.RELEASE
