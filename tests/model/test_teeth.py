"""The search can fail: each of these breaks of the decision, the executor or the API server's rules is found by it.

A break stands beside the small world in which it shows, and the invariant that it breaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from longtask.api.longtask import DesiredState
from longtask.api.status import State
from longtask.core import attempts, situation, verdict
from longtask.core import reconcile as decision
from longtask.core.actions import Outcome, Plan, SetJobSuspended, WriteStatus
from longtask.core.next_attempt import fail
from longtask.core.observed import JobOutcome
from longtask.core.reconcile import reconcile
from longtask.core.status import with_state
from tests.model.objects import Program
from tests.model.search import search
from tests.model.settings import PROMPT, TOGGLES, WISHES
from tests.model.world import Break, Edit, Fault, Harm, Setting
from tests.proof import luck

if TYPE_CHECKING:
    from longtask.core.observed import Observed

SECONDS = 30.0
"""Of the processor, before a break counts as not found."""


def _proves_before_suspended_is_said(o: Observed) -> Plan:
    def stopping(seen: Observed) -> situation.Situation:
        return situation.Situation.STOPPING if seen.active_pods else situation.Situation.STOPPED

    with patch.object(situation, "_stopping", stopping):
        return reconcile(o)


def _suspends_before_the_resume_is_seen(o: Observed) -> Plan:
    job, plan = o.job, reconcile(o)
    if job is None or plan.outcome is not Outcome.WAIT or o.task.desired is not DesiredState.SUSPEND:
        return plan
    if job.suspend or job.outcome is not JobOutcome.OPEN:
        return plan
    ask = SetJobSuspended(name=job.name, uid=job.uid, resource_version=job.resource_version, suspend=True)
    return Plan(outcome=Outcome.SUSPEND, actions=(ask,))


def _believes_the_job(o: Observed) -> Plan:
    if o.job is None or o.job.outcome is not JobOutcome.COMPLETE or o.task.status.state is State.COMPLETE:
        return reconcile(o)
    done = with_state(o, State.COMPLETE, reason="Done")
    return Plan(outcome=Outcome.COMPLETE, actions=(WriteStatus(status=done, judged=True),))


def _takes_every_78_for_a_failure(o: Observed) -> Plan:
    def fails(seen: Observed) -> Plan:
        return fail(seen, reason="PodFailurePolicy", message="", failures=1)

    with patch.object(verdict, "_stopped_by_its_exit_code", fails):
        return reconcile(o)


def _waits_for_a_suspended_job_to_complete(o: Observed) -> Plan:
    job = o.job
    if job is not None and job.suspend and job.outcome is JobOutcome.COMPLETING:
        return Plan(outcome=Outcome.WAIT)
    return reconcile(o)


def _forgets_failures(o: Observed) -> Plan:
    plan = reconcile(o)
    writes = tuple(
        replace(action, status=action.status.model_copy(update={"failures": 9}))
        if isinstance(action, WriteStatus) and plan.outcome is Outcome.SUSPENDED
        else action
        for action in plan.actions
    )
    return replace(plan, actions=writes)


def _starts_beside_the_pods_of_a_lost_job(o: Observed) -> Plan:
    with patch.object(attempts, "await_end", lambda seen: attempts.start(replace(seen, pods=()))):
        return reconcile(o)


def _terminates_without_a_proof(o: Observed) -> Plan:
    if o.task.desired is not DesiredState.TERMINATE or o.jobs:
        return reconcile(o)
    return reconcile(replace(o, pods=(), live_pods=()))


def _stays_suspended_whatever_happens(o: Observed) -> Plan:
    if decision._suspended_no_more(o):
        return Plan(outcome=Outcome.SETTLED)
    return reconcile(o)


def _executor(way: Break, **changes: object) -> Setting:
    return replace(PROMPT, breaks=frozenset((way,)), **changes)  # type: ignore[arg-type]


BEHIND: Final = replace(PROMPT, operator_lags=True)


@dataclass(frozen=True)
class Bite:
    """A break, where it shows, and what it breaks."""

    breaks: str
    setting: Setting


BITES: Final = {
    "proves before Suspended=True is said": Bite(
        "suspended_is_true",
        replace(PROMPT, edits=TOGGLES, most_edits=3, controller_lags=True, decide=_proves_before_suspended_is_said),
    ),
    "suspends again before the resume is seen": Bite(
        "suspended_is_true",
        replace(PROMPT, edits=TOGGLES, most_edits=3, controller_lags=True, decide=_suspends_before_the_resume_is_seen),
    ),
    "takes a Complete Job for done": Bite(
        "success_is_never_false",
        replace(PROMPT, edits=(), harms=(Harm.FALSE_ZERO,), most_harms=1, decide=_believes_the_job),
    ),
    "takes every 78 for never retry": Bite(
        "failure_is_never_false",
        replace(
            PROMPT,
            program=Program.PLAIN,
            edits=TOGGLES,
            exits_on_term=(78,),
            decide=_takes_every_78_for_a_failure,
        ),
    ),
    "waits for a suspended Job to be Complete": Bite(
        "not reached",
        replace(
            PROMPT,
            edits=(Edit.SUSPEND,),
            most_edits=1,
            harms=(Harm.EVICT,),
            most_harms=1,
            decide=_waits_for_a_suspended_job_to_complete,
        ),
    ),
    "counts failures that were none": Bite(
        "only_failures_use_retries", replace(PROMPT, edits=TOGGLES, most_edits=1, decide=_forgets_failures)
    ),
    "starts a Job beside pods of another": Bite(
        "workers_do_not_run_side_by_side",
        replace(
            PROMPT,
            edits=(),
            harms=(Harm.DELETE_JOB, Harm.ORPHAN_JOB),
            most_harms=1,
            decide=_starts_beside_the_pods_of_a_lost_job,
        ),
    ),
    "terminates without looking at pods": Bite(
        "terminated_is_final",
        replace(
            PROMPT,
            edits=WISHES,
            most_edits=1,
            harms=(Harm.DELETE_JOB,),
            most_harms=1,
            decide=_terminates_without_a_proof,
        ),
    ),
    "stays Suspended though a pod turns up": Bite(
        "not reached",
        replace(
            PROMPT,
            edits=TOGGLES,
            most_edits=1,
            harms=(Harm.RESUME_JOB,),
            most_harms=1,
            decide=_stays_suspended_whatever_happens,
        ),
    ),
    Break.NO_LIVE_READ: Bite(
        "nothing_is_started",
        replace(BEHIND, breaks=frozenset((Break.NO_LIVE_READ,)), edits=(Edit.TERMINATE,), most_edits=1),
    ),
    Break.NO_STATUS_TESTS: Bite(
        "an_answer_is_to", replace(BEHIND, breaks=frozenset((Break.NO_STATUS_TESTS,)), edits=TOGGLES, most_edits=1)
    ),
    Break.NOT_JUDGED: Bite("", replace(BEHIND, breaks=frozenset((Break.NOT_JUDGED,)), edits=TOGGLES, most_edits=2)),
    Break.NO_LOOK_AGAIN: Bite(
        "suspended_is_true",
        replace(
            BEHIND,
            breaks=frozenset((Break.NO_LOOK_AGAIN,)),
            edits=(Edit.SUSPEND,),
            most_edits=1,
            faults=(Fault.LOST_ANSWER,),
            most_faults=1,
        ),
    ),
    Break.NO_OWN_WRITES: Bite(
        "suspended_is_true",
        replace(BEHIND, breaks=frozenset((Break.NO_OWN_WRITES,)), edits=(Edit.SUSPEND,), most_edits=1),
    ),
    Break.STALE_LIST: Bite(
        "suspended_is_true",
        replace(BEHIND, breaks=frozenset((Break.STALE_LIST,)), edits=(Edit.SUSPEND,), most_edits=1),
    ),
    Break.OTHERS_JOBS: Bite(
        "what_others_own",
        _executor(Break.OTHERS_JOBS, edits=(Edit.TERMINATE,), most_edits=1, harms=(Harm.TAKE_NAME,), most_harms=1),
    ),
    Break.EMPTY_EVERY_TIME: Bite("not reached", _executor(Break.EMPTY_EVERY_TIME, edits=TOGGLES, most_edits=1)),
    Break.ANY_CLAIM: Bite("no_claim", _executor(Break.ANY_CLAIM, edits=(Edit.SUSPEND,), most_edits=1)),
    Break.ANY_EPOCH: Bite(
        "one_writer",
        _executor(Break.ANY_EPOCH, edits=(), harms=(Harm.MAKE_POD,), most_harms=1),
    ),
}


@pytest.mark.parametrize("name", BITES)
def test_the_search_finds_what_is_broken(name: str) -> None:
    bite = BITES[name]
    liveness = "not reached" in bite.breaks  # from a sample of the worlds, or fair runs would take all the time
    found = search(bite.setting, seconds=SECONDS, sample=0.2 if liveness else 0.0, luck=luck(f"teeth: {name}"))
    assert bite.breaks in found.violation, found
