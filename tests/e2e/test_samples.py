"""The samples as they are, with the commands of the README: what a new user does in the first five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.kubectl import kubectl
from tests.e2e.support.tasks import Handle, done_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.support.client import Api

WORK_SECONDS = 600.0  # for a minute of work on a busy machine
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@pytest.fixture
def run(kubeconfig: Path, namespace: str, api: Api) -> Callable[..., str]:
    """kubectl in a namespace that enforces the strictest Pod Security."""
    api.patch("Namespace", namespace, "", RESTRICTED)
    return lambda *words: kubectl(kubeconfig, "--namespace", namespace, *words)


def task(api: Api, namespace: str, name: str) -> Handle:
    """The LongTask that a sample has made."""
    return Handle(api, namespace, name, api.get("LongTask", name, namespace)["metadata"]["uid"])


def test_the_commands_of_the_readme_suspend_and_resume_ones_own_code(
    run: Callable[..., str], api: Api, namespace: str
) -> None:
    run("apply", "-f", "manifests/samples/own-code.yaml")
    own = task(api, namespace, "own-code")
    own.wait("some work saved", lambda body: done_of(body) >= 10, seconds=WORK_SECONDS)

    run("patch", "lt", "own-code", "--type=merge", "-p", '{"spec":{"desiredState":"Suspend"}}')
    run("wait", "lt/own-code", "--for=condition=Suspended", "--timeout=120s")
    assert own.condition("Suspended")["reason"] == "Saved"
    at = own.checkpoint["sequence"]
    assert f"suspended at checkpoint {at}" in run("describe", "lt", "own-code")

    run("patch", "lt", "own-code", "--type=merge", "-p", '{"spec":{"desiredState":"Run"}}')
    pod = own.running_pod(seconds=120)
    own.wait("work after the resume", lambda body: body["status"]["checkpoint"]["sequence"] > at, seconds=WORK_SECONDS)
    assert f"going on from checkpoint {at}," in run("logs", pod["metadata"]["name"])
    run("wait", "lt/own-code", "--for=condition=Complete", f"--timeout={WORK_SECONDS:.0f}s")

    status = own.status
    assert status["progress"]["done"] == status["progress"]["total"]
    assert status["progress"]["message"] == "3732423 takes 596 steps"  # as anybody who has looked for it has found


def test_index_python_is_accepted_and_at_work(run: Callable[..., str], api: Api, namespace: str) -> None:
    """That it also completes, and what its index then holds, is the demo's to show."""
    run("apply", "-f", "manifests/samples/index-python.yaml")
    index = task(api, namespace, "index-python")

    index.wait("files indexed", lambda body: done_of(body) >= 20, seconds=WORK_SECONDS)
    run("patch", "lt", "index-python", "--type=merge", "-p", '{"spec":{"desiredState":"Terminate"}}')
    run("wait", "lt/index-python", "--for=condition=Terminated", "--timeout=180s")


@pytest.mark.parametrize("name", ["own-code.yaml", "index-python.yaml"])
def test_a_sample_that_is_applied_again_leaves_a_suspended_task_suspended(
    run: Callable[..., str], api: Api, namespace: str, name: str
) -> None:
    run("apply", "-f", f"manifests/samples/{name}")
    made = task(api, namespace, name.removesuffix(".yaml"))
    made.want("Suspend")

    run("apply", "-f", f"manifests/samples/{name}")

    assert made.read()["spec"]["desiredState"] == "Suspend"


def test_a_program_that_nobody_wrote_for_this_is_suspended_and_resumed(
    run: Callable[..., str], api: Api, namespace: str
) -> None:
    run("apply", "-f", "manifests/samples/any-program.yaml")
    own = task(api, namespace, "any-program")
    own.wait("some work saved", lambda body: done_of(body) >= 3, seconds=120)

    run("patch", "lt", "any-program", "--type=merge", "-p", '{"spec":{"desiredState":"Suspend"}}')
    run("wait", "lt/any-program", "--for=condition=Suspended", "--timeout=120s")
    assert own.condition("Suspended")["reason"] == "Saved"
    at = done_of(own.read())

    run("patch", "lt", "any-program", "--type=merge", "-p", '{"spec":{"desiredState":"Run"}}')
    pod = own.running_pod(seconds=120)
    wait_for(lambda: "item" in run("logs", pod["metadata"]["name"], "-c", "count"), what="its first item")
    assert run("logs", pod["metadata"]["name"], "-c", "count").splitlines()[0] == f"item {at + 1}"
