"""When the operator starts, when it refuses to, what it says of its health, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest

from longtask.shell import operator as composition
from longtask.shell.errors import Misconfigured
from tests.whole.rig import PATIENCE, cluster, install_guards, operated, process_of, start_operator

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


async def test_without_the_policies_it_refuses_to_start_and_says_what_to_do(mocker: MockerFixture) -> None:
    mocker.patch.object(composition, "_GUARD_PATIENCE", 0.0)
    async with cluster(guarded=False) as rig:
        rig.create()
        with pytest.raises(Misconfigured, match=r"validatingadmissionpolicies/longtask-status.*manifests/install.yaml"):
            await asyncio.wait_for(start_operator(rig), PATIENCE)

        assert rig.server.writes() == []


async def test_a_policy_that_only_audits_guards_nothing(mocker: MockerFixture) -> None:
    mocker.patch.object(composition, "_GUARD_PATIENCE", 0.0)
    async with cluster() as rig:
        binding = rig.store.get("validatingadmissionpolicybindings", "", "longtask-status")
        binding["spec"]["validationActions"] = ["Audit"]
        rig.store.put("validatingadmissionpolicybindings", binding)

        with pytest.raises(Misconfigured, match=r"longtask-status with validationActions: \[Deny\]"):
            await asyncio.wait_for(start_operator(rig), PATIENCE)


async def test_it_waits_a_moment_for_an_installation_in_progress() -> None:
    async with cluster(guarded=False) as rig:
        operator = start_operator(rig)
        await rig.until("it has asked for the policies", lambda: rig.server.calls)

        install_guards(rig.store)
        rig.create()
        await rig.until_state("Running")
        await _terminated(operator)


async def test_it_waits_until_discovery_shows_the_resource_which_kopf_asks_only_once() -> None:
    async with cluster() as rig:
        lagging = rig.server.fault(lambda call: call.path == "/apis/longtask.dev/v1alpha1", status=404, times=2)
        operator = start_operator(rig)
        rig.create()

        await rig.until_state("Running")

        assert lagging.met == 2
        await _terminated(operator)


async def test_a_policy_that_is_removed_ends_it() -> None:
    async with cluster() as rig:
        operator = start_operator(rig, sweep_seconds=0.1)
        rig.create()
        await rig.until_state("Running")
        rig.store.remove("validatingadmissionpolicybindings", "", "longtask-status")

        with pytest.raises(Misconfigured):
            await asyncio.wait_for(operator, PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_while_it_works(number: signal.Signals) -> None:
    async with cluster() as rig:
        operator = start_operator(rig)
        rig.create()
        await rig.until_state("Running")

        await _terminated(operator, number)


async def test_a_signal_ends_it_while_it_waits_for_the_api_server() -> None:
    async with cluster() as rig:
        rig.server.fault(lambda _: True, status=503, times=10_000)
        operator = start_operator(rig)
        await rig.until("it has asked for something", lambda: rig.server.calls)

        await _terminated(operator)


async def test_a_signal_ends_it_in_a_later_life() -> None:
    async with cluster() as rig:
        operator = start_operator(rig)
        rig.create()
        await rig.until_state("Running")
        rig.server.end_watches({"code": 500, "message": "fatal for kopf"})
        rig.want("Suspend")
        await rig.until_state("Suspended")

        await _terminated(operator)


async def test_it_is_ready_when_its_copies_are_full_and_stays_healthy_while_the_api_server_is_away() -> None:
    port = _free_port()
    async with cluster() as rig:
        pods = rig.server.fault(lambda call: call.plural == "pods", status=503, times=10_000)
        operator = start_operator(rig, health_port=port)
        await rig.until("it lists pods", lambda: pods.met)
        assert await _health(port) == {"/healthz": 200, "/readyz": 503}

        pods.times = 0
        rig.create()
        await rig.until_state("Running")
        assert await _health(port) == {"/healthz": 200, "/readyz": 200}

        rig.server.away = True
        rig.server.end_watches()
        assert await _health(port) == {"/healthz": 200, "/readyz": 200}
        await _terminated(operator)


@pytest.mark.parametrize("unknown", ["jobs", "pods"])
async def test_nothing_is_decided_before_both_copies_are_full(unknown: str) -> None:
    """What is not known yet would look like what is not there."""
    async with cluster() as rig:
        rig.create()
        lists = rig.server.fault(lambda call: call.plural == unknown, status=503, times=10_000)
        operator = start_operator(rig)
        await rig.until(
            "it sees the task", lambda: any(call.plural == "longtasks" and call.watch for call in rig.server.calls)
        )
        seen = lists.met
        await rig.until(f"it has asked for {unknown} again and again", lambda: lists.met >= seen + 4)
        assert rig.server.writes() == []

        lists.times = 0
        await rig.until_state("Running")
        await _terminated(operator)


async def test_a_port_that_is_taken_is_told() -> None:
    async with cluster() as rig:
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            with pytest.raises(Misconfigured, match="LONGTASK_HEALTH_PORT"):
                await asyncio.wait_for(start_operator(rig, health_port=taken.getsockname()[1]), PATIENCE)


async def test_the_process_ends_with_0_at_sigterm(tmp_path: Path) -> None:
    async with cluster() as rig, process_of(rig, tmp_path) as process:
        rig.create()
        await rig.until_state("Running")

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            _, errors = await process.communicate()

    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.decode().splitlines()]
    assert {"level": "INFO", "task": "night/import", "state": "Running"}.items() <= lines[-1].items()


async def test_the_process_ends_with_1_and_a_sentence_when_it_is_told_nonsense(tmp_path: Path) -> None:
    async with cluster() as rig, process_of(rig, tmp_path, LONGTASK_WORKERS="many") as process:
        async with asyncio.timeout(PATIENCE):
            _, errors = await process.communicate()

    assert process.returncode == 1
    assert "LONGTASK_WORKERS" in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_an_operator_that_is_started_again_goes_on_where_the_other_was() -> None:
    async with operated() as rig:
        rig.create()
        await rig.until_state("Running")

    async with cluster() as second:
        second.store.log, second.store.version = rig.store.log, rig.store.version
        second.store._objects = rig.store._objects
        second.want("Suspend")
        operator = start_operator(second)
        await second.until_state("Suspended")
        assert len(second.store.find("jobs")) == 1
        await _terminated(operator)


async def _terminated(operator: asyncio.Task[None], number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    await asyncio.wait_for(operator, PATIENCE)


async def _health(port: int) -> dict[str, int]:
    statuses = {}
    async with aiohttp.ClientSession() as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                statuses[path] = answer.status
    return statuses


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
