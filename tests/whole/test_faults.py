"""Writes that fail in every way, each of them every other time: nothing is lost, nothing is done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.whole.rig import Rig, every_other, is_job_creation, is_write, operated, process_of

if TYPE_CHECKING:
    from pathlib import Path

FAULTS: dict[str, dict[str, Any]] = {
    "conflict": {"status": 409},
    "too-many-requests": {"status": 429, "headers": {"Retry-After": "0"}},
    "internal-error": {"status": 500},
    "unavailable": {"status": 503},
    "not-authorized-for-a-moment": {"status": 401},
    "cut-before-it-is-done": {"cut": True},
    "done-but-the-answer-is-lost": {"cut_after": True},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_other_write_fails_and_the_life_is_the_same(fault: dict[str, Any]) -> None:
    async with operated() as rig:
        met = rig.server.fault(every_other(is_write), times=10_000, **fault)

        await rig.life()

        assert met.met >= 4, "half of the writes of a life have failed"
        _nothing_is_lost_or_doubled(rig)


async def test_the_answer_to_every_write_is_lost() -> None:
    async with operated() as rig:
        rig.server.fault(is_write, times=10_000, cut_after=True)

        await rig.life()

        _nothing_is_lost_or_doubled(rig)


async def test_two_operators_at_once_do_no_harm(tmp_path: Path) -> None:
    async with operated() as rig, process_of(rig, tmp_path):
        await rig.until("both stream tasks", lambda: _streams(rig) >= 2)

        await rig.life()

        _nothing_is_lost_or_doubled(rig)


async def test_the_server_says_when_to_come_back() -> None:
    async with operated() as rig:
        slow = rig.server.fault(is_job_creation, status=429, headers={"Retry-After": "1"})
        rig.create()
        await rig.until("the Job was asked for", lambda: slow.met)
        asked = len(rig.server.calls)

        await rig.until_state("Running")

        creations = [call for call in rig.server.calls[asked:] if is_job_creation(call)]
    assert len(creations) == 1


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_what_the_server_refuses_is_told_in_its_own_words_and_tried_again(status: int) -> None:
    async with operated() as rig:
        refused = rig.server.fault(is_job_creation, status=status, times=1000)
        rig.create()
        await rig.until("it is stalled", lambda: _condition(rig, "Stalled") == ("True", "a fault"))

        refused.times = 0
        rig.want("Suspend")
        await rig.until_state("Suspended")
        rig.want("Run")
        await rig.until_state("Running")

        assert _condition(rig, "Stalled")[0] == "False"
        warned = [event["reason"] for event in rig.store.find("events")]
    assert warned == ["TaskStalled"]


async def test_an_event_that_can_not_be_posted_holds_nothing_up() -> None:
    async with operated() as rig:
        rig.server.fault(lambda call: call.plural == "events", status=403, times=1000)
        rig.server.fault(is_job_creation, status=403, times=2)
        rig.create()
        await rig.until("it is stalled", lambda: _condition(rig, "Stalled")[0] == "True")

        rig.create("other")
        await rig.until_state("Running", "other")


def _streams(rig: Rig) -> int:
    return sum(call.plural == "longtasks" and call.watch for call in rig.server.calls)


def _condition(rig: Rig, kind: str) -> tuple[str, str]:
    conditions = rig.task()["status"].get("conditions", [])
    found = next((c for c in conditions if c["type"] == kind), None)
    return ("", "") if found is None else (found["status"], found["message"].rpartition(": ")[2])


def _nothing_is_lost_or_doubled(rig: Rig) -> None:
    status = rig.task()["status"]
    history = [entry["state"] for entry in status["history"]]
    assert history == ["Running", "Suspended", "Running", "Complete"]
    assert status["attempt"] == 1
    assert len(rig.store.find("jobs")) == 1
    assert len(rig.controllers.started) == 2, "one worker before the suspension, one after it"
    assert len(rig.store.find("rolebindings")) == 1
