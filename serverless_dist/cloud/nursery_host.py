"""The inside of a nursery: a process that imports once and forks for each start.

It talks to a `Nursery` in packets of one letter and two numbers::

    S n 0          start: two descriptors come with it, the lifeline and the answer
    K n signal     signal the process group of a child, if it has not ended
    A 0 signal     signal those of all children that have not ended
    S n pid        started
    E n code       ended; what it left in its group has been killed

A child is called n by who wants it, who need not know its process to signal it.
When the other end of the line is gone, so is the reason for all children: they see
that for themselves, by their lifelines, and who does not is killed.
"""

import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from serverless_dist.cloud import process_host

PACKET = struct.Struct("<cqq")
START, KILL, KILL_ALL, ENDED = b"S", b"K", b"A", b"E"
_FAREWELL = 1.0  # seconds that children have to see that the other end is gone


def main(line: int, preload: Sequence[str], scratch: Sequence[str]) -> None:
    """Serve the line; in each forked child, run its assignment instead.

    A child returns through here as well, so it ends as any interpreter does.
    """
    for module in preload:
        # Who needs it will import it again, and raise where somebody listens.
        with suppress(BaseException):
            import_module(module)
    with socket.socket(fileno=line) as connection:
        descriptors = _Host(connection).serve()
    if descriptors is not None:
        process_host.main(*descriptors)
        return
    for directory in scratch:  # the last one standing
        shutil.rmtree(directory, ignore_errors=True)


class _Host:
    """The children of this nursery and the line to who wants them."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._children: dict[int, int] = {}  # processes by their numbers
        self._wakeup, writing = socket.socketpair()
        self._wakeup.settimeout(0.0)
        writing.settimeout(0.0)
        self._writing = writing
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> tuple[int, int] | None:
        """Start children until the line ends; return a child's descriptors in it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wakeup in ready:
                    with suppress(BlockingIOError):
                        self._wakeup.recv(4_096)
                    self._reap()
                if self._line in ready:
                    packet, descriptors = self._read()
                    if not packet:
                        self._bid_farewell()
                        return None
                    letter, number, what = PACKET.unpack(packet)
                    if letter != START:
                        self._signal(letter, number, what)
                    elif self._fork(number) == 0:
                        return descriptors[0], descriptors[1]
                    for descriptor in descriptors:
                        os.close(descriptor)

    def _read(self) -> tuple[bytes, list[int]]:
        """Return the next packet, empty at the end of the line."""
        packet, descriptors = b"", []
        with suppress(ConnectionError):
            while len(packet) < PACKET.size:
                rest = PACKET.size - len(packet)
                data, more, _, _ = socket.recv_fds(self._line, rest, 2)
                if not data:
                    return b"", []
                packet += data
                descriptors += more
        return packet, descriptors

    def _fork(self, number: int) -> int:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as it is where the descriptor is closed
                stream.flush()
        with warnings.catch_warnings():
            # The threads that Python 3.12 warns of are numpy's, which expects forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            self._children[number] = pid
            self._tell(START, number, pid)
            return pid
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._wakeup.close()
        self._writing.close()
        # Python reseeds its own generator after a fork; numpy's would repeat itself.
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()
        return 0

    def _reap(self) -> None:
        """Tell of every child that has ended, after its group has been killed.

        A child is looked at before it is reaped: until then its group is its own.
        """
        for number, pid in list(self._children.items()):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                self._kill(number, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                del self._children[number]
                self._tell(ENDED, number, os.waitstatus_to_exitcode(status))

    def _signal(self, letter: bytes, number: int, what: int) -> None:
        if letter == KILL:
            self._kill(number, what)
        else:
            self._kill_all(what)

    def _kill_all(self, what: int) -> None:
        for number in self._children:
            self._kill(number, what)

    def _kill(self, number: int, what: int) -> None:
        pid = self._children.get(number)
        if pid is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(pid, what)
            except ProcessLookupError:
                # Just forked, it is not yet in a group of its own, but alone.
                os.kill(pid, what)

    def _tell(self, letter: bytes, number: int, what: int) -> None:
        with suppress(ConnectionError):
            self._line.sendall(PACKET.pack(letter, number, what))

    def _bid_farewell(self) -> None:
        deadline = time.monotonic() + _FAREWELL
        while self._children:
            self._reap()
            if time.monotonic() > deadline:
                self._kill_all(signal.SIGKILL)
            time.sleep(0.01)
