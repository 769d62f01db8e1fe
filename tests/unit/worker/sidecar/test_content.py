"""A program's file as a string in the checkpoint, and back."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.worker.envelope import MAX_BYTES, wrap
from longtask.worker.errors import DataError
from longtask.worker.sidecar.content import LARGEST_FILE, Position, TooLarge, pack, unpack


def saved(content: bytes, *, done: int = 3, told: bool = False) -> str:
    return pack(Position(done=done, told=told, content=content))


@given(content=st.binary(max_size=2000), done=st.integers(min_value=0, max_value=2**53 - 1), told=st.booleans())
def test_what_goes_in_comes_out_byte_for_byte(content: bytes, done: int, told: bool) -> None:
    assert unpack(saved(content, done=done, told=told)) == Position(done=done, told=told, content=content)


def test_nothing_saved_yet_is_no_file_and_not_an_empty_one() -> None:
    assert unpack("") == Position(done=0, told=False, content=None)
    assert unpack(saved(b"")).content == b""


def test_text_can_be_read_by_whoever_looks_at_the_task() -> None:
    assert json.loads(saved(b"next: 17\n")) == {"longtask": 1, "done": 3, "file": {"text": "next: 17\n"}}


def test_text_that_is_too_long_is_compressed() -> None:
    long = b"0x00000000  0x1000  +\n" * 20_000

    data = saved(long)

    assert "zlib" in json.loads(data)["file"]
    assert len(data) < 3000
    assert unpack(data).content == long


@pytest.mark.parametrize("character", ["a", '"', "é", "\0"])
def test_nothing_longer_than_the_api_server_takes_is_ever_made(character: str) -> None:
    for length in (MAX_BYTES - 50, MAX_BYTES - 40, MAX_BYTES, MAX_BYTES + 1):
        assert len(saved((character * length).encode()).encode()) <= MAX_BYTES


def test_what_does_not_fit_is_refused_with_its_sizes() -> None:
    with pytest.raises(TooLarge, match=f"it has 40000 bytes, 5.... to save when compressed; {MAX_BYTES} is the limit"):
        saved(os.urandom(40_000))


@pytest.mark.parametrize(
    "data",
    [
        wrap(7, {"next": 3}),
        "no JSON",
        "[]",
        "{}",
        '{"longtask":2,"done":1,"file":{"text":""}}',
        '{"longtask":1,"done":-1,"file":{"text":""}}',
        '{"longtask":1,"done":true,"file":{"text":""}}',
        '{"longtask":1,"done":1,"file":{}}',
        '{"longtask":1,"done":1,"file":null}',
        '{"longtask":1,"done":1,"file":{"text":7}}',
        '{"longtask":1,"done":1,"file":{"zlib":"!"}}',
        '{"longtask":1,"done":1,"file":{"zlib":"AAAA"}}',
        "[" * 100_000,
    ],
)
def test_what_holds_no_file_is_refused_and_never_taken_for_nothing(data: str) -> None:
    with pytest.raises(DataError, match="holds no file"):
        unpack(data)


_SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["\ud800", "AAAA", 1])
_FILES = _SCALARS | st.lists(_SCALARS) | st.dictionaries(st.sampled_from(["text", "zlib", "x"]), _SCALARS)
_ENVELOPES = st.dictionaries(st.sampled_from(["longtask", "done", "told", "file", "schema"]), _SCALARS | _FILES)


@given(st.text() | (_ENVELOPES | _FILES).map(json.dumps))
def test_whatever_stands_there_is_a_position_or_refused(data: str) -> None:
    try:
        found = unpack(data)
    except DataError:
        return
    assert found.content is not None or not data


def test_a_file_that_was_cut_off_or_blown_up_is_refused() -> None:
    whole = json.loads(saved(os.urandom(5000)))
    cut = {**whole, "file": {"zlib": whole["file"]["zlib"][:400]}}
    with pytest.raises(DataError, match="holds no file"):
        unpack(json.dumps(cut))
    with pytest.raises(DataError, match="holds no file"):
        unpack(saved(b"\xff" + bytes(LARGEST_FILE)))


@pytest.mark.parametrize("name", ["../../run/secrets/token", "/etc/passwd", "0000000001-short", 7])
def test_a_file_in_the_volume_is_named_as_one(name: object) -> None:
    """Else whoever writes the data could have any file of the container put into the program's place."""
    entry = {"name": name, "size": 1, "sha256": "0" * 64}
    with pytest.raises(DataError, match="no file of the volume"):
        unpack(json.dumps({"longtask": 1, "done": 1, "file": {"object": entry}}))
