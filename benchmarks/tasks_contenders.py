"""Who runs tasks in the benchmark: each starts two workers and does the same things.

Names of libraries are imported when a contender starts, which is measured; each runs in
a virtual environment that may have no other.
"""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any

WORKERS = 2
Function = Callable[[Any], Any]


class Counter:
    """What is made an actor."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        """Return how many calls there were, with this one."""
        self.count += 1
        return self.count


class Contender(ABC):
    """Runs functions in workers.

    Attributes
    ----------
    tasks, calls
        How many tasks and calls of `map` are measured at once: as many as take some
        tenths of a second.
    trips
        How many round trips are measured.
    """

    tasks, calls, trips = 2_000, 100_000, 500

    @abstractmethod
    def load(self) -> None:
        """Import what is needed."""

    @abstractmethod
    def start(self) -> None:
        """Start the workers, as far as that is done before there is a task."""

    @abstractmethod
    def submit(self, function: Function, items: Sequence[Any]) -> list[Any]:
        """Return a ref for each item, of the function of it."""

    @abstractmethod
    def collect(self, refs: list[Any]) -> list[Any]:
        """Return the values of refs."""

    @abstractmethod
    def close(self) -> None:
        """Stop the workers."""

    def submit_each(self, function: Function, items: Sequence[Any]) -> list[Any]:
        """Return the results of the function of each item, which may travel together.

        Raises
        ------
        NotImplementedError
            Tasks only travel one by one.
        """
        raise NotImplementedError

    def make_actor(self) -> Callable[[int], list[Any]]:
        """Return what calls a counter so many times, and returns what it said.

        Raises
        ------
        NotImplementedError
            There are no actors.
        """
        raise NotImplementedError

    def put(self, value: Any) -> Any:
        """Return a ref of a value; the other methods know it.

        Raises
        ------
        NotImplementedError
            A value is only an argument or a result.
        """
        raise NotImplementedError


class ServerlessDist(Contender):
    """This package."""

    tasks = 5_000

    def load(self) -> None:  # noqa: D102
        self._sd = import_module("serverless_dist")
        self._remote: dict[Function, Any] = {}

    def start(self) -> None:  # noqa: D102
        self._sd.init("local", workers=WORKERS)

    def submit(self, function: Function, items: Sequence[Any]) -> list[Any]:  # noqa: D102
        if function not in self._remote:
            self._remote[function] = self._sd.remote(function)
        call = self._remote[function].remote
        return [call(item) for item in items]

    def collect(self, refs: list[Any]) -> list[Any]:  # noqa: D102
        values: list[Any] = self._sd.get(refs)
        return values

    def close(self) -> None:  # noqa: D102
        self._sd.shutdown()

    def submit_each(self, function: Function, items: Sequence[Any]) -> list[Any]:  # noqa: D102
        return list(self._sd.map(self._sd.remote(function), items))

    def make_actor(self) -> Callable[[int], list[Any]]:  # noqa: D102
        add = self._sd.remote(Counter).remote().add.remote
        return lambda calls: self.collect([add() for _ in range(calls)])

    def put(self, value: Any) -> Any:  # noqa: D102
        return self._sd.put(value)


class Ray(Contender):
    """Ray on this machine."""

    def load(self) -> None:  # noqa: D102
        self._ray = import_module("ray")
        self._remote: dict[Function, Any] = {}

    def start(self) -> None:  # noqa: D102
        self._ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )

    def submit(self, function: Function, items: Sequence[Any]) -> list[Any]:  # noqa: D102
        if function not in self._remote:
            self._remote[function] = self._ray.remote(function)
        call = self._remote[function].remote
        return [call(item) for item in items]

    def collect(self, refs: list[Any]) -> list[Any]:  # noqa: D102
        values: list[Any] = self._ray.get(refs)
        return values

    def close(self) -> None:  # noqa: D102
        self._ray.shutdown()

    def submit_each(self, function: Function, items: Sequence[Any]) -> list[Any]:  # noqa: D102
        pools = import_module("ray.util.multiprocessing")
        with pools.Pool(WORKERS) as pool:
            pool.map(function, range(WORKERS))  # its workers are actors: they start
            values: list[Any] = pool.map(function, items, chunksize=CHUNK)
        return values

    def make_actor(self) -> Callable[[int], list[Any]]:  # noqa: D102
        add = self._ray.remote(Counter).remote().add.remote
        return lambda calls: self.collect([add() for _ in range(calls)])

    def put(self, value: Any) -> Any:  # noqa: D102
        return self._ray.put(value)
