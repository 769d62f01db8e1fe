"""The table of values in the chart's README, from the comments in values.yaml."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from tests.generate.registry import ROOT, fill

VALUES: Final = "charts/longtask-operator/values.yaml"
README: Final = "charts/longtask-operator/README.md"

_DESCRIPTION: Final = re.compile(r"^(?P<indent> *)# -- (?P<text>.*)$")
_CONTINUED: Final = re.compile(r"^ *# (?P<text>.*)$")
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):")


def files() -> dict[str, str]:
    """Return the README with its table made anew."""
    text = (ROOT / VALUES).read_text()
    rows = [
        f"| `{path}` | {_cell(_value(yaml.safe_load(text), path))} | {description} |"
        for path, description in described(text).items()
    ]
    table = ["| Value | Default | What it is |", "| --- | --- | --- |", *rows]
    return {README: fill(README, "values", "\n".join(table))}


def described(text: str) -> dict[str, str]:
    """Return the description of every value that has one, by its dotted path, in the order of the file."""
    found: dict[str, str] = {}
    path: list[str] = []
    pending = ""
    for line in text.splitlines():
        if match := _DESCRIPTION.match(line):
            pending = match["text"]
        elif pending and (match := _CONTINUED.match(line)):
            pending += " " + match["text"]
        elif match := _KEY.match(line):
            path = [*path[: len(match["indent"]) // 2], match["key"]]
            if pending:
                found[".".join(path)] = pending
            pending = ""
    return found


def _value(values: Any, path: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    for key in path.split("."):
        values = values[key]
    return values


def _cell(value: object) -> str:
    return f"`{json.dumps(value)}`"
