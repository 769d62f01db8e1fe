"""The worker library: long work that can be stopped between two batches and goes on at the same one.

It lives in other people's images: the standard library is all it may use, and it must not know the operator. A
worker needs nothing of it but `Task`, or `attempt` for code that can't be a class; docs/worker-library.md shows both.

What is exported is loaded at its first use: until the signal handler is installed, which the command does first,
every import is time in which a stop request is lost (PID 1 has no default handling of SIGTERM).
"""

TYPE_CHECKING = False  # as in longtask/__init__.py
if TYPE_CHECKING:
    from longtask.worker.block import Attempt, attempt
    from longtask.worker.errors import LongTaskError, NeverRetry
    from longtask.worker.reasons import Reason
    from longtask.worker.task import Task

__all__ = ["Attempt", "LongTaskError", "NeverRetry", "Reason", "Task", "attempt"]

_HOMES = {
    "Attempt": "block",
    "LongTaskError": "errors",
    "NeverRetry": "errors",
    "Reason": "reasons",
    "Task": "task",
    "attempt": "block",
}


def __getattr__(name: str) -> object:
    """Load one of the exported names."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 - the reason is in this module's docstring

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
