"""The spine: observe, decide, carry out. Every trigger ends here, and none carries any logic of its own."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from longtask.core import census
from longtask.core.actions import Outcome, Question, WriteStatus
from longtask.core.lost import overdue
from longtask.core.observed import Observed
from longtask.core.reconcile import reconcile
from longtask.shell.announce import event, warning
from longtask.shell.errors import ApiError, Outdated

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from longtask.core.actions import Plan
    from longtask.core.observed import Census, ObservedTask, Trouble
    from longtask.shell.cluster import Cluster
    from longtask.shell.execute import Executor
    from longtask.shell.prover import Prover
    from longtask.shell.workqueue import WorkQueue

_log = logging.getLogger(__name__)

_MOST_QUESTIONS = len(Question)
"""Each question is asked at most once in a cycle: an answer is part of the next snapshot."""

_UNSEEN_SECONDS = 1.0
"""How soon to look again after actions of which nothing shows in memory."""


class Cycle:
    """Works on the keys of a queue: UIDs of tasks."""

    def __init__(
        self,
        cluster: Cluster,
        executor: Executor,
        prover: Prover,
        queue: WorkQueue,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`now`: the time of day, by the clock that wrote what it is compared with: the API server's."""
        self._cluster = cluster
        self._executor = executor
        self._prover = prover
        self._queue = queue
        self._now = now
        self._censuses: dict[str, Census] = {}
        """By UID of the task: the count of its pods, from when it was taken until all of them have ended."""

    async def run(self) -> None:
        """Work until cancelled. Nothing that goes wrong with one task stops the work on others."""
        while True:
            uid = await self._queue.get()
            try:
                await self._safely(uid)
            finally:
                self._queue.done(uid)
            await asyncio.sleep(0)  # a look that needs no I/O must not keep the loop from anything else

    async def _safely(self, uid: str) -> None:
        try:
            await self.once(uid)
        except Outdated as outdated:
            _log.debug("looking again", extra={**self._named(uid), "why": str(outdated)})
            self._queue.add_after_failure(uid)
        except ApiError as error:
            _log.warning("trying again: %s", error, extra=self._named(uid))
            self._queue.add_after_failure(uid, at_least=error.retry_after)
        except Exception:  # noqa: BLE001  a bug must not take the other tasks along
            _log.exception("unexpected error, trying again", extra=self._named(uid))
            self._queue.add_after_failure(uid, at_least=1.0)
        else:
            self._queue.succeeded(uid)

    async def once(self, uid: str) -> None:
        """Look at one task and do what is next for it."""
        task = self._cluster.tasks.get(uid)
        if task is None:
            self._queue.forget(uid)
            self._executor.forget(uid)
            self._censuses.pop(uid, None)
            return
        self._cluster.jobs.require_readable(uid)
        self._cluster.pods.require_readable(uid)
        await self._executor.look_again(task)
        observed = self._observe(task)
        plan = await self._decide(observed)
        _log.debug("decided", extra={"task": f"{task.namespace}/{task.name}", "outcome": str(plan.outcome)})
        refusal = await self._carry_out(task, plan)
        if plan.outcome is not Outcome.WAIT:
            self._censuses.pop(uid, None)
        if refusal is not None:
            fresh = self._cluster.tasks.get(uid) or task
            plan = reconcile(replace(self._observe(fresh), refusal=refusal))
            await self._carry_out(fresh, plan)
        elif plan.actions and self._observe(self._cluster.tasks.get(uid) or task, at=observed.now) != observed:
            self._queue.add(uid)  # our own writes are in memory already: see what is next
        elif plan.actions:
            self._queue.add_after(uid, _UNSEEN_SECONDS)  # nothing shows of them yet: not again at once
        if plan.wake_at is not None:
            self._queue.add_after(uid, (plan.wake_at - self._now()).total_seconds())

    def _observe(self, task: ObservedTask, *, at: datetime | None = None) -> Observed:
        """The snapshot. What carries the task's UID in another namespace is nobody's business here."""
        jobs = [job for job in self._cluster.jobs.of_task(task.uid) if job.namespace == task.namespace]
        return Observed(
            task=task,
            jobs=tuple(job for job in jobs if job.attempt),
            cleanup_job=next((job for job in jobs if job.name == task.cleanup_job_name), None),
            pods=tuple(pod for pod in self._cluster.pods.of_task(task.uid) if pod.namespace == task.namespace),
            now=at or self._now(),
            census=self._censuses.get(task.uid),
        )

    def _named(self, uid: str) -> dict[str, str]:
        """Fields of a log line about a task."""
        task = self._cluster.tasks.get(uid)
        return {"task_uid": uid} | ({} if task is None else {"task": f"{task.namespace}/{task.name}"})

    async def _decide(self, observed: Observed) -> Plan:
        plan = reconcile(observed)
        for _ in range(_MOST_QUESTIONS):
            if plan.question is None:
                break
            observed = await self._answer(plan.question, observed)
            plan = reconcile(observed)
        return plan

    async def _answer(self, question: Question, observed: Observed) -> Observed:
        match question:
            case Question.LIVE_PODS:
                answered = replace(observed, live_pods=await self._prover.pods_of(observed.task))
                if (taken := census.take(answered)) is not None:
                    self._censuses[observed.task.uid] = taken
                return answered
            case Question.JOB_TROUBLES:
                job = observed.job
                troubles = () if job is None else await self._cluster.job_troubles(job)
                return replace(observed, job_troubles=troubles)
            case Question.LOST_NODES:
                nodes = {pod.node for pod in overdue(observed) if pod.node is not None}
                lost = [node for node in nodes if await self._cluster.node_is_lost(node)]
                return replace(observed, lost_nodes=frozenset(lost))

    async def _carry_out(self, task: ObservedTask, plan: Plan) -> Trouble | None:
        confirmed = False
        for action in plan.actions:
            refusal = await self._executor.execute(task, action, confirmed=confirmed)
            if refusal is not None:
                return refusal
            confirmed = isinstance(action, WriteStatus) and action.status.state is not task.status.state
            if isinstance(action, WriteStatus):
                await self._announce(task, plan, action)
        return None

    async def _announce(self, task: ObservedTask, plan: Plan, action: WriteStatus) -> None:
        """Tell the log, and warn the user where it is worth an event; a lost event is no reason to fail."""
        old, new = task.status, action.status
        if new == old:
            return
        if new.state is not old.state or plan.outcome is Outcome.REPLACE:
            extra = {
                "task": f"{task.namespace}/{task.name}",
                "state": str(new.state),
                "was": str(old.state),
                "attempt": new.attempt,
            }
            _log.info("%s", plan.outcome, extra=extra)
        found = warning(old, new)
        if found is None:
            return
        reason, message = found
        try:
            await self._cluster.post_event(task.namespace, event(task, reason, message, now=self._now()))
        except ApiError as error:
            _log.warning("event %s not posted: %s", reason, error, extra={"task": f"{task.namespace}/{task.name}"})
