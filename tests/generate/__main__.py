"""`python -m tests.generate` writes every generated file; with `--check` it fails when one of them is not current."""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from itertools import islice

from tests.generate.registry import MARK, ROOT, generated_files

DIFF_LINES = 40


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not current")
    check: bool = parser.parse_args().check
    files = generated_files()
    changed = {path: content for path, content in files.items() if _current(path) != content}
    orphans = [path for path in _marked_files() if path not in files]
    if check:
        return _report(changed, orphans)
    for path, content in changed.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content)
        print(f"wrote {path}")  # noqa: T201 - a command prints
    for path in orphans:
        (ROOT / path).unlink()
        print(f"removed {path}, which nothing generates any more")  # noqa: T201
    return 0


def _current(path: str) -> str | None:
    file = ROOT / path
    return file.read_text() if file.is_file() else None


def _marked_files() -> list[str]:
    """Return the files of the repository whose first line says that they are generated."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [path for path in listed if path.endswith((".yaml", ".yml")) and _is_marked(path)]


def _is_marked(path: str) -> bool:
    return (_current(path) or "").partition("\n")[0].startswith(f"# {MARK}")


def _report(changed: dict[str, str], orphans: list[str]) -> int:
    for path, content in changed.items():
        before = _current(path) or ""
        diff = difflib.unified_diff(
            before.splitlines(keepends=True), content.splitlines(keepends=True), path, "generated", n=1
        )
        sys.stdout.writelines(islice(diff, DIFF_LINES))
    for path in orphans:
        print(f"{path}: nothing generates it any more")  # noqa: T201
    if changed or orphans:
        print(f"Not current: {', '.join([*changed, *orphans])}. `make generate` writes them anew.")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
