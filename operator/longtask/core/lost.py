"""Pods on lost nodes: nobody is there to confirm their end, so suspend, terminate and retry would wait for ever.

A pod is released only when its token is dead for certain: the API server refuses it 60 s after the pod's deletion time.
The container may live on, fenced: it can neither save nor report.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.status import State
from longtask.core.actions import Action, DeletePod, Outcome, Plan, Question, WriteStatus
from longtask.core.status import node_lost

if TYPE_CHECKING:
    from longtask.core.observed import Observed, ObservedPod

TOKEN_DEATH = timedelta(seconds=75)
"""From `deletionTimestamp` until a pod's bound token is surely refused: 60 s were measured, the rest is for clocks."""

NODE_INTERVAL = timedelta(seconds=15)
"""How often the nodes of such pods are asked for again."""


def overdue(o: Observed) -> tuple[ObservedPod, ...]:
    """Pods that are waited for, whose token is dead and that nobody has confirmed to have ended."""
    return tuple(pod for pod in _awaited(o) if (due := _due(pod)) is not None and due <= o.now)


def release(o: Observed) -> Plan:
    """Force-delete overdue pods whose node is lost, after noting that down. Which nodes are lost is asked first."""
    if o.lost_nodes is None:
        return Plan(outcome=Outcome.ASK, question=Question.LOST_NODES)
    lost = _on_lost_nodes(o)
    actions: list[Action] = []
    if _worth_a_note(o, lost):
        nodes = ", ".join(sorted({pod.node for pod in lost if pod.node is not None}))
        actions.append(WriteStatus(status=node_lost(o, nodes)))
    actions += [DeletePod(name=pod.name, uid=pod.uid, force=True) for pod in lost]
    return Plan(outcome=Outcome.RELEASE, actions=tuple(actions))


def must_release(o: Observed) -> bool:
    """A pod is overdue, and its node is lost or was not asked for yet."""
    return bool(overdue(o)) if o.lost_nodes is None else bool(_on_lost_nodes(o))


def next_look(o: Observed) -> datetime | None:
    """When to look at pods on their way out again, as no event may come; None if there are none."""
    if overdue(o):
        return o.now + NODE_INTERVAL
    dues = [due for pod in _awaited(o) if (due := _due(pod)) is not None]
    return min(dues, default=None)


def _awaited(o: Observed) -> tuple[ObservedPod, ...]:
    """Pods that must end; pods that must be gone, for the task is to be terminated, or their Job goes after them.

    One that has ended is removed by its kubelet, which then leaves it no grace: from there on only its Job keeps it.
    """
    ends = _task_ends(o)
    leaving = {job.uid for job in o.jobs if job.deleting}
    return tuple(pod for pod in o.pods if pod.active or (pod.deletion_grace and (ends or pod.owner_uid in leaving)))


def _worth_a_note(o: Observed, lost: tuple[ObservedPod, ...]) -> bool:
    """Whether work may be lost, and a suspension may come that would have to tell of it."""
    return any(pod.active for pod in lost) and not _task_ends(o) and o.task.status.state in (State.INIT, State.RUNNING)


def _task_ends(o: Observed) -> bool:
    return o.task.desired is DesiredState.TERMINATE or o.task.deleting


def _on_lost_nodes(o: Observed) -> tuple[ObservedPod, ...]:
    lost = o.lost_nodes or frozenset()
    return tuple(pod for pod in overdue(o) if pod.node in lost)


def _due(pod: ObservedPod) -> datetime | None:
    return None if pod.deletion_time is None else pod.deletion_time + TOKEN_DEATH
