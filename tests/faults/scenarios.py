"""What happens to a task under faults: between them, the scenarios take every transition that there is.

Each is what is done to a task (acts.py), and what must come out whatever the faults. It must not know of any fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from longtask.worker.parking import ASK_EVERY
from tests.faults import acts
from tests.faults.site import HOLD, ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.scene import Scene


@dataclass(frozen=True, kw_only=True)
class End:
    """How a task is in the end. `reason`: that of its `Ready` condition; `items`: how many were done, in all.

    `saved`: how many of them at least, where workers were killed and nobody goes on with the work.
    """

    state: str
    reason: str
    items: int
    saved: int | None = None
    attempt: int = 1
    failures: int | None = None
    gone: bool = False
    jobs: int = 1

    @property
    def written(self) -> list[int]:
        """What the workers must have written, each once."""
        return list(range(self.items))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`writes`: how many of the operator's the server carries out, at most, when nothing goes wrong."""

    name: str
    steps: Callable[[Scene], None]
    end: End
    writes: int
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    redone: bool = False
    """Whether its worker is ended in the middle, so that what it had not saved is done again."""
    finalizer: bool = False
    """Whether it has a clean-up, so that the operator sets a finalizer on it."""
    stalls: bool = False
    """Whether only a person can help on the way."""


HELD: Final[Mapping[str, object]] = MappingProxyType({"HOLD": HOLD})
FILE: Final = {"file": "/state/position", "interruptedExitCodes": [143]}
CLAIM: Final = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}}


_NOWHERE: Final = {"pod": {"nodeSelector": {"longtask.dev/tests": "no-such-node"}}}
_DONE: Final = End(state="Complete", reason="Done", items=ITEMS)
_TERMINATED: Final = End(state="Terminated", reason="Terminated", items=HOLD + 1, saved=HOLD, jobs=0)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario(name="complete", steps=acts.complete, end=_DONE, writes=4),
            Scenario(name="suspend-resume", steps=acts.suspend_and_resume, settings=HELD, end=_DONE, writes=9),
            Scenario(
                name="suspend",
                steps=acts.suspend_unseen,
                settings={**HELD, "LINGER": 1},
                end=End(state="Suspended", reason="Saved", items=HOLD + 1),
                writes=5,
            ),
            Scenario(
                name="suspend-while-starting",
                steps=acts.suspend_while_starting,
                settings=_NOWHERE,
                end=End(state="Suspended", reason="NotStarted", items=0),
                writes=5,
                stalls=True,
            ),
            Scenario(name="terminate-running", steps=acts.terminate_running, settings=HELD, end=_TERMINATED, writes=5),
            Scenario(
                name="terminate-suspended",
                steps=acts.terminate_suspended,
                settings=HELD,
                end=End(state="Terminated", reason="NoCleanup", items=HOLD + 1, jobs=0),
                writes=7,
            ),
            Scenario(
                name="terminate-failed",
                steps=acts.terminate_after("Failed"),
                settings={"CRASH": HOLD, "backoff_limit": 0},
                end=End(state="Terminated", reason="NoCleanup", items=HOLD, failures=1, jobs=0),
                writes=8,
                stalls=True,
            ),
            Scenario(
                name="terminate-complete",
                steps=acts.terminate_after("Complete"),
                end=End(state="Terminated", reason="Terminated", items=ITEMS, jobs=0),
                writes=6,
            ),
            Scenario(
                name="terminate-while-suspending",
                steps=acts.terminate_while_suspending,
                settings={**HELD, "LINGER": 2},
                end=_TERMINATED,
                writes=6,
            ),
            Scenario(
                name="delete",
                steps=acts.delete_object,
                settings=HELD,
                end=End(state="", reason="", items=HOLD + 1, gone=True, jobs=0),
                writes=3,
            ),
            Scenario(
                name="retry-afresh",
                steps=acts.retry_afresh,
                settings={"CRASH": HOLD, "backoff_limit": 0},
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=13,
                stalls=True,
            ),
            Scenario(
                name="change-template",
                steps=acts.change_template,
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=10,
            ),
            Scenario(
                name="leave-with-work-left",
                steps=acts.complete,
                settings={"LEAVE": HOLD, "backoff_limit": 1},
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=1),
                writes=9,
                redone=True,
            ),
            Scenario(
                name="restart",
                steps=acts.restart,
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=9,
            ),
            Scenario(
                name="clean-up",
                steps=acts.clean_up,
                settings=HELD,
                end=End(state="Terminated", reason="Terminated", items=HOLD + 1, saved=HOLD, jobs=0),
                writes=11,
                finalizer=True,
            ),
            Scenario(
                name="wait-for-batch",
                steps=acts.wait_for_batch,
                settings={**HELD, "LINGER": ASK_EVERY + 1, "spec": {"suspend": {"waitForBatch": True}}},
                end=_DONE,
                writes=12,
            ),
            Scenario(
                name="program-with-a-file",
                steps=acts.suspend_and_resume,
                settings={**HELD, "program": "filed", "spec": {"checkpoint": FILE}},
                end=End(state="Complete", reason="ExitedZero", items=ITEMS),
                writes=9,
            ),
            Scenario(
                name="claim-of-its-own",
                steps=acts.terminate_with_a_claim,
                settings={**HELD, "spec": {"checkpoint": {"volume": {"claimTemplate": CLAIM}}}},
                end=End(state="Terminated", reason="NoCleanup", items=HOLD + 1, jobs=0),
                writes=10,
            ),
            Scenario(
                name="pod-deleted",
                steps=acts.interrupted_by_deleting("Pod"),
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2),
                writes=8,
            ),
            Scenario(
                name="job-deleted",
                steps=acts.interrupted_by_deleting("Job"),
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2),
                writes=7,
            ),
        )
    }
)
