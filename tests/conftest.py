"""Servers that several test files share: each is started once and stopped after."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.emulated import EmulatedServer
from tests.ministack import find_ministack, started
from tests.watched import linked, no_thread_is_left, pool

__all__ = ["linked", "no_thread_is_left", "pool"]  # fixtures


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    with EmulatedServer() as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    venv = find_ministack()
    with started(venv, tmp_path_factory.mktemp("ministack")) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session", params=["moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> str:
    """The URL of an emulated AWS, of each kind in turn."""
    endpoint: str = request.getfixturevalue(f"{request.param}_endpoint")
    return endpoint


@pytest.fixture(scope="session")
def clients(emulator: str) -> Iterator[AwsClients]:
    with closing(AwsClients(None, emulator)) as clients:
        yield clients
