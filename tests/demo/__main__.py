"""`python -m tests.demo`: see the package."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from tests.cluster.common import ClusterError
from tests.demo import stage as stages
from tests.demo import steps
from tests.demo.checks import CheckError
from tests.demo.screen import Screen
from tests.e2e.support.client import ApiError, UnavailableError

if TYPE_CHECKING:
    from types import FrameType

WRONG = (CheckError, ClusterError, ApiError, UnavailableError, AssertionError)


def main() -> int:
    """Run the demo; 0 when every check held, 1 when one did not, 130 when interrupted."""
    screen = Screen()
    signal.signal(signal.SIGTERM, _interrupt)
    stage = None
    try:
        screen.title("A cluster with LongTask (ten minutes the first time on a machine, then one)")
        stage = stages.build(screen)
        play(stage, screen)
    except WRONG as error:
        screen.say()
        _complain(f"THE DEMO HAS FAILED\n{error}")
        if stage is not None:
            _complain(f"\nThe story so far:\n{stage.story()}")
        return 1
    except KeyboardInterrupt:
        _complain("\ninterrupted; `make demo` begins anew, `make clean-cluster` removes what there is")
        return 130
    screen.title("All checks have held")
    screen.timeline()
    _say_what_next(screen, stage)
    return 0


def play(stage: stages.Stage, screen: Screen) -> None:
    """Play the story from its beginning."""
    stage.clear()
    task = steps.suspend_and_resume(stage, screen)
    steps.kill(stage, screen, task)
    steps.complete(stage, screen, task)
    steps.terminate(stage, screen)


def _say_what_next(screen: Screen, stage: stages.Stage) -> None:
    cluster = stage.cluster
    screen.say()
    screen.say("The cluster stays up. To use it:")
    screen.say(f"  export KUBECONFIG={cluster.kubeconfig} PATH={cluster.settings.bin}:$PATH")
    screen.say(f"  kubectl get longtasks -n {stages.NAMESPACE}")
    screen.say("To remove it and everything it has changed:")
    screen.say("  make clean-cluster")


def _complain(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
