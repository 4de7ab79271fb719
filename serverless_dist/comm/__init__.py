"""MPI-like communication, with the names of mpi4py."""
