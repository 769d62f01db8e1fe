"""Feeds recordings of a real cluster through the simulated one, which must be able to do what the real one did.

    python -m tests.model.replay [FILE ...]

For each recorded write, whoever made it is asked whether it could have made it then (recordings/controller.py for the
Job controller, recordings/actors.py for the others). Writes of a user are the input; what the API server makes of a
user's deletion is checked. Wherever the real cluster was at rest for some seconds, and at the end of each recording,
the simulators must have nothing to do; a kubelet that was only slow must do that next. A write that changes nothing
that they know is passed over, except by the Job controller, which must have had no reason to write anything else.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.model.objects import SimPod
from tests.model.recordings import actors
from tests.model.recordings.controller import Controller
from tests.model.recordings.logs import Line, Recording, recordings
from tests.model.recordings.worlds import Happened, Moment, differences, is_second_half, thing_of
from tests.model.recordings.writers import CONTROLLERS, UNKNOWN, USER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

JOB_CONTROLLER: Final = "job-controller"
POD_COLLECTOR: Final = "pod-garbage-collector"
COLLECTOR: Final = "generic-garbage-collector"
EVICTORS: Final = frozenset({"taint-eviction-controller", "node-controller"})
REST: Final = 3.5
"""Seconds without a write after which the simulators must have nothing to do. Controllers gather for one second."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a simulator is not as the real one."""

    recording: str
    revision: int
    seconds: float
    who: str
    really: str
    simulated: list[str]

    def __str__(self) -> str:
        """A few lines for people."""
        may = "\n    ".join(self.simulated) or "nothing"
        return (
            f"{self.recording}, revision {self.revision}, {self.seconds:.1f} s: {self.who}\n"
            f"  really: {self.really}\n  simulated:\n    {may}"
        )


@dataclass
class Replay:
    """One recording under way. `steps`: how often each simulated step explained a write."""

    recording: Recording
    steps: Counter[str] = field(default_factory=Counter)
    found: list[Difference] = field(default_factory=list)
    _owed: dict[tuple[str, str], Line] = field(default_factory=dict)
    """Steps of the kubelet, and pods, that were due in a time of rest: a node may be slow."""

    def run(self) -> list[Difference]:
        """All that differs."""
        header, lines = self.recording.header, self.recording.lines
        self._controller = Controller(grace=header["grace"])
        moment, end = Moment(), lines[-1].at + header["quiet"]
        for index, line in enumerate(lines):
            moment = self._take(moment, line)
            until = lines[index + 1].at if index + 1 < len(lines) else end
            if until - line.at >= REST:
                self._rest(moment, line, until)
        self._ask_for_owed(lambda _step, _name: True)
        return self.found

    def _take(self, before: Moment, line: Line) -> Moment:
        name, now = line.body["name"], int(line.at)
        real = None if line.gone else thing_of(line)
        happened = Happened(before=before, name=name, real=real, now=now, revision=line.rv)
        steps = {"the second half of a removal"} if is_second_half(happened) else self._explain(happened, line)
        if not steps and not self._is_unchanged(happened):
            self._differs(happened, line)
        self.steps.update(steps)
        after = before.after(line)
        if line.by == JOB_CONTROLLER:
            self._controller.has_written(after, name)
        else:
            self._controller.sees(after)
        return after

    def _explain(self, happened: Happened, line: Line) -> set[str]:
        """What it may have been, by whoever made it, or by anybody where nobody knows."""
        explain: dict[str, Callable[[Happened], set[str]]] = {
            JOB_CONTROLLER: self._by_controller,
            COLLECTOR: self._by_collector,
            "kubelet": self._by_kubelet,
            "scheduler": self._by_scheduler,
            USER: self._by_user,
            POD_COLLECTOR: self._by_pod_collector,
            **dict.fromkeys(EVICTORS, self._by_evictor),
        }
        if line.by in {UNKNOWN, CONTROLLERS}:
            return {step for asked in explain.values() for step in asked(happened)}
        return explain[line.by](happened) if line.by in explain else set()

    def _by_controller(self, happened: Happened) -> set[str]:
        return {f"job controller: {step}" for step in self._controller.wrote(happened)}

    def _by_collector(self, happened: Happened) -> set[str]:
        thing, grace = happened.before.get(happened.name), self.recording.header["grace"]
        if thing is None:
            return set()
        steps = actors.collector_steps(thing, happened.before, grace, happened.now)
        return {f"garbage collector: {step}" for step in actors.matching(steps, happened)}

    def _by_kubelet(self, happened: Happened) -> set[str]:
        pod = happened.before.pods.get(happened.name)
        if pod is None:
            return set()
        real = happened.real if isinstance(happened.real, SimPod) else None
        code = real.exit_code if real and real.ended is not None else None  # no time: it never ran
        steps = actors.matching(actors.kubelet_steps(pod, code, happened.now), happened)
        if any(step.startswith("report") for step in steps):  # it may have started it after all
            self._owed.pop(("report_never_started", pod.name), None)
        for step in steps:
            self._owed.pop((step, pod.name), None)
        self._ask_for_owed(lambda _step, name: name == pod.name)
        return {f"kubelet: {step}" for step in steps}

    def _by_scheduler(self, happened: Happened) -> set[str]:
        pod = happened.before.pods.get(happened.name)
        if pod is None or not isinstance(happened.real, SimPod):
            return set()
        return actors.matching(actors.scheduler_steps(pod, happened.real.node), happened)

    def _by_evictor(self, happened: Happened) -> set[str]:
        pod, grace = happened.before.pods.get(happened.name), self.recording.header["grace"]
        return actors.matching(actors.eviction_steps(pod, grace, happened.now), happened) if pod else set()

    def _by_pod_collector(self, happened: Happened) -> set[str]:
        pod = happened.before.pods.get(happened.name)
        return actors.matching(actors.pod_collector_steps(pod, happened.now), happened) if pod else set()

    def _by_user(self, happened: Happened) -> set[str]:
        """Anything may be wished for; what becomes of a pod that is to go is for the API server."""
        pod, real = happened.before.pods.get(happened.name), happened.real
        if pod is None:
            return {"a user's wish"}
        if isinstance(real, SimPod) and (real.asked, real.grace) == (pod.asked, pod.grace):
            evicted = real.disrupted and not pod.disrupted and real.phase is pod.phase
            return self._by_evictor(happened) if evicted else {"a user's wish"}
        if pod.disrupted and (found := self._by_evictor(happened)):
            return found
        return {
            f"api server: {s}"
            for s in actors.matching(actors.deletion_steps(pod, self._graces(), happened.now), happened)
        }

    def _graces(self) -> set[int]:
        """The grace periods that the user's deletions may have had."""
        words = " ".join(action["action"] for action in self.recording.header["actions"]).split()
        named = {int(word.split("=")[1]) for word in words if word.startswith("gracePeriodSeconds=")}
        return {self.recording.header["grace"], *named}

    def _is_unchanged(self, happened: Happened) -> bool:
        old = happened.before.get(happened.name)
        return old is not None and not differences(old, happened.real)

    def _rest(self, moment: Moment, line: Line, until: float) -> None:
        """Nothing was written until then: nothing may be left to do."""
        frozen = self._frozen(line.at)
        now, grace = int(until), self.recording.header["grace"]
        left = [f"job controller: {what}" for what in self._controller.to_do(moment, now)]
        left += actors.collectors_to_do(moment, grace, now, quiet=until - line.at)
        if not frozen:
            self._owed |= {owed: line for owed in actors.kubelet_to_do(moment, now) if owed not in self._owed}
        if left:
            self._note(line, "everybody", f"nothing is written for {until - line.at:.1f} s after this", left)
        else:
            self.steps["rest"] += 1

    def _ask_for_owed(self, due: Callable[[str, str], bool]) -> None:
        """What the kubelet had to do in a time of rest, and did not do next."""
        for (step, pod), line in [(owed, line) for owed, line in self._owed.items() if due(*owed)]:
            del self._owed[step, pod]
            self._note(line, "kubelet", "is at rest, and does something else afterwards", [f"{step} {pod}"])

    def _frozen(self, at: float) -> bool:
        """Whether the kubelet was frozen then."""
        said = [a["action"] for a in self.recording.header["actions"] if a["t"] <= at and "the kubelet" in a["action"]]
        return bool(said) and said[-1].startswith("freeze")

    def _differs(self, happened: Happened, line: Line) -> None:
        old = happened.before.get(happened.name)
        changes = (
            "gone"
            if line.gone
            else "; ".join(text.replace(", really", " becomes") for text in differences(old, happened.real))
        )
        moment, grace = happened.before, self.recording.header["grace"]
        could = [f"job controller: {what}" for what in self._controller.could(moment, happened.now)]
        could += actors.collectors_to_do(moment, grace, happened.now, quiet=float("inf"))
        could += [f"kubelet: {step} {pod}" for step, pod in actors.kubelet_to_do(moment, happened.now)]
        self._note(line, line.by, f"{line.kind} {happened.name}: {changes}", could)

    def _note(self, line: Line, who: str, really: str, simulated: list[str]) -> None:
        name = self.recording.name
        self.found.append(
            Difference(recording=name, revision=line.rv, seconds=line.at, who=who, really=really, simulated=simulated)
        )


def replay(chosen: Iterable[Recording]) -> tuple[list[Difference], Counter[str]]:
    """Replay recordings; returns all differences, and how often each simulated step explained a write."""
    found, steps = [], Counter[str]()
    for recording in chosen:
        one = Replay(recording)
        found += one.run()
        steps += one.steps
    return found, steps


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    chosen = [Recording.read(Path(name)) for name in arguments] or list(recordings())
    found, steps = replay(chosen)
    for difference in found:
        print(difference)  # noqa: T201
    print(f"{len(chosen)} recordings, {sum(steps.values())} steps of {len(steps)} kinds, {len(found)} differences")  # noqa: T201
    for step, count in sorted(steps.items()):
        print(f"  {count:4} {step}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
