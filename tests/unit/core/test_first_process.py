"""The worker of an attempt is not PID 1, whose signals are lost while it has no handler for them."""

from __future__ import annotations

from typing import Any

import pytest

from longtask.core.job import job_manifest

WORKER = {"name": "worker", "image": "i"}
SIDECAR = {"name": "proxy", "image": "p"}


def pod_spec(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a pod's spec
    metadata = {"name": "import", "namespace": "default", "uid": "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b"}
    template = {"spec": {"containers": [WORKER], **fields}}
    body = {"metadata": metadata, "spec": {"template": template}}
    spec: dict[str, Any] = job_manifest(body, attempt=1, failures_before=0, backoff_limit=6)["spec"]["template"]["spec"]
    return spec


def test_the_worker_is_not_the_first_process_of_its_pod() -> None:
    assert pod_spec()["shareProcessNamespace"] is True


def test_a_template_that_wants_to_be_the_first_process_is_left_as_it_is() -> None:
    assert pod_spec(shareProcessNamespace=False)["shareProcessNamespace"] is False


@pytest.mark.parametrize("fields", [{"hostPID": True}, {"os": {"name": "windows"}}])
def test_it_is_not_set_where_kubernetes_would_refuse_it(fields: dict[str, Any]) -> None:
    assert "shareProcessNamespace" not in pod_spec(**fields)


@pytest.mark.parametrize(
    "fields", [{"containers": [WORKER, SIDECAR]}, {"initContainers": [{**SIDECAR, "restartPolicy": "Always"}]}]
)
def test_a_sidecar_does_not_see_into_the_worker(fields: dict[str, Any]) -> None:
    assert "shareProcessNamespace" not in pod_spec(**fields)


def test_a_container_that_ends_before_the_worker_starts_is_no_sidecar() -> None:
    assert pod_spec(initContainers=[SIDECAR])["shareProcessNamespace"] is True
