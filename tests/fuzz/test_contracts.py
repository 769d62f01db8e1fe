"""Schema and models, patches and statuses, conditions, settings: two sides that must mean the same."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtask.api.crd import object_schema
from longtask.api.longtask import LongTask
from longtask.api.names import ConditionStatus, ConditionType
from longtask.api.status import LongTaskStatus
from longtask.core.actions import Question, WriteStatus
from longtask.core.conditions import MESSAGE_LIMIT, Claim, merge
from longtask.core.observed import JobOutcome, PodPhase
from longtask.core.reconcile import reconcile
from longtask.shell.errors import Misconfigured
from longtask.shell.patch import status_patch
from longtask.shell.settings import Settings
from longtask.shell.slim import task_record
from tests.fuzz.bodies import a_task_body
from tests.fuzz.effort import effort
from tests.fuzz.hostile import TEXTS
from tests.fuzz.schema import accepted_by
from tests.unit.core.builders import NOW, a_job, a_pod, ago, observed

Json = dict[str, Any]
STATUS = object_schema()["properties"]["status"]
STATUSES = accepted_by(STATUS)


def a_body(status: Json) -> Json:
    return a_task_body() | {"status": status}


# --- The schema and the models ---


@effort(100)
@given(STATUSES)
def test_every_status_that_the_api_server_stores_can_be_read(status: Json) -> None:
    read = LongTask.from_body(a_body(status)).status

    assert (read.state, read.attempt) == (status["state"], status["attempt"])
    assert [c.type for c in read.conditions] == [c["type"] for c in status.get("conditions", ())]
    for key in ("checkpoint", "progress"):
        assert (getattr(read, key) is None) == (key not in status)


@effort(60)
@given(STATUSES)
def test_a_status_that_was_read_is_written_as_it_was(status: Json) -> None:
    read = LongTaskStatus.model_validate(status)

    assert LongTaskStatus.model_validate(read.dump()) == read
    assert json.loads(json.dumps(read.dump())) == read.dump()


# --- Decisions on any status that the API server stores ---


@effort(100)
@given(
    STATUSES,
    st.sampled_from(["Run", "Suspend", "Terminate"]),
    st.lists(st.sampled_from(PodPhase), max_size=2),
    st.none() | st.sampled_from(JobOutcome),
    st.booleans(),
)
def test_every_stored_status_can_be_decided_on(
    status: Json, desired: str, phases: list[PodPhase], outcome: JobOutcome | None, leaving: bool
) -> None:
    """Whatever stands in the status: there is a decision, and what it writes is what the models and the CRD allow."""
    body = a_body(status)
    body["spec"]["desiredState"] = desired
    task = replace(task_record(body), namespace="team")
    deletion = NOW if leaving else None
    pods = tuple(
        a_pod(name=f"pod-{n}", uid=f"pod-{n}", phase=phase, attempt=task.status.attempt, deletion_time=deletion)
        for n, phase in enumerate(phases)
    )
    jobs = () if outcome is None else (a_job(name=task.job_name, outcome=outcome, attempt=task.status.attempt),)
    snapshot = observed(task, *jobs, *pods)

    plan = reconcile(snapshot)
    answers: dict[Question, Json] = {
        Question.LIVE_PODS: {"live_pods": pods},
        Question.JOB_TROUBLES: {"job_troubles": ()},
        Question.LOST_NODES: {"lost_nodes": frozenset()},
    }
    while plan.question is not None:
        snapshot = replace(snapshot, **answers.pop(plan.question))
        plan = reconcile(snapshot)

    for write in (action for action in plan.actions if isinstance(action, WriteStatus)):
        assert LongTaskStatus.model_validate(write.status.dump()) == write.status
        assert plan.outcome.name != "SUSPENDED" or not any(pod.active for pod in pods)


# --- The patch of a status ---


class Refusal(Exception):
    """As the API server answers to a patch that can't be applied."""


def applied(body: Json, operations: list[Json]) -> Json:
    """RFC 6902 for objects, by the letter: a missing parent, a failed test, removing what is not there are errors."""
    result = copy.deepcopy(body)
    for operation in operations:
        *parents, last = operation["path"].split("/")[1:]
        target: Json = result
        for part in parents:
            if part not in target:
                raise Refusal(operation)
            target = target[part]
        match operation["op"]:
            case "test" if last in target and target[last] == operation["value"]:
                pass
            case "add":
                target[last] = operation["value"]
            case "replace" if last in target:
                target[last] = operation["value"]
            case "remove" if last in target:
                del target[last]
            case _:
                raise Refusal(operation)
    return result


@effort(80)
@given(STATUSES, STATUSES, st.booleans())
def test_the_patch_of_a_status_makes_it_the_new_one_and_leaves_the_workers_part(
    old: Json, new: Json, judged: bool
) -> None:
    body = a_body(LongTaskStatus.model_validate(old).dump())
    task = task_record(body)
    action = WriteStatus(status=LongTaskStatus.model_validate(new), judged=judged)

    result = applied(body, status_patch(task, action))

    theirs = {key: body["status"][key] for key in ("progress", "checkpoint") if key in body["status"]}
    ours = {key: value for key, value in action.status.dump().items() if key not in ("progress", "checkpoint")}
    assert result["status"] == ours | theirs
    assert {key: part for key, part in result.items() if key != "status"} == {
        key: part for key, part in body.items() if key != "status"
    }


@effort(60)
@given(STATUSES, STATUSES, st.sampled_from(["uid", "generation", "state", "attempt"]))
def test_the_patch_fails_on_anything_else_than_what_was_decided_on(old: Json, new: Json, changed: str) -> None:
    body = a_body(LongTaskStatus.model_validate(old).dump())
    operations = status_patch(task_record(body), WriteStatus(status=LongTaskStatus.model_validate(new)))
    other = copy.deepcopy(body)
    part = other["metadata"] if changed in ("uid", "generation") else other["status"]
    part[changed] = "other" if changed in ("uid", "state") else part[changed] + 1

    if operations:
        with pytest.raises(Refusal):
            applied(other, operations)


# --- Conditions ---

CLAIMS = st.builds(
    Claim,
    type=st.sampled_from(ConditionType),
    status=st.booleans(),
    reason=st.sampled_from(["Running", "Saved", "ImagePull", "Forbidden"]),
    message=st.text(max_size=20) | st.just("x" * 2 * MESSAGE_LIMIT),
    always=st.booleans(),
)


@effort(100)
@given(st.lists(st.lists(CLAIMS, max_size=4, unique_by=lambda claim: claim.type), max_size=4))
def test_conditions_are_set_and_kept_and_their_time_moves_only_with_their_status(rounds: list[list[Claim]]) -> None:
    conditions: tuple[Any, ...] = ()
    for generation, claims in enumerate(rounds, start=1):
        now = ago(hours=1) + timedelta(minutes=generation)
        before = {c.type: c for c in conditions}

        conditions = merge(conditions, tuple(claims), generation=generation, now=now)

        after = {c.type: c for c in conditions}
        assert len(after) == len(conditions), "one of a type"
        assert before.keys() <= after.keys(), "none is removed"
        assert {c.observed_generation for c in conditions} <= {generation}
        assert all(len(c.message) <= MESSAGE_LIMIT for c in conditions)
        for kind, new in after.items():
            same = kind in before and before[kind].status == new.status
            assert new.last_transition_time == (before[kind].last_transition_time if same else now)
        for claim in claims:
            if claim.status or claim.always:
                assert (after[claim.type].status == ConditionStatus.TRUE) == claim.status
        assert merge(conditions, tuple(claims), generation=generation, now=now) == conditions, "again says the same"


# --- Settings ---

VARIABLES = st.sampled_from([f"LONGTASK_{name.upper()}" for name in Settings.model_fields] + ["LONGTASK_OTHER", "PATH"])


@effort(100)
@given(st.dictionaries(VARIABLES, TEXTS | st.integers().map(str) | st.floats().map(str), max_size=4))
@example({"LONGTASK_WORKERS": "²", "LONGTASK_REQUEST_SECONDS": "nan"})
@example({"LONGTASK_HEALTH_PORT": "9" * 5000})
def test_settings_are_meant_or_named(environment: dict[str, str]) -> None:
    try:
        settings = Settings.from_environment(environment)
    except Misconfigured as problem:
        assert any(name in str(problem) for name in environment)  # noqa: PT017  most environments are fine
    else:
        assert 1 <= settings.workers <= 1024
        assert 0 <= settings.health_port <= 65535
        assert min(settings.request_seconds, settings.watch_idle_seconds, settings.backoff_seconds) > 0
        assert settings.request_seconds < float("inf")
