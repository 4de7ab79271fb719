"""The session of this process: opened by `init` or by first use, closed once."""

import atexit
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock
from types import TracebackType
from typing import Self

from serverless_dist.cloud import Usage
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import find_client, set_client
from serverless_dist.tasks.lifecycle import Counts

_MANY = 10  # refs; to wait for so many on a terminal shows a bar
_MOST_WORKERS = 1_000


class Session:
    """What `init` has opened; as a context, it is shut down at the end.

    Attributes
    ----------
    cloud, workers
        Where it is, and how many tasks run at a time.
    client
        Through which this process takes part.
    """

    def __init__(self, cloud: str, workers: int, config: Config) -> None:
        # To import it takes a tenth of a second, which a worker never needs.
        from serverless_dist.tasks.driver import Driver

        self.cloud = cloud
        self.workers = workers
        self._driver = Driver(cloud, workers, config)
        self.client = self._driver.client

    def __repr__(self) -> str:
        return f"<Session of {self.workers} workers: {self._driver!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if _Open.session is self:
            shutdown()

    @property
    def counts(self) -> Counts:
        """How far the tasks have come."""
        return self._driver.counts

    @property
    def usage(self) -> Usage:
        """What the driver has used, and the workers that have ended."""
        return self._driver.usage

    @property
    def dollars(self) -> float:
        """What AWS would have charged so far, in us-east-1."""
        return self._driver.dollars

    def close(self) -> None:
        """End all workers; `shutdown` does this."""
        self._driver.close()


class _Open:
    """The session of this process, and what guards it."""

    lock = RLock()
    session: Session | None = None
    progress: bool | None = None


def init(
    cloud: str | None = None,
    *,
    workers: int | None = None,
    progress: bool | None = None,
    config: Config | None = None,
) -> Session:
    """Open a session: start workers and whatever carries messages to them.

    The first call of anything that needs a session opens one with the defaults. What
    is not shut down is when the program ends.

    Parameters
    ----------
    cloud
        ``"local"``: processes of this machine, sockets and shared memory.
        ``"emulated"``, ``"aws"``: the services of AWS, emulated or real. None: what
        the environment says, else local.
    workers
        How many tasks run at a time; None: one for each core that may be used.
    progress
        Whether `get` shows a bar while it waits; None: for many refs on a terminal.
    config
        Settings of the cloud; None: what the environment says.

    Returns
    -------
    Session
        Can be used as a context; tells what was used.

    Raises
    ------
    UsageError
        A session is open, or the arguments cannot be.
    CloudError
        The cloud failed.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     sd.get(sd.put("value"))
    'value'
    """
    config = Config.from_env() if config is None else config
    if not isinstance(config, Config):
        msg = f"config is a {type(config).__qualname__}: give a Config"
        raise UsageError(msg)
    count = _check_workers(workers)
    with _Open.lock:
        if find_client() is not None:
            msg = "a session is open already: call shutdown() first"
            raise UsageError(msg)
        session = Session(config.cloud if cloud is None else cloud, count, config)
        _Open.session, _Open.progress = session, progress
        set_client(session.client)
        atexit.register(shutdown)
    return session


def shutdown() -> None:
    """Close the session: end what runs, remove what is left. Twice is no error.

    Refs of it mean nothing from now on. Another session can be opened.
    """
    with _Open.lock:
        session, _Open.session = _Open.session, None
        if session is not None:
            atexit.unregister(shutdown)
            set_client(None)
            session.close()


def is_initialized() -> bool:
    """Return whether a session is open; inside of a task one is."""
    return find_client() is not None


def current_client() -> Client:
    """Return the client of the current session, which is opened if there is none."""
    client = find_client()
    if client is None:
        with _Open.lock:
            client = find_client() or init().client
    return client


def bar_for(count: int) -> Callable[[], AbstractContextManager[None]] | None:
    """Return what shows a bar while so many refs are waited for; None: nothing does."""
    session, wanted = _Open.session, _Open.progress
    if wanted is None:
        wanted = count >= _MANY and os.isatty(2)
    if session is None or not wanted:
        return None
    from serverless_dist.tasks.progress import shown

    return lambda: shown(lambda: session.counts, lambda: session.dollars)


def _check_workers(workers: int | None) -> int:
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    is_whole = isinstance(count, int) and not isinstance(count, bool)
    if not is_whole or not 1 <= count <= _MOST_WORKERS:
        msg = f"workers is {workers!r}: give a number from 1 to {_MOST_WORKERS:,}"
        raise UsageError(msg)
    return count


def _leave_to_parent() -> None:
    """Have no session in a forked process: its threads have stayed behind."""
    _Open.lock = RLock()
    client, _Open.session = find_client(), None
    if client is not None:
        client.abandon()
        set_client(None)
        atexit.unregister(shutdown)


os.register_at_fork(after_in_child=_leave_to_parent)
