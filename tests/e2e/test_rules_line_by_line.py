"""Lines of the rules and policies that every other test could do without: what only one line forbids, and no other.

Found by weakening one line after another (docs/mutants.md). On a copy of the resource that no operator watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.attacks import LATER, ON_STATUS, STRANGER
from tests.e2e.support.client import APPLY, ApiError, wait_for
from tests.e2e.support.rules import claim, save

if TYPE_CHECKING:
    from tests.e2e.support.attacks import Attack
    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.rules import Bench

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Running",
    "message": "",
    "lastTransitionTime": "2026-11-21T21:00:00Z",
}
STARTED = {"time": "2026-11-21T21:00:00Z", "state": "Running", "reason": "Running", "attempt": 1}


def at_work(bench: Bench) -> tuple[Body, Api]:
    """A task with every part of a status that a task at work has, and its worker's client."""
    task = bench.task()
    pod = bench.pod_of(task)
    worker = bench.worker(pod)
    task = bench.write(worker, task, checkpoint=claim(task, pod))
    bench.write(worker, task, checkpoint=save(task), progress={"done": 1})
    parts: dict[str, Any] = {"state": "Running", "jobName": "import-1", "startTime": STARTED["time"], "failures": 0}
    return bench.set_status(**parts, conditions=[READY], history=[STARTED]), worker


@pytest.mark.parametrize("attack", ON_STATUS, ids=str)
def test_a_worker_writes_progress_and_checkpoint_and_nothing_else(bench: Bench, attack: Attack) -> None:
    task, worker = at_work(bench)
    query = "fieldManager=attacker&force=true" if attack.how == APPLY else ""
    where = ("LongTask", "import", bench.namespace)

    with pytest.raises(ApiError, match=attack.words):
        worker.patch(*where, attack.patch(task), how=attack.how, subresource="status", query=query)

    assert bench.read() == task


def test_the_write_that_terminates_empties_the_saved_data(bench: Bench) -> None:
    """The counterpart of the refusals below."""
    task, _ = at_work(bench)
    bench.desire("Terminate")

    ended = bench.set_status(state="Terminated", checkpoint={"data": ""})

    assert ended["status"]["checkpoint"] == task["status"]["checkpoint"] | {"data": ""}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "a Terminated task must keep no saved data"),
        ({"data": "", "sequence": 2}, "a Terminated task must keep no saved data"),
        ({"data": "", "epoch": 2, "cause": "Claim"}, "a Terminated task must keep no saved data"),
        ({"data": "", "holder": STRANGER}, "must not change without a greater sequence"),
        ({"data": "", "attempt": 2}, "must not change without a greater sequence"),
        ({"data": "", "cause": "Done"}, "must not change without a greater sequence"),
        ({"data": "", "time": LATER}, "must not change without a greater sequence"),
    ],
    ids=str,
)
def test_the_write_that_terminates_changes_nothing_else_of_the_checkpoint(
    bench: Bench, change: Body, words: str
) -> None:
    at_work(bench)
    before = bench.desire("Terminate")

    with pytest.raises(ApiError, match=words):
        bench.set_status(state="Terminated", checkpoint=change)

    assert bench.read() == before


def test_a_task_that_was_never_claimed_is_terminated_without_a_checkpoint(bench: Bench) -> None:
    task = bench.task(desiredState="Terminate")
    first = claim(task, bench.pod_of(task))

    with pytest.raises(ApiError, match="a Terminated task must keep no saved data"):
        bench.set_status(state="Terminated", checkpoint=first)

    assert "checkpoint" not in bench.set_status(state="Terminated")["status"]


def test_the_operator_writes_every_part_of_a_status(bench: Bench) -> None:
    task = bench.task()

    written = bench.write(bench.operator(), task, state="Running", jobName="import-1", conditions=[READY])

    assert written["status"]["state"] == "Running"


def test_an_account_that_is_only_named_like_the_operator_is_none(bench: Bench) -> None:
    """Whoever has a namespace may name an account as they like."""
    task = bench.task()
    namesake = bench.account(bench.rules.operator_account[1])

    with pytest.raises(ApiError, match="must use the token of a pod"):
        bench.write(namesake, task, state="Complete")

    assert bench.read() == task


@pytest.fixture
def editor(bench: Bench) -> Api:
    """The client of somebody who may edit LongTasks here, and create no Jobs."""
    account = bench.account("editor")
    bench.bind("editor", "longtask-editor")
    wait_for(lambda: _may_read(account, bench), what="the role to be in force")
    return account


def _may_read(account: Api, bench: Bench) -> bool:
    try:
        account.list_all("LongTask", bench.namespace)
    except ApiError:
        return False
    return True


def test_who_may_not_create_jobs_decides_nothing_that_runs(bench: Bench, editor: Api) -> None:
    task = bench.task()
    other = {"spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "evil"}]}}}}

    with pytest.raises(ApiError, match="must be allowed to create Jobs"):
        editor.create(bench.manifest("another"))
    with pytest.raises(ApiError, match="must be allowed to create Jobs"):
        editor.patch("LongTask", "import", bench.namespace, other)
    with pytest.raises(ApiError, match="must be allowed to create Jobs"):
        editor.patch("LongTask", "import", bench.namespace, {"spec": {"checkpoint": {"file": "/secret/key"}}})
    with pytest.raises(ApiError, match="must be allowed to create Jobs"):
        editor.patch("LongTask", "import", bench.namespace, {"spec": {"cleanup": {"command": ["evil"]}}})

    assert bench.read() == task


def test_who_may_not_create_jobs_still_suspends_and_labels(bench: Bench, editor: Api) -> None:
    bench.task()

    changed = editor.patch(
        "LongTask",
        "import",
        bench.namespace,
        {"metadata": {"labels": {"team": "data"}}, "spec": {"desiredState": "Suspend"}},
    )

    assert changed["spec"]["desiredState"] == "Suspend"


def test_who_may_create_jobs_decides_what_runs(bench: Bench, editor: Api) -> None:
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}]
    where = {"name": "jobs", "namespace": bench.namespace}
    group = "rbac.authorization.k8s.io"
    bench.api.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": where, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "editor", "namespace": bench.namespace}
    role = {"apiGroup": group, "kind": "Role", "name": "jobs"}
    bench.api.create(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": where,
            "roleRef": role,
            "subjects": [subject],
        }
    )

    def created() -> bool:
        try:
            editor.create(bench.manifest("another"))
        except ApiError as error:
            assert "must be allowed to create Jobs" in error.message  # noqa: PT017 - until the role is in force
            return False
        return True

    wait_for(created, what="the role to be in force")
    assert bench.read("another")["spec"]["desiredState"] == "Run"
