"""Fortran's datatypes, found by what they hold."""

import functools

from serverless_dist.comm.data.typeconstants import (
    TYPECLASS_COMPLEX,
    TYPECLASS_INTEGER,
    TYPECLASS_LOGICAL,
    TYPECLASS_REAL,
)
from serverless_dist.comm.data.typemap import Layout, Recipe, copy
from serverless_dist.comm.data.typetable import LAYOUTS
from serverless_dist.comm.exceptions import ERR_ARG, MPIError

_CLASSES = {
    TYPECLASS_INTEGER: "INTEGER",
    TYPECLASS_REAL: "REAL",
    TYPECLASS_COMPLEX: "COMPLEX",
    TYPECLASS_LOGICAL: "LOGICAL",
}

# Decimal digits, and for reals the largest exponent of ten, that each type has.
_INTEGER_DIGITS = {"INTEGER1": 2, "INTEGER2": 4, "INTEGER4": 9, "INTEGER8": 18}
_REAL_DIGITS = {"4": (6, 37), "8": (15, 307), "16": (18, 4931)}


def match_size(typeclass: int, size: int) -> Layout:
    """Return the type of a class (TYPECLASS_REAL ...) that has `size` bytes."""
    layout = LAYOUTS.get(f"{_CLASSES.get(typeclass, '')}{size}")
    if layout is None:
        msg = f"no datatype of class {typeclass} has {size} bytes: try another size"
        raise MPIError(ERR_ARG, msg)
    return layout


# Cached, since MPI gives equal datatypes for equal arguments.
@functools.cache
def f90_integer(r: int) -> Layout:
    """Return the smallest integer that has `r` decimal digits."""
    for name, digits in _INTEGER_DIGITS.items():
        if r <= digits:
            return _parametrized(name, "F90_INTEGER", r=r)
    msg = f"no integer has {r} decimal digits: the largest has 18"
    raise MPIError(ERR_ARG, msg)


@functools.cache
def f90_float(kind: str, p: int, r: int) -> Layout:
    """Return the smallest float that has some digits.

    Parameters
    ----------
    kind
        REAL or COMPLEX.
    p
        How many decimal digits; negative (UNDEFINED) if that does not matter.
    r
        How large an exponent of ten; negative if that does not matter.
    """
    for size, (digits, exponent) in _REAL_DIGITS.items():
        bytes_of = int(size) * (2 if kind == "COMPLEX" else 1)
        name = f"{kind}{bytes_of}"
        if p <= digits and r <= exponent and name in LAYOUTS:
            return _parametrized(name, f"F90_{kind}", p=p, r=r)
    msg = f"no {kind.lower()} has {p} digits and exponents up to {r}"
    raise MPIError(ERR_ARG, msg)


def _parametrized(name: str, combiner: str, **params: int) -> Layout:
    layout = copy(LAYOUTS[name])
    layout.code = LAYOUTS[name].code
    layout.recipe = Recipe(combiner, params, [])
    return layout
