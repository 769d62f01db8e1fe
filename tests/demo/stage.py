"""The stage: a cluster with the operator, a namespace of the demo's own, and kubectl as a person would use it.

It must not know the story.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster import choice, image, release
from tests.cluster.common import ClusterError, exclusive
from tests.cluster.settings import load
from tests.e2e.support.client import Api, wait_for
from tests.e2e.support.tasks import Handle

if TYPE_CHECKING:
    from tests.cluster.base import Cluster
    from tests.demo.screen import Screen
    from tests.e2e.support.client import Body

NAMESPACE: Final = "longtask-demo"
SAMPLES: Final = Path("manifests/samples")
LABELS: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
GONE_SECONDS: Final = 300.0  # for the namespace of a demo before: its worker ends its batch first


class Stage:
    """Where the demo plays."""

    def __init__(self, cluster: Cluster, screen: Screen) -> None:
        self.cluster, self._screen = cluster, screen
        self.api = Api.from_kubeconfig(cluster.kubeconfig)

    def clear(self) -> None:
        """Make the demo's namespace, after removing that of a demo before."""
        if self.api.find("Namespace", NAMESPACE):
            self._screen.say("   removing what an earlier demo has left (some seconds)")
            self.api.delete("Namespace", NAMESPACE)
            gone = "the earlier demo's namespace to be gone"
            wait_for(lambda: self.api.find("Namespace", NAMESPACE) is None, timeout=GONE_SECONDS, what=gone)
        metadata = {"name": NAMESPACE, "labels": LABELS}
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Show a command and run it."""
        self._screen.say(f"   $ kubectl {' '.join(_quoted(word) for word in words)}")
        return self.cluster.kubectl(f"--namespace={NAMESPACE}", *words, stdin=stdin)

    def apply(self, sample: str) -> Handle:
        """Apply a sample, which has one LongTask, as it is."""
        self.kubectl("apply", "-f", str(SAMPLES / sample))
        return self.task(next(body["metadata"]["name"] for body in read(sample) if body["kind"] == "LongTask"))

    def apply_body(self, body: Body) -> Handle:
        """Apply a LongTask."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return self.task(body["metadata"]["name"])

    def task(self, name: str) -> Handle:
        """The LongTask of that name."""
        body = self.api.get("LongTask", name, NAMESPACE)
        return Handle(self.api, NAMESPACE, name, body["metadata"]["uid"])

    def want(self, task: Handle, desired: str) -> None:
        """Change the one field, as a person does."""
        patch = json.dumps({"spec": {"desiredState": desired}}, separators=(",", ":"))
        self.kubectl("patch", "lt", task.name, "--type=merge", "-p", patch)

    def log_of(self, pod: Body) -> str:
        """What a pod's worker has printed so far."""
        return self.cluster.kubectl(f"--namespace={NAMESPACE}", "logs", pod["metadata"]["name"], "-c", "worker")

    def run_beside(self, name: str, task: Body, command: list[str]) -> tuple[str, bool]:
        """Run a command in a pod like the task's, on its volume; return what it printed, and whether it ended well."""
        pod = yaml.safe_load(yaml.safe_dump(task["spec"]["template"]["spec"]))
        pod["containers"][0]["command"] = command
        pod["restartPolicy"] = "Never"
        self.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}, NAMESPACE)

        def ended() -> Body | None:
            body = self.api.get("Pod", name, NAMESPACE)
            return body if body["status"].get("phase") in {"Succeeded", "Failed"} else None

        body = wait_for(ended, timeout=300, what=f"the end of pod {name}", every=0.5)
        return self.log_of(body), body["status"]["phase"] == "Succeeded"

    def story(self) -> str:
        """What to read when something is not as it should be: every task, and the operator's last words."""
        told = []
        for words in (
            [f"--namespace={NAMESPACE}", "describe", "longtasks"],
            [f"--namespace={NAMESPACE}", "get", "jobs,pods,events", "-o", "wide"],
            [f"--namespace={release.NAMESPACE}", "logs", release.DEPLOYMENT, "--tail=20"],
        ):
            try:
                told.append(f"$ kubectl {' '.join(words)}\n{self.cluster.kubectl(*words, seconds=30)}")
            except ClusterError as error:
                told.append(str(error))
        return "\n".join(told)


def build(screen: Screen) -> Stage:
    """Bring up the cluster, or repair it, build the image, and install the operator; each says how long it takes.

    Only LONGTASK_CONTEXT names a person's own cluster: KUBECONFIG, which `make deploy` heeds, is not looked at.
    """
    settings = load()
    with exclusive(settings.home / "lock"):
        cluster = choice.chosen(settings)
        screen.say(f"   cluster: {cluster.kind}")
        cluster.up()
        screen.mark("the cluster is up")
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        image.load(cluster)
        screen.mark("the image is there")
        release.deploy(settings)
    screen.mark("CRD, policies, RBAC and operator are installed")
    return Stage(cluster, screen)


def read(sample: str) -> list[Body]:
    """The objects of a sample."""
    bodies: list[Any] = list(yaml.safe_load_all((SAMPLES / sample).read_text()))
    return bodies


def _quoted(word: str) -> str:
    return f"'{word}'" if "{" in word else word
