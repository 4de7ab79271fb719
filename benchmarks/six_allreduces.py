"""A script to take a picture of: ranks compute unlike long between six Allreduces.

``serverless-dist simulate -n 1000 --channel hybrid --compute given --seed 1 --trace
trace.json --json run.json benchmarks/six_allreduces.py``, then ``python
benchmarks/picture.py run.json docs/pictures/simulated-run.png``.
"""

import numpy as np
from mpi4py import MPI

from serverless_dist import compute_for

comm = MPI.COMM_WORLD
random = np.random.default_rng(comm.rank)
mine, whole = np.ones(4), np.empty(4)
for _ in range(6):
    compute_for(0.1 + random.exponential(0.03))
    comm.Allreduce(mine, whole)
