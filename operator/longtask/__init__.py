"""LongTask: long work on Kubernetes that can be suspended and trusted to go on where it stopped.

`from longtask import Task` is the worker library's. It is loaded when asked for and not before, so that the operator,
which shares this package, doesn't load the library, nor the library more than it needs.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # what type checkers take for true; importing `typing` costs more than this whole package
if TYPE_CHECKING:
    from longtask.worker import Attempt, NeverRetry, Reason, Task, attempt

__all__ = ["Attempt", "NeverRetry", "Reason", "Task", "attempt"]


def __getattr__(name: str) -> object:
    """Load what the worker library exports, at its first use."""
    if name in __all__:
        from longtask import worker  # noqa: PLC0415 - the reason is in this module's docstring

        return getattr(worker, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
