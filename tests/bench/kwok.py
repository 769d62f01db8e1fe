"""Nodes and pods that only exist in the API server, played by kwok: what makes fleets of thousands fit on one machine.

Stages of our own, because kwok's complete a Job's pod at once. There is no container, no SIGTERM and no grace period
here: a pod that is deleted has failed at once, with the exit code of a worker that saved when it was told to stop. So a
fleet measures the control plane and those who talk to it, never a worker.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from longtask.api.names import EXIT_SAVED
from tests.cluster import build
from tests.cluster.common import exclusive, run, step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.settings import Settings

VERSION: Final = "v0.7.0"
PARALLEL: Final = 16
"""Requests that kwok has open at the same time for pods."""
PODS_PER_NODE: Final = 1000
NODES: Final = 16
"""Room for more than the largest fleet, of which the pods of two phases may overlap."""

Json = dict[str, Any]


def program(settings: Settings) -> Path:
    """The kwok binary, compiled once on a machine into the cache that all clones share."""
    folder = settings.cache / f"kwok-{VERSION}"
    with exclusive(settings.cache / "kwok.lock"):
        if not (folder / "kwok").is_file():
            go = build.toolchain(settings)
            with step("compiling kwok (a minute, once on a machine)"):
                run(
                    [go, "install", "-trimpath", f"sigs.k8s.io/kwok/cmd/kwok@{VERSION}"],
                    env={"GOBIN": str(folder), "CGO_ENABLED": "0"},
                    cwd=settings.cache,
                    seconds=1800,
                )
    return folder / "kwok"


def configuration() -> str:
    """The configuration file: how pods live. Nodes live by kwok's own rules."""
    options = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {"manageAllNodes": True, "podPlayStageParallelism": PARALLEL},
    }
    return "\n---\n".join(json.dumps(document) for document in (options, *STAGES)) + "\n"


def node(number: int) -> Json:
    """The manifest of a node."""
    room = {"cpu": "1k", "memory": "1Ti", "pods": str(PODS_PER_NODE)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"kwok-{number}", "labels": {"kubernetes.io/hostname": f"kwok-{number}"}},
        "status": {"allocatable": room, "capacity": room},
    }


def _is(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def _stage(name: str, *when: Json, then: Json) -> Json:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": list(when)},
            "next": then,
        },
    }


_RUNNING: Final = """\
phase: Running
startTime: {{ Now | Quote }}
podIP: 10.0.0.1
conditions:
- {type: Ready, status: "True", lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  restartCount: 0
  state: {running: {startedAt: {{ Now | Quote }}}}
{{ end }}
"""
_STOPPED: Final = f"""\
phase: Failed
conditions:
- {{type: Ready, status: "False", lastTransitionTime: {{{{ Now | Quote }}}}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  ready: false
  restartCount: 0
  state: {{terminated: {{exitCode: {EXIT_SAVED}, reason: Error, finishedAt: {{{{ Now | Quote }}}}}}}}
{{{{ end }}}}
"""
_DELETED: Final = _is(".metadata.deletionTimestamp", "Exists")

STAGES: Final = (
    _stage(
        "runs-at-once",
        _is(".metadata.deletionTimestamp", "DoesNotExist"),
        _is(".status.phase", "In", "Pending"),
        then={"statusTemplate": _RUNNING},
    ),
    _stage(
        "stops-when-deleted",
        _DELETED,
        _is(".status.phase", "In", "Pending", "Running"),
        then={"statusTemplate": _STOPPED},
    ),
    _stage(
        "is-gone-when-stopped",
        _DELETED,
        _is(".status.phase", "In", "Failed", "Succeeded"),
        _is(".metadata.deletionGracePeriodSeconds | tostring", "NotIn", "0"),  # of numbers kwok compares none
        then={"delete": True},
    ),
)
"""A deleted pod first says how it ended, as with a kubelet, and then goes; its finalizer is the Job controller's."""
