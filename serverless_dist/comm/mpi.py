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
)
from serverless_dist.comm.communicators import (
    Cartcomm as Cartcomm,
)
from serverless_dist.comm.communicators import (
    Comm as Comm,
)
from serverless_dist.comm.communicators import (
    Distgraphcomm as Distgraphcomm,
)
from serverless_dist.comm.communicators import (
    Graphcomm as Graphcomm,
)
from serverless_dist.comm.communicators import (
    Intercomm as Intercomm,
)
from serverless_dist.comm.communicators import (
    Intracomm as Intracomm,
)
from serverless_dist.comm.communicators import (
    Topocomm as Topocomm,
)
from serverless_dist.comm.constants import *
from serverless_dist.comm.data.addresses import (
    BOTTOM as BOTTOM,
)
from serverless_dist.comm.data.addresses import (
    BUFFER_AUTOMATIC as BUFFER_AUTOMATIC,
)
from serverless_dist.comm.data.addresses import (
    IN_PLACE as IN_PLACE,
)
from serverless_dist.comm.data.addresses import (
    BottomType as BottomType,
)
from serverless_dist.comm.data.addresses import (
    BufferAutomaticType as BufferAutomaticType,
)
from serverless_dist.comm.data.addresses import (
    InPlaceType as InPlaceType,
)
from serverless_dist.comm.data.datatype import (
    Datatype as Datatype,
)
from serverless_dist.comm.data.datatypes import *
from serverless_dist.comm.data.memory import (
    Aint_add as Aint_add,
)
from serverless_dist.comm.data.memory import (
    Aint_diff as Aint_diff,
)
from serverless_dist.comm.data.memory import (
    Alloc_mem as Alloc_mem,
)
from serverless_dist.comm.data.memory import (
    Free_mem as Free_mem,
)
from serverless_dist.comm.data.memory import (
    Get_address as Get_address,
)
from serverless_dist.comm.data.memory import (
    buffer as buffer,
)
from serverless_dist.comm.data.memory import memory as memory
from serverless_dist.comm.data.ops import (
    BAND as BAND,
)
from serverless_dist.comm.data.ops import (
    BOR as BOR,
)
from serverless_dist.comm.data.ops import (
    BXOR as BXOR,
)
from serverless_dist.comm.data.ops import (
    LAND as LAND,
)
from serverless_dist.comm.data.ops import (
    LOR as LOR,
)
from serverless_dist.comm.data.ops import (
    LXOR as LXOR,
)
from serverless_dist.comm.data.ops import (
    MAX as MAX,
)
from serverless_dist.comm.data.ops import (
    MAXLOC as MAXLOC,
)
from serverless_dist.comm.data.ops import (
    MIN as MIN,
)
from serverless_dist.comm.data.ops import (
    MINLOC as MINLOC,
)
from serverless_dist.comm.data.ops import (
    NO_OP as NO_OP,
)
from serverless_dist.comm.data.ops import (
    OP_NULL as OP_NULL,
)
from serverless_dist.comm.data.ops import (
    PROD as PROD,
)
from serverless_dist.comm.data.ops import (
    REPLACE as REPLACE,
)
from serverless_dist.comm.data.ops import (
    SUM as SUM,
)
from serverless_dist.comm.data.ops import (
    Op as Op,
)
from serverless_dist.comm.data.typeconstants import *
from serverless_dist.comm.dims import (
    Compute_dims as Compute_dims,
)
from serverless_dist.comm.edges import (
    UNWEIGHTED as UNWEIGHTED,
)
from serverless_dist.comm.edges import (
    WEIGHTS_EMPTY as WEIGHTS_EMPTY,
)
from serverless_dist.comm.engine.pickling import (
    Pickle as Pickle,
)
from serverless_dist.comm.engine.pickling import (
    serializer as pickle,
)
from serverless_dist.comm.engine.status import (
    Status as Status,
)
from serverless_dist.comm.environment import (
    Attach_buffer as Attach_buffer,
)
from serverless_dist.comm.environment import (
    Close_port as Close_port,
)
from serverless_dist.comm.environment import (
    Detach_buffer as Detach_buffer,
)
from serverless_dist.comm.environment import (
    Finalize as Finalize,
)
from serverless_dist.comm.environment import (
    Flush_buffer as Flush_buffer,
)
from serverless_dist.comm.environment import (
    Get_library_version as Get_library_version,
)
from serverless_dist.comm.environment import (
    Get_processor_name as Get_processor_name,
)
from serverless_dist.comm.environment import (
    Get_version as Get_version,
)
from serverless_dist.comm.environment import (
    Iflush_buffer as Iflush_buffer,
)
from serverless_dist.comm.environment import (
    Init as Init,
)
from serverless_dist.comm.environment import (
    Init_thread as Init_thread,
)
from serverless_dist.comm.environment import (
    Is_finalized as Is_finalized,
)
from serverless_dist.comm.environment import (
    Is_initialized as Is_initialized,
)
from serverless_dist.comm.environment import (
    Is_thread_main as Is_thread_main,
)
from serverless_dist.comm.environment import (
    Lookup_name as Lookup_name,
)
from serverless_dist.comm.environment import (
    Open_port as Open_port,
)
from serverless_dist.comm.environment import (
    Pcontrol as Pcontrol,
)
from serverless_dist.comm.environment import (
    Publish_name as Publish_name,
)
from serverless_dist.comm.environment import (
    Query_thread as Query_thread,
)
from serverless_dist.comm.environment import (
    Register_datarep as Register_datarep,
)
from serverless_dist.comm.environment import (
    Unpublish_name as Unpublish_name,
)
from serverless_dist.comm.environment import (
    Wtick as Wtick,
)
from serverless_dist.comm.environment import (
    Wtime as Wtime,
)
from serverless_dist.comm.environment import (
    get_vendor as get_vendor,
)
from serverless_dist.comm.errhandler import (
    ERRHANDLER_NULL as ERRHANDLER_NULL,
)
from serverless_dist.comm.errhandler import (
    ERRORS_ABORT as ERRORS_ABORT,
)
from serverless_dist.comm.errhandler import (
    ERRORS_ARE_FATAL as ERRORS_ARE_FATAL,
)
from serverless_dist.comm.errhandler import (
    ERRORS_RETURN as ERRORS_RETURN,
)
from serverless_dist.comm.errhandler import (
    Errhandler as Errhandler,
)
from serverless_dist.comm.exceptions import (
    ERR_ABI as ERR_ABI,
)
from serverless_dist.comm.exceptions import (
    ERR_ACCESS as ERR_ACCESS,
)
from serverless_dist.comm.exceptions import (
    ERR_AMODE as ERR_AMODE,
)
from serverless_dist.comm.exceptions import (
    ERR_ARG as ERR_ARG,
)
from serverless_dist.comm.exceptions import (
    ERR_ASSERT as ERR_ASSERT,
)
from serverless_dist.comm.exceptions import (
    ERR_BAD_FILE as ERR_BAD_FILE,
)
from serverless_dist.comm.exceptions import (
    ERR_BASE as ERR_BASE,
)
from serverless_dist.comm.exceptions import (
    ERR_BUFFER as ERR_BUFFER,
)
from serverless_dist.comm.exceptions import (
    ERR_COMM as ERR_COMM,
)
from serverless_dist.comm.exceptions import (
    ERR_CONVERSION as ERR_CONVERSION,
)
from serverless_dist.comm.exceptions import (
    ERR_COUNT as ERR_COUNT,
)
from serverless_dist.comm.exceptions import (
    ERR_DIMS as ERR_DIMS,
)
from serverless_dist.comm.exceptions import (
    ERR_DISP as ERR_DISP,
)
from serverless_dist.comm.exceptions import (
    ERR_DUP_DATAREP as ERR_DUP_DATAREP,
)
from serverless_dist.comm.exceptions import (
    ERR_ERRHANDLER as ERR_ERRHANDLER,
)
from serverless_dist.comm.exceptions import (
    ERR_FILE as ERR_FILE,
)
from serverless_dist.comm.exceptions import (
    ERR_FILE_EXISTS as ERR_FILE_EXISTS,
)
from serverless_dist.comm.exceptions import (
    ERR_FILE_IN_USE as ERR_FILE_IN_USE,
)
from serverless_dist.comm.exceptions import (
    ERR_GROUP as ERR_GROUP,
)
from serverless_dist.comm.exceptions import (
    ERR_IN_STATUS as ERR_IN_STATUS,
)
from serverless_dist.comm.exceptions import (
    ERR_INFO as ERR_INFO,
)
from serverless_dist.comm.exceptions import (
    ERR_INFO_KEY as ERR_INFO_KEY,
)
from serverless_dist.comm.exceptions import (
    ERR_INFO_NOKEY as ERR_INFO_NOKEY,
)
from serverless_dist.comm.exceptions import (
    ERR_INFO_VALUE as ERR_INFO_VALUE,
)
from serverless_dist.comm.exceptions import (
    ERR_INTERN as ERR_INTERN,
)
from serverless_dist.comm.exceptions import (
    ERR_IO as ERR_IO,
)
from serverless_dist.comm.exceptions import (
    ERR_KEYVAL as ERR_KEYVAL,
)
from serverless_dist.comm.exceptions import (
    ERR_LASTCODE as ERR_LASTCODE,
)
from serverless_dist.comm.exceptions import (
    ERR_LOCKTYPE as ERR_LOCKTYPE,
)
from serverless_dist.comm.exceptions import (
    ERR_NAME as ERR_NAME,
)
from serverless_dist.comm.exceptions import (
    ERR_NO_MEM as ERR_NO_MEM,
)
from serverless_dist.comm.exceptions import (
    ERR_NO_SPACE as ERR_NO_SPACE,
)
from serverless_dist.comm.exceptions import (
    ERR_NO_SUCH_FILE as ERR_NO_SUCH_FILE,
)
from serverless_dist.comm.exceptions import (
    ERR_NOT_SAME as ERR_NOT_SAME,
)
from serverless_dist.comm.exceptions import (
    ERR_OP as ERR_OP,
)
from serverless_dist.comm.exceptions import (
    ERR_OTHER as ERR_OTHER,
)
from serverless_dist.comm.exceptions import (
    ERR_PENDING as ERR_PENDING,
)
from serverless_dist.comm.exceptions import (
    ERR_PORT as ERR_PORT,
)
from serverless_dist.comm.exceptions import (
    ERR_PROC_ABORTED as ERR_PROC_ABORTED,
)
from serverless_dist.comm.exceptions import (
    ERR_PROC_FAILED as ERR_PROC_FAILED,
)
from serverless_dist.comm.exceptions import (
    ERR_PROC_FAILED_PENDING as ERR_PROC_FAILED_PENDING,
)
from serverless_dist.comm.exceptions import (
    ERR_QUOTA as ERR_QUOTA,
)
from serverless_dist.comm.exceptions import (
    ERR_RANK as ERR_RANK,
)
from serverless_dist.comm.exceptions import (
    ERR_READ_ONLY as ERR_READ_ONLY,
)
from serverless_dist.comm.exceptions import (
    ERR_REQUEST as ERR_REQUEST,
)
from serverless_dist.comm.exceptions import (
    ERR_REVOKED as ERR_REVOKED,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_ATTACH as ERR_RMA_ATTACH,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_CONFLICT as ERR_RMA_CONFLICT,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_FLAVOR as ERR_RMA_FLAVOR,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_RANGE as ERR_RMA_RANGE,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_SHARED as ERR_RMA_SHARED,
)
from serverless_dist.comm.exceptions import (
    ERR_RMA_SYNC as ERR_RMA_SYNC,
)
from serverless_dist.comm.exceptions import (
    ERR_ROOT as ERR_ROOT,
)
from serverless_dist.comm.exceptions import (
    ERR_SERVICE as ERR_SERVICE,
)
from serverless_dist.comm.exceptions import (
    ERR_SESSION as ERR_SESSION,
)
from serverless_dist.comm.exceptions import (
    ERR_SIZE as ERR_SIZE,
)
from serverless_dist.comm.exceptions import (
    ERR_SPAWN as ERR_SPAWN,
)
from serverless_dist.comm.exceptions import (
    ERR_TAG as ERR_TAG,
)
from serverless_dist.comm.exceptions import (
    ERR_TOPOLOGY as ERR_TOPOLOGY,
)
from serverless_dist.comm.exceptions import (
    ERR_TRUNCATE as ERR_TRUNCATE,
)
from serverless_dist.comm.exceptions import (
    ERR_TYPE as ERR_TYPE,
)
from serverless_dist.comm.exceptions import (
    ERR_UNKNOWN as ERR_UNKNOWN,
)
from serverless_dist.comm.exceptions import (
    ERR_UNSUPPORTED_DATAREP as ERR_UNSUPPORTED_DATAREP,
)
from serverless_dist.comm.exceptions import (
    ERR_UNSUPPORTED_OPERATION as ERR_UNSUPPORTED_OPERATION,
)
from serverless_dist.comm.exceptions import (
    ERR_VALUE_TOO_LARGE as ERR_VALUE_TOO_LARGE,
)
from serverless_dist.comm.exceptions import (
    ERR_WIN as ERR_WIN,
)
from serverless_dist.comm.exceptions import (
    SUCCESS as SUCCESS,
)
from serverless_dist.comm.exceptions import (
    Add_error_class as Add_error_class,
)
from serverless_dist.comm.exceptions import (
    Add_error_code as Add_error_code,
)
from serverless_dist.comm.exceptions import (
    Add_error_string as Add_error_string,
)
from serverless_dist.comm.exceptions import (
    Get_error_class as Get_error_class,
)
from serverless_dist.comm.exceptions import (
    Get_error_string as Get_error_string,
)
from serverless_dist.comm.exceptions import (
    MPIError as Exception,
)
from serverless_dist.comm.exceptions import (
    Remove_error_class as Remove_error_class,
)
from serverless_dist.comm.exceptions import (
    Remove_error_code as Remove_error_code,
)
from serverless_dist.comm.exceptions import (
    Remove_error_string as Remove_error_string,
)
from serverless_dist.comm.extension import comm_lock as _comm_lock
from serverless_dist.comm.extension import commctx_inter as _commctx_inter
from serverless_dist.comm.extension import commctx_intra as _commctx_intra
from serverless_dist.comm.extension import set_abort_status as _set_abort_status
from serverless_dist.comm.extension import typealign as _typealign
from serverless_dist.comm.extension import typecode as _typecode
from serverless_dist.comm.grequest import (
    Grequest as Grequest,
)
from serverless_dist.comm.group import (
    GROUP_EMPTY as GROUP_EMPTY,
)
from serverless_dist.comm.group import (
    GROUP_NULL as GROUP_NULL,
)
from serverless_dist.comm.group import (
    Group as Group,
)
from serverless_dist.comm.info import (
    INFO_ENV as INFO_ENV,
)
from serverless_dist.comm.info import (
    INFO_NULL as INFO_NULL,
)
from serverless_dist.comm.info import (
    Info as Info,
)
from serverless_dist.comm.matched import (
    MESSAGE_NO_PROC as MESSAGE_NO_PROC,
)
from serverless_dist.comm.matched import (
    MESSAGE_NULL as MESSAGE_NULL,
)
from serverless_dist.comm.matched import (
    Message as Message,
)
from serverless_dist.comm.refused import (
    FILE_NULL as FILE_NULL,
)
from serverless_dist.comm.refused import (
    SESSION_NULL as SESSION_NULL,
)
from serverless_dist.comm.refused import (
    WIN_NULL as WIN_NULL,
)
from serverless_dist.comm.refused import (
    File as File,
)
from serverless_dist.comm.refused import (
    Session as Session,
)
from serverless_dist.comm.refused import (
    Win as Win,
)
from serverless_dist.comm.request import (
    REQUEST_NULL as REQUEST_NULL,
)
from serverless_dist.comm.request import (
    Prequest as Prequest,
)
from serverless_dist.comm.request import (
    Request as Request,
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
