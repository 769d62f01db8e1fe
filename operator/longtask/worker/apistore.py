"""Checkpoints in the task's status, at the API server, which enforces the rules (docs/worker-protocol.md).

Every write is a JSON patch that begins by testing the task's UID, and sets the checkpoint as a whole: the rules of the
CRD then make it a compare-and-set. It must not know when to save, nor wait, nor try twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.worker.envelope import MAX_BYTES
from longtask.worker.errors import (
    AlreadyDone,
    AwayError,
    DataError,
    FencedError,
    LongTaskError,
    RefusedError,
    TaskFinalError,
    TaskGoneError,
)
from longtask.worker.store import Cause, Claim, Wanted, anything, is_checkpoint, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from longtask.worker.api import Answer, Door
    from longtask.worker.settings import ClusterSettings
    from longtask.worker.store import Snapshot

PERMISSION_PATIENCE = 30.0  # seconds: until a role binding, a policy or a pod-bound token has taken effect everywhere
REQUEST_SECONDS = 10.0
_FINAL = frozenset({"Complete", "Terminated"})
_DESIRED = frozenset({Wanted.RUN, Wanted.SUSPEND, Wanted.TERMINATE})


class ApiStore:
    """The checkpoint of one task, as seen by one pod."""

    name = "the API server"
    limit = MAX_BYTES

    def __init__(self, door: Door, who: ClusterSettings) -> None:
        self._door = door
        self._who = who
        self._asked: dict[str, Any] | None = None  # the claim that was sent last
        self._epoch = 0

    def claim(self, accept: Callable[[str], None] = anything) -> Claim:
        """See CheckpointStore. Also raises AwayError, with little patience, while no claim is allowed."""
        task = self._look(REQUEST_SECONDS)
        found = _checkpoint(task)
        if found is None or found != self._asked:
            self._refuse_or_pass(task, found)
            accept("" if found is None else self._given(found))
            self._asked = self._claim_on(found)
            answer = self._patch(self._asked, None, REQUEST_SECONDS)
            if not answer.ok:  # another was faster, or this pod isn't known yet: look again
                raise AwayError(f"the claim is refused: {answer.words}", patience=PERMISSION_PATIENCE)
            found = _checkpoint(answer.body)
            if found != self._asked:
                raise AwayError("the claim was answered with another checkpoint", patience=PERMISSION_PATIENCE)
        self._epoch = found["epoch"]
        return Claim(found["epoch"], found["sequence"], self._given(found))

    def adopt(self) -> Claim:
        """Go on with the claim that another process of this pod has made.

        Raises AwayError or TaskGoneError; FencedError if the task is not this pod's.
        """
        found = _checkpoint(self._look(REQUEST_SECONDS))
        if found is None or (found["holder"], found["attempt"]) != (self._who.pod_uid, self._who.attempt):
            holder = "nobody" if found is None else f"pod {found['holder']}"
            raise FencedError(f"{holder} holds the task, and this is pod {self._who.pod_uid}")
        self._epoch = found["epoch"]
        return Claim(found["epoch"], found["sequence"], self._given(found))

    def _given(self, found: dict[str, Any]) -> str:
        """What the work goes on from: nothing that was saved before the task was started over.

        Raises DataError for an earlier save that it is to go on from, where none but the last is kept.
        """
        data: str = found["data"]
        if found["sequence"] > self._who.start_over:
            return data
        if self._who.rewind is None:
            return ""
        if not self._who.keeps_versions and found["sequence"] != self._who.rewind:
            raise DataError(
                f"spec.restartFrom is {self._who.rewind}, and without spec.checkpoint.volume or objectStore none but "
                f"the last save, {found['sequence']}, is kept"
            )
        return data

    def wanted(self) -> Wanted:
        """Ask what is wanted of the task. Raises AwayError or TaskGoneError."""
        return _wanted(self._look(REQUEST_SECONDS))

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> Wanted:
        """See CheckpointStore."""
        checkpoint = {
            "epoch": self._epoch,
            "holder": self._who.pod_uid,
            "attempt": self._who.attempt,
            "sequence": sequence,
            "cause": str(snapshot.cause),
            "time": snapshot.time,
            "data": snapshot.data,
        }
        answer = self._patch(checkpoint, snapshot.progress, seconds)
        if answer.ok and _checkpoint(answer.body) == checkpoint:
            return _wanted(answer.body)
        task = self._look(seconds)
        if _checkpoint(task) == checkpoint:  # an earlier try was carried out, and what is refused is only this one
            return _wanted(task)
        raise self._verdict(task, answer)

    def now(self) -> float:
        """See CheckpointStore: the API server's time, whatever its node's clock is."""
        return self._door.clock.now()

    def close(self) -> None:
        """Close the connection."""
        self._door.close()

    def _look(self, seconds: float) -> dict[str, Any]:
        """Read the task. Raises TaskGoneError when it, or the one this pod belongs to, is not there."""
        answer = self._door.get(self._who.path, seconds)
        if answer.ok:
            if _part(answer.body, "metadata").get("uid") != self._who.uid:
                raise TaskGoneError("the task was deleted and created again: this pod belongs to the old one")
            return answer.body
        if answer.status == 404 and _part(answer.body, "details").get("name") == self._who.name:
            raise TaskGoneError("the task was deleted")
        raise AwayError(f"the task can't be read ({answer.status}): {answer.words}", patience=PERMISSION_PATIENCE)

    def _refuse_or_pass(self, task: dict[str, Any], found: dict[str, Any] | None) -> None:
        """Raise if no claim can be made now: the server would say the same, with less of a reason."""
        status, wanted = _part(task, "status"), _wanted(task)
        if found is not None and found["cause"] == Cause.DONE and found["attempt"] == self._who.attempt:
            raise AlreadyDone(f"all work was done at {found['time']}")
        obstacle = ""
        if str(status.get("state")) in _FINAL:
            obstacle = f"the task is {status['state']}"
        elif wanted is not Wanted.RUN:
            obstacle = "the task is being deleted" if wanted is Wanted.DELETE else f"the task is to {wanted.lower()}"
        elif status.get("attempt", 1) != self._who.attempt:
            obstacle = f"this pod is of attempt {self._who.attempt}, and the task is at {status.get('attempt', 1)}"
        if obstacle:
            raise AwayError(f"no claim is allowed: {obstacle}", patience=PERMISSION_PATIENCE)

    def _claim_on(self, found: dict[str, Any] | None) -> dict[str, Any]:
        """Return the claim that may follow what was found; after an unknown outcome the same one again."""
        base = found or {"epoch": 0, "sequence": 0, "data": ""}
        claim = {
            "epoch": base["epoch"] + 1,
            "holder": self._who.pod_uid,
            "attempt": self._who.attempt,
            "sequence": base["sequence"],
            "cause": str(Cause.CLAIM),
            "time": timestamp(self.now()),
            "data": base["data"],
        }
        if self._asked is not None and claim | {"time": ""} == self._asked | {"time": ""}:
            return self._asked
        return claim

    def _patch(self, checkpoint: dict[str, Any], progress: dict[str, Any] | None, seconds: float) -> Answer:
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": self._who.uid},
            {"op": "add", "path": "/status/checkpoint", "value": checkpoint},
        ]
        if progress is not None:
            operations.append({"op": "add", "path": "/status/progress", "value": progress})
        return self._door.patch(f"{self._who.path}/status", operations, seconds)

    def _verdict(self, task: dict[str, Any], answer: Answer) -> LongTaskError:
        """Say why a save was not taken, from how the task is now."""
        status = _part(task, "status")
        found = _checkpoint(task)
        if found is None or (found["epoch"], found["holder"]) != (self._epoch, self._who.pod_uid):
            holder = found["holder"] if found else "nobody"
            epoch = found["epoch"] if found else 0
            return FencedError(f"pod {holder} holds the task with epoch {epoch}; this one is {self._epoch}")
        if status.get("attempt") != self._who.attempt:
            return FencedError(f"attempt {status.get('attempt')} has begun; this pod is of {self._who.attempt}")
        if str(status.get("state")) in _FINAL:
            return TaskFinalError(status["state"])
        if answer.ok:
            return AwayError("the save was answered with another checkpoint", patience=PERMISSION_PATIENCE)
        if answer.status in {403, 404}:
            return AwayError(f"the save is refused ({answer.status}): {answer.words}", patience=PERMISSION_PATIENCE)
        return RefusedError(f"the save is refused ({answer.status}): {answer.words}")


def _part(body: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a part of an answer, {} where it is absent. Raises AwayError for one that makes no sense: ask again."""
    found = body.get(key)
    if found is not None and not isinstance(found, dict):
        raise AwayError(f"the answer makes no sense: its {key} is {str(found)[:40]!r}", patience=PERMISSION_PATIENCE)
    return found or {}


def _checkpoint(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return the checkpoint, None where there is none. Half a one is not none: AwayError, as above."""
    found = _part(task, "status").get("checkpoint")
    if found is None or is_checkpoint(found):
        return found
    raise AwayError(f"the answer makes no sense: its checkpoint is {str(found)[:40]!r}", patience=PERMISSION_PATIENCE)


def _wanted(task: dict[str, Any]) -> Wanted:
    if _part(task, "metadata").get("deletionTimestamp"):
        return Wanted.DELETE
    desired = str(_part(task, "spec").get("desiredState"))
    return Wanted(desired) if desired in _DESIRED else Wanted.RUN  # a word of the future is left to the server's rules
