"""Several pieces of memory that are written one after the other, with partial writes.

A piece may have a descriptor, which goes along with its first byte.
"""

from collections import deque
from collections.abc import Iterable

from serverless_dist.cloud import Buffer

MAX_PIECES = 512  # of one sendmsg or pwritev; the kernel's limit is 1024

Piece = tuple[memoryview, int | None]


def pieces(buffers: Iterable[Buffer], descriptor: int | None = None) -> deque[Piece]:
    """Return what there is to write of `buffers`; the first has the descriptor.

    >>> [(bytes(view), descriptor) for view, descriptor in pieces([b"a", b"", b"b"], 7)]
    [(b'a', 7), (b'b', None)]
    """
    rest: deque[Piece] = deque()
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        if view.nbytes:
            rest.append((view, descriptor))
            descriptor = None
    return rest


def advance(rest: deque[Piece], count: int) -> None:
    """Drop the first `count` bytes, and the descriptor that went with them.

    >>> rest = deque([(memoryview(b"hel"), 7), (memoryview(b"lo"), 8)])
    >>> advance(rest, 1)
    >>> [(bytes(view), descriptor) for view, descriptor in rest]
    [(b'el', None), (b'lo', 8)]
    """
    while rest and count >= rest[0][0].nbytes:
        count -= rest.popleft()[0].nbytes
    if count:
        rest[0] = (rest[0][0][count:], None)
