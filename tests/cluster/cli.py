"""The commands of `python -m tests.cluster`."""

import argparse
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from tests.cluster import build, choice, diagnosis, foreign, image, release
from tests.cluster.base import Cluster
from tests.cluster.common import ClusterError, exclusive, say
from tests.cluster.settings import Settings, load

ON_ONE = {
    "start": "start a component and wait until it is well",
    "stop": "end a component in its own way",
    "kill": "end a component by SIGKILL",
    "restart": "stop and start a component",
    "freeze": "SIGSTOP a component: it keeps its connections and does nothing",
    "thaw": "SIGCONT a component",
}
ON_ALL = {
    "prepare": "install what the host lacks for `up`, after saying so and asking",
    "build": "compile the programs that `up` needs, and nothing else",
    "tools": "compile kubectl and helm, and nothing else",
    "up": "bring the cluster up, or repair it",
    "down": "remove it and everything it changed",
    "status": "how its components are",
    "image": "build longtask:dev and load it into the cluster",
    "foreign": "build and load the image of programs that know nothing of LongTask, for the tests",
    "deploy": "install the operator with Helm",
    "undeploy": "remove the operator",
    "diagnose": "show what helps after a failure: components, operator, tasks, pods, events",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it did what it says, 1 with a message on stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in ON_ALL.items():
        commands.add_parser(name, help=text)
    for name, text in ON_ONE.items():
        commands.add_parser(name, help=text).add_argument("component")
    commands.add_parser("log", help="print where a component's log is").add_argument("component")
    asked = parser.parse_args(words)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _do(asked, load())
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here, `down` removes what there is")
        return 130
    return 0


def _do(asked: argparse.Namespace, settings: Settings) -> None:
    match asked.command:
        case command if command in CHANGES:
            with exclusive(settings.home / "lock"):
                CHANGES[command](settings)
        case "status":
            _status(choice.current(settings))
        case "diagnose":
            print(diagnosis.report(choice.current(settings), release.NAMESPACE, release.DEPLOYMENT))
        case "log":
            print(choice.current(settings).log(asked.component))
        case name:
            getattr(choice.current(settings), name)(asked.component)


def _up(settings: Settings) -> None:
    choice.chosen(settings).up()
    say(f"cluster is up:  export KUBECONFIG={settings.kubeconfig}")


def _down(settings: Settings) -> None:
    cluster = choice.removable(settings)
    if cluster is None:
        say("no cluster to remove")
        return
    cluster.down()
    (settings.home / "kind").unlink(missing_ok=True)
    say(f"cluster removed; {settings.home} keeps its programs and logs")


CHANGES: dict[str, Callable[[Settings], None]] = {
    "prepare": lambda settings: choice.chosen(settings).prepare(),
    "build": lambda settings: choice.chosen(settings).build(),
    "tools": build.ensure_tools,
    "up": _up,
    "down": _down,
    "image": lambda settings: image.load(choice.current(settings)),
    "foreign": lambda settings: foreign.load(choice.current(settings)),
    "deploy": release.deploy,
    "undeploy": release.undeploy,
}
"""What changes the cluster or makes something for it: one at a time."""


def _status(cluster: Cluster) -> None:
    print(f"{cluster.kind} cluster, kubeconfig {cluster.kubeconfig}")
    for name, state in diagnosis.states(cluster):
        print(f"  {name:26} {state}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End a command like Ctrl-C does, so that a file is whole and a lock is free."""
    raise KeyboardInterrupt
