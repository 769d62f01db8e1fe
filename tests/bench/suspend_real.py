"""A real worker on a real node: what suspending and resuming a LongTask takes, against the same patch on a raw Job.

Two raw Jobs take part: with the same worker, which saves at the API server, and with one that saves to a file.
Contenders take turns, so nothing is at work on the node but their workers and one transition at a time.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.bench.contenders import RESUME, SUSPEND, Contender, LongTask, RawJob, SameWorker, Step, Times
from tests.bench.observe import LateError, Observer
from tests.bench.real import flags, namespace_with_operator
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit
from tests.e2e.support.client import wait_for

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.e2e.support.client import Api, Body

PAIRS: Final = 220
QUICK_PAIRS: Final = 30
MOST_FAILURES: Final = 5
PROGRAM: Final = Path(__file__).parent / "programs" / "endless.py"
AT_WORK: Final = "at work"
LONGTASK, RAW, FILE = "LongTask", "raw Job", "raw Job that saves to a file"
REMOVAL: Final = "suspend, the raw Job until its pod is removed"

Turn = dict[str, Times]
"""By contender: the times of one transition, in seconds since its patch was sent."""


@dataclass
class Arena:
    """A namespace with the contenders at work in it, watched."""

    api: Api
    namespace: str
    observer: Observer
    luck: random.Random
    contenders: dict[str, Contender] = field(default_factory=dict)

    def begin(self) -> None:
        """Create the contenders anew, under new names, and wait until their workers are at work."""
        suffix = uuid.uuid4().hex[:6]
        self.contenders = {
            LONGTASK: LongTask(self.api, self.namespace, f"longtask-{suffix}"),
            RAW: SameWorker(self.api, self.namespace, f"raw-{suffix}"),
            FILE: RawJob(self.api, self.namespace, f"file-{suffix}"),
        }
        for contender in self.contenders.values():
            mark = self.observer.mark()
            generation = contender.create(template(contender.name))
            self._wait(contender, generation, mark, suspend=False)
        self._until_at_work()

    def end(self) -> None:
        """Delete the contenders; their pods go with them."""
        for contender in self.contenders.values():
            self.api.delete(contender.kind, contender.name, self.namespace)

    def turn(self) -> tuple[Turn, Turn]:
        """Suspend each, in an order that is drawn, then resume each; returns both transitions of all of them."""
        order = self.luck.sample(sorted(self.contenders), k=len(self.contenders))
        suspended = {name: self._transition(self.contenders[name], suspend=True) for name in order}
        resumed = {name: self._transition(self.contenders[name], suspend=False) for name in order}
        self._until_at_work()
        return suspended, resumed

    def _transition(self, contender: Contender, *, suspend: bool) -> Times:
        # The Job controller works in steps of a second: a pause of random length keeps in step with none of them.
        time.sleep(self.luck.uniform(0.2, 1.2))  # noqa: TID251
        mark, begun = self.observer.mark(), time.monotonic()
        generation = contender.ask(suspend=suspend)
        times = self._wait(contender, generation, mark, suspend=suspend)
        return {step: at - begun for step, at in times.items()}

    def _wait(self, contender: Contender, generation: int, mark: int, *, suspend: bool) -> Times:
        look = contender.suspended if suspend else contender.resumed
        what = f"{contender.name} to be {'suspended' if suspend else 'running'}"
        return self.observer.wait(what, lambda events: look(events, generation), since=mark)

    def _until_at_work(self) -> None:
        for contender in self.contenders.values():
            pod = contender.pod["metadata"]["name"]
            path = f"{self.api.path('Pod', pod, self.namespace, 'log')}?tailLines=50"
            wait_for(
                lambda path=path: AT_WORK in self.api.request("GET", path).get("message", ""),  # type: ignore[misc]
                what=f"{contender.name} to be at work",
            )


def measure(settings: Settings) -> Measured:
    """Take the turns. Raises LateError when too many of them don't come to their end."""
    wanted = QUICK_PAIRS if settings.quick else PAIRS
    suspends: list[Turn] = []
    resumes: list[Turn] = []
    failures = 0
    with arena(settings.luck("suspend")) as place:
        found = flags(place.api)
        place.begin()
        place.turn()  # to warm up
        while len(suspends) < wanted:
            try:
                suspended, resumed = place.turn()
            except (LateError, AssertionError) as error:
                failures += 1
                settings.say(f"a turn failed: {error}")
                if failures > MOST_FAILURES:
                    raise
                place.end()
                place.begin()
            else:
                suspends.append(suspended)
                resumes.append(resumed)
                if len(suspends) % 10 == 0:
                    settings.say(f"{len(suspends)} of {wanted} turns")
    return Measured(
        series=(*_series("suspend", SUSPEND, suspends, failures), *_series("resume", RESUME, resumes, failures)),
        flags=found,
        notes=(*_notes("Suspend", SUSPEND, suspends), *_notes("Resume", RESUME, resumes)),
    )


def _series(what: str, steps: tuple[Step, ...], turns: list[Turn], failures: int) -> Iterator[Series]:
    """Each step of each contender; the last one is the transition itself."""
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for turn in turns:
        for name, times in turn.items():
            for step in steps:
                samples[what if step is Step.KNOWN else f"{what}, until {step}", name].append(times[step])
            if what == "suspend":
                samples[REMOVAL, name].append(times.get(Step.POD_REMOVED, times[Step.KNOWN]))
        samples[f"{what}: the operator's share", LONGTASK].append(operators_share(turn, steps))
    for (measured, name), taken in samples.items():
        yield Series(
            measure=measured,
            contender=name,
            unit=Unit.SECONDS,
            samples=tuple(round(sample, 5) for sample in taken),
            failures=failures,
        )


def _notes(what: str, steps: tuple[Step, ...], turns: list[Turn]) -> Iterator[str]:
    """Where the time goes: for each contender, the median time after the patch at which each step is seen."""
    for name in turns[0]:
        way = ", ".join(f"{step} after {1000 * median(turn[name][step] for turn in turns):.0f} ms" for step in steps)
        yield f"{what}, {name}: {way} (medians)."


def operators_share(turn: Turn, steps: tuple[Step, ...]) -> float:
    """Seconds in which everybody waits for the operator and for nobody else.

    From the patch until the Job is told (less what the same takes where the user tells the Job), and from the last
    thing that it waits for until its word is seen.
    """
    ours, raw = turn[LONGTASK], turn[RAW]
    waited_for = max(ours[step] for step in steps if step not in {Step.JOB_TOLD, Step.KNOWN})
    return (ours[Step.JOB_TOLD] - raw[Step.JOB_TOLD]) + (ours[Step.KNOWN] - waited_for)


@contextlib.contextmanager
def arena(luck: random.Random) -> Iterator[Arena]:
    """A namespace for the length of a `with` block. Raises RuntimeError where there is no cluster or no operator."""
    with namespace_with_operator() as (api, namespace):
        for body in furnishings():
            api.create(body, namespace)
        with Observer(api, namespace, ("LongTask", "Job", "Pod")) as observer:
            yield Arena(api, namespace, observer, luck)


def furnishings() -> list[Body]:
    """Manifests of the program and of a volume, on which a raw Job's worker keeps its checkpoint."""
    program = {PROGRAM.name: PROGRAM.read_text()}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "programs"}, "data": program},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim},
    ]


def template(name: str) -> Body:
    """The pod template of a contender: the same for all, but for the file that a raw Job's worker saves to."""
    container = {
        "name": "worker",
        "image": "longtask:dev",
        "imagePullPolicy": "IfNotPresent",
        "args": ["longtask", "run", f"--checkpoint=/data/{name}.json", "/code/endless.py:Endless"],
        "volumeMounts": [{"name": "code", "mountPath": "/code"}, {"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 0},
    }
    volumes = [
        {"name": "code", "configMap": {"name": "programs"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
    ]
    return {"spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 30}}


def _comparisons() -> Iterator[Comparison]:
    yield Comparison(
        title="Suspend a task, against a raw Job until its pod is removed, p50",
        measure=REMOVAL,
        contender=LONGTASK,
        baseline=RAW,
        judged=Judged.RATIO,
    )
    for what in ("suspend", "resume"):
        name = what.capitalize()
        yield Comparison(
            title=f"{name} a task, p50",
            measure=what,
            contender=LONGTASK,
            baseline=RAW,
            judged=Judged.RATIO,
            limit=1.05,
        )
        yield Comparison(
            title=f"{name} a task: what the operator adds, p99",
            measure=f"{what}: the operator's share",
            contender=LONGTASK,
            judged=Judged.P99,
            limit=0.1,
        )
        yield Comparison(
            title=f"{name} a task, against a raw Job that saves to a file, p50",
            measure=what,
            contender=LONGTASK,
            baseline=FILE,
            judged=Judged.RATIO,
        )


ABOUT: Final = """\
A LongTask and two raw Jobs with the same image and program (batches of 10 ms, so that there is next to nothing to wait
for but Kubernetes and us) are suspended and resumed in turns, in an order that is drawn, by one merge patch. One
observer follows LongTasks, Jobs and Pods by watch. The *raw Job* has the same worker: it saves at the API server when
it is told to stop, and its Job is what the operator would create. The other one knows no LongTask and saves to a file
on a volume.

* **Suspend**: from the patch until it is known that nothing runs any more. Of the LongTask: it is `Suspended` at its
  generation, which is [a proof](../guarantees.md). Of the raw Job: it says `Suspended`, and its pod has ended; that is
  what an observer can put together, and less than the proof, which also lists the pods live. Many wait until the pod
  is removed (`kubectl wait --for=delete`), which comes later; this is compared, too.
* **Resume**: from the patch until a worker's container runs: the LongTask is `Running`; the raw Job's pod says so.
* **The operator's share**: the seconds in which all the others wait for the operator: from the patch until the Job is
  told, less what a user's own patch of the Job takes; and from the last thing that the operator waits for until its
  word is seen.
"""

PART: Final = Part(
    name="suspend",
    title="Suspend and resume of a real worker",
    about=ABOUT,
    comparisons=tuple(_comparisons()),
    measure=measure,
)
