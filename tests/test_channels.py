"""Communicators over every channel and cloud of this machine, ranks being threads."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from serverless_dist.cloud import Meter
from serverless_dist.cloud.local import private_directory
from serverless_dist.comm import Communicator, Endpoint
from serverless_dist.runtime.channels import open_channel
from serverless_dist.testing.communicators import CommunicatorSuite
from serverless_dist.testing.transports import run_threads
from serverless_dist.wire import JobKey
from tests.test_transports import CLOUDS

KEY = JobKey(b"j" * 16, b"s" * 32)
PAIRS = [("direct", "memory")] + [
    (channel, cloud)
    for channel in ("queue", "object", "hybrid")
    for cloud in ("memory", "chaotic seed 1", "local")
]


@pytest.mark.parametrize(("channel", "cloud_name"), PAIRS)
class TestChannel(CommunicatorSuite):
    @pytest.fixture(autouse=True)
    def _choose(self, channel: str, cloud_name: str) -> Iterator[None]:
        self._channel, self._cloud_name = channel, cloud_name
        with ExitStack() as stack:
            self._stack = stack
            yield

    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        cloud = CLOUDS[self._cloud_name](self._stack, size)
        sockets = private_directory()
        self._stack.callback(shutil.rmtree, sockets)

        def rank(number: int) -> Any:
            transport = open_channel(
                self._channel,
                number,
                size,
                cloud=cloud,
                key=KEY,
                sockets=sockets,
                meter=Meter(),
            )
            with closing(transport), closing(Endpoint(transport)) as endpoint:
                return function(Communicator.world(endpoint))

        return run_threads(size, rank)
