"""Waiting until the task may be claimed. It must not know what kind of store it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.worker.errors import AwayError, StoppedEarly
from longtask.worker.retry import Retry
from longtask.worker.store import anything

if TYPE_CHECKING:
    from collections.abc import Callable

    from longtask.worker.console import Console
    from longtask.worker.signals import Stop
    from longtask.worker.store import CheckpointStore, Claim

LONGEST_WAIT = 1.0  # a person who has just resumed the task is watching
PATIENCE = 600.0  # a network policy that cuts the pod off must show as a failure, an outage must not


def claim(store: CheckpointStore, stop: Stop, console: Console, accept: Callable[[str], None] = anything) -> Claim:
    """Claim the task as soon as that is allowed. `accept`: see CheckpointStore.

    Refusals are borne for 30 s, because they may pass: the task is about to be suspended, and SIGTERM on its way; or a
    permission is only just taking effect. Raises StoppedEarly at a stop request, otherwise as `CheckpointStore.claim`
    does, with RefusedError for a refusal that lasts.
    """
    retry = Retry(longest=LONGEST_WAIT, patience=PATIENCE)
    said = ""
    while not stop.requested:
        try:
            return store.claim(accept)
        except AwayError as error:
            seconds = retry.wait_after(error)
            if str(error) != said:
                said = str(error)
                console.say(f"waiting to claim the task: {error}")
            stop.wait(seconds)
    raise StoppedEarly("asked to stop before the task was claimed: nothing is unsaved")
