"""What a person gets who asks for something that can't be: a refusal at once, with words that say what to do.

With kubectl and the installed resource, as people meet it. Every rule with all its corners stands in
test_resource_rules.py; here are the mistakes that people make. `Terminate` is never taken back (G4).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import ApiError, wait_for
from tests.e2e.support.kubectl import kubectl
from tests.e2e.support.stalls import completes, short, stalled
from tests.e2e.support.tasks import condition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.tasks import Lab

    Kubectl = Callable[..., str]

KUEUE = "kueue.x-k8s.io/queue-name"
STAYS = (
    "a task that was told to terminate must stay so: to do the work again, create a task of another name, "
    "or delete this one first"
)


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Kubectl:
    """Kubectl in a namespace of the test's own, where nothing can run: what is refused never gets that far."""
    return lambda *words, manifest=None: kubectl(kubeconfig, f"--namespace={namespace}", *words, manifest=manifest)


def a_task(name: str = "import", **spec: Any) -> Body:  # noqa: ANN401 - fields of the spec
    """A manifest that is right, but for what a test changes. Nothing is to run, and no image is there to run."""
    template = {"spec": {"containers": [{"name": "worker", "image": "none"}]}}
    wanted = {"desiredState": "Suspend", "template": template, **spec}
    return {
        "apiVersion": "longtask.dev/v1alpha1",
        "kind": "LongTask",
        "metadata": {"name": name},
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }


def labelled(name: str, value: str, **spec: Any) -> Body:  # noqa: ANN401
    body = a_task(**spec)
    body["metadata"]["labels"] = {name: value}
    return body


def test_a_task_that_is_right_is_accepted(run: Kubectl) -> None:
    """The counterpart of every refusal below."""
    assert run("apply", "-f", "-", manifest=a_task()).strip() == "longtask.longtask.dev/import created"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (a_task(desiredState="Pause"), 'Unsupported value: "Pause": supported values: "Run", "Suspend", "Terminate"'),
        (a_task(desiredState="run"), 'Unsupported value: "run": supported values: "Run", "Suspend", "Terminate"'),
        (a_task(desiredstate="Run"), 'unknown field "spec.desiredstate"'),
        (a_task(template=None), "spec.template: Required value"),
        (a_task(template={"spec": {"containers": []}}), "spec.containers must list at least one container"),
        (
            a_task(template={"spec": {"container": [{"name": "worker", "image": "none"}]}}),
            "template.spec.containers must list at least one container: the one named worker, or else the first, does",
        ),
        (a_task(backoffLimit=-1), "spec.backoffLimit: Invalid value: -1: spec.backoffLimit in body should be greater"),
        (a_task(backoffLimit="many"), "spec.backoffLimit"),
        (a_task(checkpoint={"file": "position"}), "spec.checkpoint.file"),
        (a_task(checkpoint={"file": "/state/../etc/shadow"}), "file must be an absolute path without . and .. in it"),
        (
            a_task(checkpoint={"completeExitCodes": [3], "interruptedExitCodes": [3]}),
            "an exit code must not be in both completeExitCodes and interruptedExitCodes",
        ),
        (a_task("nightly-import-of-all-customers-of-europe"), "must be a DNS label of at most 36 characters"),
        (a_task("import.csv"), "(lower-case letters, digits and hyphens, beginning and ending with a letter or digit)"),
        (labelled(KUEUE, "team"), f"the label {KUEUE} must be removed: Kueue is not supported yet"),
        (
            a_task(
                template={
                    "metadata": {"labels": {KUEUE: "team"}},
                    "spec": {"containers": [{"name": "worker", "image": "none"}]},
                }
            ),
            f"the label {KUEUE} must be removed: Kueue is not supported yet",
        ),
    ],
    ids=[
        "unknown desired state",
        "desired state in lower case",
        "misspelt field",
        "no template",
        "no container",
        "misspelt containers",
        "negative limit",
        "a limit that is no number",
        "checkpoint file that is no absolute path",
        "checkpoint file that climbs",
        "exit code with two meanings",
        "name too long",
        "name with a dot",
        "Kueue label on the task",
        "Kueue label on the template",
    ],
)
def test_a_task_that_can_not_be_is_refused_with_what_to_do(run: Kubectl, manifest: Body, words: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        run("apply", "-f", "-", manifest=manifest)

    assert words in str(caught.value)
    assert run("get", "lt", "-o", "name") == ""


@pytest.mark.parametrize(
    "patch",
    [
        ["--type=merge", "-p", '{"spec":{"desiredState":"Run"}}'],
        ["--type=merge", "-p", '{"spec":{"desiredState":"Suspend"}}'],
        ["--type=merge", "-p", '{"spec":{"desiredState":null}}'],
        ["--type=json", "-p", '[{"op":"remove","path":"/spec/desiredState"}]'],
        ["--type=json", "-p", '[{"op":"remove","path":"/spec"}]'],
        ["--type=merge", "-p", '{"spec":null}'],
    ],
    ids=["run", "suspend", "no desired state", "desired state removed", "spec removed", "no spec"],
)
def test_a_terminated_task_can_not_be_run_again(run: Kubectl, patch: list[str]) -> None:
    run("apply", "-f", "-", manifest=a_task(desiredState="Terminate"))

    with pytest.raises(RuntimeError) as caught:
        run("patch", "lt", "import", *patch)

    assert STAYS in str(caught.value) or "spec: Required value" in str(caught.value)
    assert run("get", "lt", "import", "-o", "jsonpath={.spec.desiredState}") == "Terminate"


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client side", "server side"])
def test_a_manifest_that_no_longer_says_terminate_takes_nothing_back(run: Kubectl, flags: list[str]) -> None:
    """Whoever had applied the word and leaves it out removes it, and the default would be Run."""
    run("apply", "-f", "-", *flags, manifest=a_task(desiredState="Terminate"))

    with pytest.raises(RuntimeError) as caught:
        run("apply", "-f", "-", *flags, manifest=a_task(desiredState=None))

    assert STAYS in str(caught.value)
    assert run("get", "lt", "import", "-o", "jsonpath={.spec.desiredState}") == "Terminate"


def test_a_kueue_label_that_comes_later_stalls_the_task_until_it_is_removed(lab: Lab) -> None:
    """The API server refuses it on what decides what runs; a label alone can be added any time."""
    task = lab.start(short(desired="Suspend"))
    task.wait_for_state("Suspended")
    task.patch({"metadata": {"labels": {KUEUE: "team"}}})

    task.want("Run")
    assert f"label {KUEUE}=team: Kueue reverts a suspend" in stalled(task, "KueueUnsupported")
    assert task.jobs() == []

    task.patch({"metadata": {"labels": {KUEUE: None}}})
    completes(task)
    assert condition(task.read(), "Stalled")["status"] == "False"


# --- Who may decide what runs ---


@pytest.fixture
def editor(api: Api, namespace: str) -> Api:
    """Somebody who may change LongTasks, and create no Jobs."""
    subject = {"kind": "User", "name": "editor", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "editor", "namespace": namespace},
        "roleRef": {"apiGroup": subject["apiGroup"], "kind": "ClusterRole", "name": "longtask-editor"},
        "subjects": [subject],
    }
    api.create(binding)
    person = api.as_user("editor")
    wait_for(lambda: may_list(person, namespace), what="the role to be in force")
    return person


def may_list(person: Api, namespace: str) -> bool:
    """Whether the role is in force."""
    try:
        person.list_all("LongTask", namespace)
    except ApiError:
        return False
    return True


def test_who_may_create_no_jobs_may_create_no_task(editor: Api, namespace: str) -> None:
    with pytest.raises(ApiError, match=f"editor must be allowed to create Jobs in namespace {namespace}"):
        editor.create(a_task(), namespace)


def test_who_may_create_no_jobs_may_suspend_and_label_but_not_change_what_runs(
    api: Api, editor: Api, namespace: str
) -> None:
    api.create(a_task(desiredState="Run"), namespace)
    where = ("LongTask", "import", namespace)

    editor.patch(*where, {"metadata": {"labels": {"team": "data"}}, "spec": {"desiredState": "Suspend"}})
    image = {"spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "evil"}]}}}}
    with pytest.raises(ApiError, match="must be allowed to create Jobs"):
        editor.patch(*where, image)
    with pytest.raises(ApiError, match=r'cannot patch resource "longtasks/status"'):
        editor.patch(*where, {"status": {"state": "Complete"}}, subresource="status")

    task = api.get(*where)
    assert task["spec"]["desiredState"] == "Suspend"
    assert "evil" not in json.dumps(task["spec"])
