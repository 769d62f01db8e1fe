"""The one fixture that tests of the protocol share."""

from __future__ import annotations

import pytest

from tests.unit.worker.kinds import GO, PYTHON, Kind


@pytest.fixture(params=[pytest.param(PYTHON, id="python"), pytest.param(GO, id="go")])
def kind(request: pytest.FixtureRequest) -> Kind:
    """One worker after the other."""
    kind: Kind = request.param
    return kind
