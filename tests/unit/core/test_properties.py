"""What holds for every snapshot, however odd: cached copies may be of different ages, and people do strange things."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import CheckpointCause, ProgressMark, State
from longtask.core import census
from longtask.core.actions import CreateJob, DeleteJob, DeletePod, Outcome, Plan, Question, SetJobSuspended, WriteStatus
from longtask.core.exitcodes import ExitCodes
from longtask.core.observed import JobOutcome, Observed, ObservedJob, ObservedPod, ObservedTask, PodPhase, Trouble
from longtask.core.reconcile import reconcile
from tests.unit.core.builders import (
    HOLDER,
    JOB_UID,
    NOW,
    TEMPLATE,
    a_checkpoint,
    a_condition,
    a_job,
    a_pod,
    a_task,
    observed,
)

_OVER = frozenset({JobOutcome.COMPLETE, JobOutcome.FAILED})

# Strategies are made once: making them anew for every example would take longer than the tests themselves.
_flags = st.booleans()
_times = st.sampled_from([NOW - timedelta(seconds=s) for s in (0, 3, 20, 80, 700)])
_any_time = st.none() | _times
_troubles = st.builds(
    Trouble,
    reason=st.sampled_from([Reason.IMAGE_PULL, Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED]),
    message=st.sampled_from(["no", "no, once more"]),
    only_a_person_can_help=_flags,
    time=_any_time,
)
_a_condition = st.builds(
    a_condition,
    st.sampled_from(list(ConditionType)),
    st.sampled_from([Reason.RESUMED, Reason.NODE_LOST, Reason.SAVED, Reason.NO_PROGRESS]),
    status=_flags,
    message=st.just("said"),
)
_checkpoints = st.builds(
    a_checkpoint,
    st.sampled_from(list(CheckpointCause)),
    attempt=st.sampled_from([1, 2]),
    holder=st.sampled_from([HOLDER, "another"]),
    data=st.sampled_from(["", "somewhere"]),
    time=_times,
)
_statuses = st.fixed_dictionaries(
    {
        "state": st.sampled_from(list(State)),
        "attempt": st.sampled_from([1, 2, 99_999]),
        "observed_generation": st.integers(0, 2),
        "job_name": st.sampled_from([None, a_job().name, a_job(attempt=2).name]),
        "failures": st.sampled_from([None, 0, 4, 8]),
        "idle_restarts": st.sampled_from([None, 1, 4, 5]),
        "done_at_start": st.sampled_from([None, 2]),
        "next_try_time": _any_time,
        "active_seconds": st.sampled_from([None, 3000]),
        "active_since": _any_time,
        "last_progress": st.none() | st.builds(ProgressMark, time=_times, done=st.sampled_from([0, 3])),
        "restart_nonce": st.sampled_from([None, 1]),
        "start_over_sequence": st.sampled_from([None, 0, 7]),
        "restart_sequence": st.sampled_from([None, 5]),
        "start_time": _any_time,
        "completion_time": _any_time,
        "conditions": st.lists(_a_condition, max_size=4, unique_by=lambda condition: condition.type),
        "checkpoint": st.none() | _checkpoints,
        "progress": st.sampled_from([None, {"done": 0}, {"done": 3}, {"done": 3, "damage": "checkpoint 6 is gone"}]),
    }
)
_tasks = st.builds(
    a_task,
    st.sampled_from(list(DesiredState)),
    status=_statuses,
    generation=st.just(2),
    deleting=st.sampled_from([False] * 9 + [True]),
    has_finalizer=_flags,
    has_cleanup=_flags,
    backoff_limit=st.sampled_from([0, 6, 20]),
    template_hash=st.sampled_from([TEMPLATE, "another"]),
    secrets_inline=st.sampled_from([(), ("PASSWORD",)]),
    queue=st.sampled_from([None, None, None, "night"]),
    keeps_file=st.booleans(),
    ttl=st.sampled_from([None, None, timedelta(seconds=60)]),
    active_deadline=st.sampled_from([None, None, timedelta(hours=1)]),
    progress_deadline=st.sampled_from([None, timedelta(minutes=1)]),
    restart_nonce=st.sampled_from([None, 1, 2]),
    from_beginning=_flags,
    rewind=st.sampled_from([None, 5]),
    owns_claim=_flags,
    exit_codes=st.sampled_from([ExitCodes(), ExitCodes(complete=frozenset({3}), interrupted=frozenset({75, 143}))]),
)
_jobs = st.builds(
    a_job,
    attempt=st.sampled_from([1, 2, 3]),
    template_hash=st.sampled_from([TEMPLATE, TEMPLATE, "another", ""]),
    failures_before=st.sampled_from([0, 3]),
    batch_wait=st.sampled_from([None, timedelta(seconds=30)]),
    restart_nonce=st.sampled_from([None, 1]),
    deleting=st.sampled_from([False, False, True]),
    generation=st.sampled_from([1, 2]),
    suspend=_flags,
    suspended=st.sampled_from([None, False, True]),
    outcome=st.sampled_from([JobOutcome.OPEN] * 4 + list(JobOutcome)),
    outcome_reason=st.sampled_from(["", Reason.BACKOFF_LIMIT_EXCEEDED, "PodFailurePolicy"]),
    failed=st.sampled_from([0, 2, 8]),
    active_since=_times,
)
_pods = st.builds(
    a_pod,
    attempt=st.sampled_from([1, 2]),
    uid=st.sampled_from([HOLDER, "another"]),
    owner_uid=st.sampled_from([None, JOB_UID, a_job(attempt=2).uid, "stranger"]),
    created=_any_time,
    phase=st.sampled_from(list(PodPhase)),
    node=st.sampled_from([None, "node-1"]),
    deletion_time=_any_time,
    deletion_grace=st.sampled_from([timedelta(0), timedelta(seconds=600)]),
    disrupted=_flags,
    worker_started=_flags,
    ended=_any_time,
    exit_code=st.sampled_from([None, 0, 1, 3, 75, 78, 137, 143]),
    trouble=st.none() | _troubles,
)
_some_pods = st.lists(_pods, max_size=2).map(tuple)


def _snapshot(task: ObservedTask, jobs: list[ObservedJob], pods: tuple[ObservedPod, ...], **answers: Any) -> Observed:  # noqa: ANN401
    return observed(task, *jobs, *pods, **answers)


snapshots = st.builds(
    _snapshot,
    _tasks,
    st.lists(_jobs, max_size=2, unique_by=lambda job: job.attempt),
    _some_pods,
    live=st.none() | _some_pods,
    census=st.none() | st.frozensets(st.tuples(st.just(JOB_UID), st.sampled_from([1, 2])), max_size=1),
    job_troubles=st.none() | st.lists(_troubles, max_size=2).map(tuple),
    lost_nodes=st.sampled_from([None, frozenset(), frozenset({"node-1"})]),
    refusal=st.sampled_from([None] * 5 + [Trouble(reason=Reason.FORBIDDEN, message="no")]),
)
"""Any snapshot at all: its parts need not fit together."""

for_any_snapshot = settings(max_examples=200, deadline=None)


def _writes(plan: Plan) -> list[WriteStatus]:
    return [action for action in plan.actions if isinstance(action, WriteStatus)]


def _entered(o: Observed, plan: Plan, state: State) -> bool:
    return any(w.status.state is state for w in _writes(plan)) and o.task.status.state is not state


@for_any_snapshot
@given(snapshots)
def test_the_same_snapshot_gives_the_same_plan(o: Observed) -> None:
    assert reconcile(o) == reconcile(replace(o))


@for_any_snapshot
@given(snapshots)
def test_a_plan_either_asks_or_acts_and_never_asks_what_it_was_told(o: Observed) -> None:
    plan = reconcile(o)
    assert (plan.question is None) == (plan.outcome is not Outcome.ASK)
    if plan.question is not None:
        assert plan.actions == ()
    answered = {
        Question.LIVE_PODS: o.live_pods is not None,
        Question.JOB_TROUBLES: o.job_troubles is not None,
        Question.LOST_NODES: o.lost_nodes is not None,
    }
    assert plan.question is None or not answered[plan.question]


@for_any_snapshot
@given(snapshots)
def test_a_status_that_was_written_is_not_written_again(o: Observed) -> None:
    """A look after our own write, when nothing else has happened, must not repeat it, nor begin to alternate."""
    seen = [o.task.status]
    for _ in range(6):
        writes = _writes(reconcile(o))
        if not writes:
            return
        (write,) = writes
        status = write.status
        if write.empty_checkpoint and status.checkpoint is not None:
            status = status.model_copy(update={"checkpoint": status.checkpoint.model_copy(update={"data": ""})})
        assert status not in seen
        seen.append(status)
        o = replace(o, task=replace(o.task, status=status))
    raise AssertionError("a status is written again and again")


@for_any_snapshot
@given(snapshots)
def test_suspended_is_written_only_when_it_is_proved(o: Observed) -> None:
    plan = reconcile(o)
    if plan.outcome is not Outcome.SUSPENDED:
        assert not _entered(o, plan, State.SUSPENDED)
        return
    assert o.live_pods is not None or census.is_valid(o)
    assert not any(pod.active for pod in (*o.pods, *(o.live_pods or ())))
    job = o.job
    assert job is None or job.outcome in _OVER or (job.suspend and job.suspended is True)
    assert all(w.judged for w in _writes(plan))


@for_any_snapshot
@given(snapshots)
def test_terminated_is_written_only_when_nothing_is_left(o: Observed) -> None:
    plan = reconcile(o)
    if not _entered(o, plan, State.TERMINATED):
        return
    assert o.task.desired is DesiredState.TERMINATE
    assert o.live_pods == ()
    assert not o.jobs
    assert not o.pods
    (write,) = _writes(plan)
    assert write.judged
    assert write.empty_checkpoint or o.task.status.checkpoint is None or o.task.status.checkpoint.data == ""


@for_any_snapshot
@given(snapshots)
def test_nothing_leads_out_of_a_final_state_and_nothing_is_started_in_it(o: Observed) -> None:
    state = o.task.status.state
    if state not in (State.COMPLETE, State.TERMINATED):
        return
    plan = reconcile(o)
    assert not any(isinstance(action, CreateJob | SetJobSuspended) for action in plan.actions)
    allowed = {State.TERMINATED, state}
    assert {w.status.state for w in _writes(plan)} <= allowed


@for_any_snapshot
@given(snapshots)
def test_no_write_touches_what_the_worker_has_written(o: Observed) -> None:
    for write in _writes(reconcile(o)):
        assert write.status.checkpoint == o.task.status.checkpoint
        assert write.status.progress == o.task.status.progress


@for_any_snapshot
@given(snapshots)
def test_an_attempt_goes_up_by_one_at_most_and_never_back(o: Observed) -> None:
    """Going back would let the pods of an earlier attempt save again."""
    for write in _writes(reconcile(o)):
        assert write.status.attempt - o.task.status.attempt in (0, 1)


@for_any_snapshot
@given(snapshots)
def test_a_next_attempt_is_on_record_before_its_job_is_created(o: Observed) -> None:
    for action in reconcile(o).actions:
        if isinstance(action, CreateJob):
            assert action.attempt == o.task.status.attempt
            assert action.name == o.task.job_name


@for_any_snapshot
@given(snapshots)
def test_no_job_is_created_while_anything_of_the_task_may_be_at_work(o: Observed) -> None:
    plan = reconcile(o)
    if any(isinstance(action, CreateJob) for action in plan.actions):
        assert o.task.desired is DesiredState.RUN
        assert o.job is None
        assert not o.older_jobs
        assert not o.active_pods


@for_any_snapshot
@given(snapshots)
def test_a_job_is_unsuspended_only_for_a_task_that_is_wanted_to_run_and_not_recorded_as_suspended(o: Observed) -> None:
    plan = reconcile(o)
    state = o.task.status.state
    for action in plan.actions:
        if isinstance(action, WriteStatus):
            state = action.status.state
        if isinstance(action, SetJobSuspended) and not action.suspend:
            assert o.task.desired is DesiredState.RUN
            assert state is State.INIT


@for_any_snapshot
@given(snapshots)
def test_a_pod_is_force_deleted_only_on_a_lost_node_and_when_its_token_is_dead(o: Observed) -> None:
    """A task or a Job that must go also waits for pods that have ended and that nobody removes."""
    ends = o.task.desired is DesiredState.TERMINATE or o.task.deleting
    leaving = [job.uid for job in o.jobs if job.deleting]
    doomed = [
        (pod.name, pod.uid)
        for pod in o.pods
        if (pod.active or ((ends or pod.owner_uid in leaving) and pod.deletion_grace))
        and pod.node in (o.lost_nodes or ())
        and pod.deletion_time is not None
        and pod.deletion_time + timedelta(seconds=75) <= NOW
    ]
    for action in reconcile(o).actions:
        if isinstance(action, DeletePod) and action.force:
            assert (action.name, action.uid) in doomed


@for_any_snapshot
@given(snapshots)
def test_a_task_that_is_being_deleted_is_left_alone(o: Observed) -> None:
    gone = replace(o, task=replace(o.task, deleting=True, has_finalizer=False))
    assert reconcile(gone) == Plan(outcome=Outcome.GONE)


@for_any_snapshot
@given(snapshots)
def test_only_failures_of_this_attempt_or_a_false_success_raise_the_count(o: Observed) -> None:
    job = o.job
    before = o.task.status.failures or 0 if job is None else job.failures
    for write in _writes(reconcile(o)):
        assert (write.status.failures or 0) <= max(before + 1, o.task.status.failures or 0)


@for_any_snapshot
@given(snapshots)
def test_every_condition_speaks_of_the_generation_of_its_status(o: Observed) -> None:
    for write in _writes(reconcile(o)):
        status = write.status
        assert {c.observed_generation for c in status.conditions} <= {status.observed_generation}
        assert len({c.type for c in status.conditions}) == len(status.conditions)


@for_any_snapshot
@given(snapshots)
def test_no_job_is_deleted_twice(o: Observed) -> None:
    leaving = {job.name for job in o.jobs if job.deleting}
    deleted = [action.name for action in reconcile(o).actions if isinstance(action, DeleteJob)]
    assert not leaving & set(deleted)
    assert len(deleted) == len(set(deleted))
