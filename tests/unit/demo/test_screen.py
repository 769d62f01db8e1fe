"""What the demo shows: one line that is drawn over on a terminal, lines now and then elsewhere, and a timeline."""

from __future__ import annotations

import io
from typing import Any

from tests.demo.screen import CLEAR, Screen, one_line


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def status(done: int) -> dict[str, Any]:
    progress = {"done": done, "total": 200, "percent": done // 2, "rate": "12.3", "message": "/lib/python3/x.py"}
    return {"state": "Running", "progress": progress}


def test_on_a_terminal_progress_is_one_line_that_is_drawn_over() -> None:
    out = Terminal()
    screen = Screen(out, Clock())

    screen.progress("index", status(10))
    screen.progress("index", status(20))
    screen.progress("index", status(20))  # as it was: nothing to draw
    screen.say("next")

    first, second, rest = out.getvalue().split(CLEAR)[1:]
    assert "\n" not in first + second
    assert ("10 of 200" in first, "20 of 200" in second) == (True, True)
    assert rest == "next\n"


def test_elsewhere_progress_is_a_line_now_and_then() -> None:
    out, clock = io.StringIO(), Clock()
    screen = Screen(out, clock)

    for clock.now in (1.0, 5.0, 6.0, 9.9, 10.0):
        screen.progress("index", status(int(clock.now * 10)))

    assert [line.split("%")[1].split()[0] for line in out.getvalue().splitlines()] == ["50", "100"]
    assert "\r" not in out.getvalue()


def test_a_task_without_progress_is_shown_by_its_state() -> None:
    assert one_line("index", {"state": "Init"}).split() == ["index", "Init", "[", "]", "0", "%"]


def test_the_line_has_percent_numbers_speed_and_the_file_in_hand() -> None:
    assert one_line("index", status(100)).endswith(" 50 %  100 of 200 files  12.3/s  x.py")


def test_the_timeline_tells_when_each_step_ended_and_what_it_took() -> None:
    out, clock = io.StringIO(), Clock()
    screen = Screen(out, clock)
    clock.now = 1.5
    screen.mark("up")
    clock.now = 4.0
    screen.mark("done")
    out.truncate(0)
    out.seek(0)

    screen.timeline()

    assert [line.split() for line in out.getvalue().splitlines()[1:]] == [["1.5", "1.5", "up"], ["4.0", "2.5", "done"]]
