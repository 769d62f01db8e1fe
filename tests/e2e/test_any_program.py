"""Containers that never heard of LongTask: a shell, a sleep, whatever runs in a Job.

Shows G5 and G6 for them, and with that traps 5 (exit 0 on SIGTERM is no success) and 15 (a program that ignores SIGTERM
outlives it for its whole grace period). They keep no checkpoint, so a resumed one begins again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import condition, long_task, plain

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab

SLEEP = plain(["sleep", "3600"])


def shell(script: str) -> Body:
    """A container that runs a script as its only process."""
    return plain(["sh", "-c", script])


def test_a_program_that_exits_with_0_completes_its_task(lab: Lab) -> None:
    task = lab.start(long_task("hello", shell("echo hello > /data/hello")))

    body = task.wait_for_state("Complete")

    assert lab.lines("hello") == ["hello"]
    assert condition(body, "Complete")["reason"] == "ExitedZero"
    assert condition(body, "Ready")["status"] == "True"
    assert "checkpoint" not in body["status"]


def test_a_program_that_fails_fails_its_task_with_its_last_words(lab: Lab) -> None:
    task = lab.start(long_task("broken", shell("echo no such table: rows >&2; exit 3"), backoff_limit=0))

    body = task.wait_for_state("Failed")

    assert "exited with code 3" in condition(body, "Failed")["message"]
    assert "no such table: rows" in condition(body, "Failed")["message"]
    assert condition(body, "Ready")["status"] == "False"


def test_a_program_without_a_signal_handler_is_suspended_at_once(lab: Lab) -> None:
    """As PID 1 it would not even notice SIGTERM, and live on for the whole grace period: here that is ten minutes."""
    task = lab.start(long_task("sleep", SLEEP, grace=600))
    task.running_pod()
    task.wait_for_state("Running")

    task.want("Suspend")
    body = task.wait_for_state("Suspended")

    assert condition(body, "Suspended")["reason"] == "Killed"
    assert "does not listen to SIGTERM" in condition(body, "Suspended")["message"]
    wait_for(lambda: not task.pods(), what="no pod of it")


def test_a_program_that_ignores_sigterm_is_killed_when_its_grace_period_is_over(lab: Lab) -> None:
    script = "trap '' TERM; echo ready > /data/deaf; while :; do sleep 1; done"
    task = lab.start(long_task("deaf", shell(script), grace=1))
    lab.wait_for_line("deaf", "ready")
    task.wait_for_state("Running")

    task.want("Suspend")

    assert condition(task.wait_for_state("Suspended"), "Suspended")["reason"] == "Killed"
    assert task.active_pods() == []


def test_exit_0_on_sigterm_does_not_complete_a_suspended_task(lab: Lab) -> None:
    """Resumed, it begins again; only an end that nobody has asked for counts."""
    work = "echo begun >> /data/begun; while [ ! -e /data/go ]; do sleep 0.1; done; echo end > /data/end"
    task = lab.start(long_task("polite", shell(f"trap 'exit 0' TERM; {work}")))
    lab.wait_for_line("begun", "begun")
    task.wait_for_state("Running")

    task.want("Suspend")
    task.wait_for_state("Suspended")
    assert lab.lines("end") == []
    lab.touch("go")
    task.want("Run")
    body = task.wait_for_state("Complete")

    assert lab.lines("begun") == ["begun", "begun"]
    assert lab.lines("end") == ["end"]
    assert body["status"]["attempt"] == 1
    assert body["status"]["failures"] == 0


def test_a_program_is_terminated_and_nothing_is_left(lab: Lab) -> None:
    task = lab.start(long_task("sleep", SLEEP, grace=600))
    task.running_pod()

    task.want("Terminate")
    task.wait_for_state("Terminated")

    assert task.jobs() == []
    assert task.pods() == []


def test_a_suspended_program_that_never_started_says_so(lab: Lab) -> None:
    task = lab.start(long_task("sleep", SLEEP, pod={"nodeSelector": {"longtask.dev/no-such-node": "true"}}))
    wait_for(task.active_pods, what="a pod that waits for a node")

    task.want("Suspend")

    assert condition(task.wait_for_state("Suspended"), "Suspended")["reason"] == "NotStarted"
