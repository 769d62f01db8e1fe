"""What the report must say: a missed goal is missed, a failed part has failed, and nothing is silently left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import parts, report, runner
from tests.bench.machine import ROOT
from tests.bench.results import RESULTS, Judged, Measured, Part, Settings, Unit, read
from tests.unit.bench.builders import RUN, part, ratio, results, resumes, series

if TYPE_CHECKING:
    from pathlib import Path


def row_of(text: str, title: str) -> str:
    """The line of the table that begins with that title of a comparison."""
    return next(line for line in text.splitlines() if f"| {title} |" in line)


def test_a_missed_goal_is_said_to_be_missed() -> None:
    row = row_of(report.render(results(resumes(1.2, 1)), []), "Resume")
    assert "**missed**" in row
    assert "1.20" in row
    assert "≤ 1.05" in row


def test_a_goal_that_is_met_is_said_to_be_met_with_its_spread_and_its_pairs() -> None:
    row = row_of(report.render(results(resumes(1, 1, pairs=40)), []), "Resume")
    assert row.rstrip(" |").endswith("met")
    assert "missed" not in row
    assert "1.00 (1.00 to 1.00) times" in row
    assert "| 40 |" in row


def test_a_goal_without_enough_pairs_is_not_measured_rather_than_met() -> None:
    made = resumes(1, 1, comparisons=[ratio(judged=Judged.ADDED_P99, limit=100)])
    assert "**not measured**: a p99 needs 200 samples" in row_of(report.render(results(made), []), "Resume")


def test_what_has_no_goal_stands_with_its_part_and_not_among_the_goals() -> None:
    made = results(resumes(1.2, 1, comparisons=[ratio(limit=None)]))
    assert "| Resume |" not in report.goals(made)
    assert "1.20" in row_of(report.render(made, []), "Resume")


def test_a_part_that_failed_is_told_of_with_its_error() -> None:
    text = report.render(results(resumes(1, 1, error="OSError: no cluster")), [])
    assert "**Failed**: Suspend and resume" in text
    assert "**not measured**: failed: OSError: no cluster" in row_of(text, "Resume")


def test_a_part_that_could_not_even_be_imported_is_in_the_table() -> None:
    made = part(comparisons=[ratio()], error="ImportError: x").model_copy(update={"comparisons": ()})
    assert "ImportError: x" in row_of(report.render(results(made), []), "*all of it*")


def test_parts_that_were_not_run_are_listed() -> None:
    text = report.render(results(resumes(1, 1)), [])
    for name in parts.MODULES:
        assert name == "suspend" or "not run" in row_of(text, f"*part `{name}`*")


def test_a_small_run_can_not_pass_for_the_real_one() -> None:
    quick = resumes(1, 1, run=RUN.model_copy(update={"quick": True}))
    assert "Not the full measurement" in report.render(results(quick), [])
    assert "Not the full measurement" not in report.render(results(resumes(1, 1)), [])


def test_failed_pairs_stand_beside_the_number() -> None:
    made = part(series("LongTask", [1, 1], failures=3), series("raw Job", [1, 1], failures=3))
    assert "2, 3 failed" in row_of(report.render(results(made), []), "Resume")


def test_the_set_up_has_machine_versions_flags_and_commit() -> None:
    text = report.render(results(resumes(1, 1, flags={"etcd": "with fsync"})), [])
    for word in ("a CPU, 2 cores, 16 GiB, Linux 6", "Kubernetes v1.36.3", "etcd: with fsync", "`0123456789`"):
        assert word in text


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0312, Unit.SECONDS, "31.2 ms"),
        (12.34, Unit.SECONDS, "12.3 s"),
        (123.4, Unit.SECONDS, "123 s"),
        (0.0000123, Unit.SECONDS, "12.3 µs"),
        (0.0, Unit.SECONDS, "0.00 µs"),
        (-0.0312, Unit.SECONDS, "-31.2 ms"),
        (268e6, Unit.BYTES, "268 MB"),
        (8.0, Unit.COUNT, "8"),
        (1.047, Unit.RATIO, "1.05"),
    ],
)
def test_numbers_have_three_digits_and_their_unit(value: float, unit: Unit, words: str) -> None:
    assert report.amount(value, unit) == words


def test_a_part_that_raises_is_written_down_and_the_next_one_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(settings: Settings) -> Measured:
        raise OSError(f"no cluster with seed {settings.seed}")

    def works(settings: Settings) -> Measured:
        assert settings.quick
        return Measured(series=(series("LongTask", [1]), series("raw Job", [1])))

    table = {
        name: Part(name=name, title=name, about="", comparisons=(ratio(),), measure=measure)
        for name, measure in (("worker", breaks), ("suspend", works))
    }
    monkeypatch.setattr(parts, "load", table.__getitem__)
    said: list[str] = []
    made = runner.run(["worker", "suspend"], tmp_path / "results.json", quick=True, say=said.append)
    assert made == read(tmp_path / "results.json")
    broken, fine = made.parts
    assert broken.error is not None
    assert broken.error.startswith("OSError: no cluster with seed")
    assert fine.error is None
    assert any("FAILED" in line for line in said)


def test_a_part_that_is_measured_again_replaces_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Part(
        name="suspend",
        title="again",
        about="",
        comparisons=(),
        measure=lambda _: Measured(series=(series("LongTask", [2]),)),
    )
    monkeypatch.setattr(parts, "load", lambda _: made)
    path = tmp_path / "results.json"
    for name in ("worker", "suspend", "suspend"):
        runner.run([name], path, quick=True, say=lambda _: None)
    assert [part.name for part in read(path).parts] == ["worker", "suspend"]


def test_every_part_of_the_table_can_be_loaded_and_names_itself_as_the_table_does() -> None:
    for name in parts.MODULES:
        assert parts.load(name).name == name


def test_the_report_in_the_repository_is_that_of_the_recorded_results() -> None:
    path = ROOT / RESULTS
    folder = ROOT / report.FOLDER
    if not path.exists():
        assert not (folder / report.NAME).exists()
        return
    pictures = [picture.name for picture in folder.glob("*.svg")]
    assert (folder / report.NAME).read_text() == report.render(read(path), pictures)
