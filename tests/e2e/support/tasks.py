"""LongTasks for tests: builders of manifests, and a namespace with code, a volume and handles on its tasks.

Every pod runs the project's image with a program of tests/e2e/programs from a ConfigMap, as a user's first task does.
It must not know what a test wants to show, and never mends anything: what the cluster does is what a test sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.cluster import api as cluster_api
from tests.e2e.support.client import MERGE, Api, ApiError, Body, wait_for
from tests.e2e.support.furniture import IMAGE, READER, furnishings
from tests.e2e.support.kubectl import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.cluster.base import Cluster

SETTLED: Final = 60.0  # seconds for anything that takes one pod start or one stop, on a very busy machine
LOOK: Final = 0.2  # seconds between two looks; a tenth of what a pod needs to start


def worker(
    program: str = "items.py:Items",
    *,
    save_every: float = 0.2,
    env: Mapping[str, object] | None = None,
    args: list[str] | None = None,
    container: Body | None = None,
) -> Body:
    """Container that runs a class of ours with the command of the worker library.

    `env`: settings of the program, see programs/items.py. As root, because a volume of a test cluster may belong to
    root. `container`: further fields, which win.
    """
    command = ["longtask", "run", "--save-every", str(save_every), f"/code/{program}", *(args or [])]
    return {
        "name": "worker",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": command,
        "env": [{"name": name, "value": str(value)} for name, value in (env or {}).items()],
        "volumeMounts": [{"name": "code", "mountPath": "/code"}, {"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 0},
        **(container or {}),
    }


def plain(command: list[str], **further: Any) -> Body:  # noqa: ANN401 - fields of a container
    """Container that knows nothing of LongTask: a program with its arguments; a shell is not PID 1 unless asked for."""
    return worker(container={"command": command, "args": [], **further})


def long_task(
    name: str,
    container: Body | None = None,
    *,
    desired: str | None = None,
    grace: int | None = 20,
    backoff_limit: int | None = None,
    pod: Body | None = None,
) -> Body:
    """Manifest of a LongTask with one container. `desired` and `grace` of None leave the field out.

    `pod`: further fields of the pod's spec, which win.
    """
    pod_spec: Body = {
        "containers": [container or worker()],
        "volumes": [
            {"name": "code", "configMap": {"name": "programs"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
        **({} if grace is None else {"terminationGracePeriodSeconds": grace}),
        **(pod or {}),
    }
    spec: Body = {"template": {"spec": pod_spec}}
    if desired is not None:
        spec["desiredState"] = desired
    if backoff_limit is not None:
        spec["backoffLimit"] = backoff_limit
    return {"apiVersion": "longtask.dev/v1alpha1", "kind": "LongTask", "metadata": {"name": name}, "spec": spec}


def items(name: str = "items", *, count: int = 40, pace: float = 0.05, **settings: Any) -> Body:  # noqa: ANN401
    """The usual task: `count` items of `pace` seconds each. Settings in capitals go to the program, others to
    `long_task`, and `save_every` to the worker.
    """
    env = {key: value for key, value in settings.items() if key.isupper()}
    others = {key: value for key, value in settings.items() if not key.isupper() and key != "save_every"}
    made = worker(save_every=settings.get("save_every", 0.2), env={"ITEMS": count, "PACE": pace, **env})
    return long_task(name, made, **others)


@dataclass(frozen=True)
class Handle:
    """One LongTask of a namespace. Everything is read from the API server at the moment it is asked for."""

    api: Api
    namespace: str
    name: str
    uid: str

    def read(self) -> Body:
        """The object as it is now; one that was re-created under the name is another task: KeyError."""
        body = self.api.get("LongTask", self.name, self.namespace)
        if body["metadata"]["uid"] != self.uid:
            raise KeyError(f"{self.name} is another task by now")
        return body

    @property
    def status(self) -> Body:
        """All of its status."""
        status: Body = self.read()["status"]
        return status

    @property
    def checkpoint(self) -> Body:
        """The checkpoint; {} before the first claim."""
        checkpoint: Body = self.status.get("checkpoint", {})
        return checkpoint

    def condition(self, kind: str) -> Body:
        """The condition of that type, or {} where there is none."""
        return condition(self.read(), kind)

    def history(self) -> list[tuple[str, str]]:
        """The changes of state that it remembers, oldest first, with their reasons."""
        return [(entry["state"], entry["reason"]) for entry in self.status.get("history", [])]

    def want(self, desired: str) -> Body:
        """Change the one field that this project is about."""
        return self.patch({"spec": {"desiredState": desired}})

    def patch(self, patch: Body) -> Body:
        """Merge-patch the object as its user."""
        return self.api.patch("LongTask", self.name, self.namespace, patch, how=MERGE)

    def delete(self, *, propagation: str = "Background") -> None:
        """Delete the object, not terminate the task."""
        self.api.delete("LongTask", self.name, self.namespace, propagation=propagation)

    def wait(self, what: str, condition: Callable[[Body], object], *, seconds: float = SETTLED) -> Body:
        """Wait until the object fulfils a condition; returns the object that did."""

        def look() -> Body | None:
            body = self.read()
            return body if condition(body) else None

        return wait_for(look, timeout=seconds, every=LOOK, what=f"{self.name}: {what}", state=self.story)

    def wait_for_state(self, state: str, *, seconds: float = SETTLED) -> Body:
        """Wait until it is in that state, at its current generation."""
        return self.wait(state, lambda body: settled_in(body, state), seconds=seconds)

    def wait_for_saved(self, done: int, *, seconds: float = SETTLED) -> Body:
        """Wait until so many items are done and acknowledged by the API server."""
        return self.wait(f"{done} items saved", lambda body: done_of(body) >= done, seconds=seconds)

    def pods(self) -> list[Body]:
        """All its pods that exist, also those that have ended."""
        return self.api.list_all("Pod", self.namespace, f"labelSelector=longtask.dev/task-uid%3D{self.uid}")

    def active_pods(self) -> list[Body]:
        """Those that have not ended: what `Suspended` says there are none of."""
        return [pod for pod in self.pods() if pod["status"].get("phase") not in {"Succeeded", "Failed"}]

    def jobs(self) -> list[Body]:
        """All its Jobs."""
        return self.api.list_all("Job", self.namespace, f"labelSelector=longtask.dev/task-uid%3D{self.uid}")

    def running_pod(self, *, but_not: str = "", seconds: float = SETTLED) -> Body:
        """Wait for a pod whose worker's container runs, other than the one with the UID `but_not`."""

        def look() -> Body | None:
            running = (pod for pod in self.active_pods() if runs(pod) and pod["metadata"]["uid"] != but_not)
            return next(running, None)

        return wait_for(look, timeout=seconds, every=LOOK, what=f"a running pod of {self.name}", state=self.story)

    def stopping_pod(self) -> Body:
        """Wait for a pod that has been asked to stop and has not ended; returns it."""

        def look() -> Body | None:
            return next((pod for pod in self.active_pods() if "deletionTimestamp" in pod["metadata"]), None)

        return wait_for(look, timeout=SETTLED, every=LOOK, what=f"a stopping pod of {self.name}", state=self.story)

    def wait_until_bare(self, *, seconds: float = SETTLED) -> None:
        """Wait until nothing of it is left but perhaps itself: no Job, no pod."""
        wait_for(
            lambda: not self.jobs() and not self.pods(),
            timeout=seconds,
            every=LOOK,
            what=f"no Job and no pod of {self.name}",
            state=self.story,
        )

    def warnings(self, reason: str) -> list[str]:
        """Messages of the events of that reason on it, as `kubectl describe` shows them."""
        query = f"fieldSelector=involvedObject.uid%3D{self.uid},reason%3D{reason}"
        return [event["message"] for event in self.api.list_all("Event", self.namespace, query)]

    def kill(self) -> Body:
        """SIGKILL its worker's process, past kubelet and container runtime; returns the pod."""
        pod = self.running_pod()
        cluster().kill_container(pod["metadata"]["uid"], "worker")
        return pod

    def story(self) -> str:
        """What to read when a wait was in vain: status, Jobs and pods."""
        try:
            status = self.status
            pods = [(pod["metadata"]["name"], short_pod(pod)) for pod in self.pods()]
            jobs = [(job["metadata"]["name"], job["status"], job["spec"].get("suspend")) for job in self.jobs()]
        except (ApiError, KeyError) as error:
            return str(error)
        return f"\nstatus {status}\njobs {jobs}\npods {pods}"


def condition(body: Body, kind: str) -> Body:
    """The condition of that type, or {} where there is none."""
    return next((found for found in body["status"].get("conditions", []) if found["type"] == kind), {})


def settled_in(body: Body, state: str) -> bool:
    """Whether the status says so about the present spec."""
    status = body["status"]
    return bool(status["state"] == state and status["observedGeneration"] == body["metadata"]["generation"])


def done_of(body: Body) -> int:
    """How many items are done, as far as the API server has acknowledged it."""
    done: int = body["status"].get("progress", {}).get("done", 0)
    return done


def runs(pod: Body) -> bool:
    """Whether the worker's container is running and the pod is not on its way out."""
    statuses = pod["status"].get("containerStatuses", [])
    return "deletionTimestamp" not in pod["metadata"] and any("running" in status["state"] for status in statuses)


def short_pod(pod: Body) -> str:
    """Phase, node, deletion and state of the containers."""
    states = [status["state"] for status in pod["status"].get("containerStatuses", [])]
    return f"{pod['status'].get('phase')} {pod['metadata'].get('deletionTimestamp', '')} {states}"


def cluster() -> Cluster:
    """The cluster as something whose parts can be stopped."""
    return cluster_api.current()


@dataclass
class Lab:
    """A namespace with the programs and a volume, and a pod beside the tasks that reads what they wrote."""

    api: Api
    namespace: str
    kubeconfig: Path
    _reading: bool = field(default=False, init=False)

    def furnish(self, *, reader_on: str | None = None) -> Lab:
        """Bring the programs, the volume and the pod that reads it: on any node, or on that one."""
        for body in furnishings(reader_on):
            self.api.create(body, self.namespace)
        return self

    def start(self, body: Body) -> Handle:
        """Create a LongTask."""
        made = self.api.create(body, self.namespace)
        return Handle(self.api, self.namespace, made["metadata"]["name"], made["metadata"]["uid"])

    def handle(self, name: str) -> Handle:
        """The LongTask that has that name now."""
        made = self.api.get("LongTask", name, self.namespace)
        return Handle(self.api, self.namespace, name, made["metadata"]["uid"])

    def kubectl(self, *words: str, manifest: Body | None = None) -> str:
        """Run kubectl in this namespace and return what it printed. Raises RuntimeError with its words."""
        return kubectl(self.kubeconfig, f"--namespace={self.namespace}", *words, manifest=manifest)

    def in_reader(self, *command: str) -> str:
        """Run a command beside the tasks; returns what it printed."""
        if not self._reading:
            self.kubectl("wait", "--for=condition=Ready", f"pod/{READER}", "--timeout=60s")
            self._reading = True
        return self.kubectl("exec", READER, "--", *command)

    def lines(self, name: str) -> list[str]:
        """Lines of a file on the volume; none when there is no such file."""
        return self.in_reader("sh", "-c", f"cat /data/{name} 2>/dev/null || true").splitlines()

    def items(self, folder: str = ".") -> list[int]:
        """The items that were written, in the order of writing; `folder` for a program that has one of its own."""
        return [int(line.split()[0]) for line in self.lines(f"{folder}/items")]

    def wait_for_line(self, name: str, words: str, *, seconds: float = SETTLED) -> str:
        """Wait until a file on the volume has a line that holds these words; returns the first such line."""

        def look() -> str | None:
            return next((line for line in self.lines(name) if words in line), None)

        return wait_for(look, timeout=seconds, what=f"{words!r} in {name}", state=lambda: self.lines(name))

    def pod_asked_to_stop(self, task: Handle) -> Body:
        """Wait until a worker of the task has got SIGTERM and said so, in the middle of a batch; returns its pod."""
        pod = task.stopping_pod()
        wait_for(
            lambda: "asked to stop" in self.kubectl("logs", pod["metadata"]["name"]),
            timeout=SETTLED,
            what="its worker to have been asked to stop",
            state=task.story,
        )
        return pod

    def touch(self, name: str) -> None:
        """Make a file that a program waits for."""
        self.in_reader("touch", f"/data/{name}")
