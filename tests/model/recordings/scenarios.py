"""What is recorded: for each scenario a worker's program and the words of its script, see stage.py.

Everything that a LongTask's Job can go through without the operator. A scenario ends when its script is over and
nothing has been written for a while, so that the end of a recording is a point of rest. So is the time in which a pod
takes longer to stop than that: there a recording shows what must wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.model.recordings.stage import Program

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`script`: names of methods of Stage, one after the other. `alone`: it stops parts of the cluster."""

    script: str
    program: Program = field(default_factory=Program)
    backoff_limit: int = 6
    grace: int = 20
    alone: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The script, word by word."""
        return tuple(self.script.split())


SLOW: Final = 6.0
"""Seconds to stop, more than the cluster is ever quiet for when something is under way."""
NOWHERE: Final = Program(pod={"nodeSelector": {"tests.longtask.dev/nowhere": "true"}})
NO_IMAGE: Final = Program(image="longtask.dev/there-is-none:1")
STUBBORN: Final = Program(on_term="")


def _stops_with(code: int, *, slow: float = 0) -> Program:
    return Program(on_term=str(code), slow=slow)


def _ends_with(code: int, *, after: float = 1) -> Program:
    return Program(after=after, code=code)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    # a whole life, and ends that come by themselves
    "complete": Scenario(program=_ends_with(0), script="create until_finished"),
    "complete_at_once": Scenario(program=_ends_with(0, after=0), script="create until_finished"),
    "exit_78": Scenario(program=_ends_with(78), script="create until_finished"),
    "exit_75": Scenario(program=_ends_with(75), script="create until_second_pod suspend until_suspended"),
    "failing_until_the_limit": Scenario(program=_ends_with(3), backoff_limit=2, script="create until_finished"),
    "backoff_limit_0": Scenario(program=_ends_with(3), backoff_limit=0, script="create until_finished"),
    "backoff_limit_1": Scenario(program=_ends_with(3), backoff_limit=1, script="create until_finished"),
    "suspend_while_backing_off": Scenario(
        program=_ends_with(3),
        script="create until_failed_pod suspend until_suspended resume until_second_pod"
        " until_running suspend until_suspended",
    ),
    # suspended before a worker runs
    "created_suspended": Scenario(script="create_suspended until_suspended resume until_running"),
    "suspend_at_once": Scenario(script="create suspend until_suspended until_no_pod"),
    "suspend_unscheduled": Scenario(program=NOWHERE, script="create until_pod suspend until_no_pod until_suspended"),
    "suspend_without_image": Scenario(program=NO_IMAGE, script="create until_pod suspend until_no_pod until_suspended"),
    # suspended while it runs, by what the worker answers
    "suspend_75_and_resume": Scenario(
        program=_stops_with(75), script="create until_running suspend until_suspended until_no_pod resume until_running"
    ),
    "suspend_0": Scenario(program=_stops_with(0), script="create until_running suspend until_no_pod until_suspended"),
    "suspend_3": Scenario(program=_stops_with(3), script="create until_running suspend until_no_pod until_suspended"),
    "suspend_78": Scenario(
        program=_stops_with(78),
        script="create until_running hold_pod suspend until_suspended until_failure_target until_rest let_pod_go"
        " until_no_pod",
    ),
    "suspend_killed": Scenario(
        program=STUBBORN, grace=2, script="create until_running suspend until_suspended until_no_pod"
    ),
    # quick toggles
    "suspend_resume_suspend": Scenario(
        program=_stops_with(75), script="create until_running suspend resume suspend until_no_pod until_suspended"
    ),
    "suspend_resume": Scenario(
        program=_stops_with(75, slow=1), script="create until_running suspend resume until_second_life"
    ),
    "resume_while_stopping": Scenario(
        program=_stops_with(75, slow=SLOW),
        script="create until_running suspend until_stopping resume until_second_life until_running",
    ),
    "resume_while_78_is_stopping": Scenario(
        program=_stops_with(78, slow=SLOW),
        script="create until_running hold_pod suspend until_stopping resume until_finished let_pod_go until_no_pod",
    ),
    "resume_while_78_may_be_missed": Scenario(
        program=_stops_with(78, slow=2),
        script="create until_running suspend until_stopping resume until_second_life_or_end",
    ),
    "resume_while_3_is_stopping": Scenario(
        program=_stops_with(3, slow=2),
        script="create until_running suspend until_stopping resume until_second_life until_running",
    ),
    "toggle_while_pending": Scenario(
        program=NOWHERE, script="create until_pod suspend resume until_second_life suspend until_no_pod"
    ),
    # its pod is taken away
    "delete_pod": Scenario(
        program=_stops_with(75, slow=SLOW),
        script="create until_running delete_pod until_second_life suspend until_no_pod",
    ),
    "delete_pod_that_fails": Scenario(
        program=_stops_with(3),
        backoff_limit=1,
        script="create until_running delete_pod until_second_life suspend until_no_pod",
    ),
    "delete_pod_that_exits_0": Scenario(
        program=_stops_with(0), script="create until_running delete_pod until_finished"
    ),
    "delete_pod_that_exits_78": Scenario(
        program=_stops_with(78), script="create until_running delete_pod until_finished"
    ),
    "delete_pod_that_will_not_stop": Scenario(
        program=STUBBORN, grace=2, backoff_limit=0, script="create until_running delete_pod until_finished"
    ),
    "suspend_while_pod_is_deleted": Scenario(
        program=_stops_with(75, slow=SLOW),
        script="create until_running delete_pod until_stopping suspend until_suspended until_no_pod",
    ),
    "force_delete_pod": Scenario(
        program=_stops_with(75), script="create until_running force_delete_pod until_second_life suspend until_no_pod"
    ),
    "force_delete_pod_that_is_stopping": Scenario(
        program=STUBBORN, grace=20, script="create until_running suspend until_stopping force_delete_pod until_no_pod"
    ),
    "delete_unscheduled_pod": Scenario(
        program=NOWHERE, script="create until_pod delete_pod until_second_life suspend until_no_pod"
    ),
    "delete_pod_without_image": Scenario(
        program=NO_IMAGE, backoff_limit=1, script="create until_bound delete_pod until_second_life suspend until_no_pod"
    ),
    "evict": Scenario(
        program=_stops_with(3),
        backoff_limit=0,
        script="create until_running evict_pod until_second_life suspend until_no_pod",
    ),
    "evict_pod_that_exits_78": Scenario(
        program=_stops_with(78),
        backoff_limit=0,
        script="create until_running evict_pod until_second_life suspend until_no_pod",
    ),
    "evict_unscheduled_pod": Scenario(
        program=NOWHERE, script="create until_pod evict_pod until_second_life suspend until_no_pod"
    ),
    "delete_pod_that_is_stopping": Scenario(
        program=STUBBORN,
        script="create until_running suspend until_stopping delete_pod delete_pod_in_ten until_no_pod",
    ),
    "delete_pod_that_is_late": Scenario(
        program=STUBBORN,
        script="create until_running suspend until_stopping until_rest delete_pod_in_one until_no_pod",
    ),
    "gone_node": Scenario(
        backoff_limit=0,
        alone=True,
        script="create until_running remove_node until_second_life suspend until_suspended until_no_pod",
    ),
    "lost_pod": Scenario(
        program=STUBBORN,
        backoff_limit=0,
        alone=True,
        script="create until_running lose_node mark_pod_lost force_delete_pod until_second_life suspend until_suspended"
        " find_node until_no_pod",
    ),
    "lost_pod_while_suspended": Scenario(
        program=STUBBORN,
        backoff_limit=0,
        alone=True,
        script="create until_running lose_node suspend until_suspended mark_pod_lost force_delete_pod until_no_pod"
        " find_node",
    ),
    "lost_node": Scenario(
        program=_stops_with(75),
        backoff_limit=0,
        alone=True,
        script="create until_running lose_node until_stopping find_node until_second_life suspend until_no_pod",
    ),
    # its Job is taken away
    "delete_job_in_background": Scenario(script="create until_running delete_job_in_background until_gone"),
    "delete_job_in_foreground": Scenario(script="create until_running delete_job_in_foreground until_gone"),
    "delete_suspended_job_in_background": Scenario(
        script="create until_running suspend until_no_pod delete_job_in_background until_gone"
    ),
    "delete_suspended_job_in_foreground": Scenario(
        script="create until_running suspend until_no_pod delete_job_in_foreground until_gone"
    ),
    "delete_job_in_background_while_stopping": Scenario(
        program=_stops_with(75, slow=SLOW),
        script="create until_running suspend until_stopping delete_job_in_background until_gone",
    ),
    "delete_job_in_foreground_while_stopping": Scenario(
        program=_stops_with(75, slow=SLOW),
        script="create until_running suspend until_stopping delete_job_in_foreground until_gone",
    ),
    "delete_job_in_foreground_whose_pod_is_held": Scenario(
        script="create until_running hold_pod delete_job_in_foreground until_failed_pod until_rest let_pod_go"
        " until_gone",
    ),
    "delete_job_in_background_while_pod_is_deleted": Scenario(
        program=_stops_with(3, slow=SLOW),
        script="create until_running delete_pod until_stopping delete_job_in_background until_gone",
    ),
    "delete_finished_job_in_background": Scenario(
        program=_ends_with(0), script="create until_finished delete_job_in_background until_gone"
    ),
    "delete_finished_job_in_foreground": Scenario(
        program=_ends_with(3), backoff_limit=0, script="create until_finished delete_job_in_foreground until_gone"
    ),
    "delete_failing_job_in_foreground": Scenario(
        program=_ends_with(3), script="create until_failed_pod delete_job_in_foreground until_gone"
    ),
    "delete_job_and_leave_pods": Scenario(script="create until_running delete_job_and_leave_pods until_released"),
    "delete_finished_job_and_leave_pods": Scenario(
        program=_ends_with(0), script="create until_finished delete_job_and_leave_pods until_released"
    ),
    "delete_task_in_background": Scenario(script="create until_running delete_task_in_background until_gone"),
    "delete_task_in_foreground": Scenario(
        program=_stops_with(75, slow=SLOW), script="create until_running delete_task_in_foreground until_gone"
    ),
    "delete_task_of_suspended_job_in_foreground": Scenario(
        script="create_suspended until_suspended delete_task_in_foreground until_gone"
    ),
}
