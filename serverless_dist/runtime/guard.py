"""What ends a part of a job on Lambda when its time is over or nobody waits for it.

A thread looks at the job's lifeline, the blob that the driver renews, and at the time
that the function has left. What it finds is raised in the main thread, whatever that is
doing; a main thread that goes on all the same is ended with its process.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

from serverless_dist.cloud import Blobs
from serverless_dist.cloud.lifeline import Lifeline, Pulse

_TICK = 2.0  # seconds between two looks: less than a hundredth of what a rank costs
_GRACE = 2.0  # seconds that the main thread may take to end when it is told to
_log = logging.getLogger(__name__)
LAST_SECONDS = 5.0  # of a function's time, for its last word


class Abandoned(BaseException):
    """The job is over, or its driver is: nobody waits for this part of it."""


class OutOfTime(BaseException):
    """The function has only its last seconds left.

    `DeadlineError` is a `TimeoutError`: raised in the middle of a request, the SDK
    would take it for one of the network's, and ask again.
    """


class Guard:
    """Ends what the main thread does in the context that `watching` gives.

    There, `Abandoned` or `OutOfTime` may be raised at any time.

    Parameters
    ----------
    blobs, lease
        Where the lifeline is.
    seconds
        How long the function may still run.
    name
        Whose function it is, for messages.
    """

    def __init__(
        self,
        blobs: Blobs,
        lease: str,
        *,
        seconds: float,
        name: str,
    ) -> None:
        self._blobs = blobs
        self._lease = lease
        self._seconds = seconds
        self._name = name
        self._lifeline = Lifeline(time.monotonic())
        self._ends_at = time.monotonic() + seconds - LAST_SECONDS
        self._is_over = Event()
        self._reason: BaseException | None = None

    @property
    def left(self) -> float:
        """How many seconds there are until the function's last ones."""
        return self._ends_at - time.monotonic()

    @contextmanager
    def watching(self, on_tick: Callable[[], None]) -> Iterator[None]:
        """Give the context; `on_tick` is called every two seconds, from a thread.

        There is none for a job that is over: then this raises `Abandoned`.
        """
        reason = self._look()
        if reason is not None:
            raise reason
        main = threading.get_ident()
        thread = Thread(
            target=self._watch, args=(main, on_tick), name="guard", daemon=True
        )
        before = signal.signal(signal.SIGUSR1, self._raise)
        try:
            try:
                thread.start()  # it may end this part at once, if time is short
                yield
            finally:
                self._is_over.set()
        finally:
            self._is_over.set()  # the one signal may have come in the line above
            thread.join()
            signal.signal(signal.SIGUSR1, before)

    def _watch(self, main: int, on_tick: Callable[[], None]) -> None:
        while not self._is_over.wait(max(0.0, min(_TICK, self.left))):
            self._reason = self._look()
            if self._reason is not None:
                signal.pthread_kill(main, signal.SIGUSR1)
                break
            try:
                on_tick()
            except Exception:  # what was to be told is in the function's log
                _log.warning("%s could not tell its driver", self._name, exc_info=True)
        if self._reason is not None and not self._is_over.wait(_GRACE):
            _log.error("%s does not end: its process is ended", self._name)
            sys.stdout.flush()
            os._exit(1)

    def _look(self) -> BaseException | None:
        """Return why this part of the job has to end, if it has."""
        if self.left <= 0:
            lasted = max(0.0, self._seconds - LAST_SECONDS)
            msg = (
                f"{self._name} was stopped after {lasted:.0f} s:"
                f" its function has {LAST_SECONDS:g} s left"
            )
            return OutOfTime(msg)
        # One that cannot be read now may be next time.
        try:
            self._lifeline.feed(self._blobs.get(self._lease), time.monotonic())
        except Exception:
            _log.warning("%s could not see its lifeline", self._name, exc_info=True)
        pulse = self._lifeline.pulse(time.monotonic())
        if pulse is Pulse.ALIVE:
            return None
        return Abandoned(f"{self._name}: the lease of its job has {pulse.value}")

    def _raise(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._reason is not None and not self._is_over.is_set():
            raise self._reason
