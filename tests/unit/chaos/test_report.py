"""What a chaos run tells whoever must find a cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.report import component, story
from tests.e2e.support.watch import Seen
from tests.e2e.support.watch_verdicts import TASK_UID

if TYPE_CHECKING:
    from tests.e2e.support.client import Body


def task(revision: int, state: str, sequence: int) -> Seen:
    checkpoint = {"epoch": 1, "holder": "p", "sequence": sequence, "cause": "Interval", "data": ""}
    body: Body = {
        "metadata": {"name": "chain", "uid": "t", "generation": 1},
        "spec": {"desiredState": "Run"},
        "status": {"state": state, "attempt": 1, "checkpoint": checkpoint},
    }
    return Seen(revision=revision, kind="LongTask", gone=False, body=body)


def pod(revision: int, phase: str, *, of: str = "t", gone: bool = False) -> Seen:
    body: Body = {"metadata": {"name": "chain-p", "uid": "p", "labels": {TASK_UID: of}}, "status": {"phase": phase}}
    return Seen(revision=revision, kind="Pod", gone=gone, body=body)


def test_a_story_tells_each_change_once_and_leaves_out_saves_and_other_tasks() -> None:
    log = [
        task(1, "Init", 0),
        pod(2, "Running"),
        task(3, "Running", 1),
        task(4, "Running", 2),
        pod(5, "Running", of="another"),
        pod(6, "Running", gone=True),
    ]

    lines = story(log, "t")

    assert [line.split()[0] for line in lines] == ["1", "2", "3", "6"]
    assert "Running" in lines[2]
    assert lines[3] == "6 chain-p: is gone"


def test_a_component_is_named_without_the_number_of_its_node() -> None:
    assert [component(name) for name in ("kubelet-2", "etcd", "chain-07")] == ["kubelet", "etcd", "worker"]
