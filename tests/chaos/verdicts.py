"""What must hold of a task however much went wrong around it: pure functions from what was seen to what was wrong.

Each returns sentences, none where all is well. What was seen are the versions of the task in the order of storage,
the journal of its workers, and its output. Retries are judged by `endings.py`; suspensions and steps back by
`watch_verdicts.py` and `checkpoints.py` of the end-to-end tests. It must not ask the cluster.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.e2e.support.client import Body

FINAL: Final = frozenset({"Complete", "Terminated"})


# --- The checkpoint, by every version of the task ---


def second_writers(versions: Sequence[Body]) -> list[str]:
    """Every write into the checkpoint by another than the pod that made the last claim.

    A claim takes the next epoch and keeps sequence and data; a save keeps epoch and holder and raises the sequence.
    """
    found = []
    for old, new in pairwise(map(checkpoint_of, versions)):
        if new == old:
            continue
        if not new:
            found.append(f"the checkpoint of {words(old)} is gone")
        elif new["cause"] == "Claim" and new["epoch"] != old.get("epoch", 0):
            kept = [old.get("sequence", 0), old.get("data", "")]
            if new["epoch"] != old.get("epoch", 0) + 1 or [new["sequence"], new["data"]] != kept:
                found.append(f"{words(new)} was claimed after {words(old)}")
        elif any(new[key] != old.get(key) for key in ("epoch", "holder")) or new["sequence"] <= old["sequence"]:
            found.append(f"{words(new)} was written over {words(old)}")
    return found


def unwanted_claims(versions: Sequence[Body]) -> list[str]:
    """Every claim that was accepted while something else than `Run` was desired."""
    return [
        f"{words(checkpoint_of(new))} was claimed while {new['spec']['desiredState']} was desired"
        for old, new in pairwise(versions)
        if checkpoint_of(new).get("epoch", 0) > checkpoint_of(old).get("epoch", 0)
        and new["spec"]["desiredState"] != "Run"
    ]


def false_successes(versions: Iterable[Body], batches: int) -> list[str]:
    """Every version that says `Complete` without the worker's word for it, and with batches left."""
    return [
        f"Complete at batch {place(version)} of {batches}, with {words(checkpoint_of(version))}"
        for version in versions
        if version["status"]["state"] == "Complete"
        and (checkpoint_of(version).get("cause") != "Done" or place(version) != batches)
    ]


def revivals(versions: Iterable[Body]) -> list[str]:
    """Every change from a final state to another."""
    return [
        f"from {old} to {new}"
        for old, new in pairwise(version["status"]["state"] for version in versions)
        if old in FINAL and new != old
    ]


# --- The work, by the journal of the workers ---


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """The end of an epoch that did not do all the work, and what it cost.

    `how` its pod ended, the batch at which the next one `began`, and how many of its batches had to be done `again`.
    """

    epoch: int
    how: str
    began: int
    again: int


def wrong_beginnings(versions: Sequence[Body], journal: Iterable[tuple[int, int]]) -> list[str]:
    """Every worker that began elsewhere than at the last acknowledged save, or left a batch out.

    `journal`: batch and epoch, in the order of writing. This is what bounds the work that is lost: whatever is done
    again came after the last save that the API server had acknowledged before the claim.
    """
    starts = beginnings(versions)
    done: dict[int, list[int]] = {}
    for batch, epoch in journal:
        done.setdefault(epoch, []).append(batch)
    return [
        f"epoch {epoch} did {brief(batches)}, and the save it claimed says {starts.get(epoch, 'nothing')}"
        for epoch, batches in done.items()
        if epoch not in starts or batches != list(range(starts[epoch], starts[epoch] + len(batches)))
    ]


def interruptions(
    versions: Sequence[Body], journal: Sequence[tuple[int, int]], ends: Mapping[str, str]
) -> list[Interruption]:
    """All of them, oldest first. `ends`: how each pod ended, by UID."""
    starts = beginnings(versions)
    holders = {checkpoint_of(version).get("epoch"): checkpoint_of(version).get("holder", "") for version in versions}
    found = []
    for epoch, following in pairwise(sorted(starts)):
        again = sum(1 for batch, of in journal if of == epoch and batch >= starts[following])
        how = ends.get(holders[epoch], "unseen")
        found.append(Interruption(epoch=epoch, how=how, began=starts[following], again=again))
    return found


def needless_repeats(found: Iterable[Interruption]) -> list[str]:
    """Work that was done again although its worker was only asked to stop: it may not leave before all is saved."""
    return [
        f"{cost.again} batches from batch {cost.began} on again, after epoch {cost.epoch} was {cost.how}"
        for cost in found
        if cost.how in {"saved", "stopped"} and cost.again
    ]


# --- The end ---


def unfinished(tasks: Iterable[Body]) -> list[str]:
    """Tasks that are not `Complete` at their present generation."""
    return [
        f"{task['metadata']['name']} is {task['status']['state']} at {place(task)}"
        for task in tasks
        if task["status"]["state"] != "Complete"
        or task["status"]["observedGeneration"] != task["metadata"]["generation"]
    ]


def wrong_output(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Files that differ from those of an undisturbed run; both map a file to its checksum."""
    return [
        f"{name}: {'missing' if name not in found else 'unexpected' if name not in expected else 'different'}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]


# --- What they look at ---


def checkpoint_of(task: Body) -> Body:
    """The checkpoint; {} before the first claim."""
    checkpoint: Body = task["status"].get("checkpoint") or {}
    return checkpoint


def state_of(task: Body) -> Body:
    """What the worker had saved: the state of programs/chain.py, in the library's envelope."""
    state: Body = json.loads(checkpoint_of(task).get("data") or '{"state": {}}')["state"]
    return state


def place(task: Body) -> int:
    """The batch at which a worker would begin."""
    following: int = state_of(task).get("next", 0)
    return following


def beginnings(versions: Iterable[Body]) -> dict[int, int]:
    """For each epoch the batch at which its worker must begin: what was saved when it claimed."""
    starts: dict[int, int] = {}
    for version in versions:
        if (epoch := checkpoint_of(version).get("epoch")) is not None:
            starts.setdefault(epoch, place(version))
    return starts


def words(checkpoint: Body) -> str:
    """A checkpoint in short."""
    if not checkpoint:
        return "no checkpoint"
    return (
        f"epoch {checkpoint['epoch']} of {checkpoint['holder'][:8]}, sequence {checkpoint['sequence']}"
        f" ({checkpoint['cause']})"
    )


def brief(batches: Sequence[int]) -> str:
    """Batches in short: in order, or the first place where they are not."""
    for index, (old, new) in enumerate(pairwise(batches)):
        if new != old + 1:
            return f"{batches[0]} to {old}, then {new} ({index + 1} of {len(batches)})"
    return f"{batches[0]} to {batches[-1]}"
