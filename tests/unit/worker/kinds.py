"""Workers in two languages, behind one door: how they are started, stopped, and read.

Both do ten items, one a batch, and wait for a line on stdin in each. They are processes of their own; what they print,
send and exit with is all that counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.protocol import go_worker
from tests.unit.worker.builders import Program, run_worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.worker.standin import StandIn


def in_python(folder: Path, environment: dict[str, str]) -> Program:
    """Start the class `Steps` of builders.COUNT."""
    return run_worker(folder, environment, "count.py:Steps", "--save-every", "0")


def in_go(folder: Path, environment: dict[str, str]) -> Program:
    """Start the program of tests/protocol/worker."""
    settings = {"STEPS": "1", "LIMIT": "10", "BATCH": "1", "SAVE_EVERY": "0"}
    return Program([str(go_worker.binary())], folder, {**environment, **settings})


@dataclass(frozen=True)
class Kind:
    """A worker in one language: how to start it, and how its position is read from its data."""

    start: Callable[[Path, dict[str, str]], Program]
    next_in: Callable[[Any], int]


PYTHON = Kind(in_python, lambda data: int(data["state"]["next"]))
GO = Kind(in_go, lambda data: int(data["next"]))


def position(kind: Kind, server: StandIn) -> int:
    """Where a worker would go on."""
    return kind.next_in(json.loads(server.checkpoint["data"]))


def stop(worker: Program) -> None:
    """Send SIGTERM and wait until it has been noticed, so that the batch which a test lets end now is the last one."""
    worker.signal()
    worker.await_line("asked to stop")


def claimed_by_another(server: StandIn) -> None:
    """Let pod 2 claim the task, as after a lost node."""
    found = server.checkpoint
    server.set("status.checkpoint", {**found, "epoch": found["epoch"] + 1, "holder": "pod-2", "cause": "Claim"})
