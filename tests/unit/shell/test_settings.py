"""Settings from the environment: defaults that work, and a sentence for whatever can't."""

from __future__ import annotations

import pytest

from longtask.shell.errors import Misconfigured
from longtask.shell.settings import Settings


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.from_environment({})

    assert (settings.log_level, settings.log_format, settings.health_port) == ("INFO", "json", 8080)


def test_every_setting_is_a_variable() -> None:
    settings = Settings.from_environment({"LONGTASK_WORKERS": "5", "LONGTASK_BACKOFF_SECONDS": "0.5", "WORKERS": "9"})

    assert (settings.workers, settings.backoff_seconds) == (5, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LONGTASK_SIDECAR_PULL_POLICY", "Sometimes"),
        ("LONGTASK_LOG_LEVEL", "chatty"),
        ("LONGTASK_LOG_FORMAT", "xml"),
        ("LONGTASK_HEALTH_PORT", "-1"),
        ("LONGTASK_HEALTH_PORT", "65536"),
        ("LONGTASK_WORKERS", "0"),
        ("LONGTASK_WORKERS", ""),
        ("LONGTASK_REQUEST_SECONDS", "0"),
        ("LONGTASK_SWEEP_SECONDS", "nan"),
        ("LONGTASK_BACKOFF_SECONDS", "inf"),
    ],
)
def test_what_can_not_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        Settings.from_environment({name: value})


def test_all_that_can_not_be_used_is_named_at_once() -> None:
    with pytest.raises(Misconfigured, match=r"LONGTASK_LOG_LEVEL.*LONGTASK_WORKERS"):
        Settings.from_environment({"LONGTASK_LOG_LEVEL": "x", "LONGTASK_WORKERS": "x"})


def test_variables_of_the_worker_protocol_are_none_of_the_operators() -> None:
    assert Settings.from_environment({"LONGTASK_NAMESPACE": "team"}) == Settings()
