"""The contenders of the real worker's part: a LongTask and raw Jobs, of one pod template, with one image and program.

Each asks for a suspension or a resumption by one merge patch, and says when an observer can know that it has come
about. All are seen through the same three watches, by the same means. It must not know how results are kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, ClassVar, Final

from longtask.api import names
from longtask.core.job import job_manifest
from tests.e2e.support.client import MERGE, Api, Body
from tests.e2e.support.tasks import condition, runs, settled_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.observe import Event


@unique
class Step(StrEnum):
    """What happens between the patch and the moment when its outcome is known, in order."""

    JOB_TOLD = "the Job is told"
    JOB_SAYS = "the Job says Suspended"
    POD_ENDED = "the pod has ended"
    POD_REMOVED = "the pod is removed"
    POD_CREATED = "a pod is created"
    CONTAINER_RUNS = "its container runs"
    KNOWN = "it is known"


Times = dict[Step, float]
"""When each step was first seen, in seconds of the monotonic clock."""

SUSPEND: Final = (Step.JOB_TOLD, Step.JOB_SAYS, Step.POD_ENDED, Step.KNOWN)
RESUME: Final = (Step.JOB_TOLD, Step.POD_CREATED, Step.CONTAINER_RUNS, Step.KNOWN)
ENDED: Final = frozenset({"Succeeded", "Failed"})


@dataclass
class Contender(ABC):
    """Something with one worker that can be suspended and resumed, again and again."""

    api: Api
    namespace: str
    name: str
    uid: str = field(default="", init=False)
    pod: Body = field(default_factory=dict, init=False)
    """The pod of the worker that is at work, or was last."""
    _left: str = field(default="", init=False)
    """UID of the pod that was the last one when the patch was sent."""

    kind: ClassVar[str]
    pod_label: ClassVar[str]
    """Name of the label by which its pods carry its UID."""
    awaits_removal: ClassVar[bool] = False
    """Whether a suspension is followed until the pod is removed, beyond the moment in which its end is known."""

    @abstractmethod
    def manifest(self, template: Body) -> Body:
        """The object for that pod template."""

    @abstractmethod
    def patch(self, *, suspend: bool) -> Body:
        """The merge patch that asks for it."""

    @abstractmethod
    def known_at(self, times: Times, events: Sequence[Event], generation: int, *, suspended: bool) -> float | None:
        """When an observer first knew that what was asked for at that generation has come about; None: not yet."""

    def create(self, template: Body) -> int:
        """Create it, to run at once; returns its generation."""
        made = self.api.create(self.manifest(template), self.namespace)
        self.uid = made["metadata"]["uid"]
        return generation_of(made)

    def ask(self, *, suspend: bool) -> int:
        """Send the patch; returns the generation that it has made."""
        self._left = self.pod["metadata"]["uid"]
        return generation_of(
            self.api.patch(self.kind, self.name, self.namespace, self.patch(suspend=suspend), how=MERGE)
        )

    def suspended(self, events: Sequence[Event], generation: int) -> Times | None:
        """The times of all steps of a suspension; None: not yet."""
        times: Times = {}
        for event in events:
            if self._is_my_job(event) and event.body["spec"].get("suspend"):
                times.setdefault(Step.JOB_TOLD, event.at)
                if condition(event.body, "Suspended").get("status") == "True":
                    times.setdefault(Step.JOB_SAYS, event.at)
            if event.kind == "Pod" and event.body["metadata"]["uid"] == self.pod["metadata"]["uid"]:
                if event.gone or event.body["status"].get("phase") in ENDED:
                    times.setdefault(Step.POD_ENDED, event.at)
                if event.gone:
                    times.setdefault(Step.POD_REMOVED, event.at)
        if self.awaits_removal and Step.POD_REMOVED not in times:
            return None
        return self._complete(times, events, generation, suspended=True)

    def resumed(self, events: Sequence[Event], generation: int) -> Times | None:
        """The times of all steps of a resumption, or of the first start; None: not yet. Remembers the new pod."""
        times: Times = {}
        for event in events:
            if self._is_my_job(event) and not event.body["spec"].get("suspend"):
                times.setdefault(Step.JOB_TOLD, event.at)
            if self._is_my_pod(event) and event.body["metadata"]["uid"] != self._left:
                times.setdefault(Step.POD_CREATED, event.at)
                if runs(event.body):
                    times.setdefault(Step.CONTAINER_RUNS, event.at)
                    self.pod = event.body
        return self._complete(times, events, generation, suspended=False)

    def _complete(self, times: Times, events: Sequence[Event], generation: int, *, suspended: bool) -> Times | None:
        known = self.known_at(times, events, generation, suspended=suspended)
        steps = SUSPEND if suspended else RESUME
        if known is None or any(step not in times for step in steps[:-1]):
            return None
        return {**times, Step.KNOWN: known}

    @abstractmethod
    def _is_my_job(self, event: Event) -> bool: ...

    def _is_my_pod(self, event: Event) -> bool:
        labels = event.body["metadata"].get("labels", {})
        return event.kind == "Pod" and labels.get(self.pod_label) == self.uid


class LongTask(Contender):
    """Known is what the task's state says at its generation: `Suspended` is a proof, `Running` a worker at work."""

    kind = "LongTask"
    pod_label = names.LABEL_TASK_UID

    def manifest(self, template: Body) -> Body:
        """See the base class."""
        spec: Body = {"desiredState": "Run", "template": template}
        return {"apiVersion": names.API_VERSION, "kind": "LongTask", "metadata": {"name": self.name}, "spec": spec}

    def patch(self, *, suspend: bool) -> Body:
        """See the base class."""
        return {"spec": {"desiredState": "Suspend" if suspend else "Run"}}

    def known_at(self, times: Times, events: Sequence[Event], generation: int, *, suspended: bool) -> float | None:  # noqa: ARG002
        """See the class."""
        state = "Suspended" if suspended else "Running"
        return next((event.at for event in events if self._says(event, state, generation)), None)

    def _is_my_job(self, event: Event) -> bool:
        labels = event.body["metadata"].get("labels", {})
        return event.kind == "Job" and labels.get(names.LABEL_TASK_UID) == self.uid

    def _says(self, event: Event, state: str, generation: int) -> bool:
        metadata = event.body["metadata"]
        mine = event.kind == "LongTask" and metadata["uid"] == self.uid and generation_of(event.body) == generation
        return mine and settled_in(event.body, state)


class RawJob(Contender):
    """Known is what can be put together from its Job and pod: it says Suspended, and no pod of it is active."""

    kind = "Job"
    awaits_removal = True
    pod_label = "batch.kubernetes.io/controller-uid"

    def manifest(self, template: Body) -> Body:
        """See the base class."""
        pod = {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}
        spec: Body = {"suspend": False, "template": pod}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": self.name}, "spec": spec}

    def patch(self, *, suspend: bool) -> Body:
        """See the base class."""
        return {"spec": {"suspend": suspend}}

    def known_at(self, times: Times, events: Sequence[Event], generation: int, *, suspended: bool) -> float | None:  # noqa: ARG002
        """See the class."""
        needed = (Step.JOB_SAYS, Step.POD_ENDED) if suspended else (Step.CONTAINER_RUNS,)
        return max(times[step] for step in needed) if all(step in times for step in needed) else None

    def _is_my_job(self, event: Event) -> bool:
        return event.kind == "Job" and bool(event.body["metadata"]["uid"] == self.uid)


class SameWorker(RawJob):
    """A raw Job whose worker does all that a LongTask's does: it claims, and saves at the API server.

    Its Job is the one that the operator would create, without labels and owner. Its checkpoint is in a LongTask that
    nothing else is used of: the operator can't run it, because a Job of that name is there that is not its own.
    """

    def create(self, template: Body) -> int:
        """See the base class."""
        task = self.name
        generation = super().create(template)
        self.api.patch("LongTask", task, self.namespace, {"spec": {"desiredState": "Run"}}, how=MERGE)
        return generation

    def manifest(self, template: Body) -> Body:
        """See the base class. Creates the LongTask, suspended, because the Job's name has its UID in it."""
        spec: Body = {"desiredState": "Suspend", "template": template}
        task = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": self.name}, "spec": spec}
        made = self.api.create(task, self.namespace)
        job = job_manifest(made, attempt=1, failures_before=0, backoff_limit=6)
        self.name = job["metadata"]["name"]
        job["metadata"] = {"name": self.name}
        del job["spec"]["template"]["metadata"]
        return job


def generation_of(body: Body) -> int:
    """The generation of an object."""
    generation: int = body["metadata"]["generation"]
    return generation
