"""`Datatype`: what the elements of a buffer are, and how they lie in memory.

>>> pair = DATATYPES["DOUBLE"].Create_vector(2, 1, 3).Commit()
>>> pair.size, pair.extent
(16, 32)
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from serverless_dist.comm.attributes import Attributed, Keyvals, Store
from serverless_dist.comm.constants import UNDEFINED
from serverless_dist.comm.data import typeconstants
from serverless_dist.comm.data.construct import Constructors
from serverless_dist.comm.data.packable import Packable
from serverless_dist.comm.data.typemap import Layout, Recipe, copy
from serverless_dist.comm.data.typetable import CODES, LAYOUTS, PAIRS
from serverless_dist.comm.exceptions import ERR_TYPE, MPIError
from serverless_dist.comm.handle import Handle

_Contents = tuple[list[int], list[int], list[int], list["Datatype"]]


class Datatype(Constructors, Packable, Attributed, Handle):
    """How an element of a message lies in memory; a handle, equal to its copies.

    Derived datatypes are made by the ``Create_`` methods of others; they may be used
    without `Commit`. Freeing a handle leaves the other handles of its datatype valid.
    """

    __slots__ = ()
    _target: Layout | None
    _keyvals: ClassVar[Keyvals] = Keyvals({})

    @classmethod
    def of_layout(cls, layout: Layout) -> "Datatype":
        """Return a handle of `layout`; the predefined one, if it is predefined."""
        constant = DATATYPES.get(layout.constant)
        return constant if constant is not None else cls._of(layout)

    @classmethod
    def _of(cls, layout: Layout) -> Self:
        return cls._wrap(layout, layout.constant, is_clone=True)

    @property
    def _layout(self) -> Layout:
        if self._target is None:
            msg = "DATATYPE_NULL has no elements: use another datatype"
            raise MPIError(ERR_TYPE, msg)
        return self._target

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by name, or by how it was made."""
        if self._constant or self._target is None:
            return super().__reduce__()
        base, combiner, params = self.decode()
        return (_rebuild, (type(self), base, combiner, params))

    def _attributes(self) -> Store:
        return self._layout.attributes

    def Dup(self) -> Self:
        """Return a datatype that is the same, but not equal."""
        layout = copy(self._layout)
        layout.code = self._layout.code
        self._copy_attributes(layout.attributes)
        return self._derive(layout, "DUP")

    Create_dup = Dup

    def Commit(self) -> Self:
        """Return this datatype, which needs no preparation."""
        assert self._layout is not None
        return self

    def Free(self) -> None:
        """Make this handle null; predefined datatypes cannot be freed."""
        if self._layout.recipe is None:
            msg = f"{self!r} is predefined: free only datatypes that were created"
            raise MPIError(ERR_TYPE, msg)
        self._delete_attributes()
        self._forget()

    def Get_size(self) -> int:
        """Return the bytes of an element, without gaps."""
        return self._layout.size

    def elements_in(self, nbytes: int) -> int:
        """Return how many basic elements so many packed bytes are.

        `UNDEFINED` if they are not a whole number of them, or the datatype mixes basic
        types. A pair is two.
        """
        dtype = self._layout.dtype
        if not nbytes:
            return 0
        if dtype is None:
            return UNDEFINED
        number, rest = divmod(nbytes, dtype.itemsize)
        return UNDEFINED if rest else number * len(dtype.names or "1")

    def Get_extent(self) -> tuple[int, int]:
        """Return lower bound and extent: elements lie that many bytes apart."""
        return self._layout.lb, self._layout.extent

    def Get_true_extent(self) -> tuple[int, int]:
        """Return where the first byte lies, and the bytes from there to the last."""
        low, high = self._layout.true_bounds
        return low, high - low

    size = property(Get_size)
    extent = property(lambda self: self.Get_extent()[1])
    lb = property(lambda self: self.Get_extent()[0])
    ub = property(lambda self: sum(self.Get_extent()))
    true_extent = property(lambda self: self.Get_true_extent()[1])
    true_lb = property(lambda self: self.Get_true_extent()[0])
    true_ub = property(lambda self: sum(self.Get_true_extent()))

    @classmethod
    def Get_value_index(cls, value: "Datatype", index: "Datatype") -> "Datatype":
        """Return the type of pairs for MAXLOC and MINLOC; null if there is none."""
        names = [datatype._layout.constant for datatype in (value, index)]
        name = PAIRS.get(names[0]) if names[1] == "INT" else None
        return DATATYPES[name or "DATATYPE_NULL"]

    def decode(self) -> tuple["Datatype", str, dict[str, Any]]:
        """Return the datatype it was made of, the constructor, and its parameters."""
        recipe = self._layout.recipe
        if recipe is None:
            return self, "NAMED", {}
        parts = [Datatype.of_layout(part) for part in recipe.parts]
        if recipe.combiner == "STRUCT":
            params = recipe.params | {"datatypes": parts}
            return DATATYPES["DATATYPE_NULL"], recipe.combiner, params
        base = parts[0] if parts else DATATYPES["DATATYPE_NULL"]
        return base, recipe.combiner, dict(recipe.params)

    def Get_envelope(self) -> tuple[int, int, int, int, int]:
        """Return how many integers, addresses, counts, datatypes; and the combiner."""
        recipe = self._layout.recipe
        if recipe is None:
            return 0, 0, 0, 0, typeconstants.COMBINER_NAMED
        integers, addresses = _arguments(recipe)
        combiner = getattr(typeconstants, f"COMBINER_{recipe.combiner}")
        return len(integers), len(addresses), 0, len(recipe.parts), combiner

    def Get_contents(self) -> _Contents:
        """Return the integers, addresses, counts and datatypes it was made of."""
        recipe = self._layout.recipe
        if recipe is None:
            msg = f"{self!r} was not made of others: ask only created datatypes"
            raise MPIError(ERR_TYPE, msg)
        integers, addresses = _arguments(recipe)
        return integers, addresses, [], [Datatype.of_layout(p) for p in recipe.parts]

    envelope = property(Get_envelope)
    contents = property(Get_contents)
    combiner = property(lambda self: self.Get_envelope()[-1])

    @property
    def is_named(self) -> bool:
        """Whether it has a name in MPI."""
        return self._layout.recipe is None

    @property
    def is_predefined(self) -> bool:
        """Whether it was not made by the program."""
        recipe = None if self._target is None else self._target.recipe
        return recipe is None or recipe.combiner.startswith("F90")

    def Get_name(self) -> str:
        """Return its name; empty if it has none."""
        return "MPI_DATATYPE_NULL" if self._target is None else self._target.name

    def Set_name(self, name: str) -> None:
        """Give it a name, which all its handles have."""
        self._layout.name = name

    name = property(Get_name, Set_name)

    def tocode(self) -> str:
        """Return the character or string that is its code; ValueError if none is."""
        codes = self._codes
        if codes is None:
            msg = f"{self!r} has no code: only datatypes of one basic type have"
            raise ValueError(msg)
        return codes[0]

    @classmethod
    def fromcode(cls, code: str) -> "Datatype":
        """Return the predefined datatype of a code, as of Python's buffers or numpy."""
        name = CODES.get(code)
        if name is None:
            msg = f"{code!r} is no code of a datatype: use one like 'd' or 'f8'"
            raise ValueError(msg)
        return DATATYPES[name]

    @property
    def typechar(self) -> str:
        """Its code as one character; V if it has none."""
        if self._target is None:
            return ""
        return "V" if self._codes is None else self._codes[1]

    @property
    def typestr(self) -> str:
        """Its code as a character and a size; V and its extent if it has none."""
        if self._target is None:
            return ""
        return f"V{self.extent}" if self._codes is None else self._codes[2]

    @property
    def _codes(self) -> tuple[str, str, str] | None:
        return None if self._target is None else self._target.code


def _arguments(recipe: Recipe) -> tuple[list[int], list[int]]:
    """Return the parameters of a constructor as integers and addresses."""
    integers: list[int] = []
    addresses: list[int] = []
    lists = [value for value in recipe.params.values() if isinstance(value, list)]
    if lists:  # the number of blocks or dimensions is an argument in C
        integers.append(len(lists[0]))
    for name, value in recipe.params.items():
        is_address = (recipe.combiner, name) in _ADDRESSES
        target = addresses if is_address else integers
        target.extend(value if isinstance(value, list) else [value])
    if recipe.combiner == "DARRAY":  # where it follows size and rank
        integers[:3] = *integers[1:3], integers[0]
    return integers, addresses


# The parameters that are in bytes.
_ADDRESSES = {
    ("HVECTOR", "stride"),
    ("HINDEXED", "displacements"),
    ("HINDEXED_BLOCK", "displacements"),
    ("STRUCT", "displacements"),
    ("RESIZED", "lb"),
    ("RESIZED", "extent"),
}


def _rebuild(
    cls: type[Datatype], base: Datatype, combiner: str, params: dict[str, Any]
) -> Datatype:
    made: Datatype = getattr(base, f"Create_{combiner.lower()}")(**params)
    return cls(made)


def _predefined() -> dict[str, Datatype]:
    layouts: dict[str, Layout | None] = {**LAYOUTS, "DATATYPE_NULL": None}
    wrap = Datatype._wrap
    return {name: wrap(layout, name) for name, layout in layouts.items()}


DATATYPES: Mapping[str, Datatype] = MappingProxyType(_predefined())
"""The predefined datatypes by their names in mpi4py."""

_BY_CODE = {code: LAYOUTS[name] for code, name in CODES.items()}
# As in mpi4py, what has only bytes is not known to be numbers.
_BY_FORMAT = _BY_CODE | {"B": LAYOUTS["BYTE"]}
_FOREIGN = ">" if sys.byteorder == "little" else "<"


def layout_of(datatype: Datatype | str | None) -> Layout | None:
    """Return the layout of a datatype or code; None is that of DATATYPE_NULL."""
    if isinstance(datatype, Datatype):
        return datatype._target
    if datatype not in _BY_CODE:
        msg = f"{datatype!r} is no datatype: use a Datatype or a code like 'd'"
        raise KeyError(msg)
    return _BY_CODE[datatype]


def layout_of_items(view: memoryview) -> Layout:
    """Return the layout of what a buffer says that its items are."""
    layout = _BY_FORMAT.get(view.format)
    if layout is None:
        layout = from_numpy(_native(view))._layout
    return layout


def _native(view: memoryview) -> "np.dtype[Any]":
    """Return the dtype of a buffer's items, which have to be of native byte order."""
    dtype = np.asarray(view).dtype
    if not dtype.isnative:
        msg = (
            f"items of format {view.format!r} are not in this machine's byte order: "
            "convert them, or name their datatype"
        )
        raise BufferError(msg)
    return dtype


def from_numpy(dtype: "np.dtype[Any]") -> Datatype:
    """Return the datatype of items of a numpy dtype; of records, a struct.

    >>> from_numpy(np.dtype("i4")) == DATATYPES["INT"]
    True
    """
    if dtype.names:
        fields = [dtype.fields[name] for name in dtype.names] if dtype.fields else []
        struct = Datatype.Create_struct(
            [1] * len(fields),
            [field[1] for field in fields],
            [from_numpy(field[0]) for field in fields],
        )
        return struct.Create_resized(0, dtype.itemsize)
    if dtype.subdtype:
        base, shape = dtype.subdtype
        return from_numpy(base).Create_contiguous(int(np.prod(shape)))
    if dtype.char not in _BY_CODE or dtype.itemsize != _BY_CODE[dtype.char].size:
        msg = f"items of numpy's dtype {dtype} have no datatype: name one for them"
        raise KeyError(msg)
    return DATATYPES[CODES[dtype.char]]
