"""The stage of a chaos run: tasks with real work, the script played over them, and everything that was seen.

It gathers and does not judge: what is wrong with what it returns is for the tests to say.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.chaos.endings import Counts, counts, ending, versions_of_pods, wanted_on
from tests.chaos.hands import Deed, Hands, persist
from tests.chaos.observer import Observer
from tests.chaos.verdicts import Interruption, interruptions, state_of
from tests.e2e.support.client import ApiError, Body, UnavailableError, wait_for
from tests.e2e.support.furniture import furnishings
from tests.e2e.support.outage import await_health
from tests.e2e.support.tasks import Lab, long_task, settled_in, worker
from tests.e2e.support.watch_verdicts import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.script import Script, Work
    from tests.cluster.api import Cluster
    from tests.e2e.support.watch import Seen

PROGRAM: Final = Path(__file__).parent / "programs" / "chain.py"
STARTED: Final = 240.0  # seconds for anything that takes one pod start or one stop, on a very busy machine
FINISHED: Final = (
    400.0  # seconds until all work is done, once nothing is in its way: pauses of the Job controller included
)
GRACE: Final = 200  # seconds; longer than any outage, so that a worker that is asked to stop can always save
RETRIES: Final = 6  # more than the workers that are killed of one task

CHECKPOINT: Final = "digest in the checkpoint"
"""The output that is no file."""

READ: Final = """
import hashlib, json, pathlib
def sums(out): return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}
def task(home): return {"files": sums(home / "out"), "journal": (home / "journal").read_text().splitlines()}
print(json.dumps({home.name: task(home) for home in pathlib.Path("/data").iterdir() if (home / "journal").exists()}))
"""
"""What the pod beside the tasks runs to see what they wrote."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a pod ended, in a word of `verdicts.ending`, and whether that counts as a failure."""

    name: str
    how: str
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """What was seen of one task. `output` and `expected`: checksums by file; `journal`: batch and epoch."""

    work: Work
    versions: list[Body]
    pods: dict[str, Ending]
    journal: list[tuple[int, int]]
    output: dict[str, str]
    expected: dict[str, str] = field(default_factory=dict)

    @cached_property
    def interruptions(self) -> list[Interruption]:
        """What each end of a worker before the end of the work cost."""
        return interruptions(self.versions, self.journal, {uid: pod.how for uid, pod in self.pods.items()})


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that was seen. `trouble`: what did not get well again in time."""

    script: Script
    deeds: list[Deed]
    log: list[Seen]
    tasks: list[TaskRecord]
    trouble: list[str]
    bridged: list[str]
    missed: list[str]
    seconds: float


@dataclass
class Stage:
    """One run in one namespace of one cluster."""

    lab: Lab
    parts: Cluster
    script: Script
    trouble: list[str] = field(default_factory=list)

    def perform(self, folder: Path) -> Record:
        """Set up, play, wait for the end, and look. `folder` is for the undisturbed runs."""
        begun = time.monotonic()
        programs, volume, _ = furnishings()
        self.lab.api.create(programs | {"data": {PROGRAM.name: PROGRAM.read_text()}}, self.lab.namespace)
        self.lab.api.create(volume, self.lab.namespace)
        observer = Observer(self.lab.api, self.lab.namespace)
        observer.start()
        uids = {work.name: self.lab.start(manifest(work)).uid for work in self.script.works}
        hands = Hands(self.lab.api, self.parts, self.lab.namespace, observer, uids)
        self._await("a first save of every task", STARTED, has_saved)
        hands.play(self.script)
        self._mend()
        self._finish(hands)
        persist(observer.stop)
        log = observer.log()
        written = json.loads(self.lab.in_reader("python3", "-c", READ))
        works = self.script.works
        tasks = [look(work, log, uids[work.name], hands, written.get(work.name, {})) for work in works]
        return Record(
            script=self.script,
            deeds=sorted(hands.deeds, key=lambda deed: deed.begun),
            log=log,
            tasks=[replace(task, expected=undisturbed(task.work, folder)) for task in tasks],
            trouble=self.trouble,
            bridged=observer.bridged,
            missed=observer.missed,
            seconds=time.monotonic() - begun,
        )

    def _mend(self) -> None:
        """End what an act may have left behind, and wait until all is well: nobody helps any further."""
        try:
            for name in self.parts.components():
                if self.parts.state(name) != "running":
                    self.trouble.append(f"{name} was {self.parts.state(name)} after its outage")
                    persist(lambda name=name: self.parts.start(name))  # type: ignore[misc]
            await_health(self.lab.api)
        except AssertionError as error:
            self.trouble.append(str(error))

    def _finish(self, hands: Hands) -> None:
        """When all that was asked for last is done, everybody asks for Run, and nobody disturbs the work any more."""
        self._await("the suspensions that were asked for last", STARTED, is_as_asked)
        for work in self.script.works:
            hands.want(work.name, "Run")
        persist(lambda: self.lab.api.create(furnishings()[-1], self.lab.namespace))
        self.lab.touch("hurry")
        self._await("the end of all work", FINISHED, lambda task: settled_in(task, "Complete"))

    def _await(self, what: str, seconds: float, condition: Callable[[Body], bool]) -> None:
        """Wait until it holds for every task; what does not come about is noted down, for there is more to see."""

        def all_of_them() -> bool:
            try:
                return all(map(condition, self.lab.api.list_all("LongTask", self.lab.namespace)))
            except (ApiError, UnavailableError):
                return False

        try:
            wait_for(all_of_them, timeout=seconds, every=1, what=what)
        except AssertionError as error:
            self.trouble.append(str(error))


def look(work: Work, log: list[Seen], uid: str, hands: Hands, written: Body) -> TaskRecord:
    """Put together what was seen of one task; `written`: what the reader found of it. Without what is expected."""
    seen = versions(log, uid)
    killed, deleted = hands.hit("kill"), hands.hit("delete")
    pods = {}
    for pod, bodies in versions_of_pods(log, uid).items():
        how = ending(bodies, killed)
        due = counts(how, deleted=pod in deleted, wanted_on=wanted_on(log, uid, pod))
        pods[pod] = Ending(name=bodies[-1]["metadata"]["name"], how=how, counts=due)
    return TaskRecord(
        work=work,
        versions=seen,
        pods=pods,
        journal=[(int(batch), int(epoch)) for batch, epoch in map(str.split, written.get("journal", []))],
        output=written.get("files", {}) | {CHECKPOINT: checksum(state_of(seen[-1]).get("digest", "").encode())},
    )


def manifest(work: Work) -> Body:
    """The task for a piece of work."""
    container = worker(
        f"{PROGRAM.name}:Chain", save_every=work.save_every, env={**settings(work), "DATA": f"/data/{work.name}"}
    )
    return long_task(work.name, container, grace=GRACE, backoff_limit=RETRIES)


def settings(work: Work) -> dict[str, str]:
    """What the program is told, wherever it runs."""
    return {"ITEMS": str(work.batches), "PACE": str(work.pace), "SALT": work.name}


def undisturbed(work: Work, folder: Path) -> dict[str, str]:
    """Run the same program with the same command, here and in peace; returns the checksums of its output."""
    home = folder / work.name
    (folder / "hurry").touch()
    command = [sys.executable, "-m", "longtask.worker", "run", f"{PROGRAM}:Chain", "--checkpoint", f"{home}.json"]
    environment = {**os.environ, **settings(work), "DATA": str(home)}
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    sums = {path.name: checksum(path.read_bytes()) for path in sorted((home / "out").iterdir())}
    return sums | {CHECKPOINT: sums["digest"]}


def checksum(content: bytes) -> str:
    """What two outputs are compared by."""
    return hashlib.sha256(content).hexdigest()


def has_saved(task: Body) -> bool:
    """Whether a worker has saved since it claimed."""
    return bool(task["status"].get("checkpoint", {}).get("cause", "Claim") != "Claim")


def is_as_asked(task: Body) -> bool:
    """Whether a task that is to stand still does so, for whichever reason."""
    return task["spec"]["desiredState"] == "Run" or settled_in(task, "Suspended") or settled_in(task, "Complete")
