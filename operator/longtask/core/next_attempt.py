"""The attempt after this one: for a retry, a change, an interruption or a restart; or none, and the task has failed.

It must not know why an attempt is given up; its callers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.api.names import MAX_ATTEMPT, Reason
from longtask.api.status import State
from longtask.core.actions import DeleteJob, Outcome, Plan, WriteStatus
from longtask.core.interruption import done, has_got_on
from longtask.core.observed import Trouble
from longtask.core.restart import answer, restart_asked
from longtask.core.retries import next_try
from longtask.core.status import at_sequence, blocked, with_state

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.observed import Observed, ObservedPod

_ADVICE = "suspend the task and run it again, or change its spec, to try with fresh retries"


def replace_attempt(
    o: Observed,
    *,
    reason: str,
    message: str,
    failures: int | None = None,
    fresh: bool = False,
    after: datetime | None = None,
    **changes: Any,  # noqa: ANN401 - fields of the status
) -> Plan:
    """Record the next attempt in the status first; only then delete the old Job.

    `fresh` forgets the failures so far; otherwise `failures` (by default those of the old Job) are carried on. `after`:
    the time before which it is not begun.
    """
    status = o.task.status
    job = o.job
    if status.attempt >= MAX_ATTEMPT:
        words = f"{message}, but attempt {MAX_ATTEMPT} was the last one: create another task"
        trouble = Trouble(reason=Reason.ATTEMPTS_EXHAUSTED, message=words, only_a_person_can_help=True)
        return Plan(outcome=Outcome.STALLED, actions=(WriteStatus(status=blocked(o, trouble)),))
    if failures is None:
        failures = failures_in_a_row(o)
    answered = answer(o)
    when = "" if after is None else f" at {after:%H:%M:%SZ}"
    record = with_state(
        o,
        State.INIT,
        reason=reason,
        message=_with(message, f": attempt {status.attempt + 1} follows{when}, {_from_where(o, answered)}"),
        attempt=status.attempt + 1,
        job_name=None,
        failures=0 if fresh else failures,
        idle_restarts=None if fresh or has_got_on(o) else (status.idle_restarts or 0) + 1,
        done_at_start=0 if "start_over_sequence" in answered else done(o),
        next_try_time=after,
        **answered,
        **changes,
    )
    delete = () if job is None or job.deleting else (DeleteJob(name=job.name, uid=job.uid),)
    return Plan(outcome=Outcome.REPLACE, actions=(WriteStatus(status=record, judged=True), *delete))


def failures_in_a_row(o: Observed) -> int:
    """How many failures there were since the last progress, as far as that is known: this attempt's may be older."""
    if has_got_on(o):
        return 0
    return (o.task.status.failures or 0) if o.job is None else o.job.failures


def _from_where(o: Observed, answered: dict[str, Any]) -> str:
    if "start_over_sequence" not in answered:
        return at_sequence(o)
    point = answered["restart_sequence"]
    return "from the beginning" if point is None else f"from checkpoint {point}"


def _with(message: str, more: str) -> str:
    """The message with more at the end of its first line; what follows is a pod's last words."""
    first, newline, rest = message.partition("\n")
    return f"{first}{more}{newline}{rest}"


def retry_afresh(o: Observed) -> Plan:
    """Begin the next attempt as if nothing had failed before, and no time had been used."""
    asked = restart_asked(o)
    return replace_attempt(
        o,
        reason=Reason.RESTARTED if asked else Reason.RETRYING,
        message="restarted" if asked else "trying again with fresh retries",
        fresh=True,
        active_seconds=None,
    )


def after_failure(o: Observed, *, reason: str, message: str, failures: int) -> Plan:
    """Count a failure, and try again after a pause; or record `Failed`, with that reason, if there are no retries left.

    `failures`: all so far, this one included. Those before the last progress don't count.
    """
    counted = 1 if has_got_on(o) else failures
    if counted > o.task.backoff_limit:
        return fail(o, reason=reason, message=message, failures=counted)
    words = _with(message, f"; {counted} of {o.task.backoff_limit} retries used")
    return replace_attempt(o, reason=Reason.RETRYING, message=words, failures=counted, after=next_try(o, counted))


def fail(o: Observed, *, reason: str, message: str, failures: int, **changes: Any) -> Plan:  # noqa: ANN401 - as above
    """Record `Failed`, and say what a person can do."""
    words = f"{message}\n{_ADVICE}"
    record = with_state(o, State.FAILED, reason=reason, message=words, stalled=True, failures=failures, **changes)
    return Plan(outcome=Outcome.FAILED, actions=(WriteStatus(status=record, judged=True),))


def how_it_ended(pod: ObservedPod) -> str:
    """A few words on the end of a pod."""
    return "failed" if pod.exit_code is None else f"exited with code {pod.exit_code}"


def quoted(words: str) -> str:
    """A pod's last words, to be put behind a sentence."""
    return f"\n{words.strip()}" if words.strip() else ""
