"""Installing the operator with Helm, for tests, the demo and people who try it.

Into the cluster of an explicit KUBECONFIG, or into the one of `.cluster`; never into a person's default one.
"""

import json
import os
from pathlib import Path

from tests.cluster import build, diagnosis, image
from tests.cluster.common import ClusterError, run, say, step
from tests.cluster.settings import Settings

NAMESPACE = "longtask-system"
RELEASE = "longtask"
DEPLOYMENT = "deployment/longtask-operator"


def target(settings: Settings) -> Path:
    """The kubeconfig to install with; raises ClusterError when none is meant, or a person's default one."""
    explicit = os.environ.get("KUBECONFIG")
    if explicit:
        if not Path(explicit).is_file():
            raise ClusterError(f"KUBECONFIG={explicit}: there is no such file")
        if Path(explicit).resolve() == (Path.home() / ".kube" / "config").resolve():
            raise ClusterError(
                f"KUBECONFIG={explicit} is your default one, and this is a development build. Unset it to install "
                "into the cluster of `make cluster`, name a file of its own, or use helm as the README says"
            )
        return Path(explicit).resolve()
    if settings.kubeconfig.is_file():
        return settings.kubeconfig
    raise ClusterError("install where? `make cluster` first, or set KUBECONFIG to the kubeconfig of a cluster")


def deploy(settings: Settings) -> None:
    """Install or upgrade, and wait until the operator is available; its own words are shown when it is not."""
    kubeconfig = target(settings)
    build.ensure_tools(settings)
    kubectl = [f"{settings.bin}/kubectl", f"--kubeconfig={kubeconfig}"]
    run([*kubectl, "apply", "--filename=-"], env=settings.environment, stdin=namespace())
    with step(f"installing the operator into {NAMESPACE} (half a minute)"):
        try:
            run([settings.bin / "helm", *helm_words(settings, kubeconfig)], env=settings.environment, seconds=240)
        except ClusterError as error:
            why = diagnosis.operator(settings, kubeconfig, NAMESPACE, DEPLOYMENT)
            raise ClusterError(f"{error}\n{why}") from error
    say(f"the operator runs:  kubectl --kubeconfig {kubeconfig} --namespace {NAMESPACE} logs {DEPLOYMENT}")


def undeploy(settings: Settings) -> None:
    """Remove the release; LongTasks and their definition stay."""
    kubeconfig = target(settings)
    build.ensure_tools(settings)
    words = ["uninstall", RELEASE, f"--namespace={NAMESPACE}", f"--kubeconfig={kubeconfig}"]
    run([settings.bin / "helm", *words, "--ignore-not-found", "--wait"], env=settings.environment, seconds=240)


def namespace() -> str:
    """The operator's namespace, with the strictest Pod Security enforced."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})


def helm_words(settings: Settings, kubeconfig: Path) -> list[str]:
    """The arguments of helm. The image's hash annotates the pod: another image under the same tag restarts it."""
    values = {"podAnnotations": {"longtask.dev/image": image.loaded(settings) or image.fingerprint(settings)}}
    ours = (
        kubeconfig.resolve() == settings.kubeconfig.resolve()
    )  # a definition that a test applied by hand may be in the way there
    return [
        *("upgrade", RELEASE, str(settings.repo / "charts" / "longtask-operator")),
        *(["--take-ownership"] if ours else []),
        *("--install", "--wait", "--timeout=180s", f"--namespace={NAMESPACE}", f"--kubeconfig={kubeconfig}"),
        *("--set", "image.repository=longtask", "--set", "image.tag=dev", "--set", "image.pullPolicy=IfNotPresent"),
        *("--set-json", json.dumps(values)),
    ]
