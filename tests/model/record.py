"""Records what the real Job controller, kubelet and garbage collector do: the measure of the simulated ones.

    python -m tests.model.record [--to FOLDER] [--check] [SCENARIO ...]

Runs the scenarios of recordings/scenarios.py (all, or those named) on the cluster of `make cluster` and writes one
file for each, see recordings/logs.py. No operator must be at work there: that it is stopped is seen to, and put right
afterwards. `--check` keeps nothing: it records into a folder that goes away, and replays at once (replay.py). That is
for a new version of Kubernetes; where it differs from the simulators, the words say how. On a cluster whose parts and
audit log are out of reach, scenarios that stop a part fail, and the replay knows less of who made a write.

A recording holds every version of the Job, its pods and its task, from watches that are merged by resourceVersion: the
API server numbers all writes from one counter. Nothing here knows what ought to happen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.cluster import api as cluster_api
from tests.cluster.common import ClusterError
from tests.cluster.components import table
from tests.cluster.local import LocalCluster
from tests.e2e.support.client import MERGE, Api, ApiError, kubeconfig_path, wait_for
from tests.e2e.support.watch import MARK, Observer, Seen
from tests.model.recordings.logs import FOLDER, Line, Recording, recordings
from tests.model.recordings.scenarios import SCENARIOS, Scenario
from tests.model.recordings.slim import Slimmer
from tests.model.recordings.stage import QUIET, Stage
from tests.model.recordings.writers import Audit, writer
from tests.model.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.base import Cluster

KINDS: Final = ("LongTask", "Job", "Pod")
SIDE_BY_SIDE: Final = 5
REST: Final = "until_rest"
"""The one word of a script that the watch knows, not the stage. Every script ends with it."""
OPERATOR: Final = ("Deployment", "longtask-operator", "longtask-system")


class _Watch(Observer):
    """An observer that knows when the last write was."""

    def until_quiet(self) -> None:
        """Wait until nothing has been written for a while."""
        wait_for(
            lambda: time.time() - max(seen.at for seen in list(self._seen)) >= QUIET,
            timeout=60,
            what=f"{self.namespace} to come to rest",
        )


def record(api: Api, name: str, scenario: Scenario) -> Recording:
    """Play one scenario and return what was seen. Raises AssertionError when it does not come to its end."""
    namespace = f"recording-{name.replace('_', '-')}-{int(time.time()) % 10000}"
    stage = Stage(
        api=api,
        namespace=namespace,
        program=scenario.program,
        backoff_limit=scenario.backoff_limit,
        grace=scenario.grace,
    )
    try:
        stage.open()
        with _Watch(api, namespace, kinds=KINDS) as watch:
            for word in (*scenario.words, REST):
                act = watch.until_quiet if word == REST else getattr(stage, word)
                act()
        return _recording(name, scenario, stage, watch.log(), audit_of(namespace))
    finally:
        stage.close()


def _recording(name: str, scenario: Scenario, stage: Stage, log: list[Seen], audit: Audit) -> Recording:
    log = [seen for seen in log if MARK not in seen.body["metadata"].get("annotations", {}) or seen.gone]
    first, start = log[0].revision, float(int(stage.actions[0][0]))
    slimmer = Slimmer(start)
    lines: list[Line] = []
    latest: dict[str, Seen] = {}
    kept: dict[str, Any] = {}
    for seen in log:
        uid = seen.body["metadata"]["uid"]
        body, by = slimmer.slim(seen.kind, seen.body), writer(latest.get(uid), seen, audit)
        latest[uid] = seen
        if kept.get(uid) == body and not seen.gone:
            continue
        kept[uid] = body
        at = round(max(seen.at - start, 0), 3)
        lines.append(Line(rv=seen.revision - first, at=at, by=by, kind=seen.kind, gone=seen.gone, body=body))
    actions = [
        {"action": words, "t": round(at - start, 3), "rv": None if version is None else version - first}
        for at, words, version in stage.actions
    ]
    header = {
        "scenario": name,
        "kubernetes": stage.api.request("GET", "/version")["gitVersion"],
        "flags": flags(cluster_api.current()),
        "script": scenario.script,
        "backoffLimit": scenario.backoff_limit,
        "grace": scenario.grace,
        "quiet": QUIET,
        "actions": actions,
    }
    return Recording(header=header, lines=tuple(lines))


def audit_of(namespace: str) -> Audit:
    """The writes to that namespace until now; empty on a cluster whose audit log is out of reach."""
    try:
        return Audit.read(cluster_api.current().audit_log(), namespace)
    except ClusterError:
        return Audit()


def flags(cluster: Cluster) -> list[str]:
    """What the controller manager was started with, files and addresses left out; empty where nobody knows."""
    if not isinstance(cluster, LocalCluster):
        return []
    (command,) = (component.command for component in table() if component.name == "kube-controller-manager")
    return [flag for flag in command[1:] if "/" not in flag and "address" not in flag]


@contextmanager
def without_operator(api: Api) -> Iterator[None]:
    """See to it that no operator acts on the tasks of a recording; the one that was stopped goes on afterwards."""
    kind, name, namespace = OPERATOR
    deployment = api.find(kind, name, namespace)
    replicas = deployment["spec"]["replicas"] if deployment else 0
    if replicas:
        api.patch(kind, name, namespace, {"spec": {"replicas": 0}}, how=MERGE)
        wait_for(lambda: not api.list_all("Pod", namespace), timeout=120, what="the operator to be gone")
    try:
        yield
    finally:
        if replicas:
            api.patch(kind, name, namespace, {"spec": {"replicas": replicas}}, how=MERGE)


def record_all(names: list[str], folder: Path) -> list[str]:
    """Record these scenarios, those that need the cluster for themselves at the end; returns what went wrong."""
    api = Api.from_kubeconfig(kubeconfig_path())
    troubles: list[str] = []

    def one(name: str) -> None:
        try:
            recording = record(api, name, SCENARIOS[name])
        except (AssertionError, ApiError, ClusterError) as error:
            troubles.append(f"{name}: {error}")
            return
        print(f"{recording.write(folder)}: {len(recording.lines)} versions", flush=True)  # noqa: T201

    with without_operator(api):
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(one, [name for name in names if not SCENARIOS[name].alone]))
        for name in names:
            if SCENARIOS[name].alone:
                one(name)
    return troubles


def check(names: list[str]) -> list[str]:
    """Record these scenarios anew, keep nothing, and replay; returns what went wrong and what differs."""
    with tempfile.TemporaryDirectory() as folder:
        troubles = record_all(names, Path(folder))
        found, steps = replay(recordings(Path(folder)))
    print(f"{sum(steps.values())} steps of {len(steps)} kinds, {len(found)} differences")  # noqa: T201
    return [*troubles, *map(str, found)]


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.record", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="which; all if none is named")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder for the files")
    parser.add_argument("--check", action="store_true", help="record anew, keep nothing, and replay")
    chosen = parser.parse_args(arguments)
    names = chosen.scenarios or list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    troubles = check(names) if chosen.check else record_all(names, chosen.to)
    for trouble in troubles:
        print(trouble, file=sys.stderr)  # noqa: T201
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
