"""Workers that are stopped because of time or a restart: as gently as for a suspension, and for a reason that is seen.

The Job is deleted, which asks the worker to stop and leaves it its grace period. What comes then is told by the same
numbers that told to stop it, or by the reason that was recorded; so an operator that dies in between loses nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import ProgressMark, State
from longtask.core.actions import Outcome, Plan, Question, WriteStatus
from longtask.core.conditions import reason_of
from longtask.core.interruption import done
from longtask.core.next_attempt import after_failure, fail
from longtask.core.restart import restart_asked
from longtask.core.situation import Situation, situation
from longtask.core.status import ENDED, active_time, at_sequence, with_state, worker_finished
from longtask.core.stop import RECHECK, clear_away, delete_jobs

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import Observed

_LOOKS = 4
"""How often progress is looked at in the time that a worker may be without: each look that finds some is a write."""

_JUDGED = frozenset({Situation.COMPLETE, Situation.FAILED, Situation.ENDING})


# --- activeDeadlineSeconds ---


def out_of_time(o: Observed) -> bool:
    """Whether a task that is to run has been `Running` for as long as it may. What has ended by itself is judged."""
    deadline = o.task.active_deadline
    if deadline is None or o.task.desired is not DesiredState.RUN or o.task.status.state in ENDED:
        return False
    return active_time(o) >= deadline and situation(o) not in _JUDGED and not worker_finished(o)


def end_for_good(o: Observed) -> Plan:
    """Stop the worker, and record `Failed` when a live list shows that none is at work."""
    limit = o.task.active_deadline or timedelta(0)
    words = f"it was Running for activeDeadlineSeconds ({limit.total_seconds():.0f} s)"
    if o.jobs or o.active_pods:
        return _stop(o, Reason.DEADLINE_EXCEEDED, words)
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    if any(pod.active for pod in o.live_pods):
        return Plan(outcome=Outcome.WAIT, wake_at=o.now + RECHECK)
    return fail(
        o,
        reason=Reason.DEADLINE_EXCEEDED,
        message=f"{words}, and stopped {at_sequence(o)}",
        failures=o.task.status.failures or 0,
        job_name=None,
    )


def next_deadline(o: Observed) -> datetime | None:
    """When a worker that is at work now will have used up its time; None: never."""
    status, deadline = o.task.status, o.task.active_deadline
    if deadline is None or status.state is not State.RUNNING or o.task.desired is not DesiredState.RUN:
        return None
    left = deadline - active_time(o)
    return o.now + left if left > timedelta(0) else None


# --- progressDeadlineSeconds, and restarts of a worker at work ---


def reason_to_stop(o: Observed) -> Plan | None:
    """Stop the worker that is at work, if it is to be restarted or makes no progress; None: let it work."""
    if restart_asked(o):
        return _stop(o, Reason.RESTARTED, "restartNonce was changed")
    if _stands_still(o):
        return _stop(o, Reason.PROGRESS_DEADLINE_EXCEEDED, _no_progress(o))
    return None


def was_stopped_for_no_progress(o: Observed) -> bool:
    """Whether that is why there is no Job any more."""
    said = reason_of(o.task.status.conditions, ConditionType.READY)
    return said == Reason.PROGRESS_DEADLINE_EXCEEDED and o.task.status.state is State.RUNNING


def count_no_progress(o: Observed) -> Plan:
    """A worker that makes no progress uses a retry, so that it ends some day."""
    failures = (o.task.status.failures or 0) + 1
    return after_failure(o, reason=Reason.PROGRESS_DEADLINE_EXCEEDED, message=_no_progress(o), failures=failures)


def progress_mark(o: Observed) -> ProgressMark | None:
    """When progress was last noticed, as of now; None where nobody asks."""
    limit, mark = o.task.progress_deadline, o.task.status.last_progress
    if limit is None:
        return None
    if mark is None or (done(o) != mark.done and o.now >= mark.time + limit / _LOOKS):
        return ProgressMark(time=o.now, done=done(o))
    return mark


def next_progress_look(o: Observed) -> datetime | None:
    """When to look at the progress again; None where nobody asks."""
    limit, mark = o.task.progress_deadline, progress_mark(o)
    if limit is None or mark is None:
        return None
    return mark.time + (limit if done(o) == mark.done else limit / _LOOKS)


def _stands_still(o: Observed) -> bool:
    limit, mark = o.task.progress_deadline, o.task.status.last_progress
    if limit is None or mark is None or o.task.status.state is not State.RUNNING:
        return False
    return done(o) == mark.done and o.now >= mark.time + limit


def _no_progress(o: Observed) -> str:
    limit = o.task.progress_deadline or timedelta(0)
    return f"no progress for progressDeadlineSeconds ({limit.total_seconds():.0f} s)"


def _stop(o: Observed, reason: str, words: str) -> Plan:
    """Record why, which is also for people, and let the Job go: its worker is asked to stop, and finishes its batch."""
    state = State.RUNNING if o.task.status.state is State.RUNNING else State.INIT
    message = f"{words}: the worker is asked to stop, and finishes its batch"
    record = with_state(o, state, reason=reason, message=message, passing=True, job_name=None)
    removals = clear_away(o) if reason == Reason.DEADLINE_EXCEEDED else delete_jobs(o.jobs)
    return Plan(outcome=Outcome.STOP, actions=(WriteStatus(status=record), *removals))
