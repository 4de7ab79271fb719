"""The inside of the process of a `LambdaHost`: it serves until its parent is gone."""

import asyncio
import os
import resource
import shutil
import signal
import sys
from contextlib import suppress

from serverless_dist.cloud.emulated_functions import LambdaSettings
from serverless_dist.testing.lambda_service import LambdaService


def main(parent: int) -> None:
    """Read settings from stdin, serve on a free port, end with process `parent`.

    The number of the port is written to stdout.
    """
    # A thousand environments take four descriptors each.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    settings = LambdaSettings.unpack(sys.stdin.buffer.readline())
    try:
        asyncio.run(_serve(settings, parent))
    finally:
        shutil.rmtree(settings.scratch, ignore_errors=True)


async def _serve(settings: LambdaSettings, parent: int) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    # The parent's end of stdin closes when it ends, however it ends, unless a fork
    # of it holds that end too.
    loop.add_reader(0, over.set)
    async with LambdaService(settings) as service:
        os.write(1, b"%d\n" % service.port)
        while os.getppid() == parent and not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1.0)
        loop.remove_reader(0)
