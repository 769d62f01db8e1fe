"""The script of a run: who does what to whom, and when. Drawn before anything happens, so that it can be repeated.

Pure data and a pure draw. It must not know how an act is carried out, nor what the tasks do about it.

There are three kinds of acts, each kept in an order that leaves the cluster able to recover:
* outages of a component, one after another, each of which ends by itself, with a calm time behind it;
* strikes at containers (workers, the operator), which fall into outages as they come;
* wishes of users, who take no notice of either.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

Verb = Literal["kill", "freeze", "Suspend", "Run", "delete", "evict"]
VERBS: Final = frozenset(get_args(Verb))
FAULTS: Final = ("kill", "freeze")
OPERATOR: Final = "operator"
MAY_FAIL: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kubelet-", "containerd-")
"""Beginnings of the names of components that have outages."""

MOST_KILLS: Final = 2
"""Of one task's workers: the Job controller waits for 10 s before the first retry, and then twice as long each time."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """`at`: seconds from the beginning. `target`: a component, `operator`, or the name of a task.

    `seconds`: how long a component is away, or something is frozen; 0 for what happens in a moment.
    """

    at: float
    verb: Verb
    target: str
    seconds: float = 0.0

    @property
    def ends(self) -> float:
        """Seconds from the beginning to its end."""
        return self.at + self.seconds


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one task has to do: so many batches, of so many seconds each, saved so often."""

    name: str
    batches: int
    pace: float
    save_every: float


@dataclass(frozen=True, kw_only=True)
class Script:
    """All of it. `acts` are in the order of their time."""

    seed: int
    works: tuple[Work, ...]
    acts: tuple[Act, ...]

    def outages(self) -> tuple[Act, ...]:
        """What happens to components."""
        tasks = {work.name for work in self.works}
        return tuple(act for act in self.acts if act.verb in FAULTS and act.target not in {*tasks, OPERATOR})

    def strikes(self) -> tuple[Act, ...]:
        """What happens to containers."""
        components = self.outages()
        return tuple(act for act in self.acts if act.verb in FAULTS and act not in components)

    def wishes(self) -> tuple[Act, ...]:
        """What users do."""
        return tuple(act for act in self.acts if act.verb not in FAULTS)

    def dump(self) -> str:
        """As JSON, an act a line."""
        works = ",\n  ".join(json.dumps(asdict(work)) for work in self.works)
        acts = ",\n  ".join(json.dumps(asdict(act)) for act in self.acts)
        return f'{{"seed": {self.seed},\n "works": [\n  {works}],\n "acts": [\n  {acts}]}}'


def load(text: str) -> Script:
    """Read what `dump` wrote. Raises ValueError for a verb that nobody knows."""
    data = json.loads(text)
    unknown = {act["verb"] for act in data["acts"]} - VERBS
    if unknown:
        raise ValueError(f"unknown verbs {sorted(unknown)}: there are {', '.join(sorted(VERBS))}")
    return Script(
        seed=data["seed"],
        works=tuple(Work(**work) for work in data["works"]),
        acts=tuple(Act(**act) for act in data["acts"]),
    )


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done, and how hard. Pairs are the least and the most of what is drawn."""

    tasks: int
    seconds: float
    batches: tuple[int, int]
    outages: int
    outage: tuple[float, float]
    calm: tuple[float, float]
    long_outage: tuple[float, float] | None
    """For one frozen kubelet: its node is lost, and its pods are evicted, when it is away for half a minute."""
    worker_kills: int
    worker_freezes: int
    operator_strikes: int
    wishes: int
    suspended_at_the_end: int
    """Of the tasks with the most work: so that some are suspended in the shortest of runs."""


GENTLE: Final = Size(
    tasks=6,
    seconds=60,
    batches=(240, 480),
    outages=5,
    outage=(2, 4),
    calm=(5, 8),
    long_outage=None,
    worker_kills=2,
    worker_freezes=2,
    operator_strikes=1,
    wishes=14,
    suspended_at_the_end=2,
)
HARD: Final = Size(
    tasks=20,
    seconds=360,
    batches=(400, 1100),
    outages=15,
    outage=(3, 12),
    calm=(7, 12),
    long_outage=(30, 36),
    worker_kills=14,
    worker_freezes=8,
    operator_strikes=6,
    wishes=110,
    suspended_at_the_end=0,
)


def draw(luck: random.Random, seed: int, components: Iterable[str], size: Size) -> Script:
    """Draw a script. `seed` is only noted down; all luck is `luck`'s."""
    works = tuple(_work(luck, f"chain-{number:02}", size) for number in range(1, size.tasks + 1))
    names = [work.name for work in works]
    weak = [name for name in sorted(components) if name.startswith(MAY_FAIL)]
    acts = [*_outages(luck, weak, size), *_strikes(luck, names, size), *_wishes(luck, names, size)]
    longest = sorted(works, key=lambda work: work.batches)[size.tasks - size.suspended_at_the_end :]
    acts += [Act(at=size.seconds + 5, verb="Suspend", target=work.name) for work in longest]
    return Script(seed=seed, works=works, acts=tuple(sorted(acts, key=lambda act: act.at)))


def _work(luck: random.Random, name: str, size: Size) -> Work:
    return Work(name=name, batches=luck.randint(*size.batches), pace=0.25, save_every=round(luck.uniform(0.5, 3), 1))


def _outages(luck: random.Random, components: Sequence[str], size: Size) -> Iterator[Act]:
    """One after another. Each component is killed and frozen once before anything happens to it a second time."""
    deck: list[tuple[Verb, str]] = []
    while len(deck) < size.outages:
        pairs: list[tuple[Verb, str]] = [(verb, name) for name in components for verb in ("kill", "freeze")]
        luck.shuffle(pairs)
        deck += pairs
    deck = deck[: size.outages]
    lost = next((card for card in deck if card[0] == "freeze" and card[1].startswith("kubelet-")), None)
    at = luck.uniform(*size.calm)
    for card in deck:
        long = size.long_outage if card == lost else None
        act = Act(at=round(at, 1), verb=card[0], target=card[1], seconds=round(luck.uniform(*(long or size.outage)), 1))
        yield act
        lost = None if card == lost else lost
        at = act.ends + luck.uniform(*size.calm)


def _strikes(luck: random.Random, names: Sequence[str], size: Size) -> Iterator[Act]:
    killable = [name for name in names for _ in range(MOST_KILLS)]
    for target in luck.sample(killable, size.worker_kills):
        yield Act(at=_moment(luck, size), verb="kill", target=target)
    for _ in range(size.worker_freezes):
        yield Act(at=_moment(luck, size), verb="freeze", target=luck.choice(names), seconds=_while(luck, size))
    for number in range(size.operator_strikes):
        if number % 2 == 0:
            yield Act(at=_moment(luck, size), verb="kill", target=OPERATOR)
        else:
            yield Act(at=_moment(luck, size), verb="freeze", target=OPERATOR, seconds=_while(luck, size))


def _wishes(luck: random.Random, names: Sequence[str], size: Size) -> Iterator[Act]:
    """Users toggle their tasks, sometimes within a second or two; administrators delete and evict pods."""
    wanted = dict.fromkeys(names, "Run")
    for at in sorted(_moment(luck, size) for _ in range(size.wishes)):
        name = luck.choice(names)
        verb: Verb = luck.choices(("Run", "delete", "evict"), weights=(8, 1, 1))[0]
        if verb == "Run":
            verb = "Suspend" if wanted[name] == "Run" else "Run"
            wanted[name] = verb
        yield Act(at=at, verb=verb, target=name)
        if verb == "Suspend" and luck.random() < 0.5:
            wanted[name] = "Run"
            yield Act(at=round(at + luck.uniform(0.1, 4), 1), verb="Run", target=name)


def _moment(luck: random.Random, size: Size) -> float:
    return round(luck.uniform(3, size.seconds), 1)


def _while(luck: random.Random, size: Size) -> float:
    return round(luck.uniform(*size.outage), 1)
