"""What a rank prints, for the driver to print as well."""

import io
import sys
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Self, TextIO

_LONGEST = 100_000  # characters kept between two drains; what is more stays in the log


class _Copied(io.TextIOBase):
    """A stream of text that keeps a copy of what is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._text: list[str] = []
        self._length = 0

    def __getattr__(self, name: str) -> Any:
        """Return what the stream underneath has beside the text: `reconfigure`."""
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream underneath."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """That of the stream underneath."""
        return self._stream.errors

    @property
    def buffer(self) -> BinaryIO:
        """That of the stream underneath: bytes go to the function's log only."""
        return self._stream.buffer

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return that of the stream underneath, for programs that are started."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write to the stream, and keep."""
        self._stream.write(text)
        with self._lock:
            if self._length < _LONGEST:
                self._text.append(text)
            self._length += len(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def drain(self) -> str:
        """Return what was kept, and forget it."""
        with self._lock:
            text = "".join(self._text)
            if self._length > _LONGEST:
                text = f"{text[:_LONGEST]}\n[the rest is in the function's log]\n"
            self._text.clear()
            self._length = 0
        return text


class Output:
    """A context that keeps copies of what is printed; see `drain`."""

    def __init__(self) -> None:
        self._before = sys.stdout, sys.stderr
        self._copied = _Copied(sys.stdout), _Copied(sys.stderr)

    def __enter__(self) -> Self:
        sys.stdout, sys.stderr = self._copied
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.stdout, sys.stderr = self._before

    def drain(self) -> tuple[str, str]:
        """Return what was printed to stdout and stderr since the last time."""
        out, err = self._copied
        return out.drain(), err.drain()
