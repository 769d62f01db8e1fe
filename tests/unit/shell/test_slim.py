"""From objects as a real API server shows them to the records that are decided on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longtask.api import names
from longtask.api.names import Reason
from longtask.core.observed import JobOutcome, PodPhase
from longtask.shell.slim import event_trouble, job_record, node_is_ready, pod_record
from tests.unit.core.builders import JOB_UID, UID
from tests.unit.shell.doubles import a_job_body, a_pod_body

Json = dict[str, Any]
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_TEXT = "2026-03-01T12:00:00Z"


def job(*conditions: tuple[str, str], **metadata: Any) -> Any:  # noqa: ANN401
    body = a_job_body(**metadata)
    body["status"]["conditions"] = [{"type": kind, "status": value} for kind, value in conditions]
    return job_record(body)


def pod(**status: Any) -> Any:  # noqa: ANN401
    return pod_record(a_pod_body(status))


def container(name: str, **state: Any) -> Json:  # noqa: ANN401
    return {"name": name, "state": state}


# --- Jobs ---


def test_a_job_in_its_first_moments() -> None:
    body = a_job_body()
    del body["status"]
    found = job_record(body)

    assert found is not None
    assert (found.task_uid, found.attempt, found.template_hash) == (UID, 1, "abc")
    assert (found.suspend, found.suspended, found.outcome) == (False, None, JobOutcome.OPEN)
    assert (found.failures, found.deleting) == (2, False)
    assert found.active_since == NOON - timedelta(minutes=1), "since it was created"


@pytest.mark.parametrize("generation", [None, "1", True])
def test_a_job_of_no_generation_can_not_be_read(generation: object) -> None:
    with pytest.raises(TypeError):
        job(generation=generation)


def test_a_job_at_work() -> None:
    found = job()

    assert found.generation == 1
    assert found.failures == 3, "two of earlier attempts, one of this"
    assert found.active_since == NOON - timedelta(seconds=30), "since it was last started"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({names.ANNOTATION_WAIT_FOR_BATCH: "90"}, timedelta(seconds=90)),
        ({}, None),
        ({names.ANNOTATION_WAIT_FOR_BATCH: "x"}, None),
    ],
)
def test_for_how_long_the_worker_of_a_job_is_asked(annotations: Json, expected: timedelta | None) -> None:
    assert job(annotations=annotations).batch_wait == expected


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("False", False)])
def test_whether_the_job_controller_has_suspended_it(value: str, expected: bool) -> None:
    assert job(("Suspended", value)).suspended is expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([("SuccessCriteriaMet", "True")], JobOutcome.COMPLETING),
        ([("SuccessCriteriaMet", "True"), ("Complete", "True")], JobOutcome.COMPLETE),
        ([("FailureTarget", "True")], JobOutcome.FAILING),
        ([("FailureTarget", "True"), ("Failed", "True")], JobOutcome.FAILED),
        ([("Complete", "False"), ("Suspended", "True")], JobOutcome.OPEN),
    ],
)
def test_how_far_a_job_is_from_its_end(conditions: list[tuple[str, str]], expected: JobOutcome) -> None:
    assert job(*conditions).outcome is expected


def test_a_job_that_is_being_deleted() -> None:
    assert job(deletionTimestamp="2026-03-01T12:00:00Z").deleting


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": []},
        {"ownerReferences": None},
        {"ownerReferences": [{"kind": "LongTask", "uid": UID}]},
        {"ownerReferences": [{"kind": "CronJob", "uid": UID, "controller": True}]},
        {"labels": {names.LABEL_TASK_UID: UID}},
        {"labels": {names.LABEL_TASK_UID: UID, names.LABEL_ATTEMPT: "first"}},
    ],
    ids=["no-owner", "null-owners", "owner-no-controller", "owner-of-another-kind", "no-attempt", "attempt-no-number"],
)
def test_a_label_alone_makes_no_job_of_ours(metadata: Json) -> None:
    assert job(**metadata) is None


# --- Pods ---


def test_a_pod_at_work() -> None:
    found = pod(phase="Running", containerStatuses=[container("worker", running={"startedAt": "..."})])

    assert (found.task_uid, found.owner_uid, found.attempt, found.node) == (UID, JOB_UID, 1, "node-1")
    assert (found.phase, found.active, found.worker_started) == (PodPhase.RUNNING, True, True)
    assert (found.exit_code, found.trouble) == (None, None)


def test_a_pod_whose_file_could_not_be_restored_ended_as_that_did_for_its_program_never_starts() -> None:
    found = pod(
        phase="Failed",
        initContainerStatuses=[
            container("fetch", terminated={"exitCode": 0}),
            container("longtask-restore", terminated={"exitCode": 78, "message": "not ours", "finishedAt": NOON_TEXT}),
        ],
        containerStatuses=[container("worker", waiting={"reason": "PodInitializing"})],
    )

    assert (found.exit_code, found.ended) == (78, NOON)
    assert found.last_words == "container longtask-restore exited with code 78: not ours"


def test_a_pod_whose_file_was_restored_has_not_ended() -> None:
    restored = container("longtask-restore", terminated={"exitCode": 0, "finishedAt": NOON_TEXT})

    found = pod(phase="Running", initContainerStatuses=[restored], containerStatuses=[container("worker", running={})])

    assert (found.exit_code, found.ended) == (None, None)


def test_a_pod_of_which_only_the_sidecar_runs_is_not_at_work() -> None:
    found = pod(phase="Pending", containerStatuses=[container("sidecar", running={}), container("worker", waiting={})])

    assert not found.worker_started


def test_a_pod_whose_worker_has_failed() -> None:
    ended = {"exitCode": 3, "finishedAt": "2026-03-01T12:00:00Z", "message": "out of paper"}
    found = pod(phase="Failed", containerStatuses=[container("worker", terminated=ended)])

    assert (found.active, found.exit_code, found.ended) == (False, 3, NOON)
    assert "out of paper" in found.last_words


def test_a_pod_without_any_status_is_pending() -> None:
    found = pod_record({key: value for key, value in a_pod_body().items() if key != "status"})

    assert found is not None
    assert found.phase is PodPhase.PENDING


def test_a_phase_that_nobody_knows_counts_as_active() -> None:
    found = pod(phase="Hibernating")

    assert (found.phase, found.active) == (PodPhase.UNKNOWN, True)


def test_a_grace_period_longer_than_time_itself_can_be_read() -> None:
    found = pod_record(a_pod_body(deletionTimestamp="2026-03-01T12:00:00Z", deletionGracePeriodSeconds=2**63 - 1))

    assert found is not None
    assert found.active
    assert found.asked_to_stop


def test_an_evicted_pod() -> None:
    assert pod(phase="Failed", conditions=[{"type": "DisruptionTarget", "status": "True"}]).disrupted


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ImagePullBackOff", Reason.IMAGE_PULL),
        ("ErrImageNeverPull", Reason.IMAGE_PULL),
        ("CreateContainerConfigError", Reason.CONTAINER_CONFIG),
        ("CrashLoopBackOff", Reason.CRASH_LOOP),
    ],
)
@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
def test_why_a_container_does_not_start(where: str, reason: str, expected: str) -> None:
    found = pod(phase="Pending", **{where: [container("worker", waiting={"reason": reason, "message": "because"})]})

    assert found.trouble.reason == expected
    assert "because" in found.trouble.message


def test_an_unschedulable_pod_may_yet_be_scheduled_without_a_person() -> None:
    words = "0/3 nodes are available"
    found = pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}])

    assert (found.trouble.reason, found.trouble.only_a_person_can_help) == (Reason.UNSCHEDULABLE, False)
    assert words in found.trouble.message


def test_a_container_that_is_just_being_made_is_no_trouble() -> None:
    assert pod(containerStatuses=[container("worker", waiting={"reason": "ContainerCreating"})]).trouble is None


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {}}, {"labels": None}, {"name": "debug"}, {"name": f"import-{UID[:8]}-1"}, {"name": "x-1-abcde"}],
    ids=["no-label", "null-labels", "another-name", "no-suffix", "without-the-uid"],
)
def test_a_label_alone_makes_no_pod_of_ours(metadata: Json) -> None:
    assert pod_record(a_pod_body(None, **metadata)) is None


def test_a_pod_of_an_indexed_job_is_of_the_attempt_before_its_index() -> None:
    found = pod_record(a_pod_body(None, name=f"import-{UID[:8]}-12-3-abcde"))

    assert found is not None
    assert found.attempt == 12


def test_a_pod_without_a_controller_has_no_owner() -> None:
    found = pod_record(a_pod_body(None, ownerReferences=[]))

    assert found is not None
    assert found.owner_uid is None


# a busy machine is no reason to fail
PATIENT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
TEXT_OR_NONE = st.none() | st.text(max_size=30)


@PATIENT
@given(
    phase=TEXT_OR_NONE,
    code=st.none() | st.integers(),
    finished=TEXT_OR_NONE,
    deleted=TEXT_OR_NONE,
    grace=st.none() | st.integers(min_value=0),
    words=TEXT_OR_NONE,
)
def test_whatever_a_pod_holds_it_can_be_read_and_one_not_understood_is_active(  # noqa: PLR0917
    phase: str | None, code: int | None, finished: str | None, deleted: str | None, grace: int | None, words: str | None
) -> None:
    ended = {"exitCode": code, "finishedAt": finished, "message": words}
    body = a_pod_body(
        {"phase": phase, "message": words, "containerStatuses": [container("worker", terminated=ended)]},
        deletionTimestamp=deleted,
        deletionGracePeriodSeconds=grace,
    )
    found = pod_record(body)

    assert found is not None
    assert found.active is (phase not in ("Succeeded", "Failed"))
    assert found.asked_to_stop in (True, False)


# --- Events and nodes ---


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('Error creating: pods "x" is forbidden: exceeded quota: small', Reason.QUOTA_EXCEEDED),
        ('Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"', Reason.POD_REFUSED),
        ("Error creating: admission webhook said no", Reason.POD_REFUSED),
    ],
)
def test_what_a_job_complains_about(message: str, reason: str) -> None:
    event = {"type": "Warning", "reason": "FailedCreate", "message": message, "lastTimestamp": "2026-03-01T12:00:00Z"}
    found = event_trouble(event)

    assert found is not None
    assert (found.reason, found.time, found.only_a_person_can_help) == (reason, NOON, True)


def test_an_event_of_the_newer_kind_has_its_time_elsewhere() -> None:
    event = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "no",
        "lastTimestamp": None,
        "eventTime": "2026-03-01T12:00:00.000000Z",
    }
    found = event_trouble(event)

    assert found is not None
    assert found.time == NOON


@pytest.mark.parametrize(
    "event", [{"type": "Normal", "reason": "FailedCreate"}, {"type": "Warning", "reason": "BackoffLimitExceeded"}]
)
def test_what_is_no_complaint_about_a_missing_pod(event: Json) -> None:
    assert event_trouble(event) is None


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_is_ready_when_it_says_so(value: str, expected: bool) -> None:
    assert node_is_ready({"status": {"conditions": [{"type": "Ready", "status": value}]}}) is expected


def test_a_node_that_never_said_anything_is_not_ready() -> None:
    assert not node_is_ready({})


# --- the Job of a clean-up ---


def a_cleanup_body(**metadata: Any) -> Json:  # noqa: ANN401
    labels = {names.LABEL_TASK_UID: UID, names.LABEL_TASK_NAME: "import", names.LABEL_ATTEMPT: "0"}
    values = {"name": f"import-{UID[:8]}-cleanup", "labels": labels, "ownerReferences": []}
    return a_job_body(**values | metadata)


def test_a_job_that_cleans_up_for_a_deleted_task_has_no_owner_and_no_attempt() -> None:
    job = job_record(a_cleanup_body())
    assert job is not None
    assert (job.task_uid, job.attempt) == (UID, 0)


@pytest.mark.parametrize("name", ["import-1", "other-1c6b0f5e-cleanup"])
def test_labels_alone_make_no_cleanup(name: str) -> None:
    assert job_record(a_cleanup_body(name=name)) is None
