"""The null operator: makes the operator's writes without deciding anything. It is the floor of this design.

The same process shape (kopf streams the tasks, watches of our own follow Jobs and Pods, one door to the API server),
the same number of requests at a time, the same writes of the same size, triggered by the same events. But no records,
no copies, no queue, no live reads, no proof, no decision: it knows only the one life that the fleets live, in which
nothing ever fails. What the operator takes longer than this is the price of deciding, proving, and surviving faults.

`python -m tests.bench.null_operator`, with KUBECONFIG and LONGTASK_HEALTH_PORT as for the operator.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import kopf

from longtask.api import names
from longtask.clock import utc
from longtask.core.job import job_manifest
from longtask.shell.__main__ import set_up_python
from longtask.shell.api import Api, load_configuration
from longtask.shell.cluster import JOBS_PATH, PODS_PATH
from longtask.shell.health import serve_health
from longtask.shell.log import set_up_logging
from longtask.shell.settings import Settings
from longtask.shell.stream import IDENTITY, connection_info, kopf_settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubernetes.aio.client import Configuration

Json = dict[str, Any]

_SELECTOR: Final = {"labelSelector": names.LABEL_TASK_UID}


@dataclass(slots=True)
class Life:
    """All that is known of a task: what the next event must find to be the one that triggers a write."""

    namespace: str
    name: str
    uid: str
    generation: int = 0
    desired: str = ""
    state: str = "Init"
    job: str = ""
    suspended: bool = False
    pods: set[str] = field(default_factory=set)
    writes: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def path(self) -> str:
        """Of the task."""
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}/{self.name}"

    @property
    def job_path(self) -> str:
        """Of its Job."""
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{self.job}"


class NullOperator:
    """Replays the writes of lives that go: run, suspend, run, terminate."""

    def __init__(self, api: Api, *, at_once: int) -> None:
        self._api = api
        self._at_once = asyncio.Semaphore(at_once)
        self._lives: dict[str, Life] = {}
        self._writing: set[asyncio.Task[None]] = set()

    # --- Events, and what each of them triggers ---

    def task_seen(self, kind: str | None, body: Json) -> None:
        """A version of a task: a new one gets its Job, a changed desire is handed on to the Job."""
        metadata = body["metadata"]
        if kind == "DELETED":
            self._lives.pop(metadata["uid"], None)
            return
        life = self._life(metadata["uid"], metadata["namespace"], metadata["name"])
        desired = body["spec"]["desiredState"]
        if metadata["generation"] <= life.generation:
            return
        life.generation, before, life.desired = metadata["generation"], life.desired, desired
        if not before:
            life.job = names.job_name(life.name, life.uid, 1)
            manifest = job_manifest(body, attempt=1, failures_before=0, backoff_limit=6)
            self._write(life, self._api.post(life.job_path.rpartition("/")[0], manifest, {"fieldValidation": "Strict"}))
        elif desired == "Suspend":
            self._write(life, self._set_suspended(life, suspend=True))
        elif desired == "Run":
            self._say(life, "Init")
            self._write(life, self._set_suspended(life, suspend=False))
        else:
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
            self._write(life, self._api.delete(life.job_path, options))

    def job_seen(self, kind: str, body: Json) -> None:
        """A version of a Job: one that is suspended ends a suspension, one that is gone the life."""
        life = self._of(body)
        if life is None:
            return
        conditions = (body.get("status") or {}).get("conditions") or ()
        life.suspended = any(c["type"] == "Suspended" and c["status"] == "True" for c in conditions)
        if kind == "DELETED" and life.desired == "Terminate":
            self._say(life, "Terminated")
        self._perhaps_suspended(life)

    def pod_seen(self, kind: str, body: Json) -> None:
        """A version of a pod: one that runs is told of, the last that goes may end a suspension."""
        life = self._of(body)
        if life is None:
            return
        (life.pods.discard if kind == "DELETED" else life.pods.add)(body["metadata"]["name"])
        runs = (body.get("status") or {}).get("phase") == "Running" and "deletionTimestamp" not in body["metadata"]
        if runs and life.desired == "Run" and life.state == "Init":
            self._say(life, "Running")
        self._perhaps_suspended(life)

    def _perhaps_suspended(self, life: Life) -> None:
        if life.desired == "Suspend" and life.state == "Running" and life.suspended and not life.pods:
            self._say(life, "Suspended")

    # --- Writes ---

    def _say(self, life: Life, state: str) -> None:
        life.state = state
        patch = status_patch(life.uid, life.generation, state, job=life.job)
        self._write(life, self._api.patch(f"{life.path}/status", patch, "json-patch"))

    async def _set_suspended(self, life: Life, *, suspend: bool) -> Json:
        return await self._api.patch(life.job_path, {"spec": {"suspend": suspend}}, "merge-patch")

    def _write(self, life: Life, request: Coroutine[Any, Any, Json]) -> None:
        """Begin a write, after those of the same task."""
        task = asyncio.create_task(self._in_turn(life, request))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _in_turn(self, life: Life, request: Coroutine[Any, Any, Json]) -> None:
        async with life.writes, self._at_once:
            await request

    # --- Streams ---

    async def follow(self, path: str, seen: Any, listed: asyncio.Event) -> None:  # noqa: ANN401
        """Follow Jobs or Pods by list and watch."""
        version = "0"
        async for page in self._api.pages(path, _SELECTOR):
            version = page["metadata"]["resourceVersion"]
        listed.set()
        while True:
            query = {**_SELECTOR, "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "290"}
            async for event in self._api.watch(path, query, idle_seconds=300):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    seen(event["type"], event["object"])

    def _life(self, uid: str, namespace: str, name: str) -> Life:
        return self._lives.setdefault(uid, Life(namespace=namespace, name=name, uid=uid))

    def _of(self, body: Json) -> Life | None:
        return self._lives.get(body["metadata"]["labels"][names.LABEL_TASK_UID])


def status_patch(uid: str, generation: int, state: str, *, job: str) -> list[Json]:
    """A patch of the operations and the size of the operator's, with the content that this life has."""
    now = utc(time.time()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def condition(kind: str, *, true: bool) -> Json:
        return {
            "type": kind,
            "status": "True" if true else "False",
            "reason": "Saved" if state == "Suspended" else state,
            "message": "suspended at checkpoint 1" if state == "Suspended" else "",
            "lastTransitionTime": now,
            "observedGeneration": generation,
        }

    conditions = [condition("Ready", true=state != "Init")]
    if generation > 1:
        conditions.append(condition("Suspended", true=state == "Suspended"))
    if state == "Terminated":
        conditions.append(condition("Terminated", true=True))
    entry = {"time": now, "state": state, "reason": state, "attempt": 1, "sequence": 1}
    values: Json = {
        "state": state,
        "observedGeneration": generation,
        "conditions": conditions,
        "history": [entry] * min(generation, 4),
    }
    if state == "Running":
        values |= {"jobName": job, "startTime": now, "failures": 0}
    tests: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/generation", "value": generation},
        {"op": "test", "path": "/status/attempt", "value": 1},
    ]
    changes: list[Json] = [{"op": "add", "path": f"/status/{key}", "value": value} for key, value in values.items()]
    if state == "Terminated":
        changes.append({"op": "replace", "path": "/status/checkpoint/data", "value": ""})
    return tests + changes


async def run(settings: Settings) -> None:
    """Run until the process is ended."""
    configuration = await load_configuration()
    api = Api(configuration, request_seconds=settings.request_seconds)
    operator = NullOperator(api, at_once=settings.workers)
    listed = asyncio.Event(), asyncio.Event()
    async with serve_health(settings.health_port, ready=lambda: all(event.is_set() for event in listed)):
        await asyncio.gather(
            operator.follow(JOBS_PATH, operator.job_seen, listed[0]),
            operator.follow(PODS_PATH, operator.pod_seen, listed[1]),
            _stream(operator, settings, configuration),
        )


async def _stream(operator: NullOperator, settings: Settings, configuration: Configuration) -> None:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.ConnectionInfo:
        return await connection_info(configuration)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def task_seen(event: kopf.RawEvent, **_: object) -> None:
        operator.task_seen(event["type"], dict(event["object"]))

    await kopf.operator(
        registry=registry, settings=kopf_settings(settings), identity=IDENTITY, clusterwide=True, standalone=True
    )


if __name__ == "__main__":
    set_up_python()
    chosen = Settings.from_environment(os.environ)
    set_up_logging(chosen.log_level, chosen.log_format)
    asyncio.run(run(chosen))
