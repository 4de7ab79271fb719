"""The same thing done to many items side by side, by any clock."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from serverless_dist.cloud.services import Clock

S = TypeVar("S")
T = TypeVar("T")


def map_beside(
    clock: Clock, function: Callable[[S], T], items: Sequence[S], *, limit: int
) -> list[T]:
    """Return what `function` makes of each item, doing `limit` of them at a time.

    All have ended when it returns, or raises what the first one of them has raised.

    Parameters
    ----------
    clock
        What `function` waits by, which also starts the others.
    function
        What to do.
    items
        What to do it to.
    limit
        How many are done at a time; the caller does some of them.

    Examples
    --------
    >>> from serverless_dist.cloud import SystemClock
    >>> map_beside(SystemClock(), abs, [-1, 2, -3], limit=2)
    [1, 2, 3]
    """
    left = deque(enumerate(items))
    results: list[Any] = [None] * len(items)
    failures: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                place, item = left.popleft()
            except IndexError:
                return
            try:
                results[place] = function(item)
            except BaseException as error:
                failures[place] = error

    others = [
        clock.start(work, "serverless_dist beside")
        for _ in range(min(limit, len(items)) - 1)
    ]
    work()
    for other in others:
        other.join()
    if failures:
        raise failures[min(failures)]
    return results
