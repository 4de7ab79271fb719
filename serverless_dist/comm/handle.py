"""What all of mpi4py's objects have in common: each is a handle of something shared.

Several handles may have one target; they are equal, and what is done through one is
seen through all. A handle without a target is null, and false.
"""

import importlib
from typing import Any, ClassVar, NoReturn, Self

from serverless_dist.errors import UnpicklableError


class Handle:
    """Base of Comm, Request, Message, Op, Group, Info, Errhandler and Datatype.

    ``cls(other)`` is another handle of the same target; ``cls()`` is null. `other` may
    be of any class of the same kind: every communicator is a ``Comm``.
    """

    __slots__ = ("__weakref__", "_constant", "_fixed", "_target")

    _kind: ClassVar["type[Handle]"]
    _target: Any
    _constant: str  # Name in `MPI` of the predefined handle of this target, or empty.
    _fixed: bool  # Whether this object is that predefined handle itself.

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if Handle in cls.__bases__:
            cls._kind = cls

    def __new__(cls, other: "Handle | None" = None) -> Self:
        """Return a new handle of what `other` is a handle of."""
        if other is None:
            return cls._wrap(None)
        if not isinstance(other, cls._kind):
            kind = cls._kind.__name__
            msg = f"{cls.__name__} needs a {kind} or nothing, not {other!r}"
            raise TypeError(msg)
        return cls._wrap(other._target, other._constant, is_clone=True)

    @classmethod
    def _wrap(cls, target: Any, constant: str = "", *, is_clone: bool = False) -> Self:
        """Return a handle of `target`.

        Parameters
        ----------
        target
            What the handle stands for; None is the null handle.
        constant
            The name that the module `MPI` gives the predefined handle of the target.
        is_clone
            Whether this is not that predefined handle itself.
        """
        handle: Self = super().__new__(cls)
        handle._target = target
        handle._constant = constant
        handle._fixed = bool(constant) and not is_clone
        return handle

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self._kind):
            return NotImplemented
        return self._target is other._target

    # As in mpi4py: a handle changes when it is freed, so it cannot be a key.
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self._target is not None

    def __repr__(self) -> str:
        name = self._constant or ("of its own" if self else "null")
        return f"<{type(self).__name__} {name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by name: only predefined handles, and null, can be pickled."""
        if self._fixed:
            return (_constant, (self._constant,))
        if self._constant:
            return (type(self), (_constant(self._constant),))
        if self._target is None:
            return (type(self), ())
        msg = f"{self!r} cannot be pickled: it means nothing in another process"
        raise UnpicklableError(msg)

    def free(self) -> None:
        """Make this handle null, freeing its target unless that is predefined."""
        if self._constant:
            self._forget()
        elif self._target is not None:
            self.Free()

    def Free(self) -> None:
        """Make this handle null."""
        self._forget()

    def _forget(self) -> None:
        """Make this handle null, unless it is a predefined one."""
        if not self._fixed:
            self._target = None
            self._constant = ""

    @property
    def handle(self) -> int:
        """Not available: there is no C library behind this object."""
        _refuse_c("handle")

    @classmethod
    def fromhandle(cls, handle: int) -> Self:
        """Not available: there is no C library behind these objects."""
        _refuse_c("fromhandle")

    def py2f(self) -> int:
        """Return -1, which says that there is no Fortran integer for this handle."""
        return -1

    @classmethod
    def f2py(cls, arg: int) -> Self:
        """Not available: there is no Fortran library behind these objects."""
        _refuse_c("f2py")

    def toint(self) -> int:
        """Return -1, which says that there is no integer for this handle."""
        return -1

    @classmethod
    def fromint(cls, arg: int, /) -> Self:
        """Not available: no handle has an integer."""
        _refuse_c("fromint")


def _refuse_c(what: str) -> NoReturn:
    msg = f"{what}: there are no C handles here, all of MPI's objects are Python's"
    raise NotImplementedError(msg)


def _constant(name: str) -> Any:
    """Return what the module `MPI` of this process calls `name`."""
    # Imported when needed: that module imports all those that define constants.
    return getattr(importlib.import_module("serverless_dist.comm.mpi"), name)
