"""A pod that does not start, or dies again and again: its reason, its words and the tail of its log are on the task.

`kubectl describe lt` is enough to know what to do, and the task gets on as soon as that is done.
"""

from __future__ import annotations

import pytest

from tests.e2e.support.stalls import completes, described, mend, short, stalled
from tests.e2e.support.tasks import Lab, condition, long_task, plain, worker


def test_an_image_that_can_not_be_pulled_stalls_a_task_until_the_template_is_mended(lab: Lab) -> None:
    image = {"image": "longtask:no-such-tag", "imagePullPolicy": "Never"}
    task = lab.start(long_task("task", worker(container=image)))

    message = stalled(task, "ImagePull")
    assert "container worker: ErrImageNeverPull: " in message
    assert "longtask:no-such-tag" in message
    assert "longtask:no-such-tag" in described(lab, task)

    mend(task, short())
    completes(task)


def test_a_registry_that_does_not_answer_stalls_a_task_in_the_kubelets_words(lab: Lab) -> None:
    task = lab.start(long_task("task", worker(container={"image": "127.0.0.1:9/nobody/here:1"})))

    message = stalled(task, "ImagePull")

    assert "127.0.0.1:9/nobody/here:1" in message
    assert "127.0.0.1:9/nobody/here:1" in described(lab, task)


def test_a_pod_that_fits_on_no_node_says_what_the_scheduler_says_until_the_template_is_mended(lab: Lab) -> None:
    """Nodes may come, so it is not `Stalled`: an autoscaler needs no person."""
    task = lab.start(short(pod={"nodeSelector": {"no": "such-node"}}))

    # at first the scheduler may still wait for the volume
    words = "didn't match Pod's node affinity/selector"
    body = task.wait("the scheduler's words", lambda body: words in condition(body, "Ready").get("message", ""))
    assert condition(body, "Ready")["reason"] == "Unschedulable"
    assert words in described(lab, task)
    assert condition(body, "Stalled").get("status", "False") == "False"

    mend(task, short())
    completes(task)


@pytest.mark.parametrize(("kind", "field"), [("ConfigMap", "configMapRef"), ("Secret", "secretRef")])
def test_a_config_map_or_secret_that_is_missing_stalls_a_task_until_it_is_there(
    lab: Lab, kind: str, field: str
) -> None:
    made = worker(env={"ITEMS": 3, "PACE": 0}, container={"envFrom": [{field: {"name": "settings"}}]})
    task = lab.start(long_task("task", made))

    message = stalled(task, "ContainerConfig")
    assert f'{kind.lower()} "settings" not found' in message
    assert f'{kind.lower()} "settings" not found' in described(lab, task)

    lab.api.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": "settings"}}, lab.namespace)
    completes(task)


def test_a_container_that_crashes_again_and_again_beside_the_worker_stalls_the_task_with_its_log(lab: Lab) -> None:
    """The worker itself is not restarted in its pod: its retries are new pods, see test_failures.py."""
    helper = {
        **plain(["sh", "-c", "echo there is no such database; exit 4"]),
        "name": "helper",
        "restartPolicy": "Always",
        "startupProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 600},
    }
    task = lab.start(short(pod={"initContainers": [helper]}))

    message = stalled(task, "CrashLoop")

    assert "container helper: CrashLoopBackOff: back-off" in message
    assert "there is no such database" in message
    assert "there is no such database" in described(lab, task)


def test_an_init_container_that_fails_is_quoted(lab: Lab) -> None:
    first = {**plain(["sh", "-c", "echo no route to the archive >&2; exit 6"]), "name": "fetch"}
    task = lab.start(short(pod={"initContainers": [first]}))

    body = task.wait("a retry", lambda body: "1 of 6 retries used" in condition(body, "Ready").get("message", ""))

    assert "container fetch exited with code 6: no route to the archive" in condition(body, "Ready")["message"]
    assert "no route to the archive" in described(lab, task)


def test_a_worker_that_crashes_again_and_again_says_what_it_dies_of(lab: Lab) -> None:
    script = "echo connecting to the database >&2; echo no such host: db >&2; exit 3"
    task = lab.start(long_task("task", plain(["sh", "-c", script])))

    task.wait("two failures", lambda body: body["status"].get("failures") == 2)
    body = task.wait("a retry", lambda body: "2 of 6 retries used" in condition(body, "Ready")["message"])

    message = condition(body, "Ready")["message"]
    assert condition(body, "Ready")["reason"] == "Retrying"
    assert "exited with code 3" in message
    assert "connecting to the database\nno such host: db" in message
    assert "no such host: db" in described(lab, task)


def test_a_plain_password_in_the_template_is_warned_of_and_runs_nevertheless(lab: Lab) -> None:
    task = lab.start(short(DB_PASSWORD="hunter2", API_TOKEN="abc"))  # noqa: S106

    body = task.wait_for_state("Complete")

    warning = condition(body, "SecretsInline")
    assert warning["status"] == "True"
    assert "plain values for API_TOKEN, DB_PASSWORD" in warning["message"]
    assert "put them into a Secret and refer to it with valueFrom" in described(lab, task)
    assert "hunter2" not in warning["message"]
