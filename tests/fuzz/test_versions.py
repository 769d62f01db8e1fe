"""What a hostile or damaged status says of versions: never more than an error that says what to do, and never zero."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.worker.envelope import unwrap
from longtask.worker.errors import DataError
from longtask.worker.vault import FolderVault
from longtask.worker.versions import Rewind, open_data

NOWHERE = FolderVault(Path("/nowhere/at/all"))

scalars = st.none() | st.booleans() | st.integers(-1, 2**60) | st.text(max_size=20) | st.floats(allow_nan=False)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "sequence": st.integers(0, 9) | anything,
        "name": st.sampled_from(["0000000001-" + "0" * 64, "../../etc/passwd", ".hidden", ""]) | anything,
        "size": st.integers(0, 9) | anything,
        "sha256": st.text(max_size=70) | anything,
        "head": st.fixed_dictionaries({"longtask": st.just(1), "done": st.integers(0, 9)}) | anything,
        "file": st.just(True) | anything,
    },
)
envelopes = st.fixed_dictionaries(
    {"longtask": st.just(1), "kept": st.lists(entries, min_size=1, max_size=3) | anything},
    optional={"done": st.integers(0, 9), "state": anything, "file": anything},
)


@given(envelopes, st.none() | st.builds(Rewind, st.integers(0, 9), st.integers(0, 9)))
def test_a_list_of_versions_of_any_kind_is_read_or_refused_with_words(envelope: Any, rewind: Rewind | None) -> None:  # noqa: ANN401
    """No file is there, so there is nothing to go on from but what stands in the data itself."""
    try:
        opened = open_data(json.dumps(envelope), NOWHERE, rewind=rewind)
    except DataError:
        return
    assert opened.data, "something was saved, and this would be the beginning"
    if "state" not in envelope:
        with pytest.raises(DataError):
            unwrap(opened.data)


@given(st.text())
def test_data_of_any_kind_is_left_to_whoever_reads_it(data: str) -> None:
    assert open_data(data, NOWHERE).data == data or json.loads(data).get("kept") == []
