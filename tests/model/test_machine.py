"""A large world, by chance: several tasks, many edits, faults and harms, and a clock that shows seconds.

Hypothesis draws what happens, and makes what breaks an invariant as short as it can. At the end of every story nothing
goes wrong any more: each task must come to what is desired of it, and stay there without a write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.fair import MOST_MOVES
from tests.model.invariants import broken
from tests.model.liveness import unreached
from tests.model.moves import EVERYBODY, Move, Sources, moves, told, without_luck
from tests.model.moves_cluster import cluster_moves
from tests.model.moves_operator import operator_moves
from tests.model.moves_worker import worker_moves
from tests.model.normal import normal
from tests.model.objects import Program, changed
from tests.model.operate import crash
from tests.model.world import Edit, Fault, Harm, Setting, World, first_world, with_process
from tests.proof import FULL

GRACE: Final = 30
TOKEN_SECONDS: Final = 60
"""How long after its deletionTimestamp the API server takes a pod's token."""

_LARGE: Final = Setting(
    work=3,
    backoff_limit=2,
    edits=tuple(Edit),
    faults=tuple(Fault),
    harms=tuple(Harm),
    most_edits=6,
    most_faults=4,
    most_harms=3,
    logical=False,
    grace=GRACE,
    step_by_step=True,
)
SETTINGS: Final = (
    _LARGE,
    replace(_LARGE, program=Program.PLAIN, exits_on_term=(143, 0, 78, 75)),
    replace(_LARGE, program=Program.FILED, exits_on_term=(143, 0, 78, 75)),
    replace(_LARGE, waits=True),
    replace(_LARGE, deadline=100),
    replace(_LARGE, cleanup=True),
    replace(_LARGE, progress_deadline=20),
    replace(_LARGE, operators=2),
)
_FAIR: Final[tuple[Sources, ...]] = (
    (operator_moves, cluster_moves, worker_moves),
    (worker_moves, cluster_moves, operator_moves),
    (cluster_moves, operator_moves, worker_moves),
)
_TASKS: Final = st.integers(0, len(SETTINGS) - 1)


def later(world: World, seconds: int) -> World:
    """Time passes; tokens of pods that should be gone by now die."""
    world = changed(world, now=world.now + seconds)
    for process in world.processes:
        pod = world.pod(process.pod)
        if pod is not None and pod.asked is not None and pod.asked + pod.grace + TOKEN_SECONDS <= world.now:
            world = with_process(world, changed(process, token_dead=True))
    return world


class SeveralTasks(RuleBasedStateMachine):
    """One task of each setting. They share nothing but the fate of the operator and the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds: list[World] = []

    @initialize()
    def they_are_created(self) -> None:
        self.worlds = [first_world(setting) for setting in SETTINGS]

    @rule(number=_TASKS, choices=st.lists(st.integers(0, 99), min_size=1, max_size=25))
    def things_happen(self, number: int, choices: list[int]) -> None:
        for choice in choices:
            possible = list(moves(self.worlds[number], SETTINGS[number], EVERYBODY))
            if possible:
                self._take(number, possible[choice % len(possible)])

    @rule(number=_TASKS, order=st.sampled_from(_FAIR), most=st.integers(1, 40))
    def everybody_goes_on(self, number: int, order: Sources, most: int) -> None:
        calm = replace(SETTINGS[number], faults=(), harms=(), edits=())
        for _ in range(most):
            move = next(moves(self.worlds[number], calm, order), None)
            if move is None:
                return
            self._take(number, move)

    @rule(seconds=st.sampled_from((1, 4, 20, 100)))
    def time_passes(self, seconds: int) -> None:
        self.worlds = [later(world, seconds) for world in self.worlds]

    @rule()
    def the_operator_dies(self) -> None:
        self.worlds = [crash(world, 0) for world in self.worlds]

    def teardown(self) -> None:
        for number, setting in enumerate(SETTINGS[: len(self.worlds)]):
            self._comes_to_rest(number, setting)

    def _comes_to_rest(self, number: int, setting: Setting) -> None:
        """Liveness: at most `MOST_MOVES` moves between two long looks at the clock, and none at the end."""
        prompt = replace(setting, operator_lags=False, controller_lags=False)
        self.worlds[number] = normal(told(without_luck(self.worlds[number]), prompt), prompt)
        for _ in range(8):
            made = 0
            while (move := next(moves(self.worlds[number], prompt, _FAIR[0]), None)) is not None:
                self._take(number, move)
                made += 1
                assert made < MOST_MOVES, "it never comes to rest"
            self.worlds[number] = later(self.worlds[number], 200)
        assert next(moves(self.worlds[number], prompt, _FAIR[0]), None) is None
        words = unreached(self.worlds[number])
        assert not words, f"the desired state of task {number} is not reached: {words}"

    def _take(self, number: int, move: Move) -> None:
        note(f"task {number}: {move.says}")
        words = broken(self.worlds[number], move, SETTINGS[number])
        assert not words, words
        self.worlds[number] = move.after


SeveralTasks.TestCase.settings = settings(
    max_examples=250 if FULL else 20,
    stateful_step_count=40 if FULL else 20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
TestSeveralTasks = SeveralTasks.TestCase
