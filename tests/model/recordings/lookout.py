"""What a scenario waits for. Nothing here writes, so a recording has no trace of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.support.client import Api, ApiError, Body, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 120.0


@dataclass
class Lookout:
    """Looks at the one Job and the pods of a namespace."""

    api: Api
    namespace: str
    job: str = field(default="", init=False)
    known: set[str] = field(default_factory=set, init=False)
    """UIDs of the pods that were there when the user last did something."""

    def pods(self) -> list[Body]:
        """The pods that there are, oldest first."""
        found = self.api.list_all("Pod", self.namespace)
        return sorted(found, key=lambda pod: int(pod["metadata"]["resourceVersion"]))

    def newest_pod(self) -> Body:
        """The pod that was created last."""
        return max(self.pods(), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def until_pod(self) -> None:
        """A pod that has not been told to go."""
        self._until("a pod", lambda: any(not is_stopping(pod) for pod in self.pods()))

    def until_running(self) -> None:
        """A pod whose container runs, that has not been told to go."""
        self._until("a running pod", lambda: any(runs(pod) and not is_stopping(pod) for pod in self.pods()))

    def until_stopping(self) -> None:
        """A pod that has been told to go and has not ended."""
        self._until("a stopping pod", lambda: any(is_stopping(pod) for pod in self.pods()))

    def until_failed_pod(self) -> None:
        """A pod that has failed."""
        self._until("a failed pod", lambda: any(pod["status"].get("phase") == "Failed" for pod in self.pods()))

    def until_second_pod(self) -> None:
        """A pod that replaces a failed one."""
        self._until("a second pod", lambda: len(self.pods()) > 1)

    def until_second_life(self) -> None:
        """A pod that was not there when the user last did something, and has not been told to go."""
        known = self.known
        self._until("another pod", lambda: any(not is_stopping(pod) for pod in self.pods() if uid_of(pod) not in known))

    def until_bound(self) -> None:
        """A pod that has a node."""
        self._until("a pod with a node", lambda: any(pod["spec"].get("nodeName") for pod in self.pods()))

    def until_no_pod(self) -> None:
        """No pod any more."""
        self._until("no pod", lambda: not self.pods())

    def until_suspended(self) -> None:
        """The Job controller says that the Job is suspended."""
        self._until("Suspended", lambda: self._says("Suspended"))

    def until_finished(self) -> None:
        """The Job is complete or has failed."""
        self._until("the end of the Job", lambda: self._says("Complete") or self._says("Failed"))

    def until_second_life_or_end(self) -> None:
        """Whichever comes first: it is a race whether the Job controller sees how a pod ended before that is gone."""
        known = self.known
        self._until(
            "another pod or the end",
            lambda: self._says("Failed") or any(runs(pod) for pod in self.pods() if uid_of(pod) not in known),
        )

    def until_failure_target(self) -> None:
        """The Job is about to fail, or has."""
        self._until("FailureTarget", lambda: self._says("FailureTarget"))

    def until_gone(self) -> None:
        """Neither Job nor pods."""
        self._until("nothing left", lambda: not self.pods() and not self.api.list_all("Job", self.namespace))

    def until_released(self) -> None:
        """No Job, and no pod with a finalizer."""
        self._until(
            "pods without finalizers",
            lambda: (
                not self.api.list_all("Job", self.namespace)
                and not any(pod["metadata"].get("finalizers") for pod in self.pods())
            ),
        )

    def _says(self, kind: str) -> bool:
        job = self.api.find("Job", self.job, self.namespace) or {}
        conditions: list[dict[str, Any]] = job.get("status", {}).get("conditions") or []
        return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        try:
            wait_for(condition, timeout=PATIENCE, what=what, every=0.05)
        except ApiError as error:
            raise AssertionError(f"{self.namespace}: waiting for {what}: {error}") from error


def uid_of(pod: Body) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid


def is_stopping(pod: Body) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def runs(pod: Body) -> bool:
    return any("running" in status["state"] for status in pod["status"].get("containerStatuses", []))
