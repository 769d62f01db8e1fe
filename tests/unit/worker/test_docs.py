"""The two pages about workers: their code runs, and their words are those of the code."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from longtask import Task
from longtask.api import names
from longtask.api.status import Checkpoint, CheckpointCause, Progress
from longtask.worker import exitcodes
from longtask.worker.envelope import MAX_BYTES
from longtask.worker.reasons import Reason
from tests.unit.worker.builders import Program, local_environment, run_worker
from tests.unit.worker.rules import apply_patch, check_policy, check_rules

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[3] / "docs"
LIBRARY = (DOCS / "worker-library.md").read_text()
PROTOCOL = (DOCS / "worker-protocol.md").read_text()

AROUND = """
class Rows(list):
    def close(self): print("closed", flush=True)
def open_rows(): return Rows(range(1000))
def insert(rows): print("insert", rows if isinstance(rows, int) else len(rows), flush=True)
"""


def code_with(words: str, language: str = "python") -> str:
    """Return the block of code on the library's page that holds these words."""
    blocks = re.findall(rf"```{language}\n(.*?)```", LIBRARY, re.DOTALL)
    return str(next(block for block in blocks if words in block))


def test_the_class_of_the_page_runs(tmp_path: Path) -> None:
    code = AROUND + code_with("class ImportRows")
    with run_worker(tmp_path, local_environment(), "count.py:ImportRows", code=code) as worker:
        assert worker.wait() == 0
        assert worker.lines.count("insert 100") == 10
        assert "done: checkpoint 1, 1000 of 1000 (100 %)" in worker.output
        assert worker.lines[-1] == "closed"


def test_the_with_form_of_the_page_runs(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(f"{AROUND}\nrows = Rows([7, 8, 9])\n{code_with('with attempt')}")
    with Program([sys.executable, "rows.py"], tmp_path, local_environment()) as program:
        assert program.wait() == 0
        assert [line for line in program.lines if "longtask" not in line] == [
            "insert 7", "insert 8", "insert 9", "closed", "all rows are there",
        ]  # fmt: skip


def test_the_test_of_the_page_passes() -> None:
    scope: dict[str, Any] = {}
    for words in ("class ImportRows", "def test_it_goes_on"):
        exec(AROUND + code_with(words), scope)  # noqa: S102 - our own page
    scope["test_it_goes_on_where_it_was"]()


def test_the_fence_of_the_page_refuses_an_earlier_worker() -> None:
    scope: dict[str, Any] = {"insert": lambda database, batch: database.execute("INSERT INTO rows VALUES (?)", [batch])}
    exec(code_with("UPDATE fence"), scope)  # noqa: S102 - our own page
    database = sqlite3.connect(":memory:")
    database.executescript("CREATE TABLE fence (epoch); INSERT INTO fence VALUES (0); CREATE TABLE rows (row)")
    process: Callable[[Task, object], None] = scope["process"]

    def worker(epoch: int) -> Task:
        task = Task()
        task.__dict__["database"] = database
        task._control.epoch = epoch
        return task

    process(worker(1), "a")
    process(worker(2), "b")
    with pytest.raises(RuntimeError, match="a later worker has been here"):
        process(worker(1), "c")
    assert database.execute("SELECT row FROM rows").fetchall() == [("a",), ("b",)]
    database.close()


def test_the_manifest_of_the_page_is_a_task() -> None:
    body = yaml.safe_load(code_with("kind: LongTask", "yaml"))
    assert (body["apiVersion"], body["kind"]) == (names.API_VERSION, names.KIND)
    assert body["spec"]["template"]["spec"]["containers"][0]["name"] == names.WORKER_CONTAINER


def test_every_reason_and_limit_is_on_the_librarys_page() -> None:
    assert {str(reason) for reason in Reason} <= set(re.findall(r"^\| `(\w+)` \|", LIBRARY, re.MULTILINE))
    assert f"{MAX_BYTES:,} bytes" in LIBRARY
    assert f"exit code {exitcodes.NEVER_RETRY}" in LIBRARY


def test_every_name_that_the_operator_gives_is_on_the_protocols_page() -> None:
    given = [value for key, value in vars(names).items() if key.startswith("ENV_") and key != "ENV_LAST_CHECKPOINT"]
    assert len(given) >= 6
    for name in (*given, f"{names.ACCESS_MOUNT_PATH}/{names.ACCESS_TOKEN_FILE}", names.ACCESS_CA_FILE):
        assert name in PROTOCOL


def test_the_limits_of_the_protocols_page_are_the_resources() -> None:
    assert (names.MAX_EPOCH, names.MAX_SEQUENCE) == (2**31 - 1, 2**53 - 1)
    assert "`epoch` | integer, 1 to 2³¹-1" in PROTOCOL
    assert "`sequence` | integer, 0 to 2⁵³-1" in PROTOCOL
    assert f"{names.MAX_DATA:,} characters" in PROTOCOL
    assert f"at most {names.MAX_MESSAGE:,} characters" in PROTOCOL
    for code in (names.EXIT_SAVED, names.EXIT_NEVER_RETRY):
        assert f"| {code} |" in PROTOCOL


def test_the_fields_of_the_protocols_page_are_the_resources() -> None:
    fields = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \| \**(?:integer|string)", PROTOCOL, re.MULTILINE)
    documented = {name for pair in fields for name in pair if name}
    ours = {field.alias or name for model in (Checkpoint, Progress) for name, field in model.model_fields.items()}
    assert documented == ours
    assert all(f"`{cause}`" in PROTOCOL for cause in CheckpointCause)


def test_the_whole_life_of_the_page_is_one_that_the_rules_allow() -> None:
    """Every PATCH of the example, one after the other, as the pod that it names."""
    life = PROTOCOL.partition("## A whole life, request by request")[2]
    bodies = re.findall(r"^    PATCH .*?\n    (\[.*?\])\n    200", life, re.DOTALL | re.MULTILINE)
    task: dict[str, Any] = {
        "metadata": {"uid": "8f2d6c1e-0000-4000-8000-000000000001"},
        "spec": {"desiredState": "Run"},
        "status": {"attempt": 1, "state": "Init"},
    }
    for body in bodies:
        test = '{"op": "test", "path": "/metadata/uid", "value": "8f2d6c1e-0000-4000-8000-000000000001"}'
        operations = json.loads(body.replace('{"op": "test", …}', test))
        new = apply_patch(task, operations)
        checkpoint = new["status"]["checkpoint"]
        Checkpoint.model_validate(checkpoint)
        check_rules(task, new)
        check_policy(task, new, checkpoint["holder"])
        task = new
    assert len(bodies) == 4
    assert [task["status"]["checkpoint"][key] for key in ("epoch", "sequence", "cause")] == [2, 2, "Claim"]


@pytest.mark.parametrize("page", [LIBRARY, PROTOCOL])
def test_every_link_leads_somewhere(page: str) -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line).strip().replace(" ", "-").lower()
        for line in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (DOCS / target.partition("#")[0]).exists(), target
