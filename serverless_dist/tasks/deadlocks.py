"""Whether tasks wait for each other in a circle, so that none can ever go on. Pure."""

from collections.abc import Callable, Iterable


def find_cycle(
    start: int, waits_for: Callable[[int], Iterable[int]]
) -> list[int] | None:
    """Return a circle of waits through a task; None: there is none.

    The circle begins with the task; each waits for the next, and the last one for the
    first. Every task that the first one waits for is looked at once, at any depth.

    Parameters
    ----------
    start
        The id of the task.
    waits_for
        Returns the ids of the tasks that all have to end before this one can go on.

    Examples
    --------
    >>> waits = {1: [4, 2], 2: [3], 3: [1], 4: []}
    >>> find_cycle(1, waits.__getitem__)
    [1, 2, 3]
    >>> find_cycle(4, waits.__getitem__) is None
    True
    """
    seen: set[int] = set()
    path = [start]
    branches = [iter(waits_for(start))]
    while branches:
        following = next(branches[-1], None)
        if following is None:
            branches.pop()
            path.pop()
        elif following == start:
            return path
        elif following not in seen:
            seen.add(following)
            path.append(following)
            branches.append(iter(waits_for(following)))
    return None
