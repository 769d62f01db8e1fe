"""What a test's namespace is furnished with: the programs, a volume, and a pod beside the tasks that reads what they
wrote. It must not know of any task.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.e2e.support.client import Body

IMAGE: Final = "longtask:dev"
PROGRAMS: Final = Path(__file__).parents[1] / "programs"
READER: Final = "reader"


def furnishings(reader_on: str | None = None) -> list[Body]:
    """Manifests of all of it, in the order in which they are to be created; `reader_on`: the node of the reader."""
    programs = {path.name: path.read_text() for path in sorted(PROGRAMS.glob("*.py"))}
    return [_config_map(programs), _volume(), _reader(reader_on)]


def _config_map(programs: dict[str, str]) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "programs"}, "data": programs}


def _volume() -> Body:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def _reader(node: str | None) -> Body:
    container = {
        "name": "reader",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 0},
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    spec: Body = {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0}
    if node is not None:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": READER}, "spec": spec}
