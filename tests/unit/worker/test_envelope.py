"""What is saved, as a string: the user's state in an envelope of the library's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.worker.envelope import MAX_BYTES, unwrap, wrap
from longtask.worker.errors import DataError
from longtask.worker.sidecar.content import Position, pack

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(state=JSON, done=st.integers(min_value=0, max_value=2**53 - 1))
def test_what_goes_in_comes_out(state: Any, done: int) -> None:  # noqa: ANN401
    assert unwrap(wrap(done, state)) == (done, state)


def test_nothing_saved_yet_is_no_state() -> None:
    assert unwrap("") == (0, None)


def test_a_tuple_comes_back_as_a_list_as_json_has_it() -> None:
    assert unwrap(wrap(1, {"pair": (1, 2)})) == (1, {"pair": [1, 2]})


def test_as_much_as_the_api_server_takes_fits_and_one_byte_more_does_not() -> None:
    overhead = len(wrap(0, ""))
    assert len(wrap(0, "x" * (MAX_BYTES - overhead))) == MAX_BYTES
    with pytest.raises(DataError, match=f"{MAX_BYTES + 1} bytes .*the limit is {MAX_BYTES}"):
        wrap(0, "x" * (MAX_BYTES - overhead + 1))


def test_size_counts_bytes_not_characters() -> None:
    with pytest.raises(DataError, match="too large: 40"):
        wrap(0, "é" * 20_000)


def nested(depth: int) -> list[Any]:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def circle() -> list[Any]:
    """Return a list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (float("nan"), "not JSON compliant"),
        (float("inf"), "not JSON compliant"),
        (object(), "object"),
        ("\ud800", "surrogates"),
        (circle(), "100 levels deep"),
        (nested(20_000), "100 levels deep"),
        ({1: "a"}, "state has the key 1, no string"),
        ({"rows": [{"a": {2: 1}}]}, r"state\['rows'\]\[0\]\['a'\] has the key 2"),
        ({None: 1}, "key None"),
    ],
)
def test_what_json_can_not_hold_or_would_change_is_refused_and_named(state: object, words: str) -> None:
    with pytest.raises(DataError, match=f"can't be written as JSON.*{words}"):
        wrap(0, state)


@pytest.mark.parametrize("data", ["row 17", "17", "null", "[]", "{}", '{"next":1}', "{", "[" * 100_000, '"longtask"'])
def test_data_of_another_program_is_refused_and_never_taken_for_a_start(data: str) -> None:
    with pytest.raises(DataError, match="not written by this library"):
        unwrap(data)


@pytest.mark.parametrize(
    "envelope",
    [
        {"longtask": 2, "done": 1, "state": None},
        {"longtask": 1, "done": 1},
        {"longtask": 1, "state": 1},
        {"longtask": 1, "done": -1, "state": 1},
        {"longtask": 1, "done": True, "state": 1},
        {"longtask": 1, "done": "1", "state": 1},
    ],
)
def test_another_version_of_the_envelope_is_refused(envelope: dict[str, object]) -> None:
    with pytest.raises(DataError, match="use the version that has saved it"):
        unwrap(json.dumps(envelope))


def test_a_programs_file_is_no_state_and_the_words_say_so() -> None:
    with pytest.raises(DataError, match=r"a program's file \(spec.checkpoint.file\)"):
        unwrap(pack(Position(done=1, told=False, content=b"at 40")))
