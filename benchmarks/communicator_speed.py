"""Measure what messages take: a plain MPI script, for whatever runs it.

    mpiexec -n 2 python benchmarks/communicator_speed.py round-trip 8:500 1048576:30
    mpiexec -n 4 python benchmarks/communicator_speed.py allreduce 8:500
    mpiexec -n 4 python benchmarks/communicator_speed.py start $(date +%s.%N)

A case is bytes and how often to measure them. Rank 0 prints one line of JSON: the
median seconds of each case.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

Seconds = dict[str, float]


def time_round_trip(
    comm: MPI.Comm,
    send: Callable[[Any], None],
    receive: Callable[[], Any],
    data: Any,
    repeats: int,
) -> float:
    """Return the seconds until what rank 0 sends is back from rank 1."""
    times = []
    size = len(memoryview(data).cast("B"))
    comm.Barrier()
    for _ in range(repeats):
        began = time.perf_counter()
        if comm.rank == 0:
            send(data)
            came = receive()
        else:
            came = receive()
            send(came)
        times.append(time.perf_counter() - began)
        if len(memoryview(came).cast("B")) != size:
            msg = f"{size} bytes were sent, others came"
            raise RuntimeError(msg)
    return statistics.median(times)


def with_pickle_5(comm: MPI.Comm) -> Any:
    """Return the communicator that sends arrays out of band, if it is there."""
    try:
        from mpi4py.util import pkl5
    except ImportError:
        return None
    return pkl5.Intracomm(comm)


def measure_round_trip(comm: MPI.Comm, size: int, repeats: int) -> Seconds:
    """Return what a round trip of objects and buffers takes, by kind and bytes."""
    peer = 1 - comm.rank
    array, landing = np.zeros(size // 8), np.empty(size // 8)

    def receive_buffer() -> Any:
        comm.Recv(landing, peer)
        return landing

    def receive() -> Any:
        return comm.recv(source=peer)

    ways: dict[str, tuple[Callable[[Any], None], Callable[[], Any], Any]] = {
        "bytes": (lambda obj: comm.send(obj, peer), receive, bytes(size)),
        "array": (lambda obj: comm.send(obj, peer), receive, array),
        "buffer": (lambda buffer: comm.Send(buffer, peer), receive_buffer, array),
    }
    other = with_pickle_5(comm)
    if other is not None:
        ways["pkl5"] = (
            lambda obj: other.send(obj, peer),
            lambda: other.recv(source=peer),
            array,
        )
    return {
        f"{kind} {size}": time_round_trip(comm, send, receive, data, repeats)
        for kind, (send, receive, data) in ways.items()
    }


def measure_allreduce(comm: MPI.Comm, size: int, repeats: int) -> Seconds:
    """Return what an Allreduce of float64 takes, by bytes."""
    mine, total = np.ones(size // 8), np.empty(size // 8)
    times = []
    for _ in range(repeats):
        comm.Barrier()
        began = time.perf_counter()
        comm.Allreduce(mine, total, op=MPI.SUM)
        times.append(time.perf_counter() - began)
    if not (total == comm.size).all():
        msg = f"{comm.size} ones were added up to {total}"
        raise RuntimeError(msg)
    return {f"{size}": statistics.median(times)}


def main() -> None:
    """Measure what the arguments say."""
    here = time.time()
    comm = MPI.COMM_WORLD
    seconds: Seconds = {}
    match sys.argv[1:]:
        case ["round-trip" | "allreduce" as what, *cases]:
            call = measure_round_trip if what == "round-trip" else measure_allreduce
            for case in cases:
                size, repeats = map(int, case.split(":"))
                seconds |= call(comm, size, repeats)
        case ["start", launched]:
            seconds["start"] = comm.allreduce(here, op=MPI.MAX) - float(launched)
        case _:
            sys.exit("give round-trip, allreduce, or start and the time of the launch")
    if comm.rank == 0:
        print(json.dumps(seconds))


if __name__ == "__main__":
    main()
