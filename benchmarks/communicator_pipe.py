"""The round trips of `multiprocessing.Pipe`, as a measure of what sockets can do."""

import statistics
import time
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np


def echo(pipe: Connection, cases: Mapping[int, int]) -> None:
    """Send back what `measure_pipe` sends."""
    for size, repeats in cases.items():
        landing = np.empty(size // 8)
        for _ in range(2 * repeats):
            pipe.send(pipe.recv())
        for _ in range(repeats):
            pipe.recv_bytes_into(landing)
            pipe.send_bytes(landing.data)


def measure_pipe(cases: Mapping[int, int]) -> dict[str, float]:
    """Return the median seconds of round trips by kind and bytes.

    `cases` says how often to measure each number of bytes.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=echo, args=(there, cases))
    process.start()
    seconds = {}

    def exchange(obj: Any) -> None:
        here.send(obj)
        here.recv()

    def exchange_buffer(array: Any) -> None:
        here.send_bytes(array.data)
        here.recv_bytes_into(array)

    for size, repeats in cases.items():
        array = np.zeros(size // 8)
        for kind, call, data in (
            ("bytes", exchange, bytes(size)),
            ("array", exchange, array),
            ("buffer", exchange_buffer, array),
        ):
            times = []
            for _ in range(repeats):
                began = time.perf_counter()
                call(data)
                times.append(time.perf_counter() - began)
            seconds[f"{kind} {size}"] = statistics.median(times)
    process.join()
    return seconds
