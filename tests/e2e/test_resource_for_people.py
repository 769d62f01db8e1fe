"""What people see of a LongTask with kubectl, and that applying a manifest again resumes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.kubectl import kubectl
from tests.e2e.support.rules import claim

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.client import Body
    from tests.e2e.support.rules import Bench


def test_get_shows_desired_state_progress_and_attempt(bench: Bench, kubeconfig: Path) -> None:
    bench.task()
    progress = {
        "done": 42,
        "total": 100,
        "percent": 42,
        "rate": "3.5",
        "estimatedCompletionTime": "2030-01-01T00:00:00Z",
    }
    bench.set_status(state="Running", attempt=3, progress=progress)

    header, row = kubectl(kubeconfig, "get", f"longtasks.{bench.rules.group}", "-n", bench.namespace).splitlines()

    assert header.split() == ["NAME", "DESIRED", "STATE", "PROGRESS%", "DONE", "ETA", "ATTEMPT", "AGE"]
    assert row.split()[:-1] == ["import", "Run", "Running", "42", "42", "2030-01-01T00:00:00Z", "3"]


def test_get_wide_shows_the_checkpoint_and_the_reason(bench: Bench, kubeconfig: Path) -> None:
    task = bench.task()
    bench.write(bench.api, task, checkpoint=claim(task, bench.pod_of(task)))
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "message": "at-work",
        "lastTransitionTime": "2026-11-21T21:00:00Z",
    }
    bench.set_status(progress={"done": 1, "total": 9, "rate": "3.5"}, conditions=[ready])

    output = kubectl(kubeconfig, "get", f"longtasks.{bench.rules.group}", "-n", bench.namespace, "-o", "wide")

    header, row = (line.split() for line in output.splitlines())
    assert header[-6:] == ["TOTAL", "RATE", "CHECKPOINT", "SAVED", "REASON", "MESSAGE"]
    assert row[-6:-3] + row[-2:] == ["9", "3.5", "0", "Running", "at-work"]


def test_explain_describes_every_state(bench: Bench, kubeconfig: Path) -> None:
    # explain reads the server's OpenAPI documents, and needs the version where two groups have a kind of this name
    version = f"--api-version={bench.rules.group}/v1alpha1"

    text = kubectl(kubeconfig, "explain", "longtasks.spec.desiredState", version)

    assert "finish the batch in hand, save, and give every resource back" in " ".join(text.split())


@pytest.fixture(params=["client side", "server side", "server side after client side"])
def apply_again(request: pytest.FixtureRequest, bench: Bench, kubeconfig: Path) -> Body:
    """Apply a manifest, suspend the task by hand, apply the manifest again with a change, and return the task."""
    server = ["--server-side"]
    first, second = {
        "client side": ([], []),
        "server side": (server, server),
        "server side after client side": ([], [*server, "--force-conflicts"]),
    }[request.param]
    manifest = bench.manifest()
    kubectl(kubeconfig, "apply", "-f", "-", *first, manifest=manifest)
    suspend = '{"spec":{"desiredState":"Suspend"}}'
    kubectl(
        kubeconfig,
        "patch",
        f"longtasks.{bench.rules.group}",
        "import",
        "-n",
        bench.namespace,
        "--type=merge",
        "-p",
        suspend,
    )
    manifest["spec"]["backoffLimit"] = 3
    kubectl(kubeconfig, "apply", "-f", "-", *second, manifest=manifest)
    return bench.read()


def test_a_manifest_that_is_applied_again_resumes_nothing(apply_again: Body) -> None:
    assert apply_again["spec"]["backoffLimit"] == 3
    assert apply_again["spec"]["desiredState"] == "Suspend"


def test_a_manifest_that_says_run_and_is_applied_again_resumes(bench: Bench, kubeconfig: Path) -> None:
    """The counterpart: what the manifest states is wanted, as everywhere in Kubernetes."""
    manifest = bench.manifest(desiredState="Run")
    kubectl(kubeconfig, "apply", "-f", "-", manifest=manifest)
    bench.desire("Suspend")

    kubectl(kubeconfig, "apply", "-f", "-", manifest=manifest)

    assert bench.read()["spec"]["desiredState"] == "Run"
