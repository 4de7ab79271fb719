"""The names of mpi4py's module: ``from serverless_dist import MPI``.

Nothing is computed here. What is left out of MPI is there by name as well and says so
when it is called: one-sided communication, files, sessions, starting processes.

>>> from serverless_dist.comm import mpi as MPI
>>> MPI.COMM_WORLD.allreduce(7, op=MPI.SUM)
7
"""

from typing import Any

from serverless_dist.comm.communicators import (
    COMM_NULL as COMM_NULL,
    Cartcomm as Cartcomm,
    Comm as Comm,
    Distgraphcomm as Distgraphcomm,
    Graphcomm as Graphcomm,
    Intercomm as Intercomm,
    Intracomm as Intracomm,
    Topocomm as Topocomm,
)
from serverless_dist.comm.constants import *
from serverless_dist.comm.data.addresses import (
    BOTTOM as BOTTOM,
    BUFFER_AUTOMATIC as BUFFER_AUTOMATIC,
    IN_PLACE as IN_PLACE,
    BottomType as BottomType,
    BufferAutomaticType as BufferAutomaticType,
    InPlaceType as InPlaceType,
)
from serverless_dist.comm.data.datatype import (
    Datatype as Datatype,
)
from serverless_dist.comm.data.datatypes import *
from serverless_dist.comm.data.memory import (
    Aint_add as Aint_add,
    Aint_diff as Aint_diff,
    Alloc_mem as Alloc_mem,
    Free_mem as Free_mem,
    Get_address as Get_address,
    buffer as buffer,
    memory as memory,
)
from serverless_dist.comm.data.ops import (
    BAND as BAND,
    BOR as BOR,
    BXOR as BXOR,
    LAND as LAND,
    LOR as LOR,
    LXOR as LXOR,
    MAX as MAX,
    MAXLOC as MAXLOC,
    MIN as MIN,
    MINLOC as MINLOC,
    NO_OP as NO_OP,
    OP_NULL as OP_NULL,
    PROD as PROD,
    REPLACE as REPLACE,
    SUM as SUM,
    Op as Op,
)
from serverless_dist.comm.data.typeconstants import *
from serverless_dist.comm.engine.pickling import (
    Pickle as Pickle,
    serializer as pickle,
)
from serverless_dist.comm.engine.status import (
    Status as Status,
)
from serverless_dist.comm.environment import (
    Attach_buffer as Attach_buffer,
    Close_port as Close_port,
    Detach_buffer as Detach_buffer,
    Finalize as Finalize,
    Flush_buffer as Flush_buffer,
    Get_library_version as Get_library_version,
    Get_processor_name as Get_processor_name,
    Get_version as Get_version,
    Iflush_buffer as Iflush_buffer,
    Init as Init,
    Init_thread as Init_thread,
    Is_finalized as Is_finalized,
    Is_initialized as Is_initialized,
    Is_thread_main as Is_thread_main,
    Lookup_name as Lookup_name,
    Open_port as Open_port,
    Pcontrol as Pcontrol,
    Publish_name as Publish_name,
    Query_thread as Query_thread,
    Register_datarep as Register_datarep,
    Unpublish_name as Unpublish_name,
    Wtick as Wtick,
    Wtime as Wtime,
    get_vendor as get_vendor,
)
from serverless_dist.comm.errhandler import (
    ERRHANDLER_NULL as ERRHANDLER_NULL,
    ERRORS_ABORT as ERRORS_ABORT,
    ERRORS_ARE_FATAL as ERRORS_ARE_FATAL,
    ERRORS_RETURN as ERRORS_RETURN,
    Errhandler as Errhandler,
)
from serverless_dist.comm.exceptions import (
    ERR_ABI as ERR_ABI,
    ERR_ACCESS as ERR_ACCESS,
    ERR_AMODE as ERR_AMODE,
    ERR_ARG as ERR_ARG,
    ERR_ASSERT as ERR_ASSERT,
    ERR_BAD_FILE as ERR_BAD_FILE,
    ERR_BASE as ERR_BASE,
    ERR_BUFFER as ERR_BUFFER,
    ERR_COMM as ERR_COMM,
    ERR_CONVERSION as ERR_CONVERSION,
    ERR_COUNT as ERR_COUNT,
    ERR_DIMS as ERR_DIMS,
    ERR_DISP as ERR_DISP,
    ERR_DUP_DATAREP as ERR_DUP_DATAREP,
    ERR_ERRHANDLER as ERR_ERRHANDLER,
    ERR_FILE as ERR_FILE,
    ERR_FILE_EXISTS as ERR_FILE_EXISTS,
    ERR_FILE_IN_USE as ERR_FILE_IN_USE,
    ERR_GROUP as ERR_GROUP,
    ERR_IN_STATUS as ERR_IN_STATUS,
    ERR_INFO as ERR_INFO,
    ERR_INFO_KEY as ERR_INFO_KEY,
    ERR_INFO_NOKEY as ERR_INFO_NOKEY,
    ERR_INFO_VALUE as ERR_INFO_VALUE,
    ERR_INTERN as ERR_INTERN,
    ERR_IO as ERR_IO,
    ERR_KEYVAL as ERR_KEYVAL,
    ERR_LASTCODE as ERR_LASTCODE,
    ERR_LOCKTYPE as ERR_LOCKTYPE,
    ERR_NAME as ERR_NAME,
    ERR_NO_MEM as ERR_NO_MEM,
    ERR_NO_SPACE as ERR_NO_SPACE,
    ERR_NO_SUCH_FILE as ERR_NO_SUCH_FILE,
    ERR_NOT_SAME as ERR_NOT_SAME,
    ERR_OP as ERR_OP,
    ERR_OTHER as ERR_OTHER,
    ERR_PENDING as ERR_PENDING,
    ERR_PORT as ERR_PORT,
    ERR_PROC_ABORTED as ERR_PROC_ABORTED,
    ERR_PROC_FAILED as ERR_PROC_FAILED,
    ERR_PROC_FAILED_PENDING as ERR_PROC_FAILED_PENDING,
    ERR_QUOTA as ERR_QUOTA,
    ERR_RANK as ERR_RANK,
    ERR_READ_ONLY as ERR_READ_ONLY,
    ERR_REQUEST as ERR_REQUEST,
    ERR_REVOKED as ERR_REVOKED,
    ERR_RMA_ATTACH as ERR_RMA_ATTACH,
    ERR_RMA_CONFLICT as ERR_RMA_CONFLICT,
    ERR_RMA_FLAVOR as ERR_RMA_FLAVOR,
    ERR_RMA_RANGE as ERR_RMA_RANGE,
    ERR_RMA_SHARED as ERR_RMA_SHARED,
    ERR_RMA_SYNC as ERR_RMA_SYNC,
    ERR_ROOT as ERR_ROOT,
    ERR_SERVICE as ERR_SERVICE,
    ERR_SESSION as ERR_SESSION,
    ERR_SIZE as ERR_SIZE,
    ERR_SPAWN as ERR_SPAWN,
    ERR_TAG as ERR_TAG,
    ERR_TOPOLOGY as ERR_TOPOLOGY,
    ERR_TRUNCATE as ERR_TRUNCATE,
    ERR_TYPE as ERR_TYPE,
    ERR_UNKNOWN as ERR_UNKNOWN,
    ERR_UNSUPPORTED_DATAREP as ERR_UNSUPPORTED_DATAREP,
    ERR_UNSUPPORTED_OPERATION as ERR_UNSUPPORTED_OPERATION,
    ERR_VALUE_TOO_LARGE as ERR_VALUE_TOO_LARGE,
    ERR_WIN as ERR_WIN,
    SUCCESS as SUCCESS,
    Add_error_class as Add_error_class,
    Add_error_code as Add_error_code,
    Add_error_string as Add_error_string,
    Get_error_class as Get_error_class,
    Get_error_string as Get_error_string,
    MPIError as Exception,
    Remove_error_class as Remove_error_class,
    Remove_error_code as Remove_error_code,
    Remove_error_string as Remove_error_string,
)
from serverless_dist.comm.extension import (
    TYPEDICT as _typedict,
    comm_lock as _comm_lock,
    commctx_inter as _commctx_inter,
    commctx_intra as _commctx_intra,
    set_abort_status as _set_abort_status,
    typealign as _typealign,
    typecode as _typecode,
)
from serverless_dist.comm.grequest import (
    Grequest as Grequest,
)
from serverless_dist.comm.group import (
    GROUP_EMPTY as GROUP_EMPTY,
    GROUP_NULL as GROUP_NULL,
    Group as Group,
)
from serverless_dist.comm.info import (
    INFO_ENV as INFO_ENV,
    INFO_NULL as INFO_NULL,
    Info as Info,
)
from serverless_dist.comm.matched import (
    MESSAGE_NO_PROC as MESSAGE_NO_PROC,
    MESSAGE_NULL as MESSAGE_NULL,
    Message as Message,
)
from serverless_dist.comm.refused import (
    FILE_NULL as FILE_NULL,
    SESSION_NULL as SESSION_NULL,
    WIN_NULL as WIN_NULL,
    File as File,
    Session as Session,
    Win as Win,
)
from serverless_dist.comm.request import (
    REQUEST_NULL as REQUEST_NULL,
    Prequest as Prequest,
    Request as Request,
)
from serverless_dist.comm.topology.dims import (
    Compute_dims as Compute_dims,
)
from serverless_dist.comm.topology.edges import (
    UNWEIGHTED as UNWEIGHTED,
    WEIGHTS_EMPTY as WEIGHTS_EMPTY,
)
from serverless_dist.comm.world import get_self, get_world

COMM_WORLD: Intracomm
"""All ranks of the job; this process alone if it was not started as a rank."""

COMM_SELF: Intracomm
"""This process alone."""


def __getattr__(name: str) -> Any:
    # Looked up at each use: a module may import this one before the rank starts.
    match name:
        case "COMM_WORLD":
            return get_world()
        case "COMM_SELF":
            return get_self()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
