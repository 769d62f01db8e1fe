"""A task under observation, and the hands of those who do something to it. It must not know of any fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from longtask.api.names import claim_name
from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import LOOK, Handle, done_of, settled_in
from tests.faults.site import HOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.client import Body

PATIENCE: Final = 100.0  # seconds for anything: a Job waits 10 s and more before it tries a second time


@dataclass(frozen=True)
class Scene:
    """A task under observation, and the hands of those who do something to it.

    `touch` makes a file that the program looks for. `killing`: whether workers are killed. Then none holds a batch but
    the one that does so now: that one may just be dead, and nobody would ask its successor to stop.
    """

    task: Handle
    touch: Callable[[str], None]
    killing: bool

    def want(self, desired: str) -> None:
        """Change the one field."""
        self.task.want(desired)

    def until(self, state: str) -> None:
        """Wait for a state at the present generation."""
        self.task.wait_for_state(state, seconds=PATIENCE)

    def until_held(self) -> None:
        """Wait until its worker is known to be at work, and has saved all but the batch in hand."""

        def held(body: Body) -> bool:
            return settled_in(body, "Running") and done_of(body) >= HOLD

        self.task.wait("at work on its batch", held, seconds=PATIENCE)
        if self.killing:
            self.touch("stayed")

    def until_pod(self, what: str, condition: Callable[[Body], object]) -> None:
        """Wait until one of its pods fulfils a condition."""
        wait_for(
            lambda: any(condition(pod) for pod in self.task.pods()),
            timeout=PATIENCE,
            every=LOOK,
            what=f"a pod {what}",
            state=self.task.story,
        )

    def until_no_claim(self) -> None:
        """Wait until the claim that was made for it is gone."""
        name = claim_name(self.task.name, self.task.uid)

        def claims() -> list[Body]:
            found = self.task.api.list_all("PersistentVolumeClaim", self.task.namespace)
            return [claim for claim in found if claim["metadata"]["name"] == name]

        wait_for(lambda: not claims(), timeout=PATIENCE, every=LOOK, what=f"no {name}", state=claims)

    def delete(self, kind: str) -> None:
        """Have somebody delete its present Job, or pod."""
        found = self.task.jobs() if kind == "Job" else self.task.active_pods()
        self.task.api.delete(kind, found[0]["metadata"]["name"], self.task.namespace)
