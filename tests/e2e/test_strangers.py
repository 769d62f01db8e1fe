"""What carries the names of a task without being its own: nobody's claim is believed, and nothing of others is touched.

`Suspended` and `Terminated` are neither held up nor made untrue by it (G2, G4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.furniture import IMAGE
from tests.e2e.support.stalls import completes, short, stalled
from tests.e2e.support.tasks import items

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab


def pod_like(task: Handle) -> Body:
    """A pod with the name and the label of a task's own, as somebody makes it who has read the docs."""
    container = {"name": "worker", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"]}
    metadata = {"name": f"{task.name}-{task.uid[:8]}-1-abcde", "labels": {"longtask.dev/task-uid": task.uid}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def job_like(task: Handle) -> Body:
    """A Job with the name of a task's first, suspended, so that it does nothing."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "other", "image": IMAGE}]}
    spec = {"suspend": True, "template": {"spec": pod}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{task.name}-{task.uid[:8]}-1"},
        "spec": spec,
    }


def test_a_pod_of_another_namespace_is_nobody_of_the_task_whatever_it_is_called(
    lab: Lab, new_namespace: Callable[[], str]
) -> None:
    """Else anybody with a namespace of their own could keep the tasks of others from ever being suspended."""
    task = lab.start(items(count=1000))
    task.wait_for_saved(3)
    elsewhere = new_namespace()
    lab.api.create(pod_like(task), elsewhere)

    task.want("Suspend")
    task.wait_for_state("Suspended")
    task.want("Terminate")
    task.wait_for_state("Terminated")

    pod = lab.api.get("Pod", pod_like(task)["metadata"]["name"], elsewhere)
    assert "deletionTimestamp" not in pod["metadata"]
    assert pod["status"]["phase"] in {"Pending", "Running"}


def test_a_pod_made_by_hand_with_the_label_of_a_task_is_stopped_with_it(lab: Lab) -> None:
    """No Job would end it, and it has the name that lets it write: as long as it is active, nothing is proved."""
    task = lab.start(items(count=1000))
    task.wait_for_saved(3)
    lab.api.create(pod_like(task), lab.namespace)

    task.want("Suspend")
    task.wait_for_state("Suspended")

    assert task.active_pods() == []
    assert task.jobs() != []


def test_a_job_of_its_name_that_is_not_its_own_stalls_a_task_until_it_is_gone(lab: Lab) -> None:
    task = lab.start(short(desired="Suspend"))
    task.wait_for_state("Suspended")
    job = lab.api.create(job_like(task), lab.namespace)

    task.want("Run")
    message = stalled(task, "NameTaken")
    assert message == (
        f"Job {job['metadata']['name']} exists and does not belong to this task: delete it if it is not needed"
    )
    assert lab.api.get("Job", job["metadata"]["name"], lab.namespace)["metadata"]["uid"] == job["metadata"]["uid"]

    lab.api.delete("Job", job["metadata"]["name"], lab.namespace)
    completes(task)


def test_a_job_that_is_not_its_own_outlives_the_task(lab: Lab) -> None:
    task = lab.start(short(desired="Suspend"))
    task.wait_for_state("Suspended")
    job = lab.api.create(job_like(task), lab.namespace)

    task.want("Terminate")
    task.wait_for_state("Terminated")

    assert lab.api.get("Job", job["metadata"]["name"], lab.namespace)["metadata"]["uid"] == job["metadata"]["uid"]
