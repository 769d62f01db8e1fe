"""Stop requests: SIGTERM from the kubelet, Ctrl-C from a person.

A request only sets a mark that is looked at between two batches: no batch is ever cut. It is the first module that
the command loads, and PID 1 has no default handling of SIGTERM, so it must import next to nothing and must not know
the rest of the library.
"""

from __future__ import annotations

import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # SIGINT too: images may name it as their STOPSIGNAL


class Stop:
    """Whether, and since when, this process is asked to stop.

    The handler may interrupt any line of the main thread, so it takes no lock: it sets an attribute and writes to a
    pipe, which wakes whoever waits.
    """

    def __init__(self) -> None:
        self.requested_at: float | None = None  # in time.monotonic()
        self.seconds_to_live: float | None = None  # from the request until it must be over; None: as long as it takes
        self.second_aborts = False  # a second Ctrl-C raises KeyboardInterrupt
        self.words = b""  # written to stderr at the first request: a batch may take a while to end
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._handler = self._on_signal  # one bound method, so that it can be recognised

    @property
    def requested(self) -> bool:
        """Whether this process was asked to stop."""
        return self.requested_at is not None

    def install(self) -> Stop:
        """Handle the stop signals from now on. Only the main thread can; elsewhere Python raises ValueError."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._handler)
        os.register_at_fork(after_in_child=self._leave_child)
        import atexit  # noqa: PLC0415 - nothing is imported before the signals are handled

        atexit.register(self._end)
        return self

    def reinstall(self) -> bool:
        """Take SIGTERM back from a library that took it, and say whether one had. Cheap: done at every batch."""
        if signal.getsignal(signal.SIGTERM) is self._handler:
            return False
        signal.signal(signal.SIGTERM, self._handler)
        return True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the stop request, and return whether there is one."""
        if not self.requested:
            select.select([self._reader], [], [], max(0.0, seconds))
        return self.requested

    def seconds_left(self) -> float | None:
        """Return how long saving may still take; 0 when the time is up, None without a limit."""
        if self.requested_at is None or self.seconds_to_live is None:
            return None
        return max(0.0, self.requested_at + self.seconds_to_live - time.monotonic())

    def request(self) -> None:
        """Ask to stop, as a signal would. The first time counts."""
        if self.requested_at is None:
            self.requested_at = time.monotonic()
            for descriptor, words in ((self._writer, b"\0"), (2, self.words)):
                try:
                    os.write(descriptor, words)
                except OSError:  # nobody waits, or reads, any more
                    continue

    def close(self) -> None:
        """Give the signals and the pipe back. For tests and for programs that go on after their attempt."""
        if signal.getsignal(signal.SIGTERM) is self._handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is self._handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(self._reader)
        os.close(self._writer)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.requested and self.second_aborts:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # the third one needs nobody's help
            raise KeyboardInterrupt
        self.request()

    def _end(self) -> None:
        """Ignore signals from now on: Python gives its handlers back while it ends, and the exit code is decided."""
        for number in _STOP_SIGNALS:
            if signal.getsignal(number) is self._handler:
                signal.signal(number, signal.SIG_IGN)

    def _leave_child(self) -> None:
        """Let a forked child die of SIGTERM: it would inherit the handler, and multiprocessing could not end it.

        But not of Ctrl-C, which a terminal sends to the children too: they may be at work on a batch.
        """
        for number, disposition in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.SIG_IGN)):
            if signal.getsignal(number) is self._handler:
                signal.signal(number, disposition)
