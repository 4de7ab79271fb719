"""Add up arrays over ranks: ``serverless-dist run -n 4 examples/allreduce.py``."""

import numpy as np

from serverless_dist import MPI

comm = MPI.COMM_WORLD

mine = np.full(3, comm.rank + 1.0)
total = comm.allreduce(mine, op=MPI.SUM)
ranks = comm.gather(comm.rank, root=0)

if comm.rank == 0:
    print(f"ranks {ranks} have added up to {total}")
