"""What a caller may pass: every mistake is found before anything is sent."""

import operator
from collections.abc import Collection, Iterable
from typing import Any

from serverless_dist.comm.status import ANY_SOURCE, ANY_TAG, PROC_NULL
from serverless_dist.errors import UsageError

TAG_UB = 2**31 - 1
"""The largest tag."""

_SPECIAL = {ANY_SOURCE: "ANY_SOURCE", PROC_NULL: "PROC_NULL"}


def check_rank(role: str, value: int, size: int, allowed: Collection[int] = ()) -> int:
    """Return `value` as a rank below `size`, or one of the `allowed` special ones.

    Parameters
    ----------
    role
        What the caller calls it: "root", "dest", "source".
    value
        An integer of any type.
    size
        The number of ranks.
    allowed
        Those of `ANY_SOURCE` and `PROC_NULL` that make sense here.

    Raises
    ------
    UsageError
        If it is no such rank.

    >>> check_rank("root", 4, 4)
    Traceback (most recent call last):
        ...
    serverless_dist.errors.UsageError: root is 4, but it must be a rank from 0 to 3
    """
    rank = _integer(role, value)
    if 0 <= rank < size or rank in allowed:
        return rank
    special = "".join(f" or {_SPECIAL[rank]}" for rank in allowed)
    msg = f"{role} is {rank}, but it must be a rank from 0 to {size - 1}{special}"
    raise UsageError(msg)


def check_tag(value: int, *, any_tag: bool = False) -> int:
    """Return `value` as a tag, with `any_tag` also `ANY_TAG`.

    >>> check_tag(-7)
    Traceback (most recent call last):
        ...
    serverless_dist.errors.UsageError: tag is -7, but it must be from 0 to 2147483647
    """
    tag = _integer("tag", value)
    if 0 <= tag <= TAG_UB or (any_tag and tag == ANY_TAG):
        return tag
    special = " or ANY_TAG" if any_tag else ""
    msg = f"tag is {tag}, but it must be from 0 to {TAG_UB}{special}"
    raise UsageError(msg)


def check_items(call: str, items: Iterable[Any] | None, size: int) -> list[Any]:
    """Return the items as a list, one for each rank.

    >>> check_items("scatter", "abc", 4)
    Traceback (most recent call last):
        ...
    serverless_dist.errors.UsageError: scatter was given 3 items for 4 ranks
    """
    if not isinstance(items, Iterable):
        kind = type(items).__name__
        msg = f"{call} needs a sequence of {size} items, one for each rank, not {kind}"
        raise UsageError(msg)
    result = list(items)
    if len(result) != size:
        msg = f"{call} was given {len(result)} items for {size} ranks"
        raise UsageError(msg)
    return result


def check_distinct(role: str, ranks: Iterable[int], size: int) -> tuple[int, ...]:
    """Return the ranks, each below `size` and named once.

    >>> check_distinct("source", [2, 0, 2], 4)
    Traceback (most recent call last):
        ...
    serverless_dist.errors.UsageError: rank 2 is named more than once as a source
    """
    result = tuple(check_rank(role, rank, size) for rank in ranks)
    if len(set(result)) < len(result):
        twice = next(rank for rank in result if result.count(rank) > 1)
        msg = f"rank {twice} is named more than once as a {role}"
        raise UsageError(msg)
    return result


def _integer(role: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        msg = f"{role} is {value!r}, but it must be an integer"
        raise UsageError(msg) from error
