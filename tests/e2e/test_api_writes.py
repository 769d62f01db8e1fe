"""What operator and workers cost, by the API server's own account: its audit log knows every write and its author (G8).

Namespaces are the tests' own, so what is counted is about their tasks and nothing else.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import Handle, Lab, cluster, items, long_task, plain

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATOR: Final = "system:serviceaccount:longtask-system:longtask-operator"
AGENT: Final = "longtask-operator"
MOST: Final = 10
"""What a life may cost at most; 8 if the worker is not caught between two looks."""


@dataclass(frozen=True)
class Account:
    """The writes of one user in a namespace, from now on: by the API server's clock, which is this machine's.

    What was asked before may come into the log afterwards, so a place in the log alone is no beginning.
    """

    namespace: str
    user: str = OPERATOR
    place: int = field(default_factory=lambda: cluster().audit_log().stat().st_size)
    begun: float = field(default_factory=time.time)

    def writes(self) -> list[dict[str, Any]]:
        """Those so far, in their order; refused ones, too."""
        with cluster().audit_log().open("rb") as log:
            log.seek(self.place)
            entries = [json.loads(line) for line in log if self.namespace.encode() in line and line.endswith(b"\n")]
        return [
            entry
            for entry in entries
            if entry["user"]["username"] == self.user
            and entry["stage"] == "ResponseComplete"
            and entry["objectRef"].get("namespace") == self.namespace
            and datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() >= self.begun
        ]

    def wait_for(self, what: str, enough: Callable[[list[str]], bool]) -> list[dict[str, Any]]:
        """The writes as soon as there are enough of them: the log may lag behind the server's answers."""

        def look() -> list[dict[str, Any]] | None:
            found = self.writes()
            return found if enough([short(entry) for entry in found]) else None

        return wait_for(look, what=f"{what} in the audit log", state=lambda: [short(e) for e in self.writes()])


def short(entry: dict[str, Any]) -> str:
    """A write in a few words."""
    ref = entry["objectRef"]
    subresource = f"/{ref['subresource']}" if "subresource" in ref else ""
    return f"{entry['verb']} {ref['resource']}{subresource} {ref.get('name', '')} {entry['responseStatus']['code']}"


def live(lab: Lab, name: str) -> Handle:
    """Create, run, suspend, resume, complete."""
    task = lab.start(items(name, count=60, pace=0.05))
    task.wait_for_saved(5)
    task.want("Suspend")
    task.wait_for_state("Suspended")
    task.want("Run")
    task.wait_for_state("Running")
    task.wait_for_state("Complete")
    return task


def test_a_whole_life_costs_eight_writes_ten_at_most_and_kopf_makes_none_of_them(lab: Lab) -> None:
    first = Account(lab.namespace)
    live(lab, "first")
    first.wait_for("access for workers", lambda found: any("rolebindings" in entry for entry in found))

    second = Account(lab.namespace)
    live(lab, "second")

    made = second.wait_for("a whole life", lambda found: len(found) >= 8)
    told = [short(entry) for entry in made]
    assert len(made) <= MOST, told
    assert {entry["userAgent"] for entry in made} == {AGENT}, told
    assert [entry for entry in told if entry.startswith("create")] == [told[0]], "one Job, no event"


def test_tasks_that_nothing_happens_to_cost_no_write_while_another_lives(lab: Lab) -> None:
    suspended = lab.start(items("suspended", desired="Suspend"))
    suspended.wait_for_state("Suspended")
    complete = lab.start(items("complete", count=2))
    complete.wait_for_state("Complete")
    running = lab.start(items("running", count=2000, pace=0.1, save_every=0.5))
    running.wait_for_saved(5)

    account = Account(lab.namespace)
    live(lab, "other")

    running.wait_for_saved(30)
    made = account.wait_for("a whole life", lambda found: len(found) >= 8)
    strangers = [short(entry) for entry in made if not entry["objectRef"].get("name", "other").startswith("other")]
    assert strangers == []
    assert [entry["verb"] for entry in made].count("create") == 1, "the log names no object that is created"


# --- workers that have something to save a thousand times a second ---

MANY: Final = 5000

EVERY_MILLISECOND: Final = f"""
import os, time
for n in range(1, {MANY} + 1):
    with open("/state/new", "w") as file:
        file.write(str(n))
    os.replace("/state/new", "/state/position")
    time.sleep(0.001)
"""


def saves_of_its_worker(lab: Lab, body: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a task to its end; returns what its worker wrote, from the claim to the last save, and the task."""
    account = Account(lab.namespace, user=f"system:serviceaccount:{lab.namespace}:default")
    ended = lab.start(body).wait_for_state("Complete", seconds=120)
    epoch, sequence = ended["status"]["checkpoint"]["epoch"], ended["status"]["checkpoint"]["sequence"]
    assert epoch == 1
    made = account.wait_for("a claim, and as many saves as there are", lambda found: len(found) > sequence)
    return made, ended


def most_saves(made: list[dict[str, Any]], interval: float) -> float:
    """How many writes there may be: the claim, the last save, and one in every interval, which has some jitter."""
    stamps = [datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() for entry in made]
    return 2 + (max(stamps) - min(stamps)) / (0.8 * interval)


def test_a_worker_with_a_thousand_batches_a_second_writes_once_in_an_interval_and_the_last_save_arrives(
    lab: Lab,
) -> None:
    made, ended = saves_of_its_worker(lab, items(count=MANY, pace=0.001, save_every=1))

    assert 3 <= len(made) <= most_saves(made, interval=1), [short(entry) for entry in made]
    assert ended["status"]["checkpoint"]["cause"] == "Done"
    assert json.loads(ended["status"]["checkpoint"]["data"])["state"] == {"next": MANY}
    assert ended["status"]["progress"]["done"] == MANY


def test_a_file_that_changes_a_thousand_times_a_second_is_saved_once_in_an_interval_and_its_last_version_arrives(
    lab: Lab,
) -> None:
    body = long_task("file", plain(["/opt/longtask/bin/python", "-c", EVERY_MILLISECOND]))
    body["spec"]["checkpoint"] = {"file": "/state/position"}
    made, ended = saves_of_its_worker(lab, body)

    # the sidecar saves every ten seconds, and for the first time two seconds after the start
    assert 3 <= len(made) <= 1 + most_saves(made, interval=10), [short(entry) for entry in made]
    assert json.loads(ended["status"]["checkpoint"]["data"])["file"]["text"] == str(MANY)
