"""Constants that stand for addresses: `BOTTOM`, `IN_PLACE`, `BUFFER_AUTOMATIC`."""

NOTHING = memoryview(bytearray())
"""A buffer without bytes."""


class Address:
    """A constant that stands for an address; it equals its number, and pickles by name.

    It is also a buffer without bytes, where Python lets a class be one (3.12).
    """

    __slots__ = ()
    _name: str
    _number: int

    def __int__(self) -> int:
        return self._number

    def __bool__(self) -> bool:
        return bool(self._number)

    def __hash__(self) -> int:
        return hash(self._number)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return True
        return self._number == other if isinstance(other, int) else NotImplemented

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def __buffer__(self, flags: int) -> memoryview:
        return NOTHING


class BottomType(Address):
    """Type of `BOTTOM`."""

    __slots__ = ()
    _name = "BOTTOM"
    _number = 0

    def __index__(self) -> int:
        return self._number


class InPlaceType(Address):
    """Type of `IN_PLACE`."""

    __slots__ = ()
    _name = "IN_PLACE"
    _number = -1


class BufferAutomaticType(Address):
    """Type of `BUFFER_AUTOMATIC`."""

    __slots__ = ()
    _name = "BUFFER_AUTOMATIC"
    _number = -2


BOTTOM = BottomType()
IN_PLACE = InPlaceType()
BUFFER_AUTOMATIC = BufferAutomaticType()


def is_in_place(spec: object) -> bool:
    """Return whether a caller says that data are in the other buffer; None says so."""
    return spec is None or spec is IN_PLACE
