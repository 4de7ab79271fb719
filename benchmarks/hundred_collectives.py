"""A script of a hundred collective calls, for `serverless-dist simulate`."""

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
vector = np.full(16, float(comm.rank))
whole = np.empty_like(vector)
for turn in range(25):
    comm.Allreduce(vector, whole)
    text = comm.bcast("text" if comm.rank == turn else None, root=turn % comm.size)
    most = comm.reduce(comm.rank, op=MPI.MAX, root=0)
    comm.barrier()
assert whole[0] == comm.size * (comm.size - 1) / 2
