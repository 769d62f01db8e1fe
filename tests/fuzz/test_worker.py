"""The worker's boundaries: its file, its answers, its environment, its saved data, and how it ends."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtask.api.names import EXIT_NEVER_RETRY, EXIT_SAVED
from longtask.api.status import LongTaskStatus, Progress
from longtask.clock import ServerClock
from longtask.worker.api import LONGEST_RETRY_AFTER, Answer, _answer, _seconds
from longtask.worker.apistore import ApiStore
from longtask.worker.console import leave_message
from longtask.worker.endings import ending_of
from longtask.worker.envelope import DEEPEST, MAX_BYTES, unwrap, wrap
from longtask.worker.errors import (
    AlreadyDone,
    AwayError,
    DamagedError,
    DataError,
    LongTaskError,
    NeverRetry,
    StoppedEarly,
    TaskGoneError,
    UsageError,
)
from longtask.worker.filestore import FileStore, parse, render
from longtask.worker.progress import describe
from longtask.worker.settings import ClusterSettings, from_environment
from longtask.worker.store import Cause, Claim, Snapshot
from tests.fuzz.bodies import a_checkpoint_body, a_task_body
from tests.fuzz.effort import effort
from tests.fuzz.hostile import ANY_JSON, TEXTS, damaged, nested
from tests.unit.core.builders import HOLDER, UID

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
RECORD: Json = {"format": "longtask checkpoint 1", "task": "import", "checkpoint": a_checkpoint_body()}
SAVED = a_checkpoint_body()["data"]
ENVIRONMENT = {
    "LONGTASK_NAMESPACE": "team",
    "LONGTASK_NAME": "import",
    "LONGTASK_UID": UID,
    "LONGTASK_ATTEMPT": "1",
    "LONGTASK_POD_UID": HOLDER,
    "LONGTASK_GRACE_PERIOD_SECONDS": "60",
    "LONGTASK_API_SERVER": "https://10.0.0.1:6443",
}


# --- The local file ---


@contextlib.contextmanager
def a_file(content: bytes | None) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "work.checkpoint.json"
        if content is not None:
            path.write_bytes(content)
        yield path


def claimed(path: Path) -> Claim:
    store = FileStore(path, "import")
    try:
        return store.claim()
    finally:
        store.close()


@effort(60)
@given(
    st.binary(max_size=200) | damaged(RECORD).map(json.dumps).map(str.encode) | ANY_JSON.map(json.dumps).map(str.encode)
)
@example(b"")
@example(b"[" * 100_000)
@example(render({**RECORD, "checkpoint": None}))
def test_a_file_that_was_not_written_like_this_is_an_error_and_never_a_start_from_zero(content: bytes) -> None:
    with a_file(content) as path, pytest.raises(NeverRetry, match=r"damaged|belongs to"):
        claimed(path)


@pytest.mark.parametrize("offset", range(0, len(render(RECORD)), 7))
def test_a_file_cut_off_anywhere_is_damaged(offset: int) -> None:
    with pytest.raises(DamagedError):
        parse(render(RECORD)[:offset])


@effort(60)
@given(st.integers(0, len(render(RECORD)) - 1), st.integers(1, 255))
def test_a_single_wrong_byte_is_noticed_or_means_the_same(place: int, change: int) -> None:
    content = bytearray(render(RECORD))
    content[place] ^= change

    with contextlib.suppress(DamagedError):
        assert parse(bytes(content)) == parse(render(RECORD))


@effort(30)
@given(st.integers(0, 400))
def test_a_writer_that_dies_at_any_byte_leaves_the_old_position_or_the_new(offset: int) -> None:
    """The new content goes to a file of its own first: what a death leaves of it is never looked at."""
    with a_file(render(RECORD)) as path:
        path.with_name(f"{path.name}.new").write_bytes(render({**RECORD, "task": "import"})[:offset])

        claim = claimed(path)

        assert (claim.epoch, claim.sequence, claim.data) == (3, 7, SAVED)


# --- What is saved ---


@effort(80)
@given(st.integers(0, 2**53 - 1), ANY_JSON)
def test_what_can_be_saved_comes_back_as_it_went_and_all_else_is_refused_with_words(done: int, state: Any) -> None:  # noqa: ANN401
    try:
        data = wrap(done, state)
    except DataError as error:
        assert "save() returned" in str(error)  # noqa: PT017  most states can be saved
    else:
        assert unwrap(data) == (done, state)
        assert len(data.encode()) <= MAX_BYTES


@pytest.mark.parametrize(("levels", "fits"), [(DEEPEST - 1, True), (DEEPEST, False), (5000, False)])
def test_depth_has_a_limit_that_every_python_can_read_back(levels: int, fits: bool) -> None:
    if fits:
        assert unwrap(wrap(1, nested(levels))) == (1, nested(levels))
    else:
        with pytest.raises(DataError, match="levels deep"):
            wrap(1, nested(levels))


@pytest.mark.parametrize(("size", "fits"), [(MAX_BYTES - 40, True), (MAX_BYTES, False)])
def test_size_has_a_limit(size: int, fits: bool) -> None:
    if fits:
        assert unwrap(wrap(1, "x" * size)) == (1, "x" * size)
    else:
        with pytest.raises(DataError, match="too large"):
            wrap(1, "x" * size)


@effort(60)
@given(TEXTS | ANY_JSON.map(json.dumps) | damaged({"longtask": 1, "done": 7, "state": {"next": 7}}).map(json.dumps))
@example('{"longtask":1,"done":9007199254740992,"state":1}')
@example("[" * 100_000)
def test_saved_data_of_somebody_else_is_refused_and_never_a_start_from_zero(data: str) -> None:
    with contextlib.suppress(DataError):
        done, _ = unwrap(data)
        assert data == "" or json.loads(data)["done"] == done


# --- The API server ---


class Scripted:
    """A door behind which every request has the answer that it is given."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.clock = ServerClock()
        self.sent: list[Any] = []

    def get(self, _path: str, _seconds: float) -> Answer:
        return self._answers.pop(0)

    def patch(self, _path: str, operations: Any, _seconds: float) -> Answer:  # noqa: ANN401
        self.sent.append(operations[1]["value"])
        return self._answers.pop(0)


def a_store(*answers: Answer) -> tuple[ApiStore, Scripted]:
    door = Scripted(*answers)
    return ApiStore(door, from_environment(ENVIRONMENT)), door  # type: ignore[arg-type]


ANSWERS = st.builds(
    Answer,
    st.sampled_from([200, 201, 403, 404, 410, 422]),
    damaged(a_task_body()) | st.dictionaries(TEXTS, ANY_JSON, max_size=2) | st.just({"details": None}),
    TEXTS,
)


@effort(120)
@given(ANSWERS, ANSWERS)
@example(Answer(200, {**a_task_body(), "status": {"checkpoint": {"epoch": 2}}}, ""), Answer(200, {}, ""))
@example(Answer(200, {"metadata": None, "spec": {"desiredState": []}}, ""), Answer(200, {}, ""))
@example(Answer(404, {"details": None}, ""), Answer(200, {}, ""))
def test_a_claim_never_begins_at_zero_over_a_checkpoint_that_it_could_not_read(look: Answer, claim: Answer) -> None:
    store, door = a_store(look, claim)

    with contextlib.suppress(LongTaskError):
        store.claim()
    status = look.body.get("status")
    if door.sent and isinstance(status, dict) and status.get("checkpoint") is not None:
        assert door.sent[0]["data"] == status["checkpoint"]["data"]
        assert door.sent[0]["epoch"] == status["checkpoint"]["epoch"] + 1


@effort(100)
@given(ANSWERS, ANSWERS)
@example(Answer(422, {}, ""), Answer(200, {**a_task_body(), "status": {"checkpoint": [], "state": ["Complete"]}}, ""))
def test_a_save_counts_only_if_the_answer_has_it_and_ends_in_an_error_of_ours_otherwise(a: Answer, b: Answer) -> None:
    store, door = a_store(a, b)
    store._epoch = 2

    try:
        store.save(Snapshot(Cause.INTERVAL, "new", None, "2026-03-01T12:00:00Z"), 8, 1.0)
    except LongTaskError:
        pass
    else:
        assert door.sent[0] in [answer.body["status"]["checkpoint"] for answer in (a, b) if "status" in answer.body]


@effort(80)
@given(st.integers(100, 599), st.binary(max_size=80) | ANY_JSON.map(json.dumps).map(str.encode), TEXTS | st.none())
@example(200, b"[" * 100_000, "9" * 400)
def test_whatever_is_sent_has_words_and_a_wait_that_ends(status: int, text: bytes, retry_after: str | None) -> None:
    answer = _answer(status, text)

    assert answer.words
    seconds = _seconds(retry_after)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


# --- The environment ---


@effort(100)
@given(damaged(ENVIRONMENT, with_what=TEXTS | st.text(max_size=30)))
@example({**ENVIRONMENT, "LONGTASK_API_SERVER": "https://[::1"})
@example({**ENVIRONMENT, "LONGTASK_API_SERVER": "https://a:99999999"})
@example({**ENVIRONMENT, "LONGTASK_ATTEMPT": "1.5"})
@example({**ENVIRONMENT, "LONGTASK_NAME": "../../team2/longtasks/other"})
def test_settings_are_meant_or_named(environment: dict[str, str]) -> None:
    try:
        found = from_environment(environment)
    except UsageError as error:
        assert "LONGTASK_" in str(error) or "KUBERNETES_" in str(error) or "address" in str(error)  # noqa: PT017
    else:
        assert isinstance(found, ClusterSettings)
        assert found.path.count("/") == 7, "no name leads to another path"
        assert str(found.attempt) == environment["LONGTASK_ATTEMPT"].lstrip("0")


# --- How it ends ---


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("I have no words")


ERRORS = st.sampled_from(
    [Exception, OSError, LongTaskError, NeverRetry, AwayError, TaskGoneError, StoppedEarly, AlreadyDone]
)


@effort(60)
@given(st.builds(lambda kind, text: kind(text), ERRORS, TEXTS) | st.just(Mute()), st.booleans())
def test_every_end_has_a_code_of_the_contract_and_words(error: BaseException, stopped: bool) -> None:
    ending = ending_of(error, stopped=stopped)

    assert ending.line
    assert (ending.code, stopped) != (EXIT_NEVER_RETRY, True), "it would fail a suspended Job"
    assert (ending.code == 0) == isinstance(error, AlreadyDone)
    if ending.code == EXIT_SAVED:
        assert isinstance(error, StoppedEarly | TaskGoneError), "nothing that was not saved says so"


@effort(60)
@given(st.text(max_size=9000) | TEXTS, st.integers(1, 5))
def test_last_words_fit_and_keep_their_beginning_and_end(text: str, times: int) -> None:
    with a_file(b"") as path:
        leave_message(path, text * times)
        left = path.read_bytes()

    whole = (text * times).encode(errors="replace")
    assert len(left) <= 4096
    assert left.decode() == whole.decode() or (left[:900] == whole[:900] and left[-2000:] == whole[-2000:])


@effort(60)
@given(
    st.integers(0, 2**53 - 1),
    st.none() | st.integers(0, 2**53 - 1),
    st.text(max_size=2000),
    st.none() | st.floats(min_value=0),
)
def test_progress_of_any_size_is_what_the_resource_allows(
    done: int, total: int | None, message: str, rate: float | None
) -> None:
    progress = describe(done=done, total=total, message=message, rate=rate, now=1.8e9)

    assert Progress.model_validate(progress).done == done
    assert LongTaskStatus.model_validate({"progress": progress}).progress is not None
