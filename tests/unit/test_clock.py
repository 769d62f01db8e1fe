"""The time of day as the API server has it, told from when its answers were written."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtask.clock import ServerClock, utc

NOON = 1_800_000_000.0


@dataclass
class World:
    """A true time, which is the server's, and a machine whose clock is `ahead` of it."""

    ahead: float = 0.0
    time: float = NOON

    def local(self) -> float:
        """What this machine's clock shows."""
        return self.time + self.ahead

    def steady(self) -> float:
        """What began at boot, and nobody sets."""
        return self.time - NOON + 77.0

    def clock(self) -> ServerClock:
        """One that has heard nothing yet."""
        return ServerClock(self.local, self.steady)

    def answer(self, clock: ServerClock, *, there: float = 0.0, back: float = 0.0) -> None:
        """Ask, and hear an answer; it takes so many seconds there and back."""
        asked = clock.asking()
        self.time += there
        date = formatdate(int(self.time), usegmt=True)
        self.time += back
        clock.hear(date, asked)


SECONDS = st.floats(0, 30)
ANSWERS = st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=20)


@given(answers=ANSWERS, begun=st.floats(0, 1))
def test_a_clock_that_is_right_is_never_moved(answers: list[tuple[float, float, float]], begun: float) -> None:
    world = World(time=NOON + begun)
    clock = world.clock()
    for pause, there, back in answers:
        world.time += pause
        world.answer(clock, there=there, back=back)
    assert clock.now() == pytest.approx(world.time, abs=1e-5)
    assert clock.local_is_ahead() == pytest.approx(0, abs=1e-5)


@given(ahead=st.floats(-1e7, 1e7), answers=ANSWERS, begun=st.floats(0, 1))
@example(ahead=2.0, answers=[(0.0, 1.0, 0.0), (0.0, 0.0, 0.0)], begun=0.0)  # a quick answer of the second of a slow one
def test_a_clock_that_is_wrong_is_right_to_a_second_and_a_round_trip_after_any_answer(
    ahead: float, answers: list[tuple[float, float, float]], begun: float
) -> None:
    world = World(ahead=ahead, time=NOON + begun)
    clock = world.clock()
    best = 1e9
    for pause, there, back in answers:
        world.time += pause
        world.answer(clock, there=there, back=back)
        best = min(best, 1 + there + back)
        assert abs(clock.now() - world.time) <= best + 1e-5


def test_who_sets_this_machines_clock_moves_nothing() -> None:
    world = World()
    clock = world.clock()
    world.answer(clock)
    world.ahead = 3600.0
    assert clock.now() == pytest.approx(world.time, abs=1e-3)
    assert clock.local_is_ahead() == pytest.approx(3600, abs=1e-3)


def test_a_machine_that_slept_hears_the_time_with_the_next_answer() -> None:
    world = World()
    clock = ServerClock(world.local, lambda: 5.0)  # it stands still
    world.time += 7200.0
    clock.hear(formatdate(world.time, usegmt=True), clock.asking())
    assert clock.now() == pytest.approx(world.time, abs=1)


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Fri, 15 Jan 2027",
        "Fri, 99 Foo 2027 99:99:99 GMT",
        "Fri, 01 Jan 1999 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 15 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_a_date_that_makes_no_sense_says_nothing(date: str | None) -> None:
    world = World()
    clock = world.clock()
    clock.hear(date, clock.asking())
    assert clock.now() == pytest.approx(NOON, abs=1e-3)


@given(date=st.text())
def test_whatever_an_answer_says_the_time_can_be_reckoned_with(date: str) -> None:
    world = World()
    clock = world.clock()
    clock.hear(date, clock.asking())
    assert 2000 <= utc(clock.now()).year < 2200


def test_without_an_answer_it_is_this_machines_time() -> None:
    assert World(ahead=12.0).clock().now() == pytest.approx(NOON + 12, abs=1e-3)
