"""The contenders of the fleets, as data: what is created, what is changed to suspend, and when that has come about.

All of them have Jobs of one manifest. It must not know how a fleet is driven or timed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from longtask.api import names
from longtask.core.job import job_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.fleet_watch import View

Json = dict[str, Any]

CREATE: Final = "create to running"
SUSPEND: Final = "suspend to proved"
RESUME: Final = "resume to running"
TERMINATE: Final = "terminate to gone"
PHASES: Final = (CREATE, SUSPEND, RESUME, TERMINATE)

RIVAL_API: Final = "tutorial.longtask.dev/v1alpha1"
"""The resource of the operator in the style of kopf's tutorial: the same shape in a group of its own."""

_TEMPLATE: Final[Json] = {
    "spec": {"containers": [{"name": "worker", "image": "worker:1", "args": ["longtask", "run", "work:Work"]}]}
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`changes`: the merge patch of each phase but the first; None: the object is deleted in the foreground.

    `program` and `account` are those of its operator; without one, Kubernetes itself does the work. `claims`: whether
    a worker's checkpoint is written for it between the first two phases, so that a suspension finds what it does with
    real workers.
    """

    name: str
    api: str
    plural: str
    manifest: Callable[[str, str], Json]
    """Takes namespace and name."""
    changes: Mapping[str, Json | None]
    done: Mapping[str, Callable[[View], bool]]
    program: tuple[str, ...] = ()
    account: tuple[str, str] = (names.OPERATOR_NAME, names.OPERATOR_NAMESPACE)
    env: Mapping[str, str] = field(default_factory=dict)
    claims: bool = False

    @property
    def user(self) -> str:
        """Who its operator is to the API server."""
        return f"system:serviceaccount:{self.account[1]}:{self.account[0]}"

    def collection(self, namespace: str) -> str:
        """Path of its objects."""
        return f"/apis/{self.api}/namespaces/{namespace}/{self.plural}"


def _task(api: str, namespace: str, name: str) -> Json:
    return {
        "apiVersion": api,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"desiredState": "Run", "template": _TEMPLATE},
    }


def _raw_job(namespace: str, name: str) -> Json:
    """The Job that a LongTask would have, but under the name that the clients know, and owned by nobody."""
    task = _task(names.API_VERSION, namespace, name)
    task["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    job = job_manifest(task, attempt=1, failures_before=0, backoff_limit=6)
    job["metadata"]["name"] = name
    del job["metadata"]["ownerReferences"]
    return job


def _in_state(state: str) -> Callable[[View], bool]:
    return lambda view: view.state == state


def _runs(view: View) -> bool:
    return "Running" in view.pods.values()


def _is_suspended(view: View) -> bool:
    return view.suspended and not view.pods


def _is_gone(view: View) -> bool:
    return not view.jobs and not view.pods


_DESIRED: Final[Mapping[str, Json | None]] = {
    SUSPEND: {"spec": {"desiredState": "Suspend"}},
    RESUME: {"spec": {"desiredState": "Run"}},
    TERMINATE: {"spec": {"desiredState": "Terminate"}},
}
_STATES: Final = {
    CREATE: _in_state("Running"),
    SUSPEND: _in_state("Suspended"),
    RESUME: _in_state("Running"),
    TERMINATE: _in_state("Terminated"),
}

RAW: Final = Contender(
    name="raw Jobs",
    api="batch/v1",
    plural="jobs",
    manifest=_raw_job,
    changes={SUSPEND: {"spec": {"suspend": True}}, RESUME: {"spec": {"suspend": False}}, TERMINATE: None},
    done={CREATE: _runs, SUSPEND: _is_suspended, RESUME: _runs, TERMINATE: _is_gone},
)
OURS: Final = Contender(
    name="LongTask",
    api=names.API_VERSION,
    plural=names.PLURAL,
    manifest=partial(_task, names.API_VERSION),
    changes=_DESIRED,
    done=_STATES,
    program=("-m", "longtask.shell"),
    claims=True,
)
NULL: Final = Contender(
    name="null operator",
    api=names.API_VERSION,
    plural=names.PLURAL,
    manifest=partial(_task, names.API_VERSION),
    changes=_DESIRED,
    done=_STATES,
    program=("-m", "tests.bench.null_operator"),
    claims=True,
)
TUTORIAL: Final = Contender(
    name="kopf tutorial",
    api=RIVAL_API,
    plural=names.PLURAL,
    manifest=partial(_task, RIVAL_API),
    changes=_DESIRED,
    done=_STATES,
    program=("-m", "tests.bench.rivals.run"),
    account=("tutorial", names.OPERATOR_NAMESPACE),
)
