"""What the fault tests share: no operator but those under test, one namespace for each process of pytest, a total."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import Api, kubeconfig_path, wait_for
from tests.e2e.support.outage import NAMESPACE, OPERATOR, operator_pods, without_operator
from tests.faults.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

_AWAY: pytest.StashKey[ExitStack] = pytest.StashKey()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have the installed operator away until the end, once for all processes."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    try:
        api = Api.from_kubeconfig(kubeconfig_path())
    except RuntimeError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_AWAY] = ExitStack()
    config.stash[_AWAY].enter_context(without_operator(api))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """And back again."""
    if (away := session.config.stash.get(_AWAY, None)) is not None:
        away.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The line that says what was tried and what was found."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    tried = [report for report in reports if report.when == "call" and "unfired" in dict(report.user_properties)]
    broken = sum(report.failed for report in tried)
    idle = sum(dict(report.user_properties)["unfired"] != 0 for report in tried)
    terminalreporter.write_line(f"faults: {len(tried)} plans, {broken} violations; {idle} met nothing to fail")


@pytest.fixture(scope="session")
def api() -> Api:
    """An administrator's client."""
    return Api.from_kubeconfig(kubeconfig_path())


@pytest.fixture(scope="session")
def site(api: Api) -> Iterator[Site]:
    """A namespace of this process's own."""
    wait_for(lambda: not operator_pods(api, NAMESPACE), timeout=60, what="no operator but ours")
    made = Site(api, kubeconfig_path()).open()
    yield made
    made.close()


@pytest.fixture(scope="session")
def token(api: Api) -> str:
    """The operator's own login, with its own rights."""
    return api.token(OPERATOR, NAMESPACE)
