"""Pass a token round the ring of ranks, and shift an array round it.

    serverless-dist run -n 4 examples/ring.py [LENGTH]

It shows messages between neighbours: any Python object with lower-case calls
(`isend`, `recv`), the memory of a numpy array with upper-case ones (`Sendrecv`).
LENGTH is the number of items of the array.
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray


def pass_token(comm: MPI.Comm, left: int, right: int) -> list[int] | None:
    """Send a list from rank 0 round the ring; each rank appends its own number."""
    if comm.rank == 0:
        # To oneself, `send` might wait for ever for a receiver; `isend` never waits.
        request = comm.isend([0], dest=right)
        token: list[int] = comm.recv(source=left)
        request.wait()
        return token
    visited: list[int] = comm.recv(source=left)
    comm.send([*visited, comm.rank], dest=right)
    return None


def add_up(comm: MPI.Comm, left: int, right: int, length: int) -> NDArray[np.int64]:
    """Return the sum of every rank's array after each has travelled round the ring."""
    passing = np.full(length, comm.rank + 1, dtype=np.int64)
    arriving = np.empty_like(passing)
    total = passing.copy()
    for _ in range(comm.size - 1):
        # Both at once: if all ranks sent first and received then, all could wait.
        comm.Sendrecv(passing, dest=right, recvbuf=arriving, source=left)
        passing, arriving = arriving, passing
        total += passing
    return total


def main() -> None:
    """Go round the ring twice and check what comes back."""
    comm = MPI.COMM_WORLD
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size

    token = pass_token(comm, left, right)
    total = add_up(comm, left, right, length)

    if comm.rank == 0:
        expected = sum(range(1, comm.size + 1))
        if token != list(range(comm.size)) or not (total == expected).all():
            sys.exit(f"ring: wrong: the token is {token}, the sum {total}")
        print(f"ring: the token visited {token}, every item adds up to {expected}")


if __name__ == "__main__":
    main()
