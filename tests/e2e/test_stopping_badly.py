"""Programs that answer SIGTERM with the wrong exit code: a suspension makes neither a failure nor a success of it.

A Job's rules look at pods that a suspension has deleted, too; one that ends with the code for "never retry" fails its
Job for good, although nobody counts its pod (trap 7). G5 and G6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.tasks import long_task, plain, worker

if TYPE_CHECKING:
    from tests.e2e.support.tasks import Lab


def test_a_worker_that_gives_up_when_it_is_asked_to_stop_is_suspended_and_goes_on(lab: Lab) -> None:
    """The library leaves with 1 instead of 78 after a stop request, so that it can't fail its Job."""
    made = worker("failing.py:StopsBadly", save_every=0.001, env={"ITEMS": 20, "PACE": 0.01})
    task = lab.start(long_task("bad", made, backoff_limit=0))
    lab.wait_for_line("log", "waiting to be stopped")
    task.wait_for_saved(5)
    started = task.status["startTime"]

    task.want("Suspend")
    task.wait_for_state("Suspended")
    assert task.condition("Suspended")["reason"] == "Killed"
    lab.touch("mended")
    task.want("Run")
    task.wait_for_state("Complete")

    assert lab.items() == list(range(20))
    assert (task.status["attempt"], task.status["failures"]) == (1, 0)
    assert task.status["startTime"] == started  # a Job's own is set anew by every resume


@pytest.mark.parametrize("code", [3, 78])
def test_a_program_is_suspended_and_goes_on_whatever_it_exits_with_on_sigterm(lab: Lab, code: int) -> None:
    wait = "until [ -e /data/go ]; do sleep 0.1; done"
    script = f"trap 'exit {code}' TERM; echo began >> /data/log; {wait}; echo end >> /data/log"
    task = lab.start(long_task("program", plain(["sh", "-c", script]), backoff_limit=0))
    task.wait_for_state("Running")
    lab.wait_for_line("log", "began")

    task.want("Suspend")
    task.wait_for_state("Suspended")
    assert task.active_pods() == []
    assert lab.lines("log") == ["began"]
    task.want("Run")
    task.wait_for_state("Running")
    lab.touch("go")
    task.wait_for_state("Complete")

    assert lab.lines("log") == ["began", "began", "end"]
    assert [state for state, _ in task.history()][:3] == ["Running", "Suspended", "Running"]
    assert task.status["failures"] == 0
