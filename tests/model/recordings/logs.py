"""A recording as a file: a header line, then one line for each version, in the order in which they were stored.

    {"scenario": "complete", "kubernetes": "v1.36.3", "flags": {...}, "script": "...", "actions": [...]}
    {"rv": 3, "t": 0.02, "by": "job-controller", "kind": "Pod", "object": {"name": "pod-1", ...}}

`rv` counts from the first version of the recording; a version that differs from the one before in nothing that is kept
(see slim.py) has no line of its own. `t` is when it arrived, in seconds. `gone` marks the last version of an object.
An action of the user names the `rv` that it made; null where it made none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.client import Body

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Line:
    """One version."""

    rv: int
    at: float
    by: str
    kind: str
    gone: bool
    body: Body

    def as_json(self) -> Body:
        """As it stands in the file."""
        gone = {"gone": True} if self.gone else {}
        return {"rv": self.rv, "t": self.at, "by": self.by, "kind": self.kind, **gone, "object": self.body}

    @classmethod
    def from_json(cls, line: Body) -> Line:
        """Out of the file."""
        gone = bool(line.get("gone"))
        return cls(rv=line["rv"], at=line["t"], by=line["by"], kind=line["kind"], gone=gone, body=line["object"])


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One scenario as it went on the real cluster."""

    header: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """Its scenario."""
        return str(self.header["scenario"])

    def write(self, folder: Path) -> Path:
        """Keep it; returns the file."""
        path = folder / f"{self.name}.jsonl"
        rows = [self.header, *(line.as_json() for line in self.lines)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    @classmethod
    def read(cls, path: Path) -> Recording:
        """A recording that was kept."""
        header, *lines = (json.loads(row) for row in path.read_text().splitlines())
        return cls(header=header, lines=tuple(Line.from_json(line) for line in lines))


def recordings(folder: Path = FOLDER) -> Iterator[Recording]:
    """All that there are, by name."""
    return (Recording.read(path) for path in sorted(folder.glob("*.jsonl")))
