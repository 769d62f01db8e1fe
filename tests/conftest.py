"""What holds for every test: one seed for all that is drawn, printed so that a run can be repeated."""

from __future__ import annotations

import pytest

from tests.proof import FULL, SEED


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis draws with the seed of the run, unless it was given one of its own."""
    if config.getoption("hypothesis_seed", default=None) is None:
        config.option.hypothesis_seed = str(SEED)


def pytest_report_header() -> str:
    """The line that makes a failure repeatable."""
    return f"seed: LONGTASK_SEED={SEED}" + (", everything" if FULL else "")
