"""Sound objects in full dress, to be damaged: every part that the operator or the worker reads is there."""

from __future__ import annotations

import copy
from typing import Any, Final

from longtask.api import names
from tests.unit.core.builders import HOLDER, JOB_UID, NAME, UID
from tests.unit.shell.doubles import a_job_body, a_pod_body

Json = dict[str, Any]
NAMESPACE: Final = "team"
_NOON = "2026-03-01T12:00:00Z"


def a_task_body(uid: str = UID, name: str = NAME, version: str = "100") -> Json:
    """A task that was suspended once and runs again."""
    condition = {"type": "Ready", "status": "True", "reason": "Running", "message": "", "lastTransitionTime": _NOON}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "resourceVersion": version,
            "generation": 3,
            "creationTimestamp": _NOON,
            "labels": {"team": "night"},
            "annotations": {"note": "none"},
        },
        "spec": {"desiredState": "Run", "backoffLimit": 6, "template": a_template()},
        "status": {
            "observedGeneration": 3,
            "state": "Running",
            "attempt": 1,
            "jobName": f"{name}-{uid[:8]}-1",
            "startTime": _NOON,
            "failures": 1,
            "idleRestarts": 0,
            "doneAtStart": 0,
            "conditions": [condition | {"observedGeneration": 3}],
            "history": [{"time": _NOON, "state": "Suspended", "reason": "Saved", "attempt": 1, "sequence": 7}],
            "progress": {
                "done": 7,
                "total": 9,
                "percent": 77,
                "message": "rows",
                "rate": "1.5",
                "estimatedCompletionTime": _NOON,
            },
            "checkpoint": a_checkpoint_body(),
        },
    }


def a_checkpoint_body() -> Json:
    """What a worker has saved."""
    return {
        "epoch": 2,
        "holder": HOLDER,
        "attempt": 1,
        "sequence": 7,
        "cause": "Interval",
        "time": _NOON,
        "data": '{"longtask":1,"done":7,"state":{"next":7}}',
    }


def a_template() -> Json:
    """A pod template with all that is looked at or added to."""
    worker = {
        "name": "worker",
        "image": "i",
        "terminationMessagePolicy": "File",
        "env": [{"name": "API_KEY", "value": "s3cret"}, {"name": "LONGTASK_NAME", "value": "mine"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    return {
        "metadata": {"labels": {"app": "import"}, "annotations": {"note": "none"}},
        "spec": {
            "containers": [worker, {"name": "sidecar", "image": "s"}],
            "initContainers": [{"name": "first", "image": "f", "restartPolicy": "Always"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 60,
            "automountServiceAccountToken": False,
            "shareProcessNamespace": False,
            "hostPID": False,
            "os": {"name": "linux"},
        },
    }


def a_full_job() -> Json:
    """A Job that has failed after it was suspended and resumed."""
    body: Json = copy.deepcopy(a_job_body())
    body["status"]["conditions"] = [
        {"type": "Suspended", "status": "False"},
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it was too much"},
    ]
    return body


def a_full_pod(phase: str = "Running", **metadata: Any) -> Json:  # noqa: ANN401 - fields of the metadata
    """A pod that is being deleted, with everything a kubelet says of its containers."""
    ended = {"exitCode": 1, "reason": "Error", "message": "out of rows", "finishedAt": _NOON}
    body: Json = a_pod_body(
        {
            "phase": phase,
            "message": "evicted",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "reason": "Scheduled", "message": "on node-1"},
                {"type": "DisruptionTarget", "status": "False"},
            ],
            "initContainerStatuses": [{"name": "first", "state": {"terminated": ended}}],
            "containerStatuses": [
                {"name": "worker", "state": {"running": {"startedAt": _NOON}}},
                {
                    "name": "sidecar",
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    "lastState": {"terminated": ended},
                },
            ],
        },
        deletionTimestamp=_NOON,
        deletionGracePeriodSeconds=600,
    )
    body["metadata"] |= {"finalizers": ["batch.kubernetes.io/job-tracking"], **metadata}
    body["metadata"]["ownerReferences"][0]["uid"] = JOB_UID
    return body
