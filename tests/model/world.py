"""The simulated world: what the API server stores, what each actor remembers of it, and what really goes on.

A world is one frozen value, so a search can keep it, compare it and go on from it twice. It must not know what may
happen next; that is said by the moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.core.actions import Plan
from longtask.core.observed import Observed
from longtask.core.reconcile import reconcile
from tests.model.objects import Kept, Program, SimCleanup, SimJob, SimPod, SimProcess, SimTask, changed, kept_hash

if TYPE_CHECKING:
    from longtask.core.actions import Action
    from longtask.core.observed import Census

NODE = "node"
SPARE_NODE = "spare-node"
"""Where new pods go when the other is lost."""

Decide = Callable[[Observed], Plan]


@unique
class Actor(StrEnum):
    """Who makes a move."""

    USER = "user"
    OPERATOR = "operator"
    CONTROLLER = "Job controller"
    KUBELET = "kubelet"
    WORKER = "worker"
    COLLECTOR = "garbage collector"
    NETWORK = "network"
    STRANGER = "somebody"
    TIME = "time"


@unique
class Edit(StrEnum):
    """What a user may do to a task."""

    RUN = "Run"
    SUSPEND = "Suspend"
    TERMINATE = "Terminate"
    TEMPLATE = "change the template"
    LIMIT = "raise backoffLimit"
    RESTART = "start over"
    NO_CLEANUP = "take the clean-up out of the spec"
    DELETE = "delete the task"
    DELETE_FOREGROUND = "delete the task in the foreground"
    RECREATE = "create a task of the same name"


@unique
class Fault(StrEnum):
    """What may go wrong between the operator and the API server, and with the operator."""

    CRASH = "the operator dies and starts anew"
    LOST_ANSWER = "the request is carried out, its answer is lost"
    LOST_REQUEST = "the request is lost"
    LATE_REQUEST = "no answer comes; the request is carried out later"


@unique
class Harm(StrEnum):
    """What may go wrong with workers and nodes, and what strangers may do."""

    CRASH = "a worker exits with 1"
    NEVER = "a worker exits with 78"
    KILL = "a worker is killed without having been asked to stop"
    FALSE_ZERO = "a worker exits with 0 though its work is not done"
    DEAF = "a worker does not hear SIGTERM and is killed"
    DELETE_POD = "somebody deletes a pod"
    EVICT = "a pod is evicted"
    TIME = "a long time passes"
    LOSE_NODE = "the node is lost"
    DELETE_JOB = "somebody deletes a Job"
    ORPHAN_JOB = "somebody deletes a Job and leaves its pods"
    RESUME_JOB = "somebody resumes a Job"
    TAKE_NAME = "somebody creates a Job of the next attempt's name"
    MAKE_POD = "somebody makes a pod with the label of the task"


@unique
class Break(StrEnum):
    """Ways to break the executor, the copies and the API server's rules: to see that the search finds them."""

    NO_LIVE_READ = "starts a Job without reading the task live"
    NO_JOB_VERSION = "suspends and resumes whatever version the Job has"
    NO_STATUS_TESTS = "writes the status without its tests"
    NOT_JUDGED = "writes a verdict over any version"
    NO_LOOK_AGAIN = "forgets that a write was not answered"
    STALE_LIST = "proves with the copy of the pods"
    OTHERS_JOBS = "takes Jobs by name"
    NO_JOB_UID = "deletes a Job by name alone"
    NO_OWN_WRITES = "does not put its own writes into its copies"
    EMPTY_EVERY_TIME = "empties the checkpoint with every status"
    ANY_CLAIM = "the API server accepts claims in any desired state"
    ANY_EPOCH = "the API server accepts saves of any epoch"
    ANY_ATTEMPT = "the API server accepts claims of any attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What stays the same in all worlds of a search: how much there is of everything, and how much may go wrong."""

    operators: int = 1
    work: int = 1
    """Batches until the work is done."""
    program: Program = Program.LIBRARY
    backoff_limit: int = 1
    edits: tuple[Edit, ...] = (Edit.RUN, Edit.SUSPEND, Edit.TERMINATE)
    faults: tuple[Fault, ...] = ()
    harms: tuple[Harm, ...] = ()
    most_edits: int = 2
    most_faults: int = 0
    most_harms: int = 0
    waits: bool = False
    """Workers are asked before they are stopped for a suspension, and may answer."""
    ttl: int | None = None
    """Seconds for which a task stays after it has ended."""
    cleanup: bool = False
    """Tasks are cleaned up at their end."""
    deadline: int | None = None
    """Seconds for which a task may be `Running`."""
    progress_deadline: int | None = None
    """Seconds for which a worker may be without progress."""
    exits_on_term: tuple[int, ...] = (143,)
    """What a program that knows no protocol may exit with when it is asked to stop."""
    logical: bool = True
    """Times are only an order; every patience is over. Otherwise they are seconds."""
    grace: int = 10_000
    step_by_step: bool = False
    """The Job controller makes one write at a time and looks again, pods wait to be scheduled, containers end before
    their pods do. Otherwise a sync is one move, and so are these."""
    controller_lags: bool = True
    """The Job controller may act on copies that are behind."""
    operator_lags: bool = True
    """Operators may act on copies that are behind."""
    breaks: frozenset[Break] = frozenset()
    decide: Decide = reconcile

    def task(self, uid: str, desired: DesiredState = DesiredState.RUN) -> SimTask:
        """A new task of that kind."""
        keeps_file = self.program is Program.FILED
        return SimTask(
            name="import",
            uid=uid,
            desired=desired,
            backoff_limit=self.backoff_limit,
            keeps_file=keeps_file,
            ttl=self.ttl,
            has_cleanup=self.cleanup,
            deadline=self.deadline,
            progress_deadline=self.progress_deadline,
            waits=self.waits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight(Kept):
    """A plan that is being carried out: the task as it was decided on, and the actions that are left.

    `confirmed`: its last action has written the state, so the server has just said that the task is as expected.
    """

    __hash__ = kept_hash

    task: SimTask
    actions: tuple[Action, ...]
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOperator(Kept):
    """What one operator has in memory. Each kind is a copy of the API server as it was once, and its own writes."""

    __hash__ = kept_hash

    tasks: tuple[SimTask, ...] = ()
    jobs: tuple[SimJob, ...] = ()
    pods: tuple[SimPod, ...] = ()
    flight: Flight | None = None
    unanswered: tuple[tuple[str, str], ...] = ()
    """UID of the task and name of the Job of writes that were not answered."""
    censuses: tuple[tuple[str, Census], ...] = ()
    """UID of the task, and the count of its pods."""
    awake: tuple[str, ...] = ()
    """UIDs in the queue: the operator looks at nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Kept):
    """What has really happened to the present task, whatever anybody knows of it. Invariants judge by this."""

    __hash__ = kept_hash

    done: bool = False
    """All the work is done, and whoever did it had not been asked to stop (or said so in its checkpoint)."""
    failures: int = 0
    """Workers that failed by themselves."""
    never: bool = False
    """One of them said never to retry."""
    meddled: bool = False
    """Somebody made a pod, resumed a Job, a request arrived late, or two operators know different things: what was
    proved may not be so any more."""
    ghosts: tuple[str, ...] = ()
    """Pods that the Job controller made for a Job that had just been deleted: the garbage collector takes them away."""
    cleaned: bool = False
    """A clean-up has run to its end, or was given up, or was taken out of the spec."""
    fenced: bool = False
    """A worker may live on without its pod: a node was lost, or a pod deleted by force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Kept):
    """Everything there is."""

    __hash__ = kept_hash

    tasks: tuple[SimTask, ...] = ()
    jobs: tuple[SimJob, ...] = ()
    pods: tuple[SimPod, ...] = ()
    cleanups: tuple[SimCleanup, ...] = ()
    """Everybody hears of them at once."""
    processes: tuple[SimProcess, ...] = ()
    operators: tuple[SimOperator, ...] = ()
    controller_jobs: tuple[SimJob, ...] = ()
    controller_pods: tuple[SimPod, ...] = ()
    late: tuple[Flight, ...] = ()
    """Requests on their way whose sender has given up."""
    node_lost: bool = False
    now: int = 0
    serial: int = 0
    """Objects that were ever made: it names them."""
    edits: int = 0
    faults: int = 0
    harms: int = 0
    truth: Truth = field(default_factory=Truth)

    def task(self, uid: str) -> SimTask | None:
        """The task of that UID."""
        return next((task for task in self.tasks if task.uid == uid), None)

    def job(self, name: str) -> SimJob | None:
        """The Job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    def pod(self, uid: str) -> SimPod | None:
        """The pod of that UID."""
        return next((pod for pod in self.pods if pod.uid == uid), None)

    def process(self, pod: str) -> SimProcess | None:
        """The process of the pod of that UID."""
        return next((process for process in self.processes if process.pod == pod), None)


def first_world(setting: Setting, desired: DesiredState = DesiredState.RUN) -> World:
    """A task has just been created, and every operator has just started."""
    task = setting.task("task0001", desired)
    operator = SimOperator(tasks=(task,), awake=(task.uid,))
    return World(
        tasks=(task,),
        operators=(operator,) * setting.operators,
        serial=1,
        edits=setting.most_edits,
        faults=setting.most_faults,
        harms=setting.most_harms,
        truth=Truth(meddled=setting.operators > 1 and setting.operator_lags),
    )


def with_operator(world: World, number: int, operator: SimOperator) -> World:
    """The world with another memory of one operator."""
    operators = world.operators
    return changed(world, operators=(*operators[:number], operator, *operators[number + 1 :]))


def with_process(world: World, process: SimProcess) -> World:
    """The world with another state of one process."""
    others = tuple(process if p.pod == process.pod else p for p in world.processes)
    return changed(world, processes=others)


def tick(world: World, setting: Setting) -> World:
    """Let the clock go on, so that what happens now is later than all that happened before."""
    return changed(world, now=world.now + 1) if setting.logical else world


def same(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Whether two copies hold the same, in whatever order."""
    return left is right or left == right or (len(left) == len(right) and {*left} == {*right})
