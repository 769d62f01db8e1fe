"""Stand-ins for parts of the shell, made with pytest-mock: they answer as told and remember what they were asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.shell.cluster import Cluster
from longtask.shell.tasks import TaskStore
from tests.unit.core.builders import JOB_UID, NAME, UID

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from longtask.core.observed import ObservedJob, ObservedPod, ObservedTask

Json = dict[str, Any]


def a_cluster(
    mocker: MockerFixture,
    task: ObservedTask | None = None,
    jobs: tuple[ObservedJob, ...] = (),
    pods: tuple[ObservedPod, ...] = (),
) -> Any:  # noqa: ANN401 - a mock with everything that a Cluster has
    """A cluster in whose copies there are these; it does whatever it is asked to."""
    cluster = mocker.create_autospec(Cluster, instance=True)
    cluster.tasks = mocker.create_autospec(TaskStore, instance=True)
    cluster.tasks.get.side_effect = lambda uid: task if task is not None and uid == task.uid else None
    cluster.jobs = mocker.Mock()
    cluster.jobs.of_task.return_value = jobs
    cluster.pods = mocker.Mock()
    cluster.pods.of_task.return_value = pods
    if task is not None:
        cluster.read_task.return_value = a_body(task)
    return cluster


def a_body(task: ObservedTask, **spec: Any) -> Json:  # noqa: ANN401 - fields of the spec
    """The task as the API server has it."""
    template = {"spec": {"containers": [{"name": "worker", "image": "i"}]}}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": task.name,
            "namespace": task.namespace,
            "uid": task.uid,
            "generation": task.generation,
            "resourceVersion": task.resource_version,
        },
        "spec": {"desiredState": str(task.desired), "backoffLimit": 6, "template": template, **spec},
        "status": task.status.dump(),
    }


def a_job_body(owner: str = UID, **metadata: Any) -> Json:  # noqa: ANN401 - fields of the metadata
    """A Job that a LongTask controls, as the API server has it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": "team",
            "name": f"{NAME}-{UID[:8]}-1",
            "uid": JOB_UID,
            "resourceVersion": "200",
            "generation": 1,
            "creationTimestamp": "2026-03-01T11:59:00Z",
            "labels": {names.LABEL_TASK_UID: owner, names.LABEL_ATTEMPT: "1"},
            "annotations": {names.ANNOTATION_TEMPLATE_HASH: "abc", names.ANNOTATION_FAILURES_BEFORE: "2"},
            "ownerReferences": [{"kind": names.KIND, "name": NAME, "uid": owner, "controller": True}],
            **metadata,
        },
        "spec": {"suspend": False},
        "status": {"startTime": "2026-03-01T11:59:30Z", "failed": 1},
    }


def a_pod_body(status: Json | None = None, **metadata: Any) -> Json:  # noqa: ANN401 - fields of the metadata
    """A pod of that Job, as the API server has it."""
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": "team",
            "name": f"{NAME}-{UID[:8]}-1-abcde",
            "uid": "pod-uid",
            "resourceVersion": "300",
            "labels": {names.LABEL_TASK_UID: UID},
            "ownerReferences": [{"kind": "Job", "name": "job", "uid": JOB_UID, "controller": True}],
            **metadata,
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "sidecar"}, {"name": "worker"}]},
        "status": {"phase": "Running"} if status is None else status,
    }
