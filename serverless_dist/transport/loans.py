"""Bodies in shared memory, the reader's side: borrowed, used in place, given back.

See `segments` for the layout and the laws. A body that was lent to this rank alone is
a view of the sender's memory; when the last reference to it in this process is gone,
its byte in the segment's head is cleared. The mapping lives as long as anything refers
to it, whatever is closed.

A body that was lent to several ranks is copied and given back at once, since each of
them may write to what it has received. A private mapping would spare the copy to those
who only read; but its pages must be dropped before the memory is used again, and to
map them anew took four times as long as to copy 1 MiB, thirty times where the reader
did write, and about as long to copy 16 MiB (Linux 6.18, 2026-11).

A process forked from this one must not give back what its parent may still be using:
only the process that borrowed does. It shares a body in place with its parent, which
sees what it writes; and it should copy what it needs for longer than its parent does.
"""

import fcntl
import mmap
import os
import weakref

import numpy as np

from serverless_dist.errors import ProtocolError
from serverless_dist.transport.segments import HEAD
from serverless_dist.transport.streams import Loan


class Loans:
    """The segments of one sender that this process can read.

    Parameters
    ----------
    rank
        This rank.
    source
        The rank that lends.
    """

    def __init__(self, rank: int, source: int) -> None:
        self._names = f"rank {rank} cannot use the memory that rank {source} lends it"
        self._maps: dict[int, mmap.mmap] = {}

    def __repr__(self) -> str:
        return f"<Loans of {len(self._maps)} segments>"

    def admit(self, number: int, descriptor: int | None) -> None:
        """Map a segment that has come; the descriptor remains the caller's.

        Raises
        ------
        ProtocolError
            It cannot be mapped, or could shrink, or has a known number.
        """
        if descriptor is None:
            msg = f"{self._names}: no descriptor came, raise the limit of open files"
            raise ProtocolError(msg)
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
            size = os.fstat(descriptor).st_size
            # A mapping of what can shrink would end this process, not the wait.
            is_safe = seals & fcntl.F_SEAL_SHRINK and size > HEAD
            if not is_safe or number in self._maps:
                msg = f"{self._names}: segment {number} is not sealed, or not new"
                raise ProtocolError(msg)
            self._maps[number] = mmap.mmap(descriptor, size)
        except (OSError, ValueError) as error:
            msg = f"{self._names}: {error}"
            raise ProtocolError(msg) from error

    def borrow(self, loan: Loan) -> memoryview:
        """Return a body of one's own, to be given back when nobody refers to it.

        Raises
        ------
        ProtocolError
            There is no such segment, body or loan.
        """
        memory = self._maps.get(loan.number)
        if memory is None or not 0 < loan.size <= len(memory) - HEAD:
            msg = f"{self._names}: segment {loan.number} has no {loan.size} bytes"
            raise ProtocolError(msg)
        if loan.place >= HEAD or memory[loan.place] != 1:
            msg = f"{self._names}: segment {loan.number} is not lent to it"
            raise ProtocolError(msg)
        body = np.frombuffer(memory, np.uint8, loan.size, HEAD)
        if loan.borrowers > 1:
            body = body.copy()
            memory[loan.place] = 0
            return body.data
        end = weakref.finalize(body, _give_back, memory, loan.place, os.getpid())
        end.atexit = False
        return body.data

    def forget(self, number: int) -> None:
        """Give up a segment; bodies in it that are in use stay."""
        self._maps.pop(number, None)


def _give_back(memory: mmap.mmap, place: int, borrower: int) -> None:
    if os.getpid() == borrower:
        memory[place] = 0
