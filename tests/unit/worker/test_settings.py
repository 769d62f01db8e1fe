"""What the operator puts into the worker's container, read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtask.api import names
from longtask.core import job
from longtask.worker import exitcodes
from longtask.worker.errors import UsageError
from longtask.worker.settings import CREDENTIALS, from_environment, in_cluster, seconds_to_live

ENVIRONMENT = {
    "LONGTASK_NAMESPACE": "work",
    "LONGTASK_NAME": "import-rows",
    "LONGTASK_UID": "uid",
    "LONGTASK_ATTEMPT": "3",
    "LONGTASK_POD_UID": "pod",
    "LONGTASK_GRACE_PERIOD_SECONDS": "600",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_everything_is_read() -> None:
    found = from_environment(ENVIRONMENT)
    assert (found.namespace, found.name, found.uid, found.attempt) == ("work", "import-rows", "uid", 3)
    assert (found.pod_uid, found.grace_seconds, found.api_server) == ("pod", 600.0, "https://10.96.0.1:443")
    assert found.path == "/apis/longtask.dev/v1alpha1/namespaces/work/longtasks/import-rows"
    assert found.termination_log == Path("/dev/termination-log")


def test_what_the_operator_sets_is_what_the_worker_reads() -> None:
    """Both sides have their own list of names, because neither may import the other."""
    template = {"spec": {"containers": [{"name": "worker"}]}}
    body = {"metadata": {"name": "import-rows", "namespace": "work", "uid": "uid-1234"}, "spec": {"template": template}}
    manifest = job.job_manifest(body, attempt=3, failures_before=0, backoff_limit=6)
    worker = manifest["spec"]["template"]["spec"]["containers"][0]
    environment = {variable["name"]: variable.get("value", "from the field") for variable in worker["env"]}
    found = from_environment({**environment, "KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert (found.name, found.uid, found.attempt, found.pod_uid) == ("import-rows", "uid-1234", 3, "from the field")
    assert found.grace_seconds == job.DEFAULT_GRACE_PERIOD_SECONDS
    assert str(found.credentials) == worker["volumeMounts"][0]["mountPath"] == CREDENTIALS


def test_exit_codes_are_those_of_the_jobs_failure_policy() -> None:
    assert (exitcodes.SAVED, exitcodes.NEVER_RETRY) == (names.EXIT_SAVED, names.EXIT_NEVER_RETRY)


@pytest.mark.parametrize(
    "name", sorted(set(ENVIRONMENT) - {"LONGTASK_GRACE_PERIOD_SECONDS", "KUBERNETES_SERVICE_PORT"})
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_missing_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in ENVIRONMENT.items() if key != name}
    with pytest.raises(UsageError, match=name):
        from_environment(environment if value is None else {**environment, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LONGTASK_ATTEMPT", "0"),
        ("LONGTASK_ATTEMPT", "one"),
        ("LONGTASK_GRACE_PERIOD_SECONDS", "-1"),
        ("LONGTASK_GRACE_PERIOD_SECONDS", "nan"),
        ("LONGTASK_GRACE_PERIOD_SECONDS", "inf"),
    ],
)
def test_a_number_that_can_not_be_meant_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{value}'"):
        from_environment({**ENVIRONMENT, name: value})


def test_without_a_grace_period_kubernetes_own_is_assumed() -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "LONGTASK_GRACE_PERIOD_SECONDS"}
    assert from_environment(environment).grace_seconds == 30.0


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("fd00::1", "6443", "https://[fd00::1]:6443"),
        ("10.0.0.1", "", "https://10.0.0.1:443"),
        ("api.example", "8443", "https://api.example:8443"),
    ],
)
def test_addresses_of_every_kind(host: str, port: str, url: str) -> None:
    changed = {**ENVIRONMENT, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    assert from_environment(changed).api_server == url


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:80", "http://api.example", "ftp://127.0.0.1", "127.0.0.1:443", "https://", "https://a/b"]
)
def test_a_token_never_goes_over_plain_http_off_this_host(url: str) -> None:
    with pytest.raises(UsageError, match="must be https://"):
        from_environment({**ENVIRONMENT, "LONGTASK_API_SERVER": url})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001"])
def test_plain_http_is_fine_on_loopback(url: str) -> None:
    assert from_environment({**ENVIRONMENT, "LONGTASK_API_SERVER": url}).api_server == url


@pytest.mark.parametrize(("grace", "seconds"), [(600, 570), (100, 90), (30, 27), (5, 4), (1, 0), (0, 0)])
def test_a_tenth_of_the_grace_period_is_kept_for_cleaning_up(grace: float, seconds: float) -> None:
    assert seconds_to_live(grace) == seconds


def test_in_a_cluster_is_where_the_operator_has_been() -> None:
    assert in_cluster(ENVIRONMENT)
    assert not in_cluster({"KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert not in_cluster({"LONGTASK_UID": ""})
