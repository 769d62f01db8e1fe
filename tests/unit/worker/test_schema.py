"""The schema of what is saved: a worker that finds another one touches nothing, unless it can migrate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from longtask.worker.envelope import require_schema, schema_of, wrap
from longtask.worker.errors import DataError
from longtask.worker.sidecar.content import Position, pack
from tests.unit.worker.builders import COUNT, local_environment, pod_environment, run_worker
from tests.unit.worker.fakes import a_checkpoint
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.worker.builders import Program

SCHEMA = "LONGTASK_CHECKPOINT_SCHEMA"
MIGRATING = COUNT.replace(
    "class Steps(Count)",
    """class Migrating(Count):
    def migrate(self, saved, schema):
        tell("migrate", saved, "from", schema)
        if schema == "rows/0":
            raise NeverRetry("rows/0 is too old")
        return {"next": saved["rows"]}

class Steps(Count)""",
)
OLD = wrap(4, {"rows": 4}, "rows/1")


def a_server(data: str) -> StandIn:
    """One whose task has saved that."""
    server = StandIn()
    server.set("status.checkpoint", a_checkpoint(holder="pod-9", cause="Stop", data=data))
    return server


def work(server: StandIn, folder: Path, schema: str, target: str = "count.py:Count") -> Program:
    """Run a worker to its end; `schema`: of its task."""
    environment = pod_environment(server, folder) | {SCHEMA: schema}
    with run_worker(folder, environment, target, code=MIGRATING) as worker:
        worker.wait()
    return worker


def test_what_is_saved_says_under_which_schema(tmp_path: Path) -> None:
    with StandIn() as server:
        assert work(server, tmp_path, "rows/2").process.returncode == 0
        assert json.loads(server.checkpoint["data"]) == {
            "longtask": 1,
            "done": 10,
            "schema": "rows/2",
            "state": {"next": 10},
        }


def test_without_a_schema_nothing_is_said_of_it(tmp_path: Path) -> None:
    with StandIn() as server:
        assert work(server, tmp_path, "").process.returncode == 0
        assert "schema" not in json.loads(server.checkpoint["data"])


def test_the_same_schema_goes_on(tmp_path: Path) -> None:
    with a_server(wrap(4, {"next": 4}, "rows/2")) as server:
        worker = work(server, tmp_path, "rows/2")
        assert worker.process.returncode == 0
        assert "setup {'next': 4} epoch 2 done 4 args" in worker.lines


@pytest.mark.parametrize(("saved_under", "asked_for"), [("rows/1", "rows/2"), ("", "rows/2"), ("rows/1", "")])
def test_another_schema_is_refused_before_anything_is_touched(tmp_path: Path, saved_under: str, asked_for: str) -> None:
    data = wrap(4, {"next": 4}, saved_under)
    with a_server(data) as server:
        worker = work(server, tmp_path, asked_for)
        assert worker.process.returncode == 78
        assert server.patches() == []
        assert server.checkpoint["data"] == data
    assert "setup" not in worker.output
    words = (tmp_path / "termination-log-1").read_text()
    for name in (saved_under, asked_for):
        assert f"under the schema {name!r}" in words if name else "without a schema" in words
    assert "spec.checkpoint.schema" in words


def test_a_task_that_can_migrate_goes_on_and_saves_under_the_new_schema(tmp_path: Path) -> None:
    with a_server(OLD) as server:
        worker = work(server, tmp_path, "rows/2", "count.py:Migrating")
        assert worker.process.returncode == 0
        assert "migrate {'rows': 4} from rows/1" in worker.lines
        assert "setup {'next': 4} epoch 2 done 4 args" in worker.lines
        assert schema_of(server.checkpoint["data"]) == "rows/2"


def test_a_task_that_can_migrate_is_not_asked_to_where_nothing_has_changed(tmp_path: Path) -> None:
    with a_server(wrap(4, {"next": 4}, "rows/2")) as server:
        worker = work(server, tmp_path, "rows/2", "count.py:Migrating")
        assert worker.process.returncode == 0
        assert "migrate" not in worker.output
    with StandIn() as server:
        assert "migrate" not in work(server, tmp_path, "rows/2", "count.py:Migrating").output


def test_a_migration_may_refuse_and_what_was_saved_stays(tmp_path: Path) -> None:
    data = wrap(4, {"rows": 4}, "rows/0")
    with a_server(data) as server:
        worker = work(server, tmp_path, "rows/2", "count.py:Migrating")
        assert worker.process.returncode == 78
        assert server.checkpoint["data"] == data
        assert "rows/0 is too old" in (tmp_path / "termination-log-1").read_text()


def test_data_of_another_program_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with a_server("row 17") as server:
        assert work(server, tmp_path, "").process.returncode == 78
        assert server.patches() == []


def test_the_same_holds_at_ones_desk(tmp_path: Path) -> None:
    options = ("--checkpoint", "mine.json")
    with run_worker(tmp_path, local_environment() | {SCHEMA: "rows/1"}, "count.py:Steps", *options) as first:
        first.steps(2)
        first.await_line("begin 2")
        first.signal()
        first.step()
        assert first.wait() == 75
    with run_worker(tmp_path, local_environment() | {SCHEMA: "rows/2"}, "count.py:Steps", *options) as second:
        assert second.wait() == 78
        assert "under the schema 'rows/1'" in second.output
    record = json.loads((tmp_path / "mine.json").read_text())
    assert record["checkpoint"]["epoch"] == 1


def test_a_file_has_a_schema_as_well() -> None:
    data = pack(Position(done=1, told=False, content=b"at 40"), "map/1")
    require_schema(data, "map/1")
    with pytest.raises(DataError, match=r"saved under the schema 'map/1', .* under the schema 'map/2'"):
        require_schema(data, "map/2")


@pytest.mark.parametrize("data", ["", "row 17", "[1]", '{"schema":7}', "[" * 100_000])
def test_data_without_a_name_has_none(data: str) -> None:
    assert schema_of(data) == ""
