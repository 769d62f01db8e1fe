"""Recorded versions as the simulators' objects, and what differs between two of them.

Objects are known by the names that they have in the recording; versions are revisions. It must not know who may write
what.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

from longtask.core.observed import PodPhase
from tests.model.objects import JobCondition, SimJob, SimPod, SimTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.support.client import Body
    from tests.model.recordings.logs import Line

FOREGROUND: Final = "foregroundDeletion"
NOT_COMPARED: Final = frozenset({"version", "ended"})
TIMES: Final = frozenset({"asked", "started"})
TOLERANCE: Final = 2
"""Seconds: stored times are cut to whole ones, and a line is dated when it arrived."""

Thing = SimTask | SimJob | SimPod


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The cluster right after a write."""

    tasks: Mapping[str, SimTask] = field(default_factory=dict)
    jobs: Mapping[str, SimJob] = field(default_factory=dict)
    pods: Mapping[str, SimPod] = field(default_factory=dict)
    orphaning: frozenset[str] = frozenset()
    """Jobs whose pods are to stay: they have the finalizer `orphan`."""

    def after(self, line: Line) -> Moment:
        """The cluster after that write as well."""
        name = line.body["name"]
        thing = None if line.gone else thing_of(line)
        plural = {"LongTask": "tasks", "Job": "jobs", "Pod": "pods"}[line.kind]
        others = {key: old for key, old in getattr(self, plural).items() if key != name}
        now = others if thing is None else {**others, name: thing}
        orphaning = self.orphaning | {name} if "orphan" in line.body.get("finalizers", []) else self.orphaning
        return replace(self, **{plural: now}, orphaning=orphaning)

    def get(self, name: str) -> Thing | None:
        """An object by its name; None if there is none of that name."""
        return self.tasks.get(name) or self.jobs.get(name) or self.pods.get(name)


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One recorded write: the cluster before it, the name of what was written, and what it is now."""

    before: Moment
    name: str
    real: Thing | None
    now: int
    revision: int


def thing_of(line: Line) -> Thing:
    """The object of one line."""
    if line.kind == "Job":
        return _job(line.body, line.rv)
    if line.kind == "Pod":
        return _pod(line.body, line.rv)
    name = line.body["name"]
    leaving = FOREGROUND in line.body.get("finalizers", [])
    return SimTask(name=name, uid=name, version=line.rv, deleting=leaving, foreground=leaving)


def _job(body: Body, revision: int) -> SimJob:
    status = body.get("status", {})
    uncounted = status.get("uncounted", {})
    return SimJob(
        name=body["name"],
        uid=body["name"],
        version=revision,
        owner=next(iter(body.get("owner", [])), None),
        backoff_limit=body["backoffLimit"],
        suspend=body.get("suspend", False),
        deleting="deletion" in body,
        conditions=tuple(_condition(kind, said) for kind, said in status.get("conditions", {}).items()),
        **{count: status.get(count, 0) for count in ("active", "terminating", "succeeded", "failed")},
        uncounted_succeeded=tuple(uncounted.get("succeeded", [])),
        uncounted_failed=tuple(uncounted.get("failed", [])),
        started=int(status["started"]) if "started" in status else None,
    )


def _condition(kind: str, said: str) -> tuple[JobCondition, bool, str]:
    status, _, reason = said.partition(" ")
    return JobCondition(kind), status == "True", reason


def _pod(body: Body, revision: int) -> SimPod:
    deletion, container = body.get("deletion"), body.get("container", {})
    ended = container.get("ended")
    return SimPod(
        name=body["name"],
        uid=body["name"],
        version=revision,
        task_uid="task-1",
        owner=next(iter(body.get("owner", [])), None),
        phase=PodPhase(body["phase"]),
        node=body.get("node"),
        tracked="job-tracking" in body.get("finalizers", []),
        asked=int(deletion["time"] - deletion["grace"]) if deletion else None,
        grace=deletion["grace"] if deletion else 0,
        disrupted=body.get("conditions", {}).get("DisruptionTarget", "").startswith("True"),
        running=container.get("running", False),
        exit_code=container.get("exit"),
        ended=None if ended is None else int(ended),
    )


def differences(simulated: Thing | None, real: Thing | None) -> list[str]:
    """What differs, as `field: simulated, really real`; empty when they are the same as far as anybody can tell."""
    if simulated is None or real is None:
        return [] if simulated is real else [f"{_short(simulated)}, really {_short(real)}"]
    return [
        f"{name}: {_short(ours)}, really {_short(theirs)}"
        for name in (found.name for found in fields(simulated))
        if name not in NOT_COMPARED
        and (ours := getattr(simulated, name)) != (theirs := getattr(real, name))
        and not (name in TIMES and None not in (ours, theirs) and abs(ours - theirs) <= TOLERANCE)
    ]


def is_made(after: Thing | None, happened: Happened) -> bool:
    """Whether this is what was recorded.

    The API server removes a pod that is to go at once in two writes, where the simulators have one: it is marked with a
    grace of 0, and gone. So where it is to be gone, the mark will do.
    """
    if not differences(after, happened.real):
        return True
    before = happened.before.pods.get(happened.name)
    if after is not None or before is None or before.tracked or not isinstance(happened.real, SimPod):
        return False
    return not differences(replace(before, asked=happened.now, grace=0), happened.real)


def is_second_half(happened: Happened) -> bool:
    """Whether it is the end of a pod that was marked so and that no finalizer keeps: nobody decides on that."""
    pod = happened.before.pods.get(happened.name)
    return happened.real is None and pod is not None and pod.asked is not None and not pod.grace and not pod.tracked


def _short(value: object) -> str:
    return "gone" if value is None else value.name if isinstance(value, Thing) else repr(value)
