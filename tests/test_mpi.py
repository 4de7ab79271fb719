"""The process's communicators and the module that scripts import."""

import operator

import pytest

from serverless_dist.comm import (
    Communicator,
    Endpoint,
    Status,
    get_world,
    mpi,
    set_world,
)
from serverless_dist.testing.transports import connect


def test_a_process_that_is_no_rank_is_a_world_of_its_own() -> None:
    comm = mpi.COMM_WORLD
    assert (comm.rank, comm.size) == (0, 1)
    assert comm is mpi.COMM_WORLD
    assert comm is not mpi.COMM_SELF
    comm.send("world", 0)
    mpi.COMM_SELF.send("self", 0)
    assert comm.recv() == "world"
    assert mpi.COMM_SELF.recv() == "self"
    assert comm.allreduce([1]) == [1]
    comm.barrier()


def test_a_ranks_boot_code_sets_the_world() -> None:
    world = Communicator.world(Endpoint(connect(4)[3]))
    set_world(world)
    try:
        assert mpi.COMM_WORLD is world
        assert get_world() is world
        assert mpi.COMM_SELF.size == 1
    finally:
        set_world(None)
    assert mpi.COMM_WORLD.size == 1


def test_mpi_has_the_usual_names() -> None:
    assert mpi.Wtime() <= mpi.Wtime()
    assert mpi.Get_processor_name()
    assert isinstance(mpi.COMM_WORLD, mpi.Comm)
    assert mpi.Status() == Status()
    assert mpi.SUM(1, 2) == operator.add(1, 2)
    with pytest.raises(AttributeError, match="COMM_WORD"):
        _ = mpi.COMM_WORD
