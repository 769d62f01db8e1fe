"""The stand-in that unit tests of workers rely on says yes and no where the real API server does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import JSON_PATCH, ApiError
from tests.e2e.support.rules import claim, save
from tests.unit.worker.rules import RefusedError, apply_patch, check_policy, check_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.rules import Bench

SITUATIONS = ["fresh", "mine", "mine, saved", "another's", "suspend", "terminate", "complete", "next attempt"]


def arrange(bench: Bench, situation: str, mine: Api, me: Body) -> Body:
    """Bring a task into a situation, and return it."""
    task = bench.read()
    if situation in {"mine", "mine, saved", "suspend", "terminate", "complete", "next attempt"}:
        task = bench.write(mine, task, checkpoint=claim(task, me))
    if situation == "mine, saved":
        task = bench.write(mine, task, checkpoint=save(task), progress={"done": 1})
    if situation == "another's":
        other = bench.pod_of(task, "other")
        task = bench.write(bench.worker(other), task, checkpoint=claim(task, other))
    if situation in {"suspend", "terminate"}:
        task = bench.desire(situation.title())
    if situation == "complete":
        task = bench.set_status(state="Complete")
    if situation == "next attempt":
        task = bench.set_status(attempt=2)
    return task


def writes(task: Body, me: Body) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Return writes, good and bad ones, each with a name."""
    made = claim(task, me)
    checkpoints = {"claim": made, **{f"claim, {key}={value!r}": made | {key: value} for key, value in changes(made)}}
    if "checkpoint" in task["status"]:
        old = task["status"]["checkpoint"]
        for name, base in (("again", old), ("save", save(task)), ("lower sequence", old | {"sequence": -1})):
            checkpoints[name] = base
            checkpoints.update({f"{name}, {key}={value!r}": base | {key: value} for key, value in changes(base)})
    for name, checkpoint in checkpoints.items():
        yield name, [{"op": "add", "path": "/status/checkpoint", "value": checkpoint}]
        if "," not in name:
            with_progress = {"op": "add", "path": "/status/progress", "value": {"done": 3}}
            yield (
                f"{name} with progress",
                [{"op": "add", "path": "/status/checkpoint", "value": checkpoint}, with_progress],
            )
    yield "progress alone", [{"op": "add", "path": "/status/progress", "value": {"done": 5}}]
    yield "another state", [{"op": "add", "path": "/status/state", "value": "Failed"}]
    yield "another attempt", [{"op": "add", "path": "/status/attempt", "value": 7}]
    yield "a foreign key", [{"op": "add", "path": "/status/jobName", "value": "mine"}]


def changes(checkpoint: Body) -> Iterator[tuple[str, object]]:
    """Return values that make a checkpoint another one."""
    yield "epoch", checkpoint["epoch"] + 1
    yield "epoch", checkpoint["epoch"] - 1
    yield "epoch", str(checkpoint["epoch"])
    yield "holder", "11111111-2222-4333-8444-555555555555"
    yield "attempt", checkpoint["attempt"] + 1
    yield "sequence", checkpoint["sequence"] + 100
    yield "sequence", checkpoint["sequence"] - 1
    yield "time", "2027-01-01T00:00:00Z"
    yield "data", checkpoint["data"] + "more"
    yield "data", ""
    yield "data", "é" * 32_768
    yield "data", "é" * 32_769
    yield "data", None
    for cause in ("Claim", "Interval", "Stop", "Done", "Later"):
        yield "cause", cause


def by_the_stand_in(task: Body, operations: list[dict[str, Any]], pod_uid: str) -> bool:
    """Whether the stand-in would carry it out."""
    old = copy.deepcopy(task)
    try:
        new = apply_patch(old, operations)
        check_rules(old, new)
        check_policy(old, new, pod_uid)
    except RefusedError:
        return False
    return True


def by_the_server(mine: Api, task: Body, operations: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether the server would carry it out, and its words if not."""
    metadata = task["metadata"]
    where = ("LongTask", metadata["name"], metadata["namespace"])
    try:
        mine.patch(*where, operations, subresource="status", how=JSON_PATCH, query="dryRun=All")
    except ApiError as error:
        return False, error.message
    return True, ""


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_stand_in_agrees_with_the_real_server(bench: Bench, situation: str) -> None:
    me = bench.pod_of(bench.task())
    mine = bench.worker(me)
    task = arrange(bench, situation, mine, me)
    verdicts = {
        name: (by_the_stand_in(task, operations, me["metadata"]["uid"]), *by_the_server(mine, task, operations))
        for name, operations in writes(task, me)
    }

    assert {name: verdict for name, verdict in verdicts.items() if verdict[0] != verdict[1]} == {}
    if situation in {"fresh", "mine", "mine, saved", "another's"}:
        assert any(yes for yes, _, _ in verdicts.values())
