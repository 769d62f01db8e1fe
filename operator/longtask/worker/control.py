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


class Controlled:
    """What user code can use of the library, in both of its forms."""

    @property
    def epoch(self) -> int:
        """The fencing number of this run: greater than that of every earlier one.

        Send it along with writes of your own, and let the receiving side refuse a lower one than it has seen: then a
        worker on a lost node can't overwrite what its successor has written.
        """
        return self._control.epoch

    @property
    def done(self) -> int:
        """How much is done, over all runs. Counted by the library; may be set where that is not what you count."""
        return self._control.done

    @done.setter
    def done(self, value: int) -> None:
        self._control.done = value

    @property
    def stopping(self) -> bool:
        """Whether the worker is asked to stop. Only for batches that take minutes and can end early."""
        return self._control.stopping

    def report(self, message: str) -> None:
        """Say what is being done, for people: shown from the next save on. At most 1024 characters."""
        self._control.message = str(message)

    @property
    def _control(self) -> Control:
        """The link to the library; made at first use, so that no subclass has to call `super().__init__`."""
        control = self.__dict__.get("_longtask_control")
        if control is None:
            control = self.__dict__["_longtask_control"] = Control()
        return control

    @_control.setter
    def _control(self, control: Control) -> None:
        self.__dict__["_longtask_control"] = control
