"""Which versions of what was saved are kept in a volume: a list in `checkpoint.data`, the newest first.

`{"longtask":1,"done":9,"state":…,"kept":[{"sequence":4,"name":…,"size":…,"sha256":…,"head":{…}},…]}`. What fits stands
in the data as well; otherwise `state` or `file` is missing there, and the newest version is gone on from. `head` is the
envelope of that version without its content. It must not know how data is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from longtask.worker.envelope import MAX_BYTES
from longtask.worker.errors import DamagedError, DataError
from longtask.worker.vault import stored_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from longtask.worker.vault import Stored, Vault

Json = dict[str, Any]

_CONTENT = ("state", "file")
_ENTRY = {"sequence": int, "name": str, "size": int, "sha256": str, "head": dict}


@dataclass(frozen=True, slots=True)
class Version:
    """One that is kept. `is_file`: it is a program's file as it was, otherwise the whole envelope."""

    sequence: int
    stored: Stored
    head: Json
    is_file: bool

    def to_json(self) -> Json:
        """Return the entry of the list."""
        entry: Json = {"sequence": self.sequence, "name": self.stored.name, "size": self.stored.size}
        entry |= {"sha256": self.stored.sha256, "head": self.head}
        return entry | ({"file": True} if self.is_file else {})


@dataclass(frozen=True, slots=True)
class Opened:
    """What is gone on from: the envelope, the versions that are left, and what was found to be damaged."""

    data: str
    versions: tuple[Version, ...]
    damage: str = ""


class Rewind(NamedTuple):
    """Go on from the version of that number, as long as none later than `over` is there."""

    sequence: int
    over: int


def file_data(head: Json, stored: Stored) -> str:
    """Return the envelope of a program's file that is in the vault."""
    entry = {"name": stored.name, "size": stored.size, "sha256": stored.sha256}
    return _text({**head, "file": {"object": entry}})


def version_of(data: str, sequence: int, vault: Vault) -> Version:
    """Keep that envelope in the vault, and return its version. Raises OSError."""
    envelope: Json = json.loads(data)
    head = {key: value for key, value in envelope.items() if key not in _CONTENT}
    placed = _object_of(envelope)
    if placed is not None:
        return Version(sequence, stored_in(placed), head, is_file=True)
    return Version(sequence, vault.put(data.encode()), head, is_file=False)


def _object_of(envelope: Json) -> Json | None:
    """Where in the vault a program's file is; None where the content stands in the envelope itself."""
    file = envelope.get("file")
    return file.get("object") if isinstance(file, dict) else None


def with_versions(data: str, versions: Sequence[Version]) -> str:
    """Return the data to save: with its content if that fits."""
    envelope: Json = json.loads(data) if len(data) <= MAX_BYTES else dict(versions[0].head)
    kept = {"kept": [version.to_json() for version in versions]}
    whole = _text({**envelope, **kept})
    return whole if len(whole.encode()) <= MAX_BYTES else _text({**versions[0].head, **kept})


def open_data(data: str, vault: Vault, *, rewind: Rewind | None = None) -> Opened:
    """Find what to go on from: the content in the data, or the newest version that is whole; or that of `rewind`.

    Raises DataError if there is none: to begin at zero must be asked for.
    """
    envelope = _parsed(data)
    versions = tuple(_version(entry) for entry in envelope.pop("kept", ()))
    sequence = None
    if rewind is not None and data and (not versions or versions[0].sequence <= rewind.over):
        sequence = rewind.sequence
    elif not versions:
        return Opened(data, ())
    elif any(key in envelope for key in _CONTENT) and _object_of(envelope) is None:
        return Opened(_text(envelope), versions)
    candidates = [version for version in versions if sequence in (None, version.sequence)]
    if not candidates:
        has = ", ".join(str(version.sequence) for version in versions) or "none"
        raise DataError(f"checkpoint {sequence} is not kept; kept are {has}: set spec.restartFrom to one that is")
    return _newest_whole(candidates, versions, vault)


def _newest_whole(candidates: Sequence[Version], versions: tuple[Version, ...], vault: Vault) -> Opened:
    problems = []
    for version in candidates:
        try:
            content = _content(version, vault)
        except DamagedError as error:
            problems.append(f"checkpoint {version.sequence} in the volume is damaged: {error}")
            continue
        damage = "; ".join([*problems, f"went on from checkpoint {version.sequence}"]) if problems else ""
        left = tuple(other for other in versions if other.sequence <= version.sequence)
        return Opened(content, left, damage)
    raise DataError(
        f"{'; '.join(problems)}. No version that could be gone on from is whole: put a good copy of the volume into "
        "its place, or begin anew with spec.restartFrom: Beginning and another spec.restartNonce"
    )


def _content(version: Version, vault: Vault) -> str:
    if version.is_file:
        vault.check(version.stored)
        return file_data(version.head, version.stored)
    return vault.read(version.stored).decode()


def _version(entry: Json) -> Version:
    return Version(entry["sequence"], stored_in(entry), entry["head"], is_file=entry.get("file") is True)


def _parsed(data: str) -> Json:
    """The envelope; an empty one for what has none: whoever reads that tells of it."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    kept = found.get("kept", [])
    return found if isinstance(kept, list) and all(_is_entry(entry) for entry in kept) else {}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(type(entry.get(key)) is kind for key, kind in _ENTRY.items())


def _text(envelope: Json) -> str:
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
