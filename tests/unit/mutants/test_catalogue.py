"""The catalogue fits the code, and leaves nothing out of what it must break. What is recorded is of these breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.mutants import results
from tests.mutants.catalogue import ROOT, CatalogueError, Level, check, load
from tests.mutants.trial import Outcome, Verdict
from tests.unit.mutants.builders import KILLER, a_mutant

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "manifests/install.yaml"
RECONCILE = "operator/longtask/core/reconcile.py"
MUTANTS = load()


def guards(install: str) -> set[str]:
    """Every rule of the resource, and every line of its policies that decides anything, with where it stands."""
    found: set[str] = set()
    for body in yaml.safe_load_all(install):
        name, spec = body["metadata"]["name"], body.get("spec", {})
        match body["kind"]:
            case "CustomResourceDefinition":
                found |= _rules(spec["versions"][0]["schema"]["openAPIV3Schema"], name)
            case "ValidatingAdmissionPolicy":
                found |= {f"{name}: {each['expression']}" for each in (*spec["matchConditions"], *spec["validations"])}
            case "ValidatingAdmissionPolicyBinding":
                found.add(f"{name}: {spec['validationActions']}")
            case _:
                pass
    return found


def _rules(schema: Any, where: str) -> set[str]:  # noqa: ANN401 - whatever YAML holds
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= {f"{where}: {rule['rule']}" for rule in schema.get("x-kubernetes-validations", ())}
        for key, part in schema.items():
            found |= _rules(part, f"{where}.{key}")
    return found


def broken(file: str) -> list[str]:
    """The file with each of its breaks."""
    whole = (ROOT / file).read_text()
    return [mutant.applied_to(whole) for mutant in MUTANTS if mutant.file == file]


def test_every_mutant_fits_the_code_and_has_killers_that_exist() -> None:
    check(MUTANTS)

    assert len(MUTANTS) >= 50


def test_every_rule_and_every_line_of_the_policies_has_a_mutant() -> None:
    whole = guards((ROOT / INSTALL).read_text())
    assert len(whole) >= 26

    untouched = whole.intersection(*(guards(text) for text in broken(INSTALL)))

    assert untouched == set()


def test_every_guard_of_the_decision_has_a_mutant() -> None:
    def lines(text: str) -> set[str]:
        return {line for line in text.splitlines() if "holds=" in line}

    whole = lines((ROOT / RECONCILE).read_text())
    assert len(whole) >= 10

    assert whole.intersection(*(lines(text) for text in broken(RECONCILE))) == set()


def test_every_guarantee_is_threatened_by_some_mutant() -> None:
    threatened = {word for mutant in MUTANTS for word in mutant.threatens.replace(",", "").split()}

    assert {f"G{number}" for number in range(1, 9)} <= threatened


def test_a_mutant_is_of_the_level_of_its_killers() -> None:
    assert a_mutant("m", killers=("tests/unit/test_a.py",)).level is Level.UNIT
    assert a_mutant("m", killers=("tests/e2e/test_a.py::test_b", "tests/e2e/test_c.py")).level is Level.API_SERVER
    with pytest.raises(CatalogueError, match="its killers must all be of one level"):
        _ = a_mutant("m", killers=("tests/unit/test_a.py", "tests/e2e/test_b.py")).level


def test_a_killer_that_is_not_there_and_a_text_that_is_not_there_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "code_of_the_toy.py").write_text("nothing")

    with pytest.raises(CatalogueError) as caught:
        check([a_mutant("m", text="n")], tmp_path)

    assert "a-break: its text must occur exactly once" in str(caught.value)
    assert "a-break: there is no tests/unit/test_double.py" in str(caught.value)


def test_a_killer_that_was_renamed_is_told(tmp_path: Path) -> None:
    (tmp_path / "code_of_the_toy.py").write_text("n * 2")
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / KILLER).write_text("async def test_as_it_is_called_now() -> None: ...")

    check([a_mutant("m", killers=(KILLER, f"{KILLER}::test_as_it_is_called_now"))], tmp_path)
    with pytest.raises(CatalogueError, match=r"there is no tests/unit/test_double\.py::test_as_it_is_called$"):
        check([a_mutant("m", killers=(f"{KILLER}::test_as_it_is_called",))], tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "a list of mutants is expected"),
        ("- {id: a-b, killers: []}", "is no mutant"),
        ("- {id: a-b}", "is no mutant"),
    ],
)
def test_an_entry_that_can_not_be_meant_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "part.yaml").write_text(text)

    with pytest.raises(CatalogueError, match=words):
        load(tmp_path)


def test_two_mutants_of_one_id_are_told(tmp_path: Path) -> None:
    fields = {
        "id": "a-b",
        "breaks": "c",
        "threatens": "G1",
        "file": "f",
        "text": "t",
        "becomes": "u",
        "killers": ["tests/unit/t.py"],
    }
    (tmp_path / "part.yaml").write_text(yaml.safe_dump([fields, fields]))

    with pytest.raises(CatalogueError, match="two mutants of one id: a-b"):
        load(tmp_path)


def test_what_was_caught_is_recorded_and_a_survivor_is_not(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    caught, survivor = a_mutant("m", name="a-caught"), a_mutant("m", name="a-survivor")
    results.record([Verdict(mutant=survivor, outcome=Outcome.KILLED, test="before")], [caught, survivor], file)

    results.record(
        [
            Verdict(mutant=caught, outcome=Outcome.KILLED, test="a test"),
            Verdict(mutant=survivor, outcome=Outcome.SURVIVED),
        ],
        [caught, survivor],
        file,
    )

    assert {name: result.test for name, result in results.load(file).items()} == {"a-caught": "a test"}
    assert results.missing([caught, survivor], results.load(file)) == ["a-survivor"]


def test_a_result_of_another_break_is_none(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    mutant = a_mutant("m")

    results.record([Verdict(mutant=mutant, outcome=Outcome.KILLED, test="a test")], [mutant], file)

    assert results.missing([mutant], results.load(file)) == []
    assert results.missing([a_mutant("another")], results.load(file)) == ["a-break"]


def test_the_result_of_a_mutant_that_there_is_no_more_goes(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    mutant = a_mutant("m")
    results.record([Verdict(mutant=mutant, outcome=Outcome.KILLED, test="a test")], [mutant], file)

    results.record([], [], file)

    assert results.load(file) == {}
