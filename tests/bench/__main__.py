"""Commands: `run` measures and writes results, report and plots; `report` writes the latter two anew; `check` compares
a small run with the recorded one.

    python -m tests.bench run                          # everything, an hour or more on a quiet machine
    python -m tests.bench run --quick --parts suspend  # a small run of one part, to try something out
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.bench import check, parts, report, results, runner
from tests.bench.machine import ROOT


def main() -> int:
    """Run the command and return its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end like Ctrl-C: everything is cleaned up
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, and write results, report and plots")
    run.add_argument("--quick", action="store_true", help="small sizes; nothing is recorded unless --out says where")
    run.add_argument("--parts", default=",".join(parts.MODULES), help="names with commas; default: %(default)s")
    run.add_argument("--out", type=Path, help=f"file to write; default: {results.RESULTS}")
    commands.add_parser("report", help="write report and plots from the recorded results")
    checking = commands.add_parser("check", help="compare the ratios of a small run with the recorded ones")
    checking.add_argument("--parts", default=",".join(parts.MODULES), help="names with commas; default: %(default)s")
    checking.add_argument("--recorded", type=Path, default=ROOT / results.RESULTS, help="default: %(default)s")
    given = parser.parse_args()
    names = [name for name in getattr(given, "parts", "").split(",") if name]
    if unknown := [name for name in names if name not in parts.MODULES]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts.MODULES)}")
    match given.command:
        case "run":
            return _run(names, given.out, quick=given.quick)
        case "check":
            if not given.recorded.exists():
                parser.error(f"nothing is recorded at {given.recorded}: `make bench` does that")
            return _check(names, given.recorded)
        case _:
            report.write_all(results.read(ROOT / results.RESULTS), ROOT / report.FOLDER)
            return 0


def _run(names: list[str], out: Path | None, *, quick: bool) -> int:
    """Exit code 1 if a part failed: the report says which, and what there is of the others."""
    with tempfile.TemporaryDirectory() as scratch:
        path = out or (Path(scratch) / "results.json" if quick else ROOT / results.RESULTS)
        measured = runner.run(names, path, quick=quick, say=_say)
        _print(report.goals(results.read(path)))
        if out or not quick:
            folder = path.parent if out else ROOT / report.FOLDER
            report.write_all(results.read(path), folder)
            _print(f"see {folder}/{report.NAME}")
    return 1 if any(part.error for part in measured.parts) else 0


def _check(names: list[str], recorded: Path) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        fresh = runner.run(names, Path(scratch) / "results.json", quick=True, say=_say)
    rows = check.compare(results.read(recorded), fresh)
    _print(check.table(rows))
    return 1 if check.failed(rows) else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
