"""What must hold for the demo to pass. Each check says on the screen what it has found, or ends the demo.

It must not know how things came to be as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.e2e.support.client import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.demo.screen import Screen
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle


class CheckError(Exception):
    """Something is not as it should be; the text says what, and what is there instead."""


class Position(NamedTuple):
    """Where a task is: the number of its checkpoint, and how many files are done at it."""

    sequence: int
    done: int

    def __str__(self) -> str:
        """As the worker's log puts it."""
        return f"checkpoint {self.sequence}, {self.done} done"


def holds(screen: Screen, claim: str, *, fact: object, seen: Callable[[], object]) -> None:
    """Say that a claim holds; raises CheckError, with what is `seen` instead, when it does not."""
    if not fact:
        raise CheckError(f"this should hold, and does not: {claim}\nseen instead: {seen()}")
    screen.say(f"   [ok] {claim}")


def suspended(screen: Screen, task: Handle) -> Position:
    """Check the proof of a suspension, and return where the task stands."""
    body, jobs, active = task.read(), task.jobs(), task.active_pods()
    found, checkpoint = task.condition("Suspended"), body["status"]["checkpoint"]
    ended = f"how it ended: {found.get('reason')} ({found.get('message')})"
    holds(screen, ended, fact=found.get("reason") == "Saved", seen=task.story)
    cause = f"checkpoint {checkpoint['sequence']} is the worker's answer to the stop request"
    holds(screen, cause, fact=checkpoint["cause"] == "Stop", seen=task.story)
    holds(screen, "no pod of the task is active", fact=not active, seen=task.story)
    holds(screen, "its Job is suspended", fact=[job["spec"].get("suspend") for job in jobs] == [True], seen=task.story)
    wait_for(lambda: not task.pods(), timeout=60, what="the pod that has ended to be removed", state=task.story)
    screen.say("   [ok] no pod of the task is there any more")
    return position(body)


def position(body: Body) -> Position:
    """Return where a task stands, as the API server has acknowledged it."""
    return Position(body["status"]["checkpoint"]["sequence"], body["status"]["progress"]["done"])


def goes_on(screen: Screen, log: str, at: Position, total: int) -> None:
    """Check in a worker's log that it has begun where the one before had saved."""
    said = [line for line in log.splitlines() if "claimed with epoch" in line or "beginning with number" in line]
    for line in said:
        screen.say(f"   log: {line}")
    expected = rf"claimed with epoch \d+: going on from {at}\n.*{total} files, beginning with number {at.done + 1}$"
    fact = re.search(expected, "\n".join(said), re.MULTILINE)
    holds(screen, f"the new worker goes on from {at}", fact=fact, seen=lambda: log)


def complete(screen: Screen, task: Handle, *, kills: int) -> None:
    """Check that a task says of itself that all is done, and that each kill after progress took an attempt."""
    status = task.status
    done, total = status["progress"]["done"], status["progress"]["total"]
    holds(screen, f"{done} of {total} files are done", fact=done == total, seen=task.story)
    holds(screen, "the last checkpoint says Done", fact=status["checkpoint"]["cause"] == "Done", seen=task.story)
    cost = (status["attempt"], status.get("failures", 0))
    claim = f"attempt {1 + kills}, retries used in a row: {min(kills, 1)} (a kill uses one, suspending uses none)"
    holds(screen, claim, fact=cost == (1 + kills, min(kills, 1)), seen=task.story)
    holds(screen, "no pod of the task is active", fact=not task.active_pods(), seen=task.story)


def left_nothing(screen: Screen, task: Handle) -> None:
    """Check that of a terminated task only its record is there."""
    holds(screen, "no Job is left", fact=not task.jobs(), seen=task.story)
    holds(screen, "no pod is left", fact=not task.pods(), seen=task.story)
    holds(screen, "no saved data is left", fact=task.checkpoint.get("data") == "", seen=task.story)
