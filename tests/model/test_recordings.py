"""The simulators can do what the real controllers and kubelets were recorded doing, and rest when they did.

Every recording is replayed; every break of the simulators is noticed by a recording; every name of the simulators is
among the steps that explained a write, or stands below with the reason why it can't be.
"""

from __future__ import annotations

import inspect
import linecache
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.model import garbage, job_controller, kubelet, storage
from tests.model.garbage import Collect
from tests.model.job_controller import CreatePod, DeletePod, DropFinalizer, UpdateStatus
from tests.model.objects import JobCondition
from tests.model.record import REST
from tests.model.recordings.faults import FAULTS, Fault
from tests.model.recordings.logs import Line, Recording, recordings
from tests.model.recordings.scenarios import SCENARIOS
from tests.model.recordings.stage import Stage
from tests.model.recordings.writers import CONTROLLERS, UNKNOWN
from tests.model.replay import Replay, replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType, ModuleType

ALL: Final = list(recordings())
MODULES: Final = (job_controller, kubelet, garbage, storage)


def test_every_scenario_has_been_recorded() -> None:
    assert {recording.name for recording in ALL} == set(SCENARIOS)


def test_it_is_known_who_made_every_write() -> None:
    assert {line.by for recording in ALL for line in recording.lines} & {UNKNOWN, CONTROLLERS} == set()


def test_every_word_of_every_script_is_known() -> None:
    words = {word for scenario in SCENARIOS.values() for word in scenario.words} - {REST}

    assert {word for word in words if not callable(getattr(Stage, word, None))} == set()


@pytest.mark.parametrize("recording", ALL, ids=lambda recording: recording.name)
def test_the_simulators_can_do_what_the_real_cluster_did(recording: Recording) -> None:
    found, steps = replay([recording])

    assert not found, "\n".join(map(str, found))
    assert steps["rest"] > 0, "it never came to rest, so nobody was asked whether something is left to do"


# --- coverage: no name of the simulators that no recording has tried

PARTS: Final = {
    "sync": "its writes are the steps",
    "report": "gives what the kubelet's other functions make",
    "may_delete": "says whether there is a last_delete",
    "counts_as_failure": "a part of counting",
    "fails_the_job": "a part of FailureTarget=True PodFailurePolicy",
    "drop_finalizer": "what DropFinalizer makes",
    "job_status_refused": "leaves no trace but a status that is never written; its faults are noticed",
}
"""Names that no step bears: what verifies them."""
UNRECORDED: Final = {
    "_how_it_finishes: return _SUCCESS": "the controller would have to end between its two writes of a success",
    "collect_job: return None": "a Job without an owner is not ours",
    "report_end: return pod": "nobody asks for the end of a pod that has ended",
}
"""Lines that no recording can reach, and why.

Two more are reached and never matter, because a Job of ours has one pod at a time: that a Job which finishes deletes
the pods that are active, and waits for those that are stopping.
"""


def test_every_behaviour_of_the_simulators_explains_a_recorded_write() -> None:
    _, steps = replay(ALL)
    words = set(re.findall(r"[\w=]+", " ".join(steps)))

    unverified = _names_of_behaviours() - words - PARTS.keys()

    assert unverified == set(), f"recorded nowhere: {unverified}; add a scenario, or say why that can't be"


def test_every_line_of_the_simulators_is_run_by_a_recording() -> None:
    run: set[tuple[str, int]] = set()

    def note(frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401 - itself, or None
        if frame.f_globals.get("__name__") not in {module.__name__ for module in MODULES}:
            return None
        run.add((frame.f_code.co_filename, frame.f_lineno))
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        replay(ALL)
    finally:
        sys.settrace(before)

    lines = {(code.co_filename, line): code.co_qualname for module in MODULES for code, line in _lines(module)}
    missed = {(name, linecache.getline(*where).strip()) for where, name in lines.items() if where not in run}
    assert {f"{name}: {text}" for name, text in missed} == UNRECORDED.keys()


def _lines(module: ModuleType) -> Iterator[tuple[CodeType, int]]:
    """The lines of a module's functions, without those of definitions."""
    for _, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__:
            code = function.__code__
            yield from ((code, line) for _, _, line in code.co_lines() if line not in (None, code.co_firstlineno))


def _names_of_behaviours() -> set[str]:
    functions = {
        name
        for module in MODULES
        for name, thing in inspect.getmembers(module, inspect.isfunction)
        if thing.__module__ == module.__name__ and not name.startswith("_")
    }
    writes = {write.__name__ for write in (CreatePod, DeletePod, DropFinalizer, UpdateStatus)}
    conditions = {f"{kind.value}=True" for kind in JobCondition} | {"Suspended=False"}
    reasons = {
        job_controller.BACKOFF_LIMIT_EXCEEDED,
        job_controller.POD_FAILURE_POLICY,
        job_controller.COMPLETIONS_REACHED,
    }
    return functions | writes | conditions | reasons | {collect.name for collect in Collect}


# --- teeth: what a wrong simulator would be noticed by


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_recording_notices_a_simulator_that(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, fault)

    assert any(Replay(recording).run() for recording in ALL)


def _break(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Put it in wherever the real function is known by its name."""
    real = next(getattr(module, fault.function) for module in MODULES if hasattr(module, fault.function))
    broken = fault.broken(real)
    for module in MODULES:
        if getattr(module, fault.function, None) is real:
            monkeypatch.setattr(module, fault.function, broken)


def test_a_difference_says_where_what_and_what_was_allowed() -> None:
    recording = next(recording for recording in ALL if recording.name == "complete")
    wrong = [
        _more_failures(line) if line.kind == "Job" and line.body.get("status", {}).get("succeeded") else line
        for line in recording.lines
    ]

    (difference,) = Replay(replace(recording, lines=tuple(wrong))).run()

    said = str(difference)
    assert said.startswith(f"complete, revision {wrong[-1].rv}, ")
    assert "job-controller" in said
    assert "failed: 0 becomes 1" in said
    assert "job controller: UpdateStatus job-1" in said


def _more_failures(line: Line) -> Line:
    return replace(line, body={**line.body, "status": {**line.body["status"], "failed": 1}})
