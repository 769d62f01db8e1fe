"""The script of a chaos run: what is drawn leaves the cluster able to recover, and can be repeated."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Final

import pytest

from tests.chaos.script import GENTLE, HARD, MOST_KILLS, OPERATOR, Script, Size, draw, load

COMPONENTS: Final = (
    *("sandbox", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "forwarder"),
    *("kubelet-1", "kubelet-2", "containerd-1", "containerd-2"),
)
WEAK: Final = frozenset(COMPONENTS) - {"sandbox", "kube-scheduler", "kube-proxy", "forwarder"}
SIZES: Final = pytest.mark.parametrize("size", [GENTLE, HARD], ids=["gentle", "hard"])
SEEDS: Final = range(20)


def script(size: Size, seed: int) -> Script:
    return draw(random.Random(seed), seed, COMPONENTS, size)  # noqa: S311


@SIZES
def test_the_same_luck_draws_the_same_script_and_other_luck_another(size: Size) -> None:
    assert script(size, 1) == script(size, 1)
    assert script(size, 1).acts != script(size, 2).acts


@SIZES
def test_a_script_comes_back_as_it_was_from_the_file_it_was_saved_in(size: Size) -> None:
    assert load(script(size, 3).dump()) == script(size, 3)


def test_a_saved_script_with_a_verb_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown verbs \['bribe'\]"):
        load('{"seed": 1, "works": [], "acts": [{"at": 1, "verb": "bribe", "target": "etcd"}]}')


@SIZES
@pytest.mark.parametrize("seed", SEEDS)
def test_one_component_at_a_time_is_away_and_never_for_long(size: Size, seed: int) -> None:
    outages = script(size, seed).outages()

    assert len(outages) == size.outages
    assert all(later.at - earlier.ends >= size.calm[0] - 0.1 for earlier, later in pairwise(outages))
    long = [act for act in outages if act.seconds > size.outage[1]]
    assert len(long) <= (0 if size.long_outage is None else 1)
    assert all(act.verb == "freeze" and act.target.startswith("kubelet-") for act in long)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_run_kills_and_freezes_every_component_and_loses_a_node(seed: int) -> None:
    outages = script(HARD, seed).outages()

    assert {(act.verb, act.target) for act in outages} == {(verb, name) for verb in ("kill", "freeze") for name in WEAK}
    assert any(act.seconds >= 30 for act in outages)
    assert max(act.ends for act in outages) < HARD.seconds


@SIZES
@pytest.mark.parametrize("seed", SEEDS)
def test_no_workers_of_one_task_are_killed_more_often_than_its_retries_are_meant_for(size: Size, seed: int) -> None:
    kills = Counter(act.target for act in script(size, seed).strikes() if act.verb == "kill" and act.target != OPERATOR)

    assert kills.total() == size.worker_kills
    assert max(kills.values()) <= MOST_KILLS


@SIZES
@pytest.mark.parametrize("seed", SEEDS)
def test_every_act_is_of_one_kind_only_and_users_wish_for_what_they_do_not_have(size: Size, seed: int) -> None:
    made = script(size, seed)
    kinds = (made.outages(), made.strikes(), made.wishes())

    assert sorted(act.at for kind in kinds for act in kind) == [act.at for act in made.acts]
    assert {act.target for act in made.wishes()} <= {work.name for work in made.works}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_run_ends_with_tasks_that_are_to_stand_still(seed: int) -> None:
    wanted = {act.target: act.verb for act in script(GENTLE, seed).wishes() if act.verb in {"Suspend", "Run"}}

    assert list(wanted.values()).count("Suspend") >= GENTLE.suspended_at_the_end
