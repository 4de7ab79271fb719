"""mpi4py's own test suite, run on our communicator; see `__main__`."""
