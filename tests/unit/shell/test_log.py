"""The log: a JSON object a line, with fields; kopf speaks only when something is wrong."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from longtask.shell.log import JsonFormatter, TextFormatter, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    root, kopf = logging.getLogger(), logging.getLogger("kopf")
    before = root.handlers[:], root.level, kopf.level
    yield
    root.handlers[:], root.level, kopf.level = before


def a_record(message: str = "resumed %s", *args: object, **extra: Any) -> logging.LogRecord:  # noqa: ANN401
    return logging.getLogger("longtask").makeRecord(
        "longtask", logging.INFO, "file.py", 1, message, args or ("import",), None, extra=extra
    )


def test_a_line_is_json_with_the_fields_beside_the_message() -> None:
    line = json.loads(JsonFormatter().format(a_record(task="team/import", attempt=2)))

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "longtask",
        "message": "resumed import",
        "task": "team/import",
        "attempt": 2,
    }


def test_a_message_over_many_lines_is_one_line() -> None:
    assert "\n" not in JsonFormatter().format(a_record("first\nsecond %s"))


def test_a_field_that_json_does_not_know_is_written_as_text() -> None:
    line = json.loads(
        JsonFormatter().format(
            a_record(
                task={
                    "a",
                },
                where=object,
            )
        )
    )

    assert line["task"] == "{'a'}"


def test_a_traceback_is_a_field() -> None:
    record = a_record()
    record.exc_info = (ZeroDivisionError, ZeroDivisionError("by nothing"), None)

    assert "ZeroDivisionError" in json.loads(JsonFormatter().format(record))["exception"]


def test_what_kopf_passes_to_itself_is_no_field() -> None:
    line = json.loads(JsonFormatter().format(a_record(settings=object(), k8s_skip=True, k8s_ref={"name": "import"})))

    assert line.keys() == {"time", "level", "logger", "message", "k8s_ref"}


def test_text_has_the_fields_behind_the_message() -> None:
    assert TextFormatter("%(message)s").format(a_record(task="team/import")) == "resumed import task=team/import"


@pytest.mark.parametrize(("level", "expected"), [("INFO", logging.WARNING), ("ERROR", logging.ERROR)])
def test_kopf_speaks_only_when_something_is_wrong(level: str, expected: int) -> None:
    set_up_logging(level, "json")

    assert logging.getLogger("kopf").level == expected


@pytest.mark.parametrize(("style", "kind"), [("json", JsonFormatter), ("text", TextFormatter)])
def test_there_is_one_handler_in_the_style_that_is_asked_for(style: str, kind: type) -> None:
    set_up_logging("INFO", style)

    (handler,) = logging.getLogger().handlers
    assert type(handler.formatter) is kind
