"""What can be said of a task, an actor or a gang besides its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import check_channel
from serverless_dist.tasks.messages import STREAMING, Policy

_MEMORY = range(128, 10_241)  # MB of a function: Lambda's limits
_MOST_COUNTED = 1_000_000_000  # of retries, restarts, ranks
_MOST_RETURNS = 10_000

Options = TypeVar(
    "Options", bound="TaskOptions | ActorOptions | CallOptions | GangOptions"
)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Options of ``@remote`` for a function.

    Attributes
    ----------
    name
        What errors call the task; None: the function's name.
    num_returns
        How many refs a call gives; ``"streaming"``: one for each value that the
        generator yields; None: 1, or streaming for a generator function.
    retries
        How often it is run again when its worker dies. 0: it runs at most once.
    retry_exceptions
        Whether errors that it raises are retried as well: True, or which classes.
    timeout
        Seconds that one attempt may take; None: as long as it likes.
    memory
        MB of the function that dollars are computed for.
    speculative
        Whether a second copy may be started while the first one is late.
    """

    name: str | None = None
    num_returns: int | str | None = None
    retries: int = 3
    retry_exceptions: bool | Sequence[type[BaseException]] = False
    timeout: float | None = None
    memory: int = VCPU_MEMORY_MB
    speculative: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_returns(self.num_returns)
        _check_count("retries", self.retries)
        _check_timeout(self.timeout)
        _check_memory(self.memory)
        _check_classes(self.retry_exceptions)
        if not isinstance(self.speculative, bool):
            msg = f"speculative is {self.speculative!r}: give True or False"
            raise UsageError(msg)

    @property
    def worth_retrying(self) -> tuple[type[BaseException], ...]:
        """The classes of errors that are retried."""
        if isinstance(self.retry_exceptions, bool):
            return (Exception,) if self.retry_exceptions else ()
        return tuple(self.retry_exceptions)

    def policy(self) -> Policy:
        """Return what the driver has to know."""
        return Policy(
            retries=self.retries,
            timeout=self.timeout or 0.0,
            retry_errors=bool(self.worth_retrying),
            speculative=self.speculative,
            memory=self.memory,
        )


@dataclass(frozen=True, slots=True)
class ActorOptions:
    """Options of ``@remote`` for a class.

    Attributes
    ----------
    name
        What `get_actor` finds the actor by; None: nothing.
    max_restarts
        How often it is made anew when its worker dies; -1: always.
    max_task_retries
        How often a call is run again after that.
    memory
        MB of the function that dollars are computed for.
    """

    name: str | None = None
    max_restarts: int = 0
    max_task_retries: int = 0
    memory: int = VCPU_MEMORY_MB

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_count("max_restarts", self.max_restarts, least=-1)
        _check_count("max_task_retries", self.max_task_retries)
        _check_memory(self.memory)

    def policy(self) -> Policy:
        """Return what the driver has to know of the creation."""
        return Policy(
            retries=0,
            memory=self.memory,
            restarts=self.max_restarts,
            actor_name=self.name or "",
        )

    def call_policy(self, timeout: float | None) -> Policy:
        """Return what the driver has to know of a call."""
        retries = self.max_task_retries
        return Policy(retries=retries, timeout=timeout or 0.0, memory=self.memory)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Options of one method of an actor; they mean what those of tasks mean."""

    num_returns: int | str | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        _check_returns(self.num_returns)
        _check_timeout(self.timeout)


@dataclass(frozen=True, slots=True)
class GangOptions:
    """Options of ``@ranks``.

    Attributes
    ----------
    ranks
        How many.
    channel
        How they talk; None: what the configuration says.
    timeout
        Seconds that the gang may take; None: what the configuration says.
    name
        What errors call it; None: the function's name.
    """

    ranks: int = 1
    channel: str | None = None
    timeout: float | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_count("ranks", self.ranks, least=1)
        _check_timeout(self.timeout)
        if self.channel is not None:
            check_channel(self.channel)

    def policy(self) -> Policy:
        """Return what the driver has to know."""
        return Policy(
            retries=0,
            timeout=self.timeout or 0.0,
            ranks=self.ranks,
            channel=self.channel or "",
        )


def changed(options: Options, what: str, changes: dict[str, Any]) -> Options:
    """Return options with some changed.

    Raises
    ------
    TypeError
        There is no such option.
    UsageError
        An option cannot have this value.
    """
    known = [field.name for field in fields(options)]
    for name in changes:
        if name not in known:
            msg = f"{what} has no option {name!r}: use one of {', '.join(known)}"
            raise TypeError(msg)
    return replace(options, **changes)


def count_of(num_returns: int | str | None, *, is_generator: bool) -> int:
    """Return the number of refs as a spec has it."""
    if num_returns is None:
        return STREAMING if is_generator else 1
    return num_returns if isinstance(num_returns, int) else STREAMING


def _check_name(name: object) -> None:
    if name is not None and not (isinstance(name, str) and name):
        msg = f"name is {name!r}: give some text"
        raise UsageError(msg)


def _check_count(option: str, value: object, *, least: int = 0) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= _MOST_COUNTED:  # type: ignore[operator]
        msg = (
            f"{option} is {value!r}: give a whole number from {least} to"
            f" {_MOST_COUNTED:,}"
        )
        raise UsageError(msg)


def _check_returns(value: object) -> None:
    if value is None or value == "streaming":
        return
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 0 <= value <= _MOST_RETURNS:  # type: ignore[operator]
        msg = (
            f"num_returns is {value!r}: give a number from 0 to {_MOST_RETURNS:,}, or"
            ' "streaming"'
        )
        raise UsageError(msg)


def _check_timeout(value: object) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value > 0:  # type: ignore[operator]
        msg = f"timeout is {value!r}: give seconds above 0, or None"
        raise UsageError(msg)


def _check_memory(value: object) -> None:
    if isinstance(value, bool) or value not in _MEMORY:
        msg = f"memory is {value!r}: give MB from {_MEMORY[0]} to {_MEMORY[-1]:,}"
        raise UsageError(msg)


def _check_classes(value: object) -> None:
    if isinstance(value, bool):
        return
    is_list = isinstance(value, list | tuple)
    classes = value if is_list else [None]
    for each in classes:  # type: ignore[attr-defined]
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            msg = f"retry_exceptions is {value!r}: give a bool or a list of exceptions"
            raise UsageError(msg)
