"""What one save costs at a real API server, with all its rules, against a plain PATCH of as many bytes.

The library's own store saves here as a worker does, with a token that is bound to a pod of the task. The floor is a
JSON patch of a ConfigMap through the same connection code: no rules, no policy, no subresource.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from longtask.worker.api import Answer, Door
from longtask.worker.apistore import REQUEST_SECONDS, ApiStore
from longtask.worker.settings import ClusterSettings
from longtask.worker.store import Cause, Snapshot, timestamp
from tests.bench.real import flags, namespace_with_operator
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit
from tests.e2e.support.tasks import Lab, long_task, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.client import Api, Body

TIMES: Final = 300
QUICK_TIMES: Final = 150
SIZES: Final = {"200 B": 200, "4 KiB": 4096, "32 KiB": 32768}
"""How much data is saved; the last is the most that is allowed."""
SAVE, FLOOR = "save", "plain PATCH"


class CountingDoor(Door):
    """Counts the bytes of bodies, in both directions, of the last PATCH."""

    sent = received = 0

    def patch(self, path: str, operations: list[dict[str, Any]], seconds: float) -> Answer:
        """See Door."""
        answer = super().patch(path, operations, seconds)
        self.sent, self.received = _size(operations), _size(answer.body)
        return answer


@dataclass(frozen=True)
class Bench:
    """A task that is claimed, and a ConfigMap, with a connection to the server for each."""

    api: Api
    who: ClusterSettings
    door: CountingDoor
    plain: CountingDoor
    store: ApiStore

    def save(self, sequence: int, size: int) -> None:
        """One save of so many bytes, with progress, as the library does it."""
        now = timestamp(time.time())
        done = {
            "done": sequence,
            "total": 10**6,
            "percent": 1,
            "message": "at work",
            "lastUpdateTime": timestamp(time.time()),
        }
        self.store.save(Snapshot(Cause.INTERVAL, "x" * size, done, now), sequence, REQUEST_SECONDS)

    def patch(self, size: int) -> None:
        """One plain PATCH whose body has so many bytes. Raises RuntimeError when it is refused."""
        path = f"/api/v1/namespaces/{self.who.namespace}/configmaps/floor"
        operation = {"op": "add", "path": "/data/x", "value": ""}
        operation["value"] = uuid.uuid4().hex[:8] + "x" * (size - _size([operation]) - 8)
        answer = self.plain.patch(path, [operation], REQUEST_SECONDS)
        if not answer.ok:
            raise RuntimeError(f"the plain PATCH is refused: {answer.words}")


def measure(settings: Settings) -> Measured:
    """Save and patch in turns. Raises what the library raises for a save that is refused."""
    times = QUICK_TIMES if settings.quick else TIMES
    series: list[Series] = []
    with bench() as made:
        found = flags(made.api)
        sequence = made.store.claim().sequence
        for label, size in SIZES.items():
            taken: dict[str, list[float]] = {SAVE: [], FLOOR: []}
            for _ in range(times):
                sequence += 1
                begun = time.perf_counter()
                made.save(sequence, size)
                saved = time.perf_counter()
                made.patch(made.door.sent)
                taken[SAVE].append(round(saved - begun, 6))
                taken[FLOOR].append(round(time.perf_counter() - saved, 6))
            settings.say(f"{label} done")
            measured = f"one save of {label}"
            series += [
                Series(measure=measured, contender=name, unit=Unit.SECONDS, samples=tuple(samples))
                for name, samples in taken.items()
            ]
            for direction, door in (("sent", made.door.sent), ("received", made.door.received)):
                series.append(
                    Series(measure=f"{measured}, {direction}", contender=SAVE, unit=Unit.BYTES, samples=(door,))
                )
    return Measured(series=tuple(series), flags=found)


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """A task whose pod sleeps, and this process in the place of its worker."""
    with namespace_with_operator() as (api, namespace), tempfile.TemporaryDirectory() as folder:
        container = plain(["sleep", "3600"], volumeMounts=[])
        lab = Lab(api, namespace, Path())
        task = lab.start(long_task("saver", container, grace=1, pod={"volumes": []}))
        pod = task.running_pod()
        _prepare_floor(api, namespace)
        credentials = Path(folder)
        (credentials / "token").write_text(api.token("default", namespace, pod))
        (credentials / "ca.crt").write_bytes(Path(api.ca_file).read_bytes())
        who = ClusterSettings(
            namespace=namespace,
            name=task.name,
            uid=task.uid,
            attempt=1,
            pod_uid=pod["metadata"]["uid"],
            grace_seconds=30,
            schema="",
            wait_for_batch=False,
            api_server=api.server,
            credentials=credentials,
            termination_log=credentials / "termination-log",
        )
        door, floor = CountingDoor(who.api_server, credentials), CountingDoor(who.api_server, credentials)
        store = ApiStore(door, who)
        try:
            yield Bench(api, who, door, floor, store)
        finally:
            store.close()
            floor.close()


def _prepare_floor(api: Api, namespace: str) -> None:
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    bodies: list[Body] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "floor"}, "data": {"x": ""}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "floor"}, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "floor"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "floor"},
            "subjects": [account],
        },
    ]
    for body in bodies:
        api.create(body, namespace)


def _size(body: object) -> int:
    return len(json.dumps(body, separators=(",", ":")).encode())


COMPARISONS: Final = tuple(
    Comparison(
        title=f"One save of {label}, against a plain PATCH of the same bytes",
        measure=f"one save of {label}",
        contender=SAVE,
        baseline=FLOOR,
        judged=Judged.RATIO,
    )
    for label in SIZES
)

ABOUT: Final = """\
One save with progress by the library's own store, as a worker does it: a JSON patch of the task's status with a token
that is bound to the task's pod, checked by the rules of the resource and by the policy. The floor is a JSON patch of a
ConfigMap with a body of as many bytes, in turns, by the same connection code. A worker's saves happen in a thread of
their own, 10 s apart: the work does not wait for them.
"""

PART: Final = Part(name="save", title="One save", about=ABOUT, comparisons=COMPARISONS, measure=measure)
