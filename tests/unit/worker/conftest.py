"""What tests of the worker share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.kinds import GO, PYTHON, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[pytest.param(PYTHON, id="python"), pytest.param(GO, id="go")])
def kind(request: pytest.FixtureRequest) -> Kind:
    """One worker after the other."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def keep_signals() -> Iterator[None]:
    """Give this process its own handlers back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
