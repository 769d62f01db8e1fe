"""Moves of the Job controller, scheduler, kubelet and garbage collectors: what Kubernetes does by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.shell.errors import ApiError
from tests.model import server
from tests.model.garbage import Collect, Owners, collect_job, collect_pod, collect_task, collect_unscheduled, evict
from tests.model.job_controller import CreatePod, DeletePod, DropFinalizer, UpdateStatus, Write, release_orphan, sync
from tests.model.kubelet import KILLED, last_delete, may_delete, report
from tests.model.objects import SimPod, SimProcess, changed
from tests.model.operate import awake
from tests.model.world import NODE, SPARE_NODE, Actor, Harm, same, tick, with_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.objects import SimCleanup, SimJob, SimTask
    from tests.model.world import Setting, World

Step = tuple[str, Actor, "World"]


def cluster_moves(world: World, setting: Setting) -> Iterator[Step]:
    """What each part of the cluster may do next."""
    yield from _controller(world, setting)
    for pod in world.pods:
        yield from _node(world, setting, pod)
    yield from _collector(world, setting)


def _controller(world: World, setting: Setting) -> Iterator[Step]:
    if not same(world.jobs, world.controller_jobs):
        yield "the Job controller hears of Jobs", Actor.NETWORK, changed(world, controller_jobs=world.jobs)
    if not same(world.pods, world.controller_pods):
        yield "the Job controller hears of pods", Actor.NETWORK, changed(world, controller_pods=world.pods)
    for job in world.controller_jobs:
        own = tuple(pod for pod in world.controller_pods if pod.owner == job.uid)
        pauses = (False, True) if any(pod.tracked and pod.exit_code for pod in own) else (False,)
        for backing_off in pauses:
            writes = sync(job, own, now=0 if setting.logical else world.now, backing_off=backing_off)
            if writes:
                pause = ", without a new pod yet" if backing_off else ""
                shown = writes[:1] if setting.step_by_step else writes
                says = f"the Job controller syncs {job.name}{pause}: {', '.join(map(_words, shown))}"
                yield says, Actor.CONTROLLER, _carry_out(world, setting, job, shown)
    for pod in world.controller_pods:
        owner = next((job for job in world.controller_jobs if job.uid == pod.owner), None)
        if release_orphan(pod, owner) is not None:
            says = f"the Job controller takes its finalizer off the orphan {pod.name}"
            yield says, Actor.CONTROLLER, _own_writes(server.free_pod(world, pod.uid), pods=True)


def _carry_out(world: World, setting: Setting, job: SimJob, writes: tuple[Write, ...]) -> World:
    """One write after the other, up to the first that is refused. What the controller writes, it sees at once."""
    version, pods_written = job.version, False
    for write in writes:
        try:
            match write:
                case CreatePod():
                    world = _create_pod(world, setting, job)
                case DeletePod(uid=uid):
                    world = server.ask_pod(tick(world, setting), uid, grace=setting.grace)
                case DropFinalizer(uid=uid):
                    world = server.free_pod(world, uid)
                case UpdateStatus(job=status):
                    world = server.put_job_status(world, status, version)
                    version += 1
                    world = _own_writes(world, jobs=True)
        except ApiError:
            break
        pods_written = pods_written or not isinstance(write, UpdateStatus)
    return _own_writes(world, pods=pods_written)


def _own_writes(world: World, *, jobs: bool = False, pods: bool = False) -> World:
    """Expectations and the consistency store let no sync begin before the copies have the controller's own writes."""
    if jobs:
        world = changed(world, controller_jobs=world.jobs)
    return changed(world, controller_pods=world.pods) if pods else world


def _create_pod(world: World, setting: Setting, job: SimJob) -> World:
    serial = world.serial + 1
    pod = SimPod(
        name=f"{job.name}-{serial:05}",
        uid=f"pod-{serial}",
        task_uid=job.owner or "",
        owner=job.uid,
        attempt=job.attempt,
        created=world.now,
        node=None if setting.step_by_step else working_node(world),
    )
    if all(stored.uid != job.uid or stored.deleting for stored in world.jobs):
        world = changed(world, truth=changed(world.truth, ghosts=(*world.truth.ghosts, pod.uid)))
    return changed(world, pods=(*world.pods, pod), serial=serial)


def _node(world: World, setting: Setting, pod: SimPod) -> Iterator[Step]:
    """Scheduler and kubelet. Nothing is heard of a lost node."""
    if world.node_lost and pod.node == NODE:
        yield from _lost(world, setting, pod)
        return
    if pod.node is None:
        if pod.asked is None:
            after = server.put_pod(world, pod.uid, changed(pod, node=working_node(world)))
            yield f"{pod.name} is scheduled", Actor.KUBELET, after
        return
    process = world.process(pod.uid)
    if process is None and not pod.final and pod.exit_code is None:
        yield f"the kubelet starts {pod.name}", Actor.KUBELET, _start(world, setting, pod)
    if process is not None and pod.asked is not None and not process.told and process.exit_code is None:
        yield f"{pod.name} gets SIGTERM", Actor.KUBELET, with_process(world, changed(process, told=True))
    later = tick(world, setting)
    possible = report(pod, process, now=later.now)
    for said in possible if setting.step_by_step else possible[-1:]:
        what = f"{said.phase}, exit code {said.exit_code}"
        yield f"the kubelet reports {pod.name}: {what}", Actor.KUBELET, _reported(later, pod, said, process)
    if may_delete(pod):
        after = server.put_pod(later, pod.uid, last_delete(pod, now=later.now))
        yield f"the kubelet removes {pod.name}", Actor.KUBELET, after


def working_node(world: World) -> str:
    """Where a pod is put now."""
    return SPARE_NODE if world.node_lost else NODE


def _reported(world: World, pod: SimPod, said: SimPod | None, process: SimProcess | None) -> World:
    """A pod that was deleted before it had started counts as a failure, if its Job still keeps it."""
    world = server.put_pod(world, pod.uid, said)
    if process is None and pod.tracked and not pod.disrupted and world.task(pod.task_uid) is not None:
        world = changed(world, truth=changed(world.truth, failures=world.truth.failures + 1))
    return world


def _start(world: World, setting: Setting, pod: SimPod) -> World:
    task = next((task for task in world.tasks if task.uid == pod.task_uid), None)
    name = "import" if task is None else task.name
    job = next((job for job in world.jobs if job.uid == pod.owner), None)
    process = SimProcess(
        pod=pod.uid,
        node=pod.node or NODE,
        task_uid=pod.task_uid,
        task_name=name,
        attempt=pod.attempt,
        start_over=None if job is None else job.start_over,
        program=setting.program,
    )
    return changed(world, processes=(*world.processes, process))


def _lost(world: World, setting: Setting, pod: SimPod) -> Iterator[Step]:
    """The taint manager asks pods of a lost node to go; nobody confirms it, and in the end their token is dead.

    One that has ended is left alone; if it had been asked to go before, nobody removes it, and its time passes, too.
    """
    if pod.asked is None:
        if pod.final:
            return
        after = evict(pod, now=tick(world, setting).now, grace=setting.grace)
        yield f"{pod.name} is evicted from the lost node", Actor.TIME, server.put_pod(world, pod.uid, after)
    elif setting.logical and pod.grace > 1:
        process = world.process(pod.uid)
        if process is not None:
            world = with_process(world, changed(process, token_dead=True))
        overdue = server.put_pod(world, pod.uid, changed(pod, grace=1))
        yield f"{pod.name} is long overdue to end, its token is dead", Actor.TIME, overdue


def _collector(world: World, setting: Setting) -> Iterator[Step]:
    """Objects whose owner is gone go, too. Ended processes of pods that are gone leave nothing."""
    things: tuple[SimTask | SimJob, ...] = (*world.tasks, *world.jobs)
    leaving = [job.uid for job in world.jobs if job.deleting] + [task.uid for task in world.tasks if task.foreground]
    owners = Owners(present=[thing.uid for thing in things], leaving=leaving)
    for pod in world.pods:
        if collect_pod(pod, owners) is not None:
            after = server.ask_pod(tick(world, setting), pod.uid, grace=setting.grace)
            yield f"the garbage collector deletes {pod.name}", Actor.COLLECTOR, after
    for job in world.jobs:
        verdict = collect_job(job, world.pods, owners)
        if verdict is Collect.DELETE_IN_FOREGROUND:
            after = server.put_job(world, changed(job, deleting=True, generation=job.generation + 1))
            yield f"the garbage collector deletes {job.name} in the foreground", Actor.COLLECTOR, after
        elif verdict is not None:
            yield f"the garbage collector removes {job.name}", Actor.COLLECTOR, server.remove_job(world, job.uid)
    for task in world.tasks:
        if collect_task(task, world.jobs) is not None:
            released = changed(task, foreground=False)
            left = tuple(
                [
                    released if other is task else other
                    for other in world.tasks
                    if other is not task or task.has_finalizer
                ]
            )
            yield f"the garbage collector releases {task.name}", Actor.COLLECTOR, changed(world, tasks=left)
    yield from _cleanups(world, setting, owners)
    yield from _pod_collector(world, setting)
    yield from _leftovers(world)


def _cleanups(world: World, setting: Setting, owners: Owners) -> Iterator[Step]:
    """The Job of a clean-up ends, well or not; or goes with its owner."""
    for job in world.cleanups:
        others = tuple(other for other in world.cleanups if other is not job)
        if job.owned and (job.task_uid not in owners.present or job.task_uid in owners.leaving):
            yield f"the garbage collector removes {job.name}", Actor.COLLECTOR, changed(world, cleanups=others)
        if job.ended is not None:
            continue
        cleaned = changed(world, truth=changed(world.truth, cleaned=True))
        yield f"{job.name} has cleaned up", Actor.CONTROLLER, _heard(cleaned, others, changed(job, ended=True))
        if world.harms and Harm.CRASH in setting.harms:
            failed = changed(cleaned, harms=world.harms - 1)
            yield f"{job.name} fails for good", Actor.CONTROLLER, _heard(failed, others, changed(job, ended=False))


def _heard(world: World, others: tuple[SimCleanup, ...], job: SimCleanup) -> World:
    """Every operator hears of it."""
    operators = tuple(awake(operator, job.task_uid) for operator in world.operators)
    return changed(world, cleanups=(*others, job), operators=operators)


def _pod_collector(world: World, setting: Setting) -> Iterator[Step]:
    for pod in world.pods:
        failed = collect_unscheduled(pod, now=tick(world, setting).now)
        if failed != pod:
            yield f"the pod collector ends {pod.name}", Actor.COLLECTOR, _reported(world, pod, failed, None)


def _leftovers(world: World) -> Iterator[Step]:
    for process in world.processes:
        if world.pod(process.pod) is not None or (world.node_lost and process.node == NODE):
            continue
        if process.exit_code is None:
            killed = with_process(world, changed(process, told=True, exit_code=KILLED))
            yield f"the kubelet kills what is left of {process.pod}", Actor.KUBELET, killed
        else:
            left = tuple(other for other in world.processes if other.pod != process.pod)
            yield f"nothing is left of {process.pod}", Actor.KUBELET, changed(world, processes=left)


def _words(write: Write) -> str:
    if isinstance(write, UpdateStatus):
        said = " ".join(f"{kind}={true}" for kind, true, _ in write.job.conditions)
        return f"status active={write.job.active} failed={write.job.failed} {said}".rstrip()
    return type(write).__name__ + (f" {write.uid}" if isinstance(write, DeletePod | DropFinalizer) else "")
