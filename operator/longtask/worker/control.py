"""What user code and the library tell each other while the work goes on. It must not know how either works."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Control:
    """The fencing number, the count of what is done, a message, and whether to stop."""

    def __init__(self, stop_requested: Callable[[], bool] = lambda: False) -> None:
        self.epoch = 0
        self.done = 0
        self.message = ""
        self.stop_was_seen = False  # by user code, which may then end early: that must not pass for being done
        self._stop_requested = stop_requested

    @property
    def stopping(self) -> bool:
        """Whether the worker is asked to stop, for user code."""
        requested = self._stop_requested()
        self.stop_was_seen = self.stop_was_seen or requested
        return requested
