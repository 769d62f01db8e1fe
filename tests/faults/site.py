"""Where plans are carried out: one namespace with programs, a volume and bystanders, for one plan after another.

The operator under test sees this namespace and no other, so that several of them work side by side in one cluster. It
must not know what a plan or a scenario is.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.e2e.support.client import wait_for
from tests.e2e.support.furniture import IMAGE
from tests.e2e.support.tasks import Handle, Lab, long_task, worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.support.client import Api, Body

PROGRAMS: Final = tuple(sorted((Path(__file__).parent / "programs").iterdir()))
ACCESS: Final = "longtask-worker"
BYSTANDER: Final = "bystander"
ITEMS: Final = 6
HOLD: Final = 3
DEADLINES: Final = ("activeDeadlineSeconds", "progressDeadlineSeconds", "ttlSecondsAfterFinished")
HALF_AN_HOUR: Final = 1800  # seconds; nothing here lasts that long, so whoever believes that it did is wrong


@dataclass
class Site:
    """One namespace of one cluster."""

    api: Api
    kubeconfig: Path
    namespace: str = field(default_factory=lambda: f"faults-{uuid.uuid4().hex[:6]}")

    def open(self) -> Site:
        """Make it, with all that every plan finds there."""
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.lab = Lab(self.api, self.namespace, self.kubeconfig).furnish()
        self.api.patch(
            "ConfigMap", "programs", self.namespace, {"data": {path.name: path.read_text() for path in PROGRAMS}}
        )
        self.api.create(bystander(), self.namespace)
        self.lab.in_reader("true")
        return self

    def close(self) -> None:
        """Remove it; that goes on in the background."""
        self.api.delete("Namespace", self.namespace)

    def start(self, name: str, settings: Mapping[str, object]) -> Handle:
        """Create a task. Its settings in capitals go to the program, the others to the manifest."""
        return self.lab.start(manifest(name, settings))

    def output(self, name: str) -> list[tuple[int, int]]:
        """The items that were written, with the epochs that wrote them, in the order of writing."""
        return [(int(item), int(epoch)) for item, epoch in map(str.split, self.lab.lines(f"{name}/items"))]

    def touch(self, name: str, file: str) -> None:
        """Make a file that a task's program looks for."""
        self.lab.touch(f"{name}/{file}")

    def clear(self) -> None:
        """Leave nothing of a plan behind but what the garbage collector removes by itself."""
        for task in self.api.list_all("LongTask", self.namespace):
            self.api.delete("LongTask", task["metadata"]["name"], self.namespace)
        self.api.delete("RoleBinding", ACCESS, self.namespace)
        wait_for(lambda: not self.api.list_all("LongTask", self.namespace), what="no task that is left")


def manifest(name: str, settings: Mapping[str, object]) -> Body:
    """A task of `steps.py`, or of the `program` that is named; `spec`: further fields of the spec."""
    env = {"ITEMS": ITEMS, "DATA": f"/data/{name}", **{key: settings[key] for key in settings if key.isupper()}}
    if settings.get("program") == "filed":
        container = worker(env=env, container={"command": ["sh", "/code/filed.sh"], "args": []})
    else:
        container = worker("steps.py:Steps", save_every=0, env=env)
    others = {key: settings[key] for key in settings if key.islower() and key not in {"program", "spec"}}
    made = long_task(name, container, **others)  # type: ignore[arg-type]
    made["spec"] |= dict.fromkeys(DEADLINES, HALF_AN_HOUR) | settings.get("spec", {})  # type: ignore[operator]
    return made


def bystander() -> Body:
    """A Job of somebody else that looks like ours, and that nobody may touch: it says so, and has no owner."""
    labels = {"longtask.dev/task-uid": BYSTANDER, "app.kubernetes.io/managed-by": "longtask-operator"}
    container = {"name": "worker", "image": IMAGE, "command": ["true"]}
    template = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": BYSTANDER, "labels": labels},
        "spec": {"suspend": True, "template": template},
    }
