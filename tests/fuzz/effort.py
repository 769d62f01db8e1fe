"""How much is tried: a slice of some seconds for each property, or twenty times as much (`make proof`)."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

from tests.proof import FULL

_FULL_TIMES: Final = 20


def effort(examples: int) -> settings:
    """Settings for one property: so many examples, and no deadline, because machines are busy."""
    return settings(
        max_examples=examples * (_FULL_TIMES if FULL else 1),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
