"""What a worker loads: it lives in other people's images, and PID 1 loses every signal that comes too early."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import longtask
from longtask import worker
from tests.unit.worker.builders import COUNT, pod_environment
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[3]
LIST = "import sys; print('loaded', *sys.modules, file=sys.stderr)"


def loaded(code: str, folder: Path, environment: Mapping[str, str] | None = None) -> set[str]:
    """Return the modules that a Python without installed packages has loaded after this code."""
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'operator')!r})\n"
    command = [sys.executable, "-I", "-S", "-c", f"{path}try:\n  {code}\nfinally:\n  {LIST}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"^loaded (.*)$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    return set(found[1].split())


def roots(modules: set[str]) -> set[str]:
    """Return the top-level packages."""
    return {module.partition(".")[0] for module in modules}


def test_nothing_that_can_wait_is_loaded_before_the_signals_are_handled(tmp_path: Path) -> None:
    more = loaded("import longtask.worker.cli", tmp_path) - loaded("import os, select, signal, time", tmp_path)
    assert {module for module in more if module.startswith("longtask")} == {
        "longtask",
        "longtask.worker",
        "longtask.worker.cli",
        "longtask.worker.signals",
    }
    assert roots(more) <= {"longtask", "__future__"}


def test_the_command_handles_signals_before_it_even_reads_its_words(tmp_path: Path) -> None:
    leave = "import longtask.worker.cli as cli; cli.Stop.install = lambda stop: sys.exit(0); cli.main(['run', 'a:B'])"
    assert not loaded(leave, tmp_path) & {"argparse", "threading", "json", "longtask.worker.session"}


def test_a_run_in_a_cluster_loads_the_standard_library_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    with StandIn() as server:
        run = "from longtask.worker.cli import main; main(['run', 'count.py:Count'])"
        modules = loaded(run, tmp_path, pod_environment(server, tmp_path))
        assert server.checkpoint["cause"] == "Done"
    assert roots(modules) - set(sys.stdlib_module_names) <= {"longtask", "count", "__main__"}
    others = {module for module in modules if module.startswith("longtask.") and "worker" not in module}
    assert others == {"longtask.clock"}


def test_a_local_run_loads_neither_http_nor_tls(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    modules = loaded("from longtask.worker.cli import main; main(['run', 'count.py:Count'])", tmp_path, {})
    assert "longtask.worker.filestore" in modules
    assert not modules & {"ssl", "http.client", "email", "asyncio", "logging", "longtask.worker.api"}
    assert roots(modules) - set(sys.stdlib_module_names) <= {"longtask", "count", "__main__"}


def test_the_package_without_extras_has_no_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []


def test_asking_for_a_task_loads_neither_the_with_form_nor_a_store(tmp_path: Path) -> None:
    modules = loaded("from longtask import Task", tmp_path)
    ours = {module for module in modules if module.startswith("longtask.worker.")}
    assert ours == {"longtask.worker.task", "longtask.worker.control"}


@pytest.mark.parametrize("package", [longtask, worker])
def test_everything_that_is_exported_is_there_and_nothing_else(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Tusk'"):
        _ = package.Tusk  # type: ignore[attr-defined]


def test_what_longtask_exports_is_the_workers() -> None:
    assert set(longtask.__all__) <= set(worker.__all__)
    assert all(getattr(longtask, name) is getattr(worker, name) for name in longtask.__all__)
