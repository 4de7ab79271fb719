"""What a worker has yet to tell its driver.

1. Messages go in the order in which they were posted, those at hand in one body.
2. What is not urgent waits for no lock: the collector of garbage may post it while
   this very thread sends.
3. A message is sent to its end, whatever interrupts the main thread meanwhile: half a
   message would be the end of the line.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from serverless_dist.tasks.lines import Line
from serverless_dist.tasks.messages import Message, pack

_log = logging.getLogger(__name__)


class Outbox:
    """Messages on their way from the threads of a worker to its line.

    Parameters
    ----------
    line
        The worker's.
    interrupt
        Called on the main thread when it has sent what it was sending, if it was to be
        interrupted meanwhile. The thread that makes the outbox is the main one.
    """

    def __init__(self, line: Line, interrupt: Callable[[], None]) -> None:
        self._line = line
        self._interrupt = interrupt
        self._messages: deque[Message] = deque()
        self._oldest = 0.0  # when the first of them was posted
        self._sending = Lock()
        self._main = threading.get_ident()
        self._is_shielded = False  # whether the main thread sends
        self._is_postponed = False  # whether it was to be interrupted meanwhile

    def __repr__(self) -> str:
        return f"<Outbox {len(self)} messages>"

    def __len__(self) -> int:
        return len(self._messages)

    def post(self, message: Message, *, urgent: bool) -> None:
        """Send a message, if it is urgent; else soon."""
        if not self._messages:
            self._oldest = time.monotonic()
        self._messages.append(message)
        if urgent or self._is_old():
            self.flush(is_urgent=urgent)

    def flush_old(self) -> None:
        """Send what was posted if the line's patience is over."""
        if self._messages and self._is_old():
            self.flush()

    def flush(self, *, is_urgent: bool = True) -> None:
        """Send what was posted; what is not urgent can wait for who is sending."""
        is_outermost = threading.get_ident() == self._main and not self._is_shielded
        if is_outermost:
            self._is_shielded = True
        if self._sending.acquire(blocking=is_urgent):
            try:
                self._send()
            finally:
                self._sending.release()
        if is_outermost:
            self._is_shielded = False
            if self._is_postponed:
                self._is_postponed = False
                self._interrupt()

    def postpone(self) -> bool:
        """Return whether an interruption of the main thread has to wait; it will come.

        The main thread calls this, in a handler of a signal.
        """
        self._is_postponed = self._is_postponed or self._is_shielded
        return self._is_shielded

    def _is_old(self) -> bool:
        return time.monotonic() - self._oldest >= self._line.patience

    def _send(self) -> None:
        messages: list[Message] = []
        while self._messages:
            messages.append(self._messages.popleft())
        try:
            if messages:
                self._line.send([(pack(messages),)])
        except Exception:
            # The driver has to learn that what it was not told is lost.
            _log.exception("a worker of remote tasks cannot reach its driver")
            os._exit(1)
