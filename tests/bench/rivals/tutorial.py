"""An operator for long tasks in the style of kopf's own tutorial: what people write today.

Handlers of creation and of a changed field, the official client with its models, the owner set by `kopf.adopt`, events
of the children brought to the parent's status. Nothing here is made slow on purpose, and nothing is made safe: what it
believes of a task may be old, a suspension is not proved, and a write that goes wrong is tried again blindly.
"""

# ruff: noqa: ANN401 - a handler takes whatever else kopf gives

from __future__ import annotations

from typing import Any

import kopf
import kubernetes

GROUP, VERSION, PLURAL = "tutorial.longtask.dev", "v1alpha1", "longtasks"
LABEL = "longtask.dev/task-name"


@kopf.on.login()
def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.startup()
def connect(**_: Any) -> None:
    kubernetes.config.load_kube_config()  # type: ignore[no-untyped-call]


@kopf.on.create(GROUP, VERSION, PLURAL)
def create(name: str, namespace: str | None, spec: kopf.Spec, logger: kopf.Logger, **_: Any) -> None:
    template = dict(spec["template"])
    template["metadata"] = {"labels": {LABEL: name}}
    template["spec"] = {"restartPolicy": "Never", **template["spec"]}
    job: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: name}},
        "spec": {
            "template": template,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [75]}}]},
        },
    }
    kopf.adopt(job)
    kubernetes.client.BatchV1Api().create_namespaced_job(namespace=str(namespace), body=job)  # type: ignore[arg-type]
    logger.info("The job is created: %s", name)


@kopf.on.field(GROUP, VERSION, PLURAL, field="spec.desiredState")
def change(name: str, namespace: str | None, old: Any, new: Any, logger: kopf.Logger, **_: Any) -> None:
    if old is None:  # the creation, for which there is a handler
        return
    batch = kubernetes.client.BatchV1Api()
    if new == "Terminate":
        batch.delete_namespaced_job(name=name, namespace=str(namespace), propagation_policy="Foreground")
    else:
        batch.patch_namespaced_job(name=name, namespace=str(namespace), body={"spec": {"suspend": new == "Suspend"}})
    logger.info("The job is told: %s", new)


@kopf.on.event("batch", "v1", "jobs", labels={LABEL: kopf.PRESENT})
def job_changed(
    event: kopf.RawEvent, labels: kopf.Labels, namespace: str | None, status: kopf.Status, **_: Any
) -> None:
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    if event["type"] == "DELETED":
        _tell(str(namespace), labels[LABEL], "Terminated")
    elif conditions.get("Suspended") == "True" and not status.get("active"):
        _tell(str(namespace), labels[LABEL], "Suspended")
    elif conditions.get("Complete") == "True":
        _tell(str(namespace), labels[LABEL], "Complete")


@kopf.on.event("", "v1", "pods", labels={LABEL: kopf.PRESENT})
def pod_changed(
    event: kopf.RawEvent, labels: kopf.Labels, namespace: str | None, meta: kopf.Meta, status: kopf.Status, **_: Any
) -> None:
    if event["type"] != "DELETED" and status.get("phase") == "Running" and not meta.deletion_timestamp:
        _tell(str(namespace), labels[LABEL], "Running")


def _tell(namespace: str, name: str, state: str) -> None:
    try:
        kubernetes.client.CustomObjectsApi().patch_namespaced_custom_object_status(
            group=GROUP,
            version=VERSION,
            namespace=namespace,
            plural=PLURAL,
            name=name,
            body={"status": {"state": state}},
        )
    except kubernetes.client.ApiException as error:
        if error.status != 404:
            raise
