"""Time that a rank spends loading, told by its own code."""

from contextlib import AbstractContextManager

from serverless_dist.comm import get_world


def loading() -> AbstractContextManager[None]:
    """Return a context whose time counts as loading in the run's `Report`.

    For code that reads data or models before it computes; without it that is told as
    computing. What is sent or waited for in the block counts as that.

    >>> with loading():
    ...     weights = list(range(1_000))
    """
    return get_world().state.endpoint.stopwatch.loading()
