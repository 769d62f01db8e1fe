"""What the operator has put into the worker's container, read once. It must not know what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from longtask.worker.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "LONGTASK_CHECKPOINT_SCHEMA"
CREDENTIALS = "/var/run/secrets/longtask.dev"
TERMINATION_LOG = "/dev/termination-log"
DEFAULT_GRACE_SECONDS = 30.0  # what Kubernetes gives a pod that doesn't say
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Which task this pod works on, as whom, and where its API server is."""

    namespace: str
    name: str
    uid: str  # of the task: another one is another task, though it may have the same name
    attempt: int
    volume: Path | None = None  # the task's folder of the volume that its checkpoints are kept in
    object_store: str = ""  # address of the task's prefix in an object store, where there is one
    keep: int = 3  # how many versions are kept there
    rewind: int | None = None  # number of the save to go on from, where it is not the last one
    start_over: int = -1  # number of the last save that is not gone on from; -1: every one may be
    pod_uid: str
    grace_seconds: float  # from SIGTERM until SIGKILL
    wait_for_batch: bool  # the task's state is asked for between batches, because no SIGTERM comes during one
    schema: str  # of what is saved; "": it has no name
    api_server: str  # scheme, host and port
    credentials: Path  # folder of `token` and `ca.crt`
    termination_log: Path

    @property
    def keeps_versions(self) -> bool:
        """Whether versions are kept outside of the task's status."""
        return self.volume is not None or bool(self.object_store)

    @property
    def path(self) -> str:
        """The task's path at the API server."""
        return f"/apis/longtask.dev/v1alpha1/namespaces/{self.namespace}/longtasks/{self.name}"


def in_cluster(environment: Mapping[str, str]) -> bool:
    """Tell whether this is a container that the operator has prepared."""
    return bool(environment.get("LONGTASK_UID"))


def from_environment(environment: Mapping[str, str]) -> ClusterSettings:
    """Read the settings. Raises UsageError, naming the variable, for one that is missing or can't be meant."""
    return ClusterSettings(
        namespace=_label(environment, "LONGTASK_NAMESPACE"),
        name=_label(environment, "LONGTASK_NAME"),
        uid=_need(environment, "LONGTASK_UID"),
        attempt=_attempt(environment),
        volume=Path(environment["LONGTASK_CHECKPOINT_VOLUME"])
        if environment.get("LONGTASK_CHECKPOINT_VOLUME")
        else None,
        object_store=environment.get("LONGTASK_CHECKPOINT_STORE", ""),
        keep=int(_number(environment, "LONGTASK_CHECKPOINT_KEEP", least=1, default=3)),
        rewind=_rewind(environment),
        start_over=int(_number(environment, "LONGTASK_START_OVER_SEQUENCE", least=-1, default=-1)),
        pod_uid=_need(environment, "LONGTASK_POD_UID"),
        wait_for_batch=environment.get("LONGTASK_WAIT_FOR_BATCH") == "1",
        schema=environment.get(SCHEMA, ""),
        grace_seconds=_number(environment, "LONGTASK_GRACE_PERIOD_SECONDS", least=0, default=DEFAULT_GRACE_SECONDS),
        api_server=_api_server(environment),
        credentials=Path(environment.get("LONGTASK_CREDENTIALS") or CREDENTIALS),
        termination_log=Path(environment.get("LONGTASK_TERMINATION_LOG") or TERMINATION_LOG),
    )


def seconds_to_live(grace_seconds: float) -> float:
    """Return how much of the grace period saving may use: a tenth, 1 to 30 s, is kept for the user's cleanup."""
    return max(0.0, grace_seconds - min(30.0, max(1.0, grace_seconds / 10)))


def _need(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"{name} is not set, though LONGTASK_UID is: only the operator should set these variables")
    return value


def _label(environment: Mapping[str, str], name: str) -> str:
    """Read what becomes a part of a path: letters, digits, hyphens and dots, as the API server allows in names."""
    value = _need(environment, name)
    if not (value.isascii() and value.replace("-", "").replace(".", "").isalnum()) or ".." in value:
        raise UsageError(f"{name} is {value!r}, which is no name of Kubernetes")
    return value


def _attempt(environment: Mapping[str, str]) -> int:
    text = _need(environment, "LONGTASK_ATTEMPT")
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise UsageError(f"LONGTASK_ATTEMPT is {text!r}, which is no whole number of at least 1")
    return int(text)


def _rewind(environment: Mapping[str, str]) -> int | None:
    name = "LONGTASK_RESTART_SEQUENCE"
    return int(_number(environment, name, least=0)) if environment.get(name) else None


def _number(environment: Mapping[str, str], name: str, *, least: int, default: float | None = None) -> float:
    text = environment.get(name) or (str(default) if default is not None else _need(environment, name))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value < float("inf"):
        raise UsageError(f"{name} is {text!r}, which is no number of at least {least}")
    return value


def _api_server(environment: Mapping[str, str]) -> str:
    """Return LONGTASK_API_SERVER, or what the kubelet says. Never plain HTTP off this host: a token goes there."""
    url = environment.get("LONGTASK_API_SERVER", "")
    if not url:
        host = _need(environment, "KUBERNETES_SERVICE_HOST")
        port = environment.get("KUBERNETES_SERVICE_PORT") or "443"
        url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        parts = urlsplit(url)
        usable = parts.hostname is not None and parts.hostname.isascii() and parts.port != 0
    except ValueError:  # brackets without an address, a port that is none
        usable = False
    if usable:
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        usable = safe and parts.netloc.isprintable() and " " not in parts.netloc and parts.path in {"", "/"}
    if not usable:
        raise UsageError(f"the API server's address {url!r} must be https://host:port (http on loopback only)")
    return f"{parts.scheme}://{parts.netloc}"
