"""Reduction operators, with mpi4py's names and meaning.

Python objects are combined as mpi4py does; as soon as an operand is a numpy array, the
operator works element by element (numpy's ``maximum`` and so on, which keep NaN). The
predefined operators are associative and never change an operand. Any callable of two
operands serves as an operator as well, where objects are reduced.

Buffers are combined as arrays of their datatype, by what `Op.on_arrays` returns.
"""

import functools
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.buffers import check_alike, recv_block, send_block
from serverless_dist.comm.data.datatype import Datatype, layout_of
from serverless_dist.comm.data.memory import buffer
from serverless_dist.comm.data.packing import pack, unpack
from serverless_dist.comm.data.rules import RULES, Array, OnArrays, Rule
from serverless_dist.comm.data.typemap import Layout
from serverless_dist.comm.exceptions import ERR_OP, ERR_TYPE, MPIError
from serverless_dist.comm.handle import Handle


class Op(Handle):
    """An operator; called with the fold of lower ranks first.

    >>> SUM([1], [2]), MAXLOC((3, 0), (3, 1))
    ([1, 2], (3, 0))
    """

    __slots__ = ()
    _target: Rule | None

    @classmethod
    def Create(
        cls,
        function: Callable[..., Any],
        commute: bool = False,
    ) -> Self:
        """Return an operator that calls `function`; there may be any number of them.

        Parameters
        ----------
        function
            On objects it is called as ``function(x, y, None)`` and returns the result.
            On buffers, as ``function(a, b, datatype)`` with memory of equally many
            elements, of which it writes the result to `b`; `a` is of lower ranks.
        commute
            Whether operands may be swapped. They are folded in rank order all the same.
        """
        if not callable(function):
            msg = f"an operator is made of a function, not of {function!r}"
            raise TypeError(msg)
        return cls._wrap(Rule(function, None, is_commutative=bool(commute)))

    def __call__(self, x: Any, y: Any) -> Any:
        """Return `x` combined with `y`."""
        rule = self._target
        if rule is None:
            msg = "OP_NULL combines nothing: use another operator"
            raise ValueError(msg)
        if rule.on_arrays is None:
            return rule.on_objects(x, y, None)
        return rule.on_objects(x, y)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by name; one of the user's by its function."""
        rule = self._target
        if self._constant or rule is None:
            return super().__reduce__()
        return (type(self).Create, (rule.on_objects, rule.is_commutative))

    def Free(self) -> None:
        """Make this handle null; predefined operators cannot be freed."""
        if self._rule.on_arrays is not None:
            msg = f"{self!r} is predefined: free only operators of Op.Create"
            raise MPIError(ERR_OP, msg)
        self._forget()

    def Is_commutative(self) -> bool:
        """Return whether operands may be swapped."""
        return self._rule.is_commutative

    @property
    def is_commutative(self) -> bool:
        """Whether operands may be swapped."""
        return self.Is_commutative()

    @property
    def is_predefined(self) -> bool:
        """Whether it was not made by `Create`."""
        return self._target is None or self._target.on_arrays is not None

    def Reduce_local(self, inbuf: Any, inoutbuf: Any) -> None:
        """Combine two buffers, the second of which gets the result.

        Raises
        ------
        ValueError
            If their datatypes or counts differ.
        MPIError
            ERR_OP if the operator does not combine such elements.
        """
        result = recv_block(inoutbuf)
        lower = send_block(inbuf)
        check_alike(lower, result)
        combine = self.on_arrays(result.datatype)
        result.write(combine(self.operand(lower), self.operand(result)))

    def operand(self, block: Block) -> Array:
        """Return the elements of `block` as an array that this operator can combine.

        Its items are the smallest parts that may be combined apart from the others.
        It aliases the block's memory where that is contiguous.
        """
        return block.array() if self._rule.kinds else block.items()

    def on_arrays(self, datatype: Datatype) -> OnArrays:
        """Return a function of two arrays, as of `operand`, that combines them.

        It takes the operand of lower ranks first and never changes either; the result
        is of the same dtype, and may be one of the operands itself.

        Parameters
        ----------
        datatype
            That of the blocks.

        Raises
        ------
        MPIError
            ERR_OP if the operator does not combine such elements.
        """
        rule, layout = self._rule, layout_of(datatype)
        if layout is None:
            msg = f"{self!r} cannot combine elements of DATATYPE_NULL: give a datatype"
            raise MPIError(ERR_TYPE, msg)
        if rule.on_arrays is None:
            return functools.partial(_call, rule.on_objects, layout, datatype)
        kind = "" if layout.dtype is None else layout.dtype.kind
        if rule.kinds and (not kind or kind not in rule.kinds):
            name = layout.name or "a derived datatype"
            msg = f"{self!r} cannot combine elements of {name}: use another operator"
            raise MPIError(ERR_OP, msg)
        return rule.on_arrays

    @property
    def _rule(self) -> Rule:
        if self._target is None:
            msg = "OP_NULL combines nothing: use another operator"
            raise MPIError(ERR_OP, msg)
        return self._target


def _call(
    function: Callable[..., Any],
    layout: Layout,
    datatype: Datatype,
    left: Array,
    right: Array,
) -> Array:
    """Combine arrays by a user's function, which sees elements as they lie in memory.

    Parameters
    ----------
    function
        It writes its result over the second operand.
    layout
        That of the elements.
    datatype
        What the function is told of them.
    left
        The packed elements of lower ranks.
    right
        The packed elements of higher ranks.
    """
    first, second = left.data.cast("B"), right.copy().data.cast("B")
    if not layout.size or not first.nbytes:
        return right
    count = first.nbytes // layout.size
    low, high = layout.span(count)
    start = min(low, 0)
    if not layout.is_dense:
        nbytes = max(high, count * layout.extent) - start
        first, second = (
            _spread(layout, data, start, nbytes) for data in (first, second)
        )
    function(
        buffer.frombuffer(first, readonly=True), buffer.frombuffer(second), datatype
    )
    return np.frombuffer(pack(layout, second, -start, count), right.dtype)


def _spread(layout: Layout, data: memoryview, start: int, nbytes: int) -> memoryview:
    """Return packed elements as they lie in memory, from address `start` on."""
    memory = memoryview(bytearray(nbytes))
    unpack(layout, memory, -start, data)
    return memory


def _predefined(name: str) -> Op:
    return Op._wrap(RULES.get(name), name)


OP_NULL = _predefined("OP_NULL")
SUM = _predefined("SUM")
PROD = _predefined("PROD")
MAX = _predefined("MAX")
MIN = _predefined("MIN")
LAND = _predefined("LAND")
LOR = _predefined("LOR")
LXOR = _predefined("LXOR")
BAND = _predefined("BAND")
BOR = _predefined("BOR")
BXOR = _predefined("BXOR")
MAXLOC = _predefined("MAXLOC")
MINLOC = _predefined("MINLOC")
REPLACE = _predefined("REPLACE")
NO_OP = _predefined("NO_OP")
