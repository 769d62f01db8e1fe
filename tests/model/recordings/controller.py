"""Whether the simulated Job controller could have made the writes that the real one made, in that order.

The real one syncs a Job from copies that may lag, and a sync makes several writes, between which others write. So what
is followed are all the syncs that may be under way: for each, the writes that are still to come.

* A sync begins with the Job and the pods as they were at any time since the controller's own last write to them: it
  waits until it sees its own (StaleControllerConsistencyJob). Jobs and pods come through different watches, so their
  times differ. It does not wait for its own deletions: with pods from before one it only counts (`expecting`).
* Writes to several pods of one step go out at the same time: any order.
* A write that changes nothing, or meets nothing, leaves no version: it is passed over. A status over an old version or
  one that the API server refuses ends the sync.
* No sync begins before the last has made all its writes.
* A status that differs in nothing that the simulator knows (the number of ready pods) needs a sync that writes none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from longtask.core.observed import PodPhase
from tests.model import job_controller, storage
from tests.model.job_controller import CreatePod, DeletePod, DropFinalizer, UpdateStatus, Write
from tests.model.objects import JobCondition, SimJob, SimPod
from tests.model.recordings.worlds import Happened, Moment, Thing, differences, is_made

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_PAUSE: Final = 10
LONGEST_PAUSE: Final = 600
"""Seconds: DefaultJobPodFailureBackOff and MaxJobPodFailureBackOff in job_controller.go."""
CLOCKS: Final = 2
"""Seconds by which the end of a pause may be wrong: a container's end is known to the second."""

Rest = tuple[Write, ...]


class SyncOverError(Exception):
    """A write was refused: the controller gives the sync up."""


@dataclass
class Controller:
    """Follows the controller through one recording. `grace`: of the pods, in seconds."""

    grace: int
    jobs: list[Moment] = field(default_factory=lambda: [Moment()])
    """The cluster as it was since the controller's last write to a Job: what its copy of Jobs may be."""
    pods: list[tuple[Moment, bool]] = field(default_factory=lambda: [(Moment(), False)])
    """The same for pods, and whether it has deleted one since then."""
    under_way: set[Rest] = field(default_factory=lambda: {()})
    freed: dict[str, int | None] = field(default_factory=dict)
    """Failed pods that it is done with, and when they ended: what its pause is reckoned from."""
    _last_was_deletion: bool = False

    def sees(self, moment: Moment) -> None:
        """Somebody else has written: the controller may see it from here on."""
        self.jobs.append(moment)
        self.pods.append((moment, False))

    def has_written(self, moment: Moment, name: str) -> None:
        """It has written itself, and does nothing before it sees that, unless it was a deletion."""
        if name in moment.jobs:
            self.jobs = []
        elif self._last_was_deletion:
            self.pods = [(old, True) for old, _ in self.pods]
        else:
            self.pods = []
        self.sees(moment)

    def wrote(self, happened: Happened) -> set[str]:
        """Follow one write of the controller; returns what it may have been, or nothing if it may not have been."""
        begun = (
            (f"sync: {name}", rest)
            for w in (*self.under_way, *self._syncs(happened))
            for name, rest in self._steps(w, happened)
        )
        released = (("release_orphan", rest) for w in self._releases() for _, rest in self._steps(w, happened))
        found = {rest: step for step, rest in (*released, *begun)}
        if found:
            self.under_way = set(found)
            self._last_was_deletion = any(DeletePod.__name__ in step for step in found.values())
            self._note_freed(happened)
        return set(found.values())

    def to_do(self, moment: Moment, now: int) -> list[str]:
        """What it has yet to do when nobody writes any more; empty when some sync may leave everything as it is."""
        happened = Happened(before=moment, name="", real=None, now=now, revision=0)
        left = [_words(writes, self._effective(writes, happened)) for writes in self.under_way]
        if all(left):
            return left[0]
        for job in moment.jobs.values():
            choices = [job_controller.sync(job, _of(moment), now=now, backing_off=b) for b in self._pauses(moment, now)]
            undone = [_words(writes, self._effective(writes, happened)) for writes in choices]
            if all(undone):
                return undone[0]
        return [f"release {pod.name}" for pod in moment.pods.values() if self._release(pod, moment)]

    def could(self, moment: Moment, now: int) -> list[str]:
        """What the simulator would do next: for people who read a difference."""
        happened = Happened(before=moment, name="", real=None, now=now, revision=0)
        syncs = [job_controller.sync(job, _of(moment), now=now, backing_off=False) for job in moment.jobs.values()]
        return [word for writes in syncs for word in _words(writes, self._effective(writes, happened))]

    # --- beginnings

    def _syncs(self, happened: Happened) -> Iterator[Rest]:
        if all(self._effective(writes, happened) for writes in self.under_way):
            return
        views = {(_of(view), expecting): view for view, expecting in self.pods}
        for job in {job for old in self.jobs for job in old.jobs.values()}:
            for (pods, expecting), view in views.items():
                for pause in self._pauses(view, happened.now):
                    yield job_controller.sync(job, pods, now=happened.now, backing_off=pause, expecting=expecting)

    def _releases(self) -> Iterator[Rest]:
        for view, _ in self.pods:
            for jobs in self.jobs:
                for pod in view.pods.values():
                    yield self._release(pod, jobs)

    def _release(self, pod: SimPod, moment: Moment) -> Rest:
        job = moment.jobs.get(pod.owner or "")
        freed = job_controller.release_orphan(pod, job)
        return () if freed is None else (freed,)

    def _pauses(self, view: Moment, now: int) -> list[bool]:
        """Whether it may be pausing after a failure; both, where clocks can't tell. getRemainingTime."""
        fresh = {pod.name: _ended(pod) for pod in view.pods.values() if pod.tracked and pod.phase is PodPhase.FAILED}
        failures = {**self.freed, **fresh}
        if not failures:
            return [False]
        if None in failures.values():
            return [False, True]
        pause = min(FIRST_PAUSE * 2 ** (len(failures) - 1), LONGEST_PAUSE)
        left = max(ended for ended in failures.values() if ended is not None) + pause - now
        return [True] if left > CLOCKS else [False] if left < -CLOCKS else [False, True]

    def _note_freed(self, happened: Happened) -> None:
        pod = happened.before.pods.get(happened.name)
        if pod is not None and pod.tracked and pod.phase is PodPhase.FAILED:
            self.freed[pod.name] = _ended(pod)

    # --- steps

    def _steps(self, writes: Rest, happened: Happened) -> Iterator[tuple[str, Rest]]:
        """The ways in which this may have been the next write of a sync: its name, and what is left."""
        passed: list[Write] = []
        for index, write in enumerate(writes):
            try:
                effect = self._effect(write, happened)
            except SyncOverError:
                return
            if effect is None:
                continue
            if passed and not _at_once(passed, write):
                break
            if self._is(effect, write, happened):
                rest = (*passed, *writes[index + 1 :])
                yield _name(write, happened), _over(rest, happened) if isinstance(write, UpdateStatus) else rest
                return
            passed.append(write)
        if (
            _is_unchanged(happened)
            and all(isinstance(write, DropFinalizer) for write in writes[:1])
            and _is_done(writes)
        ):
            yield "nothing but the number of ready pods", writes

    def _effective(self, writes: Rest, happened: Happened) -> list[Write]:
        """Those of the writes that would change something."""
        effective = []
        for write in writes:
            try:
                if self._effect(write, happened) is not None:
                    effective.append(write)
            except SyncOverError:
                break
        return effective

    def _effect(self, write: Write, happened: Happened) -> tuple[str, Thing | None] | None:
        """What a write makes of which object; None when it changes nothing. Raises SyncOverError."""
        if isinstance(write, CreatePod):
            return "", None
        if isinstance(write, UpdateStatus):
            return self._status(write.job, happened)
        pod = happened.before.pods.get(write.uid)
        if pod is None:
            return None
        if isinstance(write, DropFinalizer):
            return (pod.name, storage.drop_finalizer(pod)) if pod.tracked else None
        after = storage.delete_pod(pod, now=happened.now, grace=self.grace)
        return None if after == pod else (pod.name, after)

    def _status(self, job: SimJob, happened: Happened) -> tuple[str, Thing | None] | None:
        old = happened.before.jobs.get(job.name)
        if old is None or old.version != job.version:
            raise SyncOverError
        new = replace(job, suspend=old.suspend, deleting=old.deleting)
        if storage.job_status_refused(old, new):
            raise SyncOverError
        return None if new == old else (job.name, new)

    def _is(self, effect: tuple[str, Thing | None], write: Write, happened: Happened) -> bool:
        if isinstance(write, CreatePod):
            return _is_new_pod(happened, write.job)
        name, thing = effect
        return name == happened.name and is_made(thing, happened)


def _ended(pod: SimPod) -> int | None:
    """When a pod failed, for the pause: at the end of its container, or else when it was asked to go. getFinishedTime.

    None for a container that never ran: there its condition Ready tells, which is not recorded.
    """
    return pod.ended if pod.exit_code is not None else pod.asked


def _of(moment: Moment) -> tuple[SimPod, ...]:
    return tuple(moment.pods[name] for name in sorted(moment.pods))


def _at_once(passed: list[Write], write: Write) -> bool:
    """Whether it goes out at the same time as those: each to a pod of its own."""
    together = [*passed, write]
    uids = {one.uid for one in together if isinstance(one, DeletePod | DropFinalizer)}
    return len(uids) == len(together)


def _over(writes: Rest, happened: Happened) -> Rest:
    """A sync goes on with the version that its own status update made."""
    return tuple(
        replace(write, job=replace(write.job, version=happened.revision)) if isinstance(write, UpdateStatus) else write
        for write in writes
    )


def _is_done(writes: Rest) -> bool:
    """Whether a sync is done with managing pods: what follows is that of counting."""
    return not any(isinstance(write, CreatePod | DeletePod) for write in writes)


def _is_unchanged(happened: Happened) -> bool:
    old = happened.before.jobs.get(happened.name)
    return old is not None and not differences(old, happened.real)


def _is_new_pod(happened: Happened, job: SimJob) -> bool:
    fresh = SimPod(name=happened.name, uid=happened.name, task_uid="task-1", owner=job.uid)
    return happened.before.get(happened.name) is None and not differences(fresh, happened.real)


def _name(write: Write, happened: Happened) -> str:
    """A step's name: the write, and what it is for where that can be told from the status."""
    name = type(write).__name__
    old, new = happened.before.jobs.get(happened.name), happened.real
    if not isinstance(old, SimJob) or not isinstance(new, SimJob):
        return name
    for kind in JobCondition:
        if old.says(kind) != new.says(kind):
            return f"{name}: {kind.value}={new.says(kind)} {new.reason(kind)}"
    counted = (old.failed, old.succeeded) != (new.failed, new.succeeded)
    return f"{name}: {'counted' if counted else 'numbers of pods'}"


def _words(writes: Rest, effective: list[Write]) -> list[str]:
    return [
        f"{type(write).__name__} {write.job.name if isinstance(write, CreatePod | UpdateStatus) else write.uid}"
        for write in writes
        if write in effective
    ]
