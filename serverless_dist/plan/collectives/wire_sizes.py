"""How large what travels is: frames, crates and pointers, from their parts' sizes.

The sizes are those of the real ones as long as no stream has had 128 messages, and
those of a multicast have had as many.
"""

from collections.abc import Sequence

from serverless_dist.wire.frames import header_reserve

_FRAME = 56 + 6  # magic, job, HMAC, length; six of the header's fields, a byte each
_KEY = 32 + len("/large//")  # what keys of large bodies begin with
_DIGEST = 34  # a SHA-256 in msgpack


def number_size(number: int) -> int:
    """Return how many bytes a number takes in msgpack.

    >>> [number_size(n) for n in (127, 128, 255, 256, 65_536)]
    [1, 2, 2, 3, 5]
    """
    if number < 128:
        return 1
    if number < 256:
        return 2
    return 3 if number < 65_536 else 5


def _array(length: int) -> int:
    return 1 if length < 16 else 3


def _numbers(numbers: Sequence[int]) -> int:
    return _array(len(numbers)) + sum(map(number_size, numbers))


def frame_head(source: int, dests: Sequence[int]) -> int:
    """Return how many bytes of a frame are not its body."""
    if len(dests) == 1:
        return _FRAME + 2 + number_size(source) + number_size(dests[0])
    return _FRAME + number_size(source) + _numbers(dests) + 1


def frame_sizes(
    body: int, source: int, dests: Sequence[int], max_body: int | None
) -> list[int]:
    """Return the sizes of the frames that carry a body; see `Outbox.frames`.

    Examples
    --------
    >>> frame_sizes(100, 0, (1,), None)
    [166]
    >>> frame_sizes(5_000, 0, (1,), 2_142)
    [2066, 2066, 1066]
    """
    head = frame_head(source, dests)
    room = body or 1
    if body and max_body is not None:
        room = min(room, max_body - header_reserve(len(dests)))
    whole, rest = divmod(body, room)
    return [head + room] * whole + [head + rest] * (rest > 0 or not whole)


def index_size(frames: Sequence[tuple[Sequence[int], int]]) -> int:
    """Return how many bytes of a crate come before its frames; see `crates.fill`."""
    entries = sum(1 + _numbers(dests) + number_size(size) for dests, size in frames)
    return 4 + _array(len(frames)) + entries


def pointer_size(source: int, number: int, start: int, stop: int) -> int:
    """Return the size of a pointer's body; see `HybridTransport`."""
    key = 2 + _KEY + len(str(source)) + len(str(number))
    return 1 + key + number_size(start) + number_size(stop) + _DIGEST
