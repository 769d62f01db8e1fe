"""The operator's settings: one frozen model, read once from the environment. It must not know who uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from longtask.shell.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "LONGTASK_"


class Settings(BaseModel):
    """Each field is the variable `LONGTASK_<NAME>`; times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
    health_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /healthz and /readyz; 0: none."""
    workers: int = Field(default=32, ge=1, le=1024)
    """How many tasks are decided on at the same time."""
    request_seconds: float = Field(default=15, gt=0)
    """After that long without an answer the outcome of a request counts as unknown."""
    watch_idle_seconds: float = Field(default=75, gt=0)
    """A watch without even a bookmark for that long is dead: the API server sends one every minute."""
    sweep_seconds: float = Field(default=300, gt=0)
    """How often the tasks in memory are compared with those on the server."""
    backoff_seconds: float = Field(default=15, gt=0)
    """The longest pause between two tries of what failed."""
    sidecar_image: str = ""
    """Image of the sidecar that saves for programs that can't do so themselves. Empty: the operator's own."""
    sidecar_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    sidecar_cpu: str = "10m"
    """What each sidecar requests."""
    sidecar_memory: str = "32Mi"
    sidecar_memory_limit: str = "64Mi"
    pod_name: str = ""
    """The operator's own pod, which tells its image; empty outside of a cluster."""
    pod_namespace: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read them. Raises `Misconfigured` naming every variable that can't be used."""
        values = {
            name: environment[_PREFIX + name.upper()]
            for name in cls.model_fields
            if _PREFIX + name.upper() in environment
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{_PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            message = f"bad settings in the environment: {problems}"
            raise Misconfigured(message) from None
