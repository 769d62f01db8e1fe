"""A door to kmock, which is closed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.aio.client import Configuration

from longtask.shell.api import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kmock import RawHandler


@pytest.fixture
async def door(kmock: RawHandler) -> AsyncIterator[Api]:
    """Somebody's door; the mock does not ask whose."""
    api = Api(Configuration(host=str(kmock.url).rstrip("/")), request_seconds=2.0)
    yield api
    await api.close()
