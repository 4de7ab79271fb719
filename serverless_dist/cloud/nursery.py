"""Processes by the dozen: imports are paid for once, by the process they fork from."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock, Thread

from serverless_dist.cloud.nursery_host import ENDED, KILL, KILL_ALL, PACKET, START
from serverless_dist.errors import CloudError

_LAST = 5.0  # seconds that the last word about an end may take
_BOOT = (
    "import sys; sys.path[:] = {path!r}; "
    "from serverless_dist.cloud.nursery_host import main; "
    "main({line}, {preload!r}, {scratch!r})"
)


class Nursery:
    """Starts processes that run `process_host.main`, each in a session of its own.

    Parameters
    ----------
    preload
        Modules to import before the first fork.
    on_end
        Called from a thread of this object with the number of a process and its exit
        code, when it has ended.
    scratch
        Directories that the nursery removes if it outlives the one that started it.
    """

    def __init__(
        self,
        preload: Sequence[str],
        on_end: Callable[[int, int], None],
        scratch: Sequence[str],
    ) -> None:
        self._on_end = on_end
        # The reader needs `_lock` to go on, so nothing is written while it is held.
        self._lock = Lock()
        self._writing = Lock()
        self._pending: set[int] = set()
        self._pids: dict[int, int] = {}  # by number
        self._line, line = socket.socketpair()
        boot = _BOOT.format(
            path=sys.path,
            line=line.fileno(),
            preload=tuple(preload),
            scratch=tuple(scratch),
        )
        with line:
            self._process = subprocess.Popen(
                [sys.executable, "-c", boot],
                stdin=subprocess.DEVNULL,
                pass_fds=(line.fileno(),),
                start_new_session=True,
            )
        self._reader = Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def __repr__(self) -> str:
        return f"<Nursery {len(self._pids)} running, {len(self._pending)} to start>"

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        with self._lock:
            return list(self._pids.values())

    def start(self, number: int, lifeline: int, answer: int) -> None:
        """Start a process with copies of two descriptors; `number` is its name here.

        Raises
        ------
        CloudError
            The nursery is gone.
        """
        with self._writing:
            with self._lock:
                self._pending.add(number)
            try:
                packet = PACKET.pack(START, number, 0)
                socket.send_fds(self._line, [packet], [lifeline, answer])
            except OSError as error:
                msg = f"no process could be started: the nursery is gone ({error})"
                raise CloudError(msg, retryable=False) from error

    def signal_all(self, what: signal.Signals) -> None:
        """Signal the groups of all processes that were started and have not ended."""
        with self._writing, suppress(OSError):
            self._line.sendall(PACKET.pack(KILL_ALL, 0, what))

    def signal(self, number: int, what: signal.Signals) -> None:
        """Signal the group of a process that was started, if it has not ended."""
        with self._writing, suppress(OSError):
            self._line.sendall(PACKET.pack(KILL, number, what))

    def close(self) -> None:
        """End the nursery itself; its processes have ended before."""
        self._process.kill()
        self._process.wait()
        self._reader.join(_LAST)
        self._line.close()

    def _read(self) -> None:
        """Take note of starts and ends until the nursery is gone."""
        with self._line.makefile("rb") as packets, suppress(ConnectionError):
            while len(packet := packets.read(PACKET.size)) == PACKET.size:
                letter, number, what = PACKET.unpack(packet)
                with self._lock:
                    if letter == ENDED:
                        del self._pids[number]
                    else:
                        self._pending.discard(number)
                        self._pids[number] = what
                if letter == ENDED:
                    self._on_end(number, what)
        for number in self._close_line():
            self._on_end(number, -signal.SIGKILL)

    def _close_line(self) -> list[int]:
        """Let no more be started; return who has not ended, which is as good as dead.

        A process whose nursery is gone is ended by whoever holds its lifeline.
        """
        with self._lock:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            left = [*self._pids, *self._pending]
            self._pids.clear()
            self._pending.clear()
        return left
