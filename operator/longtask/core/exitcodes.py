"""What the exit codes of a task's program mean: the worker protocol's, unless its spec maps them.

The Job's rules are made from this and its end is judged by it, so that both always agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtask.api.names import EXIT_NEVER_RETRY, EXIT_SAVED

if TYPE_CHECKING:
    from typing import Self

    from longtask.api.checkpoint import CheckpointSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCodes:
    """Three meanings, no code in two of them; 0 is in none, and every other code is a failure that uses a retry."""

    complete: frozenset[int] = frozenset()
    interrupted: frozenset[int] = frozenset({EXIT_SAVED})
    never_retry: frozenset[int] = frozenset({EXIT_NEVER_RETRY})

    @classmethod
    def of(cls, spec: CheckpointSpec | None) -> Self:
        """Read the mapping. What the user says of a code wins over what the protocol says of it."""
        if spec is None:
            return cls()
        complete, interrupted = frozenset(spec.complete_exit_codes or ()), frozenset(spec.interrupted_exit_codes or ())
        return cls(
            complete=complete,
            interrupted=interrupted | ({EXIT_SAVED} - complete),
            never_retry=frozenset({EXIT_NEVER_RETRY}) - complete - interrupted,
        )
