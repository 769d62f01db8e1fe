"""One run for all verdicts: it is played once, when the first test asks for it, and told of at the end."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos import report
from tests.chaos.script import GENTLE, HARD, Script, draw, load
from tests.chaos.stage import Record, Stage
from tests.e2e.support.client import Api, kubeconfig_path
from tests.e2e.support.outage import await_health
from tests.e2e.support.tasks import Lab, cluster
from tests.proof import FULL, SEED, luck

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = pytest.StashKey[list[str]]()
SAVED_SCRIPT = "LONGTASK_CHAOS_SCRIPT"


def script() -> Script:
    """The script that a file holds, or else one of this run's seed."""
    if path := os.environ.get(SAVED_SCRIPT):
        return load(Path(path).read_text())
    return draw(luck("chaos"), SEED, cluster().components(), HARD if FULL else GENTLE)


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """Play the script on the cluster that is up, and keep what was seen."""
    api, written = Api.from_kubeconfig(kubeconfig_path()), script()
    folder = cluster().audit_log().parent
    path = folder / f"chaos-{written.seed}-script.json"
    path.write_text(written.dump())
    pytestconfig.stash[TOLD] = [f"script: {path} (again: {SAVED_SCRIPT}={path})"]
    await_health(api)
    namespace = f"chaos-{uuid.uuid4().hex[:6]}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    made = Stage(Lab(api, namespace, kubeconfig_path()), cluster(), written).perform(tmp_path_factory.mktemp("peace"))
    figures = report.figures(made)
    (folder / f"chaos-{written.seed}.json").write_text(json.dumps(figures, indent=1))
    stories = folder / f"chaos-{written.seed}-stories.txt"
    stories.write_text("\n".join([*report.table(figures), "", *report.deeds(made), "", *report.stories(made)]))
    pytestconfig.stash[TOLD] += [f"stories: {stories}", *report.table(figures)]
    yield made
    api.delete("Namespace", namespace)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell of the run, however it ended."""
    for line in config.stash.get(TOLD, []):
        terminalreporter.write_line(line)
