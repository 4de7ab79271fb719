"""What mpi4py's parts in Python ask of its extension module, besides public names.

`mpi4py.util` and `mpi4py.futures` work on top of `MPI` with these. Objects are sent by
several messages there: locks keep threads from mixing them up, and a duplicate of the
communicator keeps their messages apart from the program's.
"""

from collections.abc import Hashable
from threading import Lock

from serverless_dist.comm import creation
from serverless_dist.comm.communicators import Comm, Intercomm, Intracomm
from serverless_dist.comm.data.datatype import Datatype, layout_of
from serverless_dist.comm.data.typetable import CODES
from serverless_dist.comm.state import Extras, State

TYPEDICT = {code: Datatype.fromcode(code) for code in CODES}
"""The predefined datatypes by their codes, such as numpy's."""


def comm_lock(comm: Comm, key: Hashable = None) -> Lock:
    """Return a lock that the communicator has under this name."""
    return comm.state.extras.locks[key]


def commctx_intra(comm: Intracomm) -> tuple[Intracomm, int]:
    """Return a duplicate of the communicator, and a tag to use there once."""
    extras = _duplicated(comm.state)
    return Intracomm.of(extras.duplicate), next(extras.tags)


def commctx_inter(comm: Intercomm) -> tuple[Intercomm, int, Intracomm, bool]:
    """Return a duplicate, a tag, this group alone, and whether it is the first."""
    state = comm.state
    extras = _duplicated(state)
    if extras.local is None:
        extras.local = creation.local_group(state)
    local = Intracomm.of(extras.local)
    return Intercomm.of(extras.duplicate), next(extras.tags), local, state.is_first


def set_abort_status(status: object) -> None:
    """Do nothing: the exception that a status is set for ends the job by itself."""
    del status


def typecode(datatype: Datatype) -> str | None:
    """Return the code of a basic datatype, None if it has none."""
    try:
        return datatype.tocode()
    except ValueError:
        return None


def typealign(datatype: Datatype) -> int | None:
    """Return the alignment of a datatype in bytes, None if it has none."""
    layout = layout_of(datatype)
    return None if layout is None else layout.alignment or None


def _duplicated(state: State) -> Extras:
    extras = state.extras
    if extras.duplicate is None:
        extras.duplicate = creation.duplicate(state, None)
    return extras
