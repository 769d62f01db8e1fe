"""Ending a task for good: everything of it goes, in an order in which nothing is lost before it was cleaned up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.api.names import Reason
from longtask.api.status import State
from longtask.core.actions import DeleteClaim, Outcome, Plan, WriteStatus
from longtask.core.cleanup import after_the_end, clean_up, cleaned_up
from longtask.core.status import acknowledged, and_also, with_state, worker_finished
from longtask.core.stop import clear_away, make_bare

if TYPE_CHECKING:
    from longtask.core.observed import Observed


def terminate(o: Observed) -> Plan:
    """Delete every Job and stray pod, clean up, and empty the checkpoint: `Terminated`."""
    return make_bare(o) or clean_up(o) or _record_end(o)


def _record_end(o: Observed) -> Plan:
    """Nothing is at work, and everything cleaned up that could be."""
    status = o.task.status
    has_method = status.checkpoint is not None and not o.task.keeps_file and not o.task.has_cleanup
    unheard = has_method and not worker_finished(o) and status.state is not State.RUNNING
    reason = Reason.NO_CLEANUP if unheard else Reason.TERMINATED
    message = "no worker was at work, so its cleanup() did not run" if unheard else ""
    record = with_state(o, State.TERMINATED, reason=reason, message=message, job_name=None)
    record = and_also(o, record, *cleaned_up(o))
    empty = status.checkpoint is not None and status.checkpoint.data != ""
    write = WriteStatus(status=record, judged=True, empty_checkpoint=empty)
    claim = (
        (DeleteClaim(name=o.task.claim_name),) if o.task.owns_claim else ()
    )  # first: nothing shows later what is left
    return Plan(outcome=Outcome.TERMINATED, actions=(*claim, write, *after_the_end(o)))


def keep_terminated(o: Observed) -> Plan:
    """Nothing may come back: a Job that turns up late is deleted."""
    removals = (*clear_away(o), *after_the_end(o))
    return Plan(outcome=Outcome.TERMINATE, actions=removals) if removals else settled(o)


def settled(o: Observed) -> Plan:
    """A settled task only takes note of a changed spec."""
    if o.task.status.observed_generation == o.task.generation:
        return Plan(outcome=Outcome.SETTLED)
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=acknowledged(o)),))
