"""The story: what the demo does to its tasks, in the order in which people see it.

It must not know how a cluster comes to be, nor how things look on the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.demo import checks
from tests.demo.stage import read
from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import done_of, settled_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.demo.screen import Screen
    from tests.demo.stage import Stage
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle

WORK_SECONDS: Final = 1200.0  # for work that takes a minute on an idle machine
CHANGE_SECONDS: Final = 180.0  # for a pod that starts, and for a batch and a save that end
SAMPLE: Final = "index-python.yaml"


def suspend_and_resume(stage: Stage, screen: Screen) -> Handle:
    """Run the task to a third, suspend it, and resume it where it was."""
    screen.title("index-python: an index of every Python file in the image (a minute or two of work)")
    task = stage.apply(SAMPLE)
    follow(screen, task, "at work", lambda body: done_of(body) > 0)
    screen.mark("index-python is at work")
    follow(screen, task, "a third done", share(1 / 3))

    screen.title("Suspend it at a third")
    stage.want(task, "Suspend")
    follow(screen, task, "Suspended", lambda body: settled_in(body, "Suspended"), seconds=CHANGE_SECONDS)
    at = checks.suspended(screen, task)
    screen.mark(f"index-python is suspended at {at}")

    screen.title("Resume it")
    stage.want(task, "Run")
    pod = task.running_pod(seconds=CHANGE_SECONDS)
    follow(screen, task, "more done than before", lambda body: done_of(body) > at.done, seconds=CHANGE_SECONDS)
    checks.goes_on(screen, stage.log_of(pod), at, total_of(task))
    screen.mark(f"index-python has gone on from {at}")
    return task


def kill(stage: Stage, screen: Screen, task: Handle) -> None:
    """Kill the worker with SIGKILL in the middle of its work; the next one goes on from its last checkpoint."""
    screen.title("Kill its worker")
    follow(screen, task, "well over half done", share(0.6))
    if stage.cluster.kind == "existing":
        screen.mark("left out: SIGKILL past the kubelet needs a cluster of `make cluster`")
        return
    pod = task.running_pod(seconds=CHANGE_SECONDS)
    stage.cluster.kill_container(pod["metadata"]["uid"], "worker")
    screen.mark(f"SIGKILL for the worker in pod {pod['metadata']['name']}")

    def dead() -> Body | None:
        return next((p for p in task.pods() if p["metadata"]["uid"] == pod["metadata"]["uid"] and is_failed(p)), None)

    wait_for(dead, timeout=CHANGE_SECONDS, what="the killed pod to be seen as failed", state=task.story)
    at = checks.position(task.read())
    screen.say(f"   saved last: {at}. The Job controller starts another pod (after 10 s)")
    successor = task.running_pod(but_not=pod["metadata"]["uid"], seconds=CHANGE_SECONDS)
    follow(screen, task, "more done than before", lambda body: done_of(body) > at.done, seconds=CHANGE_SECONDS)
    checks.goes_on(screen, stage.log_of(successor), at, total_of(task))
    screen.mark(f"another worker has gone on from {at}")


def complete(stage: Stage, screen: Screen, task: Handle) -> None:
    """Let the task complete, and look into its database."""
    screen.title("Let it complete")
    follow(screen, task, "Complete", lambda body: settled_in(body, "Complete"))
    checks.complete(screen, task, kills=0 if stage.cluster.kind == "existing" else 1)
    screen.mark("index-python is complete")

    screen.title("Check the database, from a pod on its volume (half a minute)")
    command = ["python3", "-m", "longtask.examples.check_index", "/data/index.sqlite", "/"]
    said, well = stage.run_beside("check", task.read(), command)
    checks.holds(screen, "the check has found nothing wrong", fact=well, seen=lambda: said)
    for line in said.splitlines():
        screen.say(f"   [ok] {line}")
    screen.mark("the database is checked")


def terminate(stage: Stage, screen: Screen) -> None:
    """Terminate a second task midway: of it nothing is left."""
    screen.title("A second task, terminated midway")
    body = next(body for body in read(SAMPLE) if body["kind"] == "LongTask")
    body["metadata"]["name"] = "index-again"
    command: list[str] = body["spec"]["template"]["spec"]["containers"][0]["command"]
    command[command.index("/data/index.sqlite")] = "/data/again.sqlite"
    task = stage.apply_body(body)
    follow(screen, task, "a fifth done", share(0.2))
    screen.mark(f"index-again is in the middle of its work, at {checks.position(task.read())}")
    stage.want(task, "Terminate")
    follow(screen, task, "Terminated", lambda body: settled_in(body, "Terminated"), seconds=CHANGE_SECONDS)
    screen.mark("index-again is terminated")
    checks.left_nothing(screen, task)
    said, well = stage.run_beside("look", body, ["sh", "-c", "ls /data && test ! -e /data/again.sqlite"])
    checks.holds(screen, "its cleanup has removed its database from the volume", fact=well, seen=lambda: said)


def follow(
    screen: Screen, task: Handle, what: str, condition: Callable[[Body], bool], *, seconds: float = WORK_SECONDS
) -> None:
    """Wait for a task to get somewhere, and show on the way how far it is."""

    def look(body: Body) -> bool:
        screen.progress(task.name, body["status"])
        return condition(body)

    task.wait(what, look, seconds=seconds)


def share(part: float) -> Callable[[Body], bool]:
    """Tell whether so much of a task is done; a task that has ended before fails the demo."""

    def reached(body: Body) -> bool:
        progress = body["status"].get("progress", {})
        if body["status"]["state"] in {"Complete", "Failed", "Terminated"}:
            raise checks.CheckError(f"the task ended before {part:.0%}: {body['status']}")
        return bool(progress.get("total")) and progress["done"] >= part * progress["total"]

    return reached


def is_failed(pod: Body) -> bool:
    """Whether a pod has ended badly."""
    return bool(pod["status"].get("phase") == "Failed")


def total_of(task: Handle) -> int:
    """How many files there are in all."""
    total: int = task.status["progress"]["total"]
    return total
