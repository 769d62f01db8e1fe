"""What a person wants to see after a failure, and no more of it than fits on a few screens.

Only looks. A part that can't be seen says why, and the others are shown all the same.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster.base import Cluster
from tests.cluster.common import ClusterError, run
from tests.cluster.settings import Settings

LINES = 40
WIDTH = 240


def report(cluster: Cluster, namespace: str, deployment: str) -> str:
    """How the components are, the ends of the logs of those that don't run, the operator, tasks, pods and events."""
    ask = _asker(cluster.settings, cluster.kubeconfig)
    parts = [
        _part("components", lambda: _components(cluster)),
        *(_log(cluster, name) for name in ailing(cluster)),
        operator(cluster.settings, cluster.kubeconfig, namespace, deployment),
        _part("tasks", lambda: ask("get", "longtasks", "--all-namespaces")),
        _part("pods", lambda: ask("get", "pods", "--all-namespaces", "--output=wide")),
        _part("events", lambda: ask("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")),
    ]
    return "\n".join(parts)


def operator(settings: Settings, kubeconfig: Path, namespace: str, deployment: str) -> str:
    """What the cluster says about the operator's pods, and the end of their log."""
    ask = _asker(settings, kubeconfig, f"--namespace={namespace}")
    return "\n".join(
        [
            _part("the operator's pods and events", lambda: ask("get", "pods,events")),
            _part("the operator's log", lambda: ask("logs", deployment, f"--tail={LINES}")),
        ]
    )


def states(cluster: Cluster) -> Iterable[tuple[str, str]]:
    """Each component's name and state."""
    return ((name, cluster.state(name)) for name in cluster.components())


def ailing(cluster: Cluster) -> list[str]:
    """The components that do not run; none when even that can't be seen."""
    try:
        return [name for name, state in states(cluster) if state != "running"]
    except ClusterError:
        return []


def _components(cluster: Cluster) -> str:
    listing = [f"{name:26} {state}" for name, state in states(cluster)]
    return "\n".join([f"{cluster.kind} cluster, kubeconfig {cluster.kubeconfig}", *listing])


def _log(cluster: Cluster, name: str) -> str:
    return _part(f"the log of {name}", lambda: cluster.log(name).read_text(errors="replace"))


def _asker(settings: Settings, kubeconfig: Path, *options: str) -> Callable[..., str]:
    kubectl = [f"{settings.bin}/kubectl", f"--kubeconfig={kubeconfig}", "--request-timeout=20s", *options]
    return lambda *words: run([*kubectl, *words], env=settings.environment, seconds=40)


def _part(title: str, look: Callable[[], str]) -> str:
    try:
        text = look()
    except (ClusterError, OSError) as error:
        text = str(error)
    return f"--- {title}\n{_end(text)}"


def _end(text: str) -> str:
    """The last lines, none of them longer than a screen bears."""
    return "\n".join(line[:WIDTH] for line in text.rstrip().splitlines()[-LINES:])
