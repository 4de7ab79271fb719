"""Who runs tasks in the benchmark: all start two workers and do the same things.

What a contender needs is imported when it starts, which is measured: each runs in an
environment that need not have what the others need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

WORKERS = 2
CHUNK = 50  # calls that travel together, where it is for the user to say
Function = Callable[[Any], Any]


class Counter:
    """What is made an actor."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        """Return how many calls there were, with this one."""
        self.count += 1
        return self.count


@dataclass(frozen=True, slots=True)
class Contender:
    """Runs functions in workers; what is None it cannot do.

    Attributes
    ----------
    submit
        Returns a ref for each item: of a task of its own that calls the function.
    collect
        Returns the values of refs.
    close
        Stops the workers.
    map
        Returns the function's results for all items, many of which travel together.
    make_actor
        Returns what calls a `Counter` so many times and returns what it said.
    put
        Returns a ref of a value.
    can_queue
        Whether thousands of tasks may wait.
    tasks, calls, trips
        How many tasks, calls of `map` and round trips are measured: as many as take
        some tenths of a second.
    """

    submit: Callable[[Function, Sequence[Any]], list[Any]]
    collect: Callable[[list[Any]], list[Any]]
    close: Callable[[], object]
    map: Callable[[Function, Sequence[Any]], list[Any]] | None = None
    make_actor: Callable[[], Callable[[int], list[Any]]] | None = None
    put: Callable[[Any], Any] | None = None
    can_queue: bool = True
    tasks: int = 2_000
    calls: int = 100_000
    trips: int = 500


def start_ours(sd: Any) -> Contender:
    """Start this package."""
    sd.init("local", workers=WORKERS)
    remote = cache(sd.remote)

    def submit(function: Function, items: Sequence[Any]) -> list[Any]:
        call = remote(function).remote
        return [call(item) for item in items]

    def make_actor() -> Callable[[int], list[Any]]:
        add = sd.remote(Counter).remote().add.remote
        return lambda calls: list(sd.get([add() for _ in range(calls)]))

    return Contender(
        submit=submit,
        collect=sd.get,
        close=sd.shutdown,
        map=lambda function, items: list(sd.map(remote(function), items)),
        make_actor=make_actor,
        put=sd.put,
        tasks=5_000,
    )


def start_ray(ray: Any) -> Contender:
    """Start Ray, without its dashboard."""
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    remote = cache(ray.remote)
    # Its workers are actors, which take both processors for good: `map` comes last.
    pool = cache(lambda: import_module("ray.util.multiprocessing").Pool(WORKERS))

    def submit(function: Function, items: Sequence[Any]) -> list[Any]:
        call = remote(function).remote
        return [call(item) for item in items]

    def make_actor() -> Callable[[int], list[Any]]:
        add = ray.remote(Counter).remote().add.remote
        return lambda calls: list(ray.get([add() for _ in range(calls)]))

    return Contender(
        submit=submit,
        collect=ray.get,
        close=ray.shutdown,
        map=lambda function, items: list(pool().map(function, items, chunksize=CHUNK)),
        make_actor=make_actor,
        put=ray.put,
    )


def start_dask(distributed: Any) -> Contender:
    """Start a scheduler in this process, and workers."""
    client = distributed.Client(
        n_workers=WORKERS, threads_per_worker=1, dashboard_address=None
    )

    def make_actor() -> Callable[[int], list[Any]]:
        add = client.submit(Counter, actor=True).result().add
        return lambda calls: [each.result() for each in [add() for _ in range(calls)]]

    return Contender(
        submit=lambda function, items: [
            client.submit(function, item, pure=False) for item in items
        ],
        collect=client.gather,
        close=client.close,
        make_actor=make_actor,
        put=client.scatter,
        tasks=500,
        trips=50,
    )


def start_pool(futures: Any) -> Contender:
    """Start what comes with Python."""
    pool = futures.ProcessPoolExecutor(WORKERS)
    return Contender(
        submit=lambda function, items: [pool.submit(function, item) for item in items],
        collect=lambda refs: [ref.result() for ref in refs],
        close=pool.shutdown,
        map=lambda function, items: list(pool.map(function, items, chunksize=CHUNK)),
        tasks=5_000,
    )


def start_lithops(lithops: Any) -> Contender:
    """Start Lithops' first kind of local executor: its second takes 20 times longer."""
    executor = lithops.FunctionExecutor(
        config={
            "lithops": {
                "backend": "localhost",
                "storage": "localhost",
                "log_level": "ERROR",
            },
            "localhost": {"worker_processes": WORKERS, "version": 1},
        }
    )

    def collect(refs: list[Any]) -> list[Any]:
        values = executor.get_result(refs)
        return [values] if len(refs) == 1 else values

    return Contender(
        submit=lambda function, items: [
            executor.call_async(function, item) for item in items
        ],
        collect=collect,
        close=executor.clean,
        map=lambda function, items: list(
            executor.get_result(executor.map(function, items))
        ),
        can_queue=False,
        tasks=20,
        calls=100,
        trips=3,
    )


STARTS: dict[str, tuple[str, Callable[[Any], Contender]]] = {
    "serverless_dist": ("serverless_dist", start_ours),
    "Ray": ("ray", start_ray),
    "dask": ("distributed", start_dask),
    "pool": ("concurrent.futures", start_pool),
    "Lithops": ("lithops", start_lithops),
}
"""What each contender imports, and how it is started with that."""
