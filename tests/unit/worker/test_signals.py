"""Stop requests: marks that are looked at between two batches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from longtask.worker.signals import Stop
from tests.unit.worker.fakes import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture


@pytest.fixture
def stop() -> Iterator[Stop]:
    """A stop that handles the signals of this process, and gives them back."""
    stop = Stop().install()
    yield stop
    stop.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_mark_and_interrupts_nothing(stop: Stop, number: signal.Signals) -> None:
    assert not stop.requested
    os.kill(os.getpid(), number)
    assert stop.requested


def test_the_time_to_stop_runs_from_the_first_request(stop: Stop, mocker: MockerFixture) -> None:
    clock = Clock()
    mocker.patch.object(time, "monotonic", clock)
    stop.seconds_to_live = 20.0
    assert stop.seconds_left() is None
    stop.request()
    clock.now += 5
    stop.request()
    assert stop.seconds_left() == 15.0
    clock.now += 60
    assert stop.seconds_left() == 0.0


def test_without_a_limit_there_is_no_time_to_run_out(stop: Stop) -> None:
    stop.request()
    assert stop.seconds_left() is None


def test_who_waits_is_woken(stop: Stop) -> None:
    threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGTERM]).start()
    assert stop.wait(60)


def test_a_wait_ends_without_a_request_too(stop: Stop) -> None:
    assert not stop.wait(0.01)
    assert not stop.wait(-1)


def test_a_wait_after_the_request_is_none(stop: Stop) -> None:
    stop.request()
    assert stop.wait(60)


def test_a_second_ctrl_c_aborts_where_a_person_sits_and_only_there(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    stop.second_aborts = True
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_sigterm_never_aborts_however_often(stop: Stop) -> None:
    stop.second_aborts = True
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested


def test_what_happens_now_is_said_once(stop: Stop, capfd: pytest.CaptureFixture[str]) -> None:
    stop.words = b"stopping after this batch\n"
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err == "stopping after this batch\n"


def test_a_handler_that_was_replaced_is_noticed_and_put_back(stop: Stop) -> None:
    assert not stop.reinstall()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert stop.reinstall()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested


def test_closing_gives_the_signals_back() -> None:
    stop = Stop().install()
    stop.close()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_closing_leaves_a_handler_of_somebody_else_alone() -> None:
    stop = Stop().install()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop.close()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


FORK = """
import os, signal, sys, time
from longtask.worker.signals import Stop
stop = Stop().install()
child = os.fork()
if not child:
    print(signal.getsignal(signal.SIGTERM).name, signal.getsignal(signal.SIGINT).name, flush=True)
    time.sleep(60)
sys.stdin.readline()
os.kill(child, signal.SIGINT)
os.kill(child, signal.SIGTERM)
print(signal.Signals(os.WTERMSIG(os.waitpid(child, 0)[1])).name, stop.requested)
"""


def test_a_forked_child_dies_of_sigterm_but_not_of_ctrl_c_and_asks_nobody_to_stop() -> None:
    with subprocess.Popen([sys.executable, "-c", FORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        try:
            assert parent.stdout.readline() == b"SIG_DFL SIG_IGN\n"
            assert parent.communicate(b"\n", 20)[0] == b"SIGTERM False\n"
        finally:
            parent.kill()


def test_only_the_main_thread_can_install_it() -> None:
    caught: list[ValueError] = []

    def install() -> None:
        stop = Stop()
        try:
            stop.install()
        except ValueError as error:
            caught.append(error)
        stop.close()

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert len(caught) == 1
