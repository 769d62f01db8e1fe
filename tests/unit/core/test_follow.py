"""A Job that runs: what the task says of it, and when the next attempt takes its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason, job_name
from longtask.api.status import CheckpointCause, State
from longtask.core.actions import Outcome, Plan, Question
from longtask.core.attempts import follow
from longtask.core.observed import PodPhase, Trouble
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    NAME,
    NOW,
    UID,
    WAIT,
    a_checkpoint,
    a_condition,
    a_job,
    a_pending_pod,
    a_pod,
    a_task,
    after_writing,
    ago,
    an_ended_pod,
    condition,
    kinds,
    observed,
    says,
    written,
)

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import ObservedPod

RUN, RUNNING = DesiredState.RUN, State.RUNNING
STOP = CheckpointCause.STOP


def test_a_worker_at_work_is_recorded_once() -> None:
    o = observed(a_task(), a_job(), a_pod())
    after = written(reconcile(o))
    assert (after.state, after.job_name, after.start_time) == (RUNNING, job_name(NAME, UID, 1), NOW)
    assert says(after, ConditionType.READY) == (True, Reason.RUNNING)
    assert reconcile(after_writing(o)).actions == ()


def test_nothing_is_said_of_a_job_whose_resume_the_job_controller_has_not_seen() -> None:
    assert reconcile(observed(a_task(), a_job(suspended=True), a_pod())) == WAIT


def test_a_pod_of_an_earlier_attempt_is_not_the_worker_that_is_waited_for() -> None:
    task = a_task(status={"attempt": 2})
    assert reconcile(observed(task, a_job(attempt=2), a_pod(attempt=1))) == WAIT


def test_a_new_job_without_a_pod_is_given_a_moment() -> None:
    plan = reconcile(observed(a_task(), a_job(active_since=ago(seconds=2))))
    assert plan == Plan(outcome=Outcome.WAIT, wake_at=NOW + timedelta(seconds=3))


def test_a_job_that_the_job_controller_has_not_come_to_is_given_a_minute_without_a_word() -> None:
    plan = reconcile(observed(a_task(), a_job(started=False, active_since=ago(seconds=59))))
    assert plan == replace(WAIT, wake_at=NOW + timedelta(seconds=1))


def test_a_job_controller_that_does_not_come_is_named_once_and_no_events_are_asked() -> None:
    o = observed(a_task(), a_job(started=False, active_since=ago(minutes=1)))
    after = written(reconcile(o))
    found = condition(after, ConditionType.READY)
    assert found is not None
    assert (found.status, found.reason) == ("False", Reason.STARTING)
    assert "kube-controller-manager" in found.message
    assert after.observed_generation == o.task.generation
    assert reconcile(after_writing(o)).actions == ()


def test_a_pod_that_only_starts_costs_no_write() -> None:
    assert reconcile(observed(a_task(), a_job(), a_pending_pod())) == WAIT


def test_a_pod_that_does_not_start_says_why_in_the_words_of_the_kubelet() -> None:
    trouble = Trouble(reason=Reason.IMAGE_PULL, message="no such image", only_a_person_can_help=True)
    o = observed(a_task(), a_job(), a_pending_pod(trouble=trouble))
    after = written(reconcile(o))
    assert says(after, ConditionType.STALLED) == (True, Reason.IMAGE_PULL)
    assert says(after, ConditionType.READY) == (False, Reason.IMAGE_PULL)
    found = condition(after, ConditionType.READY)
    assert found is not None
    assert found.message == "no such image"


def test_an_unschedulable_pod_is_no_reason_to_call_a_person() -> None:
    trouble = Trouble(reason=Reason.UNSCHEDULABLE, message="0/1 nodes are available")
    after = written(reconcile(observed(a_task(), a_job(), a_pending_pod(trouble=trouble))))
    assert says(after, ConditionType.STALLED) is None
    assert says(after, ConditionType.READY) == (False, Reason.UNSCHEDULABLE)


def test_words_that_the_kubelet_changes_to_and_fro_are_written_once() -> None:
    first = Trouble(reason=Reason.IMAGE_PULL, message="ErrImagePull", only_a_person_can_help=True)
    o = after_writing(observed(a_task(), a_job(), a_pending_pod(trouble=first)))
    second = replace(first, message="ImagePullBackOff")
    assert reconcile(replace(o, pods=(a_pending_pod(trouble=second),))).actions == ()


def test_stalled_is_taken_back_as_soon_as_a_pod_starts() -> None:
    stalled = a_condition(ConditionType.STALLED, Reason.QUOTA_EXCEEDED)
    task = a_task(status={"conditions": [stalled]})
    after = written(reconcile(observed(task, a_job(), a_pending_pod())))
    assert says(after, ConditionType.STALLED) == (False, Reason.AS_DESIRED)
    assert says(after, ConditionType.READY) == (False, Reason.STARTING)


def test_without_a_pod_the_events_of_the_job_are_asked_why() -> None:
    assert reconcile(observed(a_task(), a_job())).question is Question.JOB_TROUBLES


def test_a_quota_makes_the_task_stalled_and_is_looked_at_again() -> None:
    quota = Trouble(reason=Reason.QUOTA_EXCEEDED, message="exceeded quota: pods", only_a_person_can_help=True, time=NOW)
    plan = reconcile(observed(a_task(), a_job(), job_troubles=(quota,)))
    assert plan.outcome is Outcome.STALLED
    assert plan.wake_at == NOW + timedelta(seconds=15)
    assert says(written(plan), ConditionType.STALLED) == (True, Reason.QUOTA_EXCEEDED)


def test_the_latest_complaint_counts() -> None:
    old = Trouble(reason=Reason.QUOTA_EXCEEDED, message="old", time=ago(seconds=20))
    new = Trouble(reason=Reason.POD_REFUSED, message="new", time=ago(seconds=5))
    after = written(reconcile(observed(a_task(), a_job(), job_troubles=(old, new))))
    assert says(after, ConditionType.READY) == (False, Reason.POD_REFUSED)


@pytest.mark.parametrize(
    ("complaint", "pods"),
    [(ago(minutes=2), ()), (ago(seconds=30), (an_ended_pod(1),))],
    ids=["before the Job ran", "about an earlier pod"],
)
def test_an_old_complaint_is_no_reason_for_what_is_now(complaint: datetime, pods: tuple[ObservedPod, ...]) -> None:
    quota = Trouble(reason=Reason.QUOTA_EXCEEDED, message="exceeded quota", only_a_person_can_help=True)
    o = observed(a_task(), a_job(), *pods, job_troubles=(replace(quota, time=complaint),))
    assert says(written(reconcile(o)), ConditionType.STALLED) is None


def test_without_any_complaint_the_task_says_that_it_waits_for_a_pod() -> None:
    plan = reconcile(observed(a_task(), a_job(), job_troubles=()))
    assert says(written(plan), ConditionType.READY) == (False, Reason.STARTING)
    assert plan.wake_at == NOW + timedelta(seconds=15)


def test_a_crash_shows_what_the_pod_died_of_and_how_many_retries_are_used() -> None:
    pod = an_ended_pod(1, last_words="Traceback: it broke\n")
    job = a_job(failed=2, failures_before=1)
    after = written(reconcile(observed(a_task(RUN, RUNNING), job, pod, job_troubles=())))
    assert (after.state, after.failures) == (State.INIT, 3)
    found = condition(after, ConditionType.READY)
    assert found is not None
    assert (found.reason, found.message) == (
        Reason.RETRYING,
        f"pod {pod.name} exited with code 1; 3 of 6 retries used\nTraceback: it broke",
    )


def test_a_pod_that_died_without_an_exit_code_just_failed() -> None:
    pod = an_ended_pod(None, ended=None)
    found = condition(
        written(reconcile(observed(a_task(), a_job(), pod, job_troubles=()))),
        ConditionType.READY,
    )
    assert found is not None
    assert found.message == f"pod {pod.name} failed; 0 of 6 retries used"


def test_the_pod_that_ended_last_tells_why() -> None:
    older = an_ended_pod(1, name="older", uid="older", ended=ago(seconds=50))
    newer = an_ended_pod(2, name="newer", uid="newer", ended=ago(seconds=20))
    for pods in ((older, newer), (newer, older)):
        found = condition(written(reconcile(observed(a_task(), a_job(), *pods, job_troubles=()))), ConditionType.READY)
        assert found is not None
        assert found.message.startswith("pod newer exited with code 2")


@pytest.mark.parametrize("pod", [an_ended_pod(75), an_ended_pod(143, disrupted=True)], ids=["75", "evicted"])
def test_an_interruption_that_the_job_retries_is_not_called_a_failure(pod: ObservedPod) -> None:
    o = observed(a_task(), a_job(), pod, job_troubles=())
    assert says(written(reconcile(o)), ConditionType.READY) == (False, Reason.INTERRUPTED)


def test_a_running_task_whose_new_pod_is_pending_says_so_at_once() -> None:
    o = observed(a_task(RUN, RUNNING), a_job(), an_ended_pod(1, uid="old"), a_pending_pod(uid="new"))
    after = written(reconcile(o))
    assert after.state is State.INIT
    assert reconcile(after_writing(o)) == WAIT


def test_a_running_task_that_has_just_lost_its_pod_says_so_at_once() -> None:
    o = observed(a_task(RUN, RUNNING), a_job(active_since=ago(seconds=1)))
    assert written(reconcile(o)).state is State.INIT


def test_that_no_worker_is_at_work_is_written_only_over_the_checkpoint_it_was_judged_by() -> None:
    """The last save may not be known here yet: with it, this would be an interruption."""
    for o in (
        observed(a_task(RUN, RUNNING), a_job(), job_troubles=()),
        observed(a_task(RUN, RUNNING), a_job(), job_troubles=(Trouble(reason=Reason.POD_REFUSED, message="no"),)),
    ):
        (write,) = reconcile(o).actions
        assert getattr(write, "judged", False)


@pytest.mark.parametrize(
    "pod",
    [
        an_ended_pod(0),
        an_ended_pod(75, phase=PodPhase.RUNNING),
        an_ended_pod(1, phase=PodPhase.RUNNING),
    ],
    ids=["pod ended before its Job", "container saved before its pod", "container failed before its pod"],
)
def test_an_end_that_only_half_is_seen_costs_no_write(pod: ObservedPod) -> None:
    o = observed(a_task(RUN, RUNNING), a_job(), pod, job_troubles=())
    assert reconcile(o) == WAIT


def test_a_pod_of_an_earlier_job_of_that_name_is_not_waited_for() -> None:
    o = observed(a_task(RUN, RUNNING), a_job(), an_ended_pod(0, owner_uid="gone"), job_troubles=())
    assert written(reconcile(o)).state is State.INIT


# --- the template is changed while the Job runs ---


def test_a_worker_at_work_is_not_stopped_for_a_new_template_and_the_task_says_so() -> None:
    after = written(reconcile(observed(a_task(RUN, RUNNING, template_hash="another"), a_job(), a_pod())))
    assert (after.state, after.attempt) == (RUNNING, 1)
    found = condition(after, ConditionType.READY)
    assert found is not None
    assert "suspend the task and run it again" in found.message


@pytest.mark.parametrize(
    "pods",
    [(), (a_pending_pod(),), (an_ended_pod(1), a_pending_pod(uid="new"))],
    ids=["no pod", "a pod that does not start", "a crash loop"],
)
def test_a_new_template_is_taken_up_at_once_while_no_worker_is_at_work(pods: tuple[ObservedPod, ...]) -> None:
    o = observed(a_task(template_hash="another"), a_job(), *pods, job_troubles=())
    plan = reconcile(o)
    assert kinds(plan) == ["WriteStatus", "DeleteJob"]
    assert (written(plan).attempt, written(plan).failures) == (2, 0)


def test_a_new_template_waits_for_the_verdict_on_a_pod_that_has_ended_well() -> None:
    assert reconcile(observed(a_task(template_hash="another"), a_job(), an_ended_pod(0))) == WAIT


def test_a_pod_on_its_way_out_is_at_work_until_it_has_ended() -> None:
    pod = a_pod(deletion_time=NOW + timedelta(seconds=500))
    assert written(reconcile(observed(a_task(), a_job(), pod))).state is RUNNING


@pytest.mark.parametrize("more", [(), (a_pending_pod(uid="another"),)], ids=["alone", "another one is on its way"])
@pytest.mark.parametrize("spec", [{}, {"restart_nonce": 1}], ids=["as it was", "restarted"])
def test_a_worker_that_is_killed_once_all_is_done_is_no_failure(
    spec: dict[str, int], more: tuple[ObservedPod, ...]
) -> None:
    done = {"checkpoint": a_checkpoint(CheckpointCause.DONE), "done_at_start": 0}
    task = a_task(RUN, RUNNING, done=9, status=done, **spec)
    job = a_job(failed=1)
    plan = reconcile(observed(task, job, an_ended_pod(137), *more))
    assert kinds(plan) == ["DeleteJob"]
    assert written(reconcile(observed(task))).state is State.COMPLETE


def test_the_job_of_a_worker_that_is_only_about_to_end_with_all_done_is_kept() -> None:
    task = a_task(RUN, RUNNING, status={"checkpoint": a_checkpoint(CheckpointCause.DONE)})
    for pods in ((), (a_pending_pod(),), (a_pod(),), (an_ended_pod(0),), (an_ended_pod(1, uid="an earlier one"),)):
        assert "DeleteJob" not in kinds(reconcile(observed(task, a_job(), *pods, job_troubles=())))


def test_a_step_for_situations_with_a_job_says_so_when_there_is_none() -> None:
    with pytest.raises(ValueError, match="situations that have a Job"):
        follow(observed(a_task()))
