"""The predefined datatypes: name, numpy dtype and codes of each.

Codes are those of Python's buffers and of numpy: ``d`` or ``f8`` is a double.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from serverless_dist.comm.data.typemap import Layout, basic, pair

# Name, character code, and whether the type is known by its size first ("i4").
_SIMPLE = """
PACKED B, BYTE B, AINT p, OFFSET p, COUNT p,
CHAR c, WCHAR U, SIGNED_CHAR b, SHORT h, INT i, LONG l, LONG_LONG q,
UNSIGNED_CHAR B, UNSIGNED_SHORT H, UNSIGNED I, UNSIGNED_LONG L, UNSIGNED_LONG_LONG Q,
FLOAT f, DOUBLE d, LONG_DOUBLE g, FLOAT16_T e,
C_COMPLEX F, C_DOUBLE_COMPLEX D, C_LONG_DOUBLE_COMPLEX G,
CXX_BOOL ?, CXX_FLOAT_COMPLEX F, CXX_DOUBLE_COMPLEX D, CXX_LONG_DOUBLE_COMPLEX G,
CHARACTER c, LOGICAL i, INTEGER i, REAL f, DOUBLE_PRECISION d, COMPLEX F,
DOUBLE_COMPLEX D
"""
_SIZED = """
C_BOOL b1, INT8_T i1, INT16_T i2, INT32_T i4, INT64_T i8,
UINT8_T u1, UINT16_T u2, UINT32_T u4, UINT64_T u8,
LOGICAL1 b1, LOGICAL2 i2, LOGICAL4 i4, LOGICAL8 i8, LOGICAL16 i16,
INTEGER1 i1, INTEGER2 i2, INTEGER4 i4, INTEGER8 i8, INTEGER16 i16,
REAL2 f2, REAL4 f4, REAL8 f8, REAL16 f16,
COMPLEX4 c4, COMPLEX8 c8, COMPLEX16 c16, COMPLEX32 c32
"""
_PAIRS = {
    "SHORT_INT": "SHORT",
    "INT_INT": "INT",
    "LONG_INT": "LONG",
    "FLOAT_INT": "FLOAT",
    "DOUBLE_INT": "DOUBLE",
    "LONG_DOUBLE_INT": "LONG_DOUBLE",
}

# What buffers' formats and numpy's codes mean; of several types the plainest.
_CODES = """
? C_BOOL, b SIGNED_CHAR, h SHORT, i INT, l LONG, q LONG_LONG,
B UNSIGNED_CHAR, H UNSIGNED_SHORT, I UNSIGNED, L UNSIGNED_LONG, Q UNSIGNED_LONG_LONG,
e FLOAT16_T, f FLOAT, d DOUBLE, g LONG_DOUBLE,
Zf C_COMPLEX, Zd C_DOUBLE_COMPLEX, Zg C_LONG_DOUBLE_COMPLEX,
F C_COMPLEX, D C_DOUBLE_COMPLEX, G C_LONG_DOUBLE_COMPLEX,
b1 C_BOOL, i1 INT8_T, i2 INT16_T, i4 INT32_T, i8 INT64_T,
u1 UINT8_T, u2 UINT16_T, u4 UINT32_T, u8 UINT64_T,
f2 FLOAT16_T, f4 FLOAT, f8 DOUBLE, f12 LONG_DOUBLE, f16 LONG_DOUBLE,
c8 C_COMPLEX, c16 C_DOUBLE_COMPLEX,
c24 C_LONG_DOUBLE_COMPLEX, c32 C_LONG_DOUBLE_COMPLEX,
n COUNT, N UNSIGNED_LONG, p AINT, P UNSIGNED_LONG,
c CHAR, a CHAR, S CHAR, S1 CHAR, s CHAR, 1s CHAR, U WCHAR, U1 WCHAR,
u UINT16_T, 1u UINT16_T, w WCHAR, 1w WCHAR,
M INT64_T, M8 INT64_T, m INT64_T, m8 INT64_T
"""


def _rows(table: str) -> list[tuple[str, str]]:
    pairs = [row.split() for row in table.split(",")]
    return [(first, second) for first, second in pairs]


def _dtype(code: str) -> "np.dtype[np.generic] | None":
    """Return the dtype of a code; None if this machine has none."""
    try:
        return np.dtype({"c": "S1", "U": "U1"}.get(code, code))
    except TypeError:
        return None


def _named(name: str, code: str, *, is_sized: bool) -> Layout | None:
    dtype = _dtype(code)
    if dtype is None:
        return None
    layout = basic(dtype, dtype.alignment)
    layout.name = f"MPI_{name}"
    char = "p" if code == "p" else {"S": "c", "U": "U"}.get(dtype.kind, dtype.char)
    string = dtype.str[1:]
    layout.code = (code if is_sized else char, char, string)
    return layout


def _layouts() -> dict[str, Layout]:
    rows = [(name, code, False) for name, code in _rows(_SIMPLE)]
    rows += [(name, code, True) for name, code in _rows(_SIZED)]
    made = {name: _named(name, code, is_sized=sized) for name, code, sized in rows}
    layouts = {name: layout for name, layout in made.items() if layout is not None}
    for name, value in _PAIRS.items():
        layouts[name] = pair(layouts[value], layouts["INT"])
        layouts[name].name = f"MPI_{name}"
    layouts["INT_INT"].name = "MPI_2INT"
    for name, layout in layouts.items():
        layout.constant = name
    return layouts


LAYOUTS: Mapping[str, Layout] = MappingProxyType(_layouts())
"""The layouts by mpi4py's names; a type that this machine lacks is missing."""

CODES: Mapping[str, str] = MappingProxyType(
    {code: name for code, name in _rows(_CODES) if name in LAYOUTS}
)
"""The name of the datatype of a code; all of native byte order."""

PAIRS: Mapping[str, str] = MappingProxyType(
    {value: name for name, value in _PAIRS.items()}
)
"""The name of the type of pairs of a value and an INT, by the value's name."""
