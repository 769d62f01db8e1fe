"""Pods on lost nodes: nobody is there to confirm their end, so suspend, terminate and retry would wait for ever.

A pod is released only when its token is dead for certain: the API server refuses it 60 s after the pod's deletion time.
The container may live on, fenced: it can neither save nor report.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.core.actions import Action, DeletePod, Outcome, Plan, Question, WriteStatus
from longtask.core.status import node_lost, suspending_lost_node

if TYPE_CHECKING:
    from longtask.core.observed import Observed, ObservedPod

TOKEN_DEATH = timedelta(seconds=75)
"""From `deletionTimestamp` until a pod's bound token is surely refused: 60 s were measured, the rest is for clocks."""

NODE_INTERVAL = timedelta(seconds=15)
"""How often the nodes of such pods are asked for again."""


def overdue(o: Observed) -> tuple[ObservedPod, ...]:
    """Pods whose token is dead and that nobody has confirmed to have ended."""
    return tuple(pod for pod in o.active_pods if _due(pod) is not None and o.now >= (_due(pod) or o.now))


def next_due(o: Observed) -> datetime | None:
    """When the next pod will be overdue; None if none is on its way out."""
    dues = [due for pod in o.active_pods if (due := _due(pod)) is not None and due > o.now]
    return min(dues, default=None)


def release(o: Observed, pods: tuple[ObservedPod, ...]) -> Plan | None:
    """Force-delete those of the overdue pods whose node is lost. None: their nodes are well, so wait for them."""
    if o.lost_nodes is None:
        return Plan(outcome=Outcome.ASK, question=Question.LOST_NODES)
    lost = tuple(pod for pod in pods if pod.node is not None and pod.node in o.lost_nodes)
    if not lost:
        return None
    actions: list[Action] = []
    if o.task.desired is not DesiredState.TERMINATE and not suspending_lost_node(o):
        nodes = ", ".join(sorted({pod.node for pod in lost if pod.node is not None}))
        actions.append(WriteStatus(status=node_lost(o, nodes)))
    actions += [DeletePod(name=pod.name, uid=pod.uid, force=True) for pod in lost]
    return Plan(outcome=Outcome.RELEASE, actions=tuple(actions))


def _due(pod: ObservedPod) -> datetime | None:
    return None if pod.deletion_time is None else pod.deletion_time + TOKEN_DEATH
