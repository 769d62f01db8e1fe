"""The one door to the API server: every answer, every way to get none, token and certificates."""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from longtask.worker.api import CREDENTIALS_PATIENCE, Answer, Door
from longtask.worker.errors import AwayError
from tests.unit.worker.builders import pod_environment
from tests.unit.worker.standin import PATH, UID, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_mock import MockerFixture

TLS = Path(__file__).with_name("tls")


@pytest.fixture
def server() -> Iterator[StandIn]:
    """The stand-in, without TLS."""
    with StandIn() as server:
        yield server


@pytest.fixture
def door_to(tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Make doors with the credentials of pod 1, which trust an authority of tls/; they are closed at the end."""
    made: list[Door] = []

    def make(server: StandIn, authority: str = "", *, host: str = "127.0.0.1") -> Door:
        credentials = Path(pod_environment(server, tmp_path)["LONGTASK_CREDENTIALS"])
        if authority:
            shutil.copy(TLS / authority, credentials / "ca.crt")
        made.append(Door(server.url.replace("127.0.0.1", host), credentials))
        return made[-1]

    yield make
    for door in made:
        door.close()


def away(door: Door, seconds: float = 5.0) -> AwayError:
    """Ask, and return the error."""
    with pytest.raises(AwayError) as caught:
        door.get(PATH, seconds)
    return caught.value


def test_a_good_answer_is_the_object(server: StandIn, door_to: Callable[..., Door]) -> None:
    answer = door_to(server).get(PATH, 5.0)
    assert answer.ok
    assert answer.body["metadata"]["uid"] == UID


@pytest.mark.parametrize("ahead", [0.0, 7200.0, -7200.0])
def test_every_answer_tells_the_time_of_day(server: StandIn, door_to: Callable[..., Door], ahead: float) -> None:
    server.ahead = ahead
    door = door_to(server)
    door.get(PATH, 5.0)
    assert door.clock.now() == pytest.approx(time.time() + ahead, abs=10)


def test_a_patch_is_a_json_patch_with_our_name(
    server: StandIn, door_to: Callable[..., Door], mocker: MockerFixture
) -> None:
    request = mocker.spy(http.client.HTTPConnection, "request")
    operations = [{"op": "test", "path": "/metadata/uid", "value": "another"}]
    answer = door_to(server).patch(f"{PATH}/status", operations, 5.0)
    assert answer.status == 422
    assert "testing value /metadata/uid failed" in answer.words
    assert server.requests[0].content_type == "application/json-patch+json"
    assert server.requests[0].body == operations
    assert request.call_args.args[4]["User-Agent"].startswith("longtask-worker/")


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413, 422])
def test_a_refusal_is_an_answer_with_the_servers_words(
    server: StandIn, door_to: Callable[..., Door], status: int
) -> None:
    server.fail("GET", "status", status=status, words="only on Sundays")
    answer = door_to(server).get(PATH, 5.0)
    assert (answer.status, answer.ok, answer.words) == (status, False, "only on Sundays")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_be_better_next_time_is_no_answer(server: StandIn, door_to: Callable[..., Door], status: int) -> None:
    server.fail("GET", "status", status=status, words="overloaded")
    error = away(door_to(server))
    assert (str(error), error.patience, error.retry_after) == (f"{status}: overloaded", None, None)


def test_a_refused_token_is_borne_for_a_while(server: StandIn, door_to: Callable[..., Door]) -> None:
    server.pods.clear()
    error = away(door_to(server))
    assert error.patience == CREDENTIALS_PATIENCE
    assert "the token is refused (401): Unauthorized" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("soon", None), ("-1", None), ("Wed, 25 Nov 2026 20:00:00 GMT", None), ("²", None)],
)
def test_retry_after_counts_in_seconds(
    server: StandIn, door_to: Callable[..., Door], header: str, seconds: float | None
) -> None:
    server.fail("GET", "status", status=429, headers={"Retry-After": header})
    assert away(door_to(server)).retry_after == seconds


@pytest.mark.parametrize("kind", ["reset", "lose", "garbage"])
def test_no_answer_and_no_object_leave_the_outcome_unknown(
    server: StandIn, door_to: Callable[..., Door], kind: str
) -> None:
    server.fail("GET", kind)
    door = door_to(server)
    assert away(door).patience is None
    assert door.get(PATH, 5.0).ok


def test_a_server_that_never_answers_is_given_up_in_the_time_given(
    server: StandIn, door_to: Callable[..., Door]
) -> None:
    server.fail("GET", "hang")
    assert "timed out" in str(away(door_to(server), seconds=0.2))


def test_a_time_given_later_holds_on_a_connection_that_is_open(server: StandIn, door_to: Callable[..., Door]) -> None:
    door = door_to(server)
    door.get(PATH, 60.0)
    server.fail("GET", "hang")
    assert "timed out" in str(away(door, seconds=0.2))


def test_a_server_that_is_away_and_back_is_found_again(server: StandIn, door_to: Callable[..., Door]) -> None:
    door = door_to(server)
    door.get(PATH, 5.0)
    server.stop()
    assert server.url.removeprefix("http://") in str(away(door))
    assert "refused" in str(away(door))
    server.restart()
    assert door.get(PATH, 5.0).ok


def test_one_connection_serves_many_requests(
    server: StandIn, door_to: Callable[..., Door], mocker: MockerFixture
) -> None:
    connect = mocker.spy(http.client.HTTPConnection, "connect")
    door = door_to(server)
    for _ in range(3):
        door.get(PATH, 5.0)
    assert connect.call_count == 1


def test_the_token_is_read_for_every_request(server: StandIn, door_to: Callable[..., Door], tmp_path: Path) -> None:
    door = door_to(server)
    door.get(PATH, 5.0)
    server.pods["renewed"] = "pod-1"
    (tmp_path / "credentials-1" / "token").write_text("renewed")
    door.get(PATH, 5.0)
    assert [request.token for request in server.requests] == ["token-of-pod-1", "renewed"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_that_can_not_be_read_is_borne_for_a_while(
    server: StandIn, door_to: Callable[..., Door], tmp_path: Path, content: bytes | None
) -> None:
    door = door_to(server)
    token = tmp_path / "credentials-1" / "token"
    token.unlink() if content is None else token.write_bytes(content)
    error = away(door)
    assert error.patience == CREDENTIALS_PATIENCE
    assert "no token" in str(error)
    assert server.requests == []


def test_the_clusters_authority_is_trusted_and_no_other(door_to: Callable[..., Door]) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        assert door_to(server, "ca.crt").get(PATH, 5.0).ok
        assert "certificate verify failed" in str(away(door_to(server, "other-ca.crt")))
        assert len(server.requests) == 1


def test_a_certificate_is_good_for_its_address_only(door_to: Callable[..., Door]) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        assert "certificate" in str(away(door_to(server, "ca.crt", host="localhost")))


def test_an_authority_that_was_renewed_is_read_for_the_next_connection(
    door_to: Callable[..., Door], tmp_path: Path
) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        door = door_to(server, "other-ca.crt")
        away(door)
        shutil.copy(TLS / "ca.crt", tmp_path / "credentials-1" / "ca.crt")
        assert door.get(PATH, 5.0).ok


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_can_not_be_read_is_borne_for_a_while(
    door_to: Callable[..., Door], tmp_path: Path, content: str | None
) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        door = door_to(server)
        if content is not None:
            (tmp_path / "credentials-1" / "ca.crt").write_text(content)
        error = away(door)
        assert error.patience == CREDENTIALS_PATIENCE
        assert "no certificate authority" in str(error)


def test_certificates_need_not_be_as_strict_as_newer_pythons_ask(
    door_to: Callable[..., Door], mocker: MockerFixture
) -> None:
    strict = ssl.create_default_context(cafile=str(TLS / "plain-ca.crt"))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # the default since Python 3.13
    mocker.patch.object(ssl, "create_default_context", return_value=strict)
    with StandIn(certificate=TLS / "plain-server.pem") as server:
        assert door_to(server, "plain-ca.crt").get(PATH, 5.0).ok
    assert strict.verify_mode == ssl.CERT_REQUIRED
    assert strict.check_hostname


def test_no_proxy_is_asked(server: StandIn, door_to: Callable[..., Door], mocker: MockerFixture) -> None:
    mocker.patch.dict(os.environ, {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"})
    assert door_to(server).get(PATH, 5.0).ok


def test_ok_means_2xx() -> None:
    assert [status for status in (199, 200, 201, 299, 300, 404) if Answer(status, {}, "").ok] == [200, 201, 299]
