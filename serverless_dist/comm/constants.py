"""The plain integers of mpi4py's module, those of what we leave out included.

A script may name a constant of MPI's files or windows when it is imported, though it
never opens one: the names are all here, with MPICH's values where programs have come to
rely on them. Error codes live in `exceptions`, what describes datatypes in
`typeconstants`, weights of graphs in `edges`.
"""

# The version of MPI's standard that the module follows.
VERSION = 3
SUBVERSION = 1

# Ranks and tags. The special ranks differ, and none is a rank.
ANY_SOURCE = -1
"""Receive from whichever rank sent first."""

ANY_TAG = -1
"""Receive whatever the tag."""

PROC_NULL = -2
"""Nobody: sending to it does nothing, receiving from it gives None at once."""

ROOT = -3
"""The root of a collective call of an intercommunicator, as it calls itself."""

UNDEFINED = -32766
"""No rank, no colour, no topology or no count, whatever the call is about."""

MAX_TAG = 2**31 - 1
"""The largest tag: what the attribute `TAG_UB` says."""

# What comparing two groups or communicators gives.
IDENT = 0
CONGRUENT = 1
SIMILAR = 2
UNEQUAL = 3

# Kinds of topologies.
GRAPH = 1
CART = 2
DIST_GRAPH = 3

# What Split_type splits by.
COMM_TYPE_SHARED = 1
COMM_TYPE_HW_GUIDED = 2
COMM_TYPE_HW_UNGUIDED = 3
COMM_TYPE_RESOURCE_GUIDED = 4

# Levels of thread support.
THREAD_SINGLE = 0
THREAD_FUNNELED = 1
THREAD_SERIALIZED = 2
THREAD_MULTIPLE = 3

# Keys of predefined attributes of communicators, and the key that is none.
KEYVAL_INVALID = 0x24000000
TAG_UB = 0x64400001
HOST = 0x64400003
IO = 0x64400005
WTIME_IS_GLOBAL = 0x64400007
UNIVERSE_SIZE = 0x64400009
LASTUSEDCODE = 0x6440000B
APPNUM = 0x6440000D

# A status as Fortran sees it: places of its fields, and its length.
F_SOURCE = 2
F_TAG = 3
F_ERROR = 4
F_STATUS_SIZE = 5

# Sizes.
BSEND_OVERHEAD = 96
MAX_PROCESSOR_NAME = 128
MAX_ERROR_STRING = 512
MAX_PORT_NAME = 1024
MAX_INFO_KEY = 255
MAX_INFO_VAL = 1024
MAX_OBJECT_NAME = 128
MAX_DATAREP_STRING = 128
MAX_LIBRARY_VERSION_STRING = 8192
MAX_PSET_NAME_LEN = 256
MAX_STRINGTAG_LEN = 256

# Windows, of which there are none: keys, flavours, models, assertions, locks.
WIN_BASE = 0x66000001
WIN_SIZE = 0x66000003
WIN_DISP_UNIT = 0x66000005
WIN_CREATE_FLAVOR = 0x66000007
WIN_FLAVOR = WIN_CREATE_FLAVOR
WIN_MODEL = 0x66000009
WIN_FLAVOR_CREATE = 1
WIN_FLAVOR_ALLOCATE = 2
WIN_FLAVOR_DYNAMIC = 3
WIN_FLAVOR_SHARED = 4
WIN_SEPARATE = 1
WIN_UNIFIED = 2
MODE_NOCHECK = 1024
MODE_NOSTORE = 2048
MODE_NOPUT = 4096
MODE_NOPRECEDE = 8192
MODE_NOSUCCEED = 16384
LOCK_EXCLUSIVE = 234
LOCK_SHARED = 235

# Files, of which there are none: modes of opening, and where to seek from.
MODE_CREATE = 1
MODE_RDONLY = 2
MODE_WRONLY = 4
MODE_RDWR = 8
MODE_DELETE_ON_CLOSE = 16
MODE_UNIQUE_OPEN = 32
MODE_EXCL = 64
MODE_APPEND = 128
MODE_SEQUENTIAL = 256
SEEK_SET = 600
SEEK_CUR = 602
SEEK_END = 604
DISPLACEMENT_CURRENT = -54278278
DISP_CUR = DISPLACEMENT_CURRENT
