"""Measure how fast one contender runs tasks that do nothing, with two workers.

    VENV/bin/python benchmarks/tasks_speed.py Ray speed
    VENV/bin/python benchmarks/tasks_speed.py Ray memory

It prints one line of JSON: seconds, or bytes, by case.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tasks_contenders import STARTS, WORKERS, Contender

Numbers = dict[str, float]
WARM = 50  # tasks before those that are measured
ACTOR_CALLS, PUTS = 2_000, 3
ARRAY = 100_000_000  # bytes
QUEUED = 10_000
SETTLED = 0.3  # seconds without growth: all has arrived where it is kept


def nothing(item: Any) -> Any:
    """Return the item."""
    return item


def wait_for(path: str) -> None:
    """Return when the file is there."""
    while not Path(path).exists():
        time.sleep(0.01)


def seconds_of(function: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def run_all(contender: Contender, count: int) -> None:
    """Run so many tasks; each has to return its own number."""
    refs = contender.submit(nothing, range(count))
    check(list(contender.collect(refs)), list(range(count)))


def check(came: Any, expected: Any) -> None:
    """Raise an error if a contender is fast but wrong."""
    if came != expected:
        msg = "the tasks returned something else than they should"
        raise RuntimeError(msg)


def start(name: str) -> tuple[Contender, Numbers]:
    """Return a contender that runs, and what its start took."""
    began = time.perf_counter()
    library, starter = STARTS[name]
    module = import_module(library)
    imported = time.perf_counter()
    contender = starter(module)
    ready = time.perf_counter()
    run_all(contender, 1)
    done = time.perf_counter()
    return contender, {
        "import": imported - began,
        "init": ready - imported,
        "first task": done - ready,
    }


def time_tasks(contender: Contender) -> Numbers:
    """Return the seconds of a task that is waited for, and of one of many."""
    run_all(contender, min(WARM, contender.tasks))
    trips = [seconds_of(lambda: run_all(contender, 1)) for _ in range(contender.trips)]
    many = seconds_of(lambda: run_all(contender, contender.tasks))
    return {
        "round trip": statistics.median(trips),
        "tasks one by one": many / contender.tasks,
    }


def time_map(contender: Contender) -> Numbers:
    """Return the seconds of a call that travels with others."""
    run = contender.map
    if run is None:
        return {}
    run(nothing, range(WORKERS))
    items = range(contender.calls)
    seconds = seconds_of(lambda: check(run(nothing, items), list(items)))
    return {"map": seconds / contender.calls}


def time_actor(contender: Contender) -> Numbers:
    """Return the seconds of a call that is waited for, and of one of many."""
    if contender.make_actor is None:
        return {}
    call = contender.make_actor()
    check(max(call(WARM)), WARM)  # dask does not keep their order
    trips = [seconds_of(lambda: call(1)) for _ in range(min(contender.trips, 200))]
    seconds = seconds_of(lambda: call(ACTOR_CALLS))
    check(call(1), [WARM + len(trips) + ACTOR_CALLS + 1])
    return {
        "actor round trip": statistics.median(trips),
        "actor calls": seconds / ACTOR_CALLS,
    }


def time_array(contender: Contender) -> Numbers:
    """Return the seconds that an array takes to be put, and to be got here."""
    put = contender.put
    if put is None:
        return {}
    array = np.random.default_rng(seed=8).random(ARRAY // 8)
    puts, gets = [], []
    for _ in range(PUTS):
        began = time.perf_counter()
        ref = put(array)
        is_put = time.perf_counter()
        came = contender.collect([ref])[0]
        gets.append(time.perf_counter() - is_put)
        puts.append(is_put - began)
        check(came[-1], array[-1])
        del came, ref
    return {
        "100 MB array put": statistics.median(puts),
        "100 MB array get": statistics.median(gets),
    }


def resident() -> int:
    """Return the bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def settle() -> int:
    """Return the memory of this process once it no longer grows."""
    most, since = resident(), time.perf_counter()
    while time.perf_counter() - since < SETTLED:
        time.sleep(0.02)
        if resident() > most:
            most, since = resident(), time.perf_counter()
    return most


def measure_memory(name: str) -> Numbers:
    """Return by how much this process grows with tasks that wait for a worker."""
    contender, _ = start(name)
    if not contender.can_queue:
        contender.close()
        return {}
    run_all(contender, WARM)
    with tempfile.TemporaryDirectory() as directory:
        mark = Path(directory) / "go"
        busy = contender.submit(wait_for, [str(mark)] * WORKERS)
        before = settle()
        queued = contender.submit(nothing, range(QUEUED))
        grown = settle() - before
        mark.touch()
        contender.collect(busy)
        check(list(contender.collect(queued)), list(range(QUEUED)))
    contender.close()
    return {"10,000 queued tasks": grown}


def measure_speed(name: str) -> Numbers:
    """Return the seconds of all cases that the contender can do."""
    contender, numbers = start(name)
    for measure in (time_tasks, time_actor, time_array, time_map):
        numbers |= measure(contender)
    contender.close()
    return numbers


def main() -> None:
    """Measure what the arguments name."""
    _, name, mode = sys.argv
    numbers = measure_memory(name) if mode == "memory" else measure_speed(name)
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
