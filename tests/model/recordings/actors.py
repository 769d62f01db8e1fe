"""Whether the simulated kubelet, garbage collector, scheduler or API server could have made a recorded write.

Each looks at one object as it was before and as it is now. They act on what they have seen, and none of what they wait
for is ever taken back, so the world right before the write is enough to judge by. It must not know of the Job
controller: controller.py does.

An eviction is two writes, where the simulators have one step: the condition, and the deletion. So is what the pod
collector does: the phase, and the deletion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.model import garbage, kubelet, storage
from tests.model.garbage import Collect, Owners
from tests.model.objects import SimJob, SimPod, SimProcess, SimTask
from tests.model.recordings.worlds import is_made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.recordings.worlds import Happened, Moment, Thing

POD_COLLECTOR_LOOKS_EVERY: Final = 22
"""Seconds, and some for its work: gcCheckPeriod in pkg/controller/podgc/gc_controller.go."""


def kubelet_steps(pod: SimPod, exit_code: int | None, now: int) -> Iterator[tuple[str, SimPod | None]]:
    """What the kubelet may do to a pod whose container ends with that code, if it ends."""
    yield from _reports(pod, None, now)
    yield from _reports(pod, _process(pod, None), now)
    if exit_code is not None:
        yield from _reports(pod, _process(pod, exit_code), now)
    if kubelet.may_delete(pod):
        kept = ", which its finalizer keeps" if pod.tracked else ""
        yield f"last_delete{kept}", kubelet.last_delete(pod, now=now)


def _reports(pod: SimPod, process: SimProcess | None, now: int) -> Iterator[tuple[str, SimPod]]:
    for after in kubelet.report(pod, process, now=now):
        if process is None:
            yield "report_never_started", after
        elif process.exit_code is None:
            yield "report_running", after
        else:
            yield "report_end" if after.final else "report_exit", after


def _process(pod: SimPod, exit_code: int | None) -> SimProcess:
    return SimProcess(
        pod=pod.uid,
        task_uid=pod.task_uid,
        task_name="task",
        attempt=pod.attempt,
        node=pod.node or "",
        exit_code=exit_code,
    )


def collector_steps(thing: Thing, moment: Moment, grace: int, now: int) -> Iterator[tuple[str, Thing | None]]:
    """What the garbage collector may do to an object."""
    if isinstance(thing, SimPod) and thing.owner in moment.orphaning:
        yield "the pod is left without its Job", replace(thing, owner=None)
        return
    if isinstance(thing, SimPod):
        if garbage.collect_pod(thing, _owners(moment)) is Collect.DELETE:
            gone = "" if thing.owner in moment.jobs else ", whose Job is gone"
            yield f"collect_pod: DELETE{gone}", storage.delete_pod(thing, now=now, grace=grace)
        return
    if isinstance(thing, SimJob):
        verdict = garbage.collect_job(thing, moment.pods.values(), _owners(moment))
        what = "collect_job"
    else:
        verdict = garbage.collect_task(thing, moment.jobs.values())
        what = "collect_task"
    if verdict is Collect.DELETE_IN_FOREGROUND:
        yield f"{what}: {verdict.name}", replace(thing, deleting=True)
    elif verdict is not None:
        yield f"{what}: {verdict.name}", None


def _owners(moment: Moment) -> Owners:
    things: tuple[SimTask | SimJob, ...] = (*moment.tasks.values(), *moment.jobs.values())
    return Owners(present=[thing.uid for thing in things], leaving=[thing.uid for thing in things if thing.deleting])


def scheduler_steps(pod: SimPod, node: str | None) -> Iterator[tuple[str, SimPod]]:
    """A pod that nobody has asked to end gets a node, once."""
    if pod.node is None and pod.asked is None:
        yield "scheduled", replace(pod, node=node)


def eviction_steps(pod: SimPod, grace: int, now: int) -> Iterator[tuple[str, SimPod | None]]:
    """What an eviction does, by whomever: the condition, then the deletion."""
    if not pod.disrupted:
        marked = garbage.evict(pod, now=now, grace=grace)
        if marked is not None:
            yield "evict: condition", replace(pod, disrupted=marked.disrupted)
    else:
        yield "evict: deletion", garbage.evict(pod, now=now, grace=grace)


def pod_collector_steps(pod: SimPod, now: int) -> Iterator[tuple[str, SimPod | None]]:
    """What the pod collector may do: mark as failed, in a write of its own, and delete."""
    collect = garbage.collect_unscheduled if pod.node is None else garbage.collect_from_gone_node
    if pod.final:
        yield f"{collect.__name__}: deletion", collect(pod, now=now)
        return
    failed = collect(replace(pod, tracked=True), now=now)
    if failed is not None:
        marked = replace(failed, tracked=pod.tracked, asked=pod.asked, grace=pod.grace)
        yield f"{collect.__name__}: mark", marked


def deletion_steps(pod: SimPod, graces: set[int], now: int) -> Iterator[tuple[str, SimPod | None]]:
    """What the API server makes of a request to delete a pod."""
    for grace in sorted(graces):
        at_once = "" if grace else ", by force"
        yield f"delete_pod{at_once}", storage.delete_pod(pod, now=now, grace=grace)


def matching(steps: Iterator[tuple[str, Thing | None]], happened: Happened) -> set[str]:
    """The names of those of the steps that make what was recorded."""
    return {name for name, after in steps if is_made(after, happened)}


def collectors_to_do(moment: Moment, grace: int, now: int, *, quiet: float) -> list[str]:
    """What the collectors would still do after `quiet` seconds without a write."""
    things: tuple[Thing, ...] = (*moment.tasks.values(), *moment.jobs.values(), *moment.pods.values())
    left = [
        f"garbage collector: {step} {thing.name}"
        for thing in things
        for step, after in collector_steps(thing, moment, grace, now)
        if after != thing
    ]
    unscheduled = [pod for pod in moment.pods.values() if garbage.collect_unscheduled(pod, now=now) != pod]
    if quiet > POD_COLLECTOR_LOOKS_EVERY:
        left += [f"pod collector: collect_unscheduled {pod.name}" for pod in unscheduled]
    return left


def kubelet_to_do(moment: Moment, now: int) -> Iterator[tuple[str, str]]:
    """What the kubelet would still do when nobody else writes any more: steps and pods.

    Whether a container goes on is its own affair, and what holds the object of a pod that is to go at once is not the
    kubelet's.
    """
    for pod in moment.pods.values():
        held = pod.asked is not None and not pod.grace
        if pod.node is None or held:
            continue
        wanted = ("last_delete",) if pod.running else ("last_delete", "report_never_started")
        yield from ((step, pod.name) for step, _ in kubelet_steps(pod, None, now) if step.startswith(wanted))
