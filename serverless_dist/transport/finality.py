"""What has failed once fails ever after."""

from types import TracebackType


class Finality:
    """A block whose first exception is raised again by every later entry.

    What a transport had taken when its `receive` failed is lost. To go on would hide
    that: whoever waits for it would wait for ever.

    >>> finality = Finality()
    >>> for _ in range(2):
    ...     try:
    ...         with finality:
    ...             print("receiving")
    ...             raise ValueError("broken")
    ...     except ValueError as error:
    ...         print(error)
    receiving
    broken
    broken
    """

    def __init__(self) -> None:
        self._failure: Exception | None = None

    def __repr__(self) -> str:
        return f"<Finality: {self._failure!r}>"

    def __enter__(self) -> None:
        if self._failure is not None:
            raise self._failure

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            self._failure = error
