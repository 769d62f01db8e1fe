"""What was wrong with a run, told from every version of every object that the API server has stored, and from what the
workers wrote: never from what the operator says. Pure functions; no cluster.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from longtask.api import names
from tests.e2e.support.checkpoints import next_item, steps_back, writers
from tests.e2e.support.watch_verdicts import TASK_UID, false_suspensions, side_by_side, versions
from tests.faults.site import BYSTANDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.e2e.support.client import Body
    from tests.e2e.support.watch import Seen
    from tests.faults.request import Request
    from tests.faults.scenarios import End

Output = list[tuple[int, int]]
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ROUNDED: Final = 3.0
"""Seconds: an answer tells the time to the second, and a time in a status may be whole seconds."""


def violations(log: Sequence[Seen], uid: str) -> list[str]:
    """Every broken promise that can be seen in a log, whatever the scenario."""
    own = versions(log, uid)
    without_jobs = [seen for seen in log if seen.kind != "Job"]
    checks = {
        "Suspended while a pod is active": false_suspensions(without_jobs),
        "two pods at once": side_by_side(without_jobs),
        "the checkpoint went back": steps_back(body for body in own if body["status"]["state"] != "Terminated"),
        "two writers": double_writers(own),
        "a claim that was not allowed": forbidden_claims(own),
        "Terminated is not final": left_terminated(own),
        "the status went back": older_words(own),
        "a Job runs that nobody wants": unwanted_starts(log, uid),
        "somebody else's Job": touched(log),
    }
    return [f"{what}: {found}" for what, some in checks.items() for found in some]


def double_writers(own: Iterable[Body]) -> list[str]:
    """Epochs that had two holders, or came back."""
    epochs = [epoch for epoch, _ in writers(own)]
    return [f"epoch {new} after {old}" for old, new in pairwise(epochs) if new <= old]


def forbidden_claims(own: Sequence[Body]) -> list[str]:
    """Claims that were accepted while the task was not to run."""
    return [
        f"epoch {epoch_of(new)} while {new['spec']['desiredState']} is desired"
        for old, new in pairwise(own)
        if epoch_of(new) > epoch_of(old) and new["spec"]["desiredState"] != "Run"
    ]


def left_terminated(own: Sequence[Body]) -> list[str]:
    """Versions that say something else than an earlier `Terminated`, or that still hold data."""
    ended = [body for body in own if body["status"]["state"] == "Terminated"]
    after = own[own.index(ended[0]) :] if ended else []
    return [
        f"version {body['metadata']['resourceVersion']} is {body['status']['state']}"
        for body in after
        if body["status"]["state"] != "Terminated" or body["status"].get("checkpoint", {}).get("data")
    ]


def older_words(own: Sequence[Body]) -> list[str]:
    """Versions of the status that speak of an earlier attempt, or of an earlier spec, than the version before."""
    said = [(body["status"]["attempt"], body["status"]["observedGeneration"]) for body in own]
    return [f"from {old} to {new}" for old, new in pairwise(said) if new[0] < old[0] or new[1] < old[1]]


def unwanted_starts(log: Iterable[Seen], uid: str) -> list[str]:
    """Writes by which a Job of the task was created or resumed while it was not to run; one that cleans up is to."""
    found: list[str] = []
    desired, running = "Run", dict[str, bool]()
    for seen in log:
        metadata = seen.body["metadata"]
        if metadata["uid"] == uid:
            desired = "nothing" if seen.gone else seen.body["spec"]["desiredState"]
        elif seen.kind == "Job" and metadata.get("labels", {}).get(TASK_UID) == uid and not seen.gone:
            runs = not seen.body["spec"].get("suspend")
            works = metadata["labels"].get(names.LABEL_ATTEMPT) != "0"
            if works and runs and not running.get(metadata["uid"]) and desired != "Run":
                found.append(f"{metadata['name']} at {seen.revision}, with {desired} desired")
            running[metadata["uid"]] = runs
    return found


def needless_calls(own: Sequence[Body]) -> list[str]:
    """Versions that say that only a person can help, where nobody has to."""
    conditions = [condition for body in own for condition in body["status"].get("conditions", ())]
    calls = [c for c in conditions if c["type"] == "Stalled" and c["status"] == "True"]
    return [f"a person is called without need: {reason}" for reason in sorted({c["reason"] for c in calls})]


def wrong_times(own: Iterable[Body], began: float, ended: float) -> list[str]:
    """Times in the status that lie outside the run, by the clock of the API server."""
    found = {written for body in own for written in _times(body["status"])}
    stamps = {written: datetime.fromisoformat(written).timestamp() for written in sorted(found)}
    return [
        f"the status says {written}, by a clock that is wrong"
        for written, at in stamps.items()
        if not began - _ROUNDED <= at <= ended + _ROUNDED
    ]


def _times(part: object) -> Iterator[str]:
    """Every time in a status, but those that are to come."""
    match part:
        case dict():
            for key, value in part.items():
                if key not in {"estimatedCompletionTime", "nextTryTime", "data"}:
                    yield from _times(value)
        case list():
            for value in part:
                yield from _times(value)
        case str() if _TIME.fullmatch(part):
            yield part


def touched(log: Iterable[Seen]) -> list[str]:
    """What was done to Jobs that are not ours."""
    others = [seen for seen in log if seen.kind == "Job" and seen.body["metadata"]["name"] == BYSTANDER]
    return [
        f"version {new.revision} of {BYSTANDER}"
        for old, new in pairwise(others)
        if new.gone or essence(new.body) != essence(old.body)
    ]


def essence(body: Body) -> object:
    """What nobody else may change."""
    metadata = body["metadata"]
    return body["spec"], metadata.get("labels"), metadata.get("ownerReferences"), metadata.get("deletionTimestamp")


def epoch_of(body: Body) -> int:
    """Epoch of the checkpoint; 0 without one."""
    epoch: int = body["status"].get("checkpoint", {}).get("epoch", 0)
    return epoch


def wrong_end(log: Sequence[Seen], uid: str, end: End, *, killed: int = 0) -> list[str]:
    """In what the last versions differ from how it must end. `killed`: workers that have died, each of which may have
    used a retry, or have taken the place of an interruption that begins another attempt.
    """
    last = {seen.body["metadata"]["uid"]: seen for seen in log}
    task = last[uid]
    own = [seen for seen in last.values() if seen.body["metadata"].get("labels", {}).get(TASK_UID) == uid]
    jobs = [seen for seen in own if seen.kind == "Job" and not seen.gone]
    pods = [seen for seen in own if seen.kind == "Pod" and not seen.gone]
    if killed and end.state == "Complete" and not jobs:  # of a worker that died once it had said that all was done
        end = replace(end, jobs=0)
    active = [pod for pod in pods if pod.body["status"].get("phase") not in {"Succeeded", "Failed"}]
    found = {"gone": task.gone, "jobs": len(jobs), "active pods": len(active)}
    wanted = {"gone": end.gone, "jobs": end.jobs, "active pods": 0}
    if end.state == "Terminated":
        found["pods"], wanted["pods"] = len(pods), 0
    if end.gone:
        return differences(found, wanted)
    status = task.body["status"]
    ready = next(condition for condition in status["conditions"] if condition["type"] == "Ready")
    said = {
        "state": status["state"],
        "generation": status["observedGeneration"],
        "done": status.get("progress", {}).get("done", 0),
    }
    meant = {"state": end.state, "generation": task.body["metadata"]["generation"], "done": end.items}
    course = {
        "reason": ready["reason"],
        "attempt": status["attempt"],
        "failures": status.get("failures") or 0,
    }
    if killed == 0:
        meant |= {"reason": end.reason, "attempt": end.attempt, "failures": end.failures or 0}
    wrong = differences({**found, **said, **course}, {**wanted, **meant})
    if killed and course["failures"] > (end.failures or 0) + killed:
        wrong.append(f"{course['failures']} failures, with {killed} workers killed")
    return wrong


def as_far_as_it_got(end: End, items: int) -> End:
    """The end where workers were killed: what they had not saved may stay undone if the task ended before that."""
    return end if end.saved is None else replace(end, items=max(end.saved, min(items, end.items)))


def differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """Every entry that is not as it should be."""
    return [f"{key} is {found[key]!r} and not {value!r}" for key, value in wanted.items() if found[key] != value]


def wrong_output(output: Output, log: Sequence[Seen], uid: str, end: End, *, redone: bool) -> list[str]:
    """What is missing, out of order, or done again without need. `redone`: work may have been lost with its worker.

    Each epoch begins where the checkpoint was that its claim found, and goes on item by item.
    """
    items = [item for item, _ in output]
    if not redone:
        return [] if items == end.written else [f"the output is {output}"]
    wrong = [] if sorted(set(items)) == end.written else [f"the output is {output}"]
    begins = {epoch_of(body): following(body) for body in reversed(versions(log, uid)) if epoch_of(body)}
    for epoch, group in groupby(output, key=lambda line: line[1]):
        some = [item for item, _ in group]
        if some != list(range(some[0], some[0] + len(some))) or some[0] != begins.get(epoch):
            wrong.append(f"epoch {epoch} began at {begins.get(epoch)} and wrote {some}")
    return wrong


def following(body: Body) -> int:
    """The item that a checkpoint says is next."""
    return next_item(body["status"]["checkpoint"].get("data", ""))


_OWN_WRITES: Final = {
    ("patch", "longtasks", "status"),
    ("create", "events", ""),
    ("create", "rolebindings", ""),
    ("create", "jobs", ""),
    ("create", "persistentvolumeclaims", ""),
}


def foreign_writes(writes: Iterable[Request], task: str, uid: str, *, finalizer: bool = False) -> list[str]:
    """Writes of the operator into what is not its task's. `finalizer`: the task itself is one that it may write to."""
    prefix = f"{task}-{uid[:8]}-"
    return [
        f"a write into what is not its own: {request}"
        for request in writes
        if not (
            (request.verb, request.resource, request.subresource) in _OWN_WRITES
            or (finalizer and (request.verb, request.resource, request.name) == ("patch", "longtasks", task))
            or (request.resource in {"jobs", "pods", "persistentvolumeclaims"} and request.name.startswith(prefix))
        )
    ]
