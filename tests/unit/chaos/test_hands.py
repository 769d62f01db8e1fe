"""How a script is carried out: in time, one outage after another, and with a record of what was in vain."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest

from tests.chaos import hands as hands_module
from tests.chaos.hands import NOBODY, Hands, pause, persist
from tests.chaos.script import Act, Script, Work
from tests.cluster.api import ClusterError
from tests.e2e.support.client import ApiError, UnavailableError
from tests.e2e.support.watch_verdicts import TASK_UID

if TYPE_CHECKING:
    from tests.chaos.observer import Observer
    from tests.cluster.api import Cluster
    from tests.e2e.support.client import Api, Body


@dataclass
class Parts:
    """A cluster whose components take their time to come back, and whose containers can't all be reached."""

    back_after: float = 0.0
    running: frozenset[str] = frozenset()
    signals: list[tuple[str, str]] = field(default_factory=list)

    def kill(self, name: str) -> None:
        assert name == "etcd"

    def start(self, name: str) -> None:
        assert name == "etcd"
        pause(self.back_after)

    def kill_container(self, pod: str, container: str, signal: str) -> None:
        if pod not in self.running:
            raise ClusterError(f"no running container {container}")
        self.signals.append((pod, signal))


class Pods:
    """What an observer knows of pods."""

    def __init__(self, *pods: Body) -> None:
        self._pods = {pod["metadata"]["uid"]: pod for pod in pods}

    def now(self, _kind: str) -> dict[str, Body]:
        return self._pods


def pod(uid: str, *, of: str = "t", phase: str = "Running") -> Body:
    metadata = {"name": f"pod-{uid}", "uid": uid, "labels": {TASK_UID: of}}
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": [{"state": {"running": {}}}]}}


def hands(parts: Parts, *pods: Body) -> Hands:
    return Hands(cast("Api", None), cast("Cluster", parts), "here", cast("Observer", Pods(*pods)), {"chain-01": "t"})


def script(*acts: Act) -> Script:
    return Script(seed=1, works=(Work(name="chain-01", batches=1, pace=0.1, save_every=1),), acts=acts)


def test_an_outage_whose_component_is_late_to_come_back_puts_the_later_ones_off() -> None:
    acts = [Act(at=at, verb="kill", target="etcd", seconds=0.1) for at in (0, 0.2, 0.4)]
    made = hands(Parts(back_after=0.3))
    made.play(script(*acts))

    assert [deed.act for deed in made.deeds] == acts
    # waiting takes at least as long as asked for: 0.1 s of calm, and some for two clocks
    assert all(later.begun - earlier.ended > 0.05 for earlier, later in pairwise(made.deeds))


def test_a_worker_that_is_killed_is_noted_down_and_one_that_is_frozen_is_thawed() -> None:
    parts = Parts(running=frozenset({"b"}))
    made = hands(parts, pod("a", phase="Failed"), pod("b"), pod("c", of="another"))
    made.play(script(Act(at=0, verb="freeze", target="chain-01", seconds=0.1)))
    assert (made.hit("kill"), parts.signals) == (frozenset(), [("b", "STOP"), ("b", "CONT")])

    made.play(script(Act(at=0, verb="kill", target="chain-01")))
    assert (made.hit("kill"), parts.signals[2:]) == (frozenset({"b"}), [("b", "KILL")])


def test_a_strike_that_hits_nobody_says_so_and_nobody_counts_as_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands_module, "CHANCE", 0.0)
    kill = Act(at=0, verb="kill", target="chain-01")
    nobody, unreachable = hands(Parts()), hands(Parts(), pod("b"))
    for made in (nobody, unreachable):
        made.play(script(kill))
        assert made.hit("kill") == frozenset()

        assert made.deeds[0].words == NOBODY


@pytest.mark.parametrize("error", [UnavailableError("away"), ApiError(404, {"message": "not yet"}), ClusterError("no")])
def test_who_finds_the_server_away_tries_again(error: Exception) -> None:
    answers: list[Exception | str] = [error, error, "done"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert persist(call) == "done"


def test_patience_has_an_end_and_tells_why() -> None:
    def call() -> None:
        raise UnavailableError("away for good")

    with pytest.raises(UnavailableError, match="away for good"):
        persist(call, seconds=0)
