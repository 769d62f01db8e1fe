"""How requests are counted in an audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.bench.audit import Account, count, reads, told, writes

if TYPE_CHECKING:
    from pathlib import Path

OPERATOR = "system:serviceaccount:longtask-system:longtask-operator"


def line(
    verb: str = "patch", resource: str = "longtasks", *, user: str = OPERATOR, code: int = 200, sub: str = ""
) -> bytes:
    """A line of an audit log."""
    ref = {"resource": resource, "name": "import"} | ({"subresource": sub} if sub else {})
    entry = {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "objectRef": ref,
        "responseStatus": {"code": code},
    }
    return json.dumps(entry).encode() + b"\n"


def test_requests_are_told_apart_by_verb_subresource_and_answer() -> None:
    lines = [line(sub="status"), line(sub="status"), line(sub="status", code=409), line("create", "jobs", code=201)]
    assert count(lines, OPERATOR) == {
        ("patch", "longtasks/status", 200): 2,
        ("patch", "longtasks/status", 409): 1,
        ("create", "jobs", 201): 1,
    }


def test_only_the_user_s_own_requests_count() -> None:
    speaks_of_it = line(user="admin").replace(b"import", OPERATOR.encode())
    assert count([line(user="admin"), line(user=f"{OPERATOR}-2"), speaks_of_it], OPERATOR) == {}


def test_a_request_counts_once_though_a_watch_is_logged_in_two_stages() -> None:
    begun = line("watch", "jobs").replace(b"ResponseComplete", b"ResponseStarted")
    assert count([begun, line("watch", "jobs")], OPERATOR).total() == 1


def test_a_line_that_is_only_half_written_is_left_for_the_next_look() -> None:
    assert count([line(), line()[:-20]], OPERATOR).total() == 1


def test_refused_writes_are_writes_and_reads_are_not() -> None:
    calls = count([line(code=409), line("delete", "jobs"), line("get", code=404), line("list", "pods")], OPERATOR)
    assert (writes(calls), reads(calls)) == (2, 2)


def test_what_was_refused_is_told_with_its_code_and_the_most_frequent_first() -> None:
    calls = count([line("create", "jobs", code=409), line(sub="status"), line(sub="status")], OPERATOR)
    assert told(calls) == "2 patch longtasks/status, 1 create jobs (409)"


def test_an_account_has_only_what_came_after_it_was_opened(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line())
    account = Account(log, OPERATOR)
    assert account.calls().total() == 0
    with log.open("ab") as more:
        more.write(line("create", "jobs"))
    assert account.calls() == {("create", "jobs", 200): 1}
