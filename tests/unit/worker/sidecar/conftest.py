"""What tests of the sidecar's command share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A task that is to run."""
    with StandIn() as server:
        yield server
