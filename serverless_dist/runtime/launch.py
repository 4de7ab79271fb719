"""Start ranks, watch them, and give back what they return: `run`."""

import hashlib
import operator
import resource
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

from serverless_dist.cloud import Meter, MeteredCloud, Usage
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.local import LocalAddress, private_directory
from serverless_dist.cloud.processes import Ending, ProcessFunctions
from serverless_dist.comm.algorithms import named
from serverless_dist.config import Config
from serverless_dist.errors import ServerlessDistError, TaskCancelledError, UsageError
from serverless_dist.runtime.channels import check_channel
from serverless_dist.runtime.clouds import Address, check_cloud, open_cloud
from serverless_dist.runtime.code import Function, modules_of, pack_code
from serverless_dist.runtime.control import (
    MAILBOXES,
    ControlDesk,
    Ended,
    Progress,
)
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.job import Job
from serverless_dist.runtime.report import Report
from serverless_dist.wire import JobKey

T = TypeVar("T")

_FILES, _FILES_PER_RANK = 32, 3  # open files of the driver: its own, for each rank
_GLANCE = 0.2  # seconds
_LONGEST = 1e9  # seconds, thirty years: what clocks and locks can count
_GOODBYE = 1.0  # seconds that a long poll may take to see that its cloud is closed
_COURTESY = 5.0  # seconds for what is left to the cloud's own expiry otherwise
HANDLER = "serverless_dist.runtime.handler:handler"


class Results(list[T]):
    """What the ranks returned, in order, and the `report` of the run."""

    def __init__(self, values: Sequence[T], report: Report) -> None:
        super().__init__(values)
        self.report = report


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is asked for, checked."""

    ranks: int
    cloud: str
    channel: str
    timeout: float
    config: Config


def run(
    function: Callable[..., T],
    *args: object,
    ranks: int = 4,
    cloud: str | None = None,
    channel: str | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Event | None = None,
) -> Results[T]:
    """Run ``function(comm, *args)`` on all ranks at once and return what they return.

    Parameters
    ----------
    function
        Takes the rank's `Communicator` and `args`. It and they are pickled once.
    args
        The same for all ranks.
    ranks
        How many. On one machine each is a process.
    cloud
        ``"local"``, ``"emulated"`` or ``"aws"``.
    channel
        How ranks talk: ``"direct"``, ``"queue"``, ``"object"`` or ``"hybrid"``.
    timeout
        Seconds from the first start of a rank to the last result; no rank waits
        longer.
    config
        Defaults for what is None; None itself: what the environment says.
    on_progress
        Called with what a rank gave to `report_progress`.
    cancelled
        Once another thread has set it, the ranks are stopped within a second.

    Returns
    -------
    Results
        A list with one value for each rank, and the `Report` as its ``report``.

    Raises
    ------
    UsageError
        The call cannot work; nothing was started.
    RankError
        A rank failed; the others were stopped. The rank's own exception is the cause.
    DeadlineError
        The run took longer than `timeout`; it was stopped.
    TaskCancelledError
        `cancelled` was set.
    CloudError
        The cloud failed.

    Examples
    --------
    >>> from serverless_dist import run
    >>> run(lambda comm: comm.allreduce(comm.rank), ranks=3, channel="direct")
    [3, 3, 3]
    """
    settings = _check(function, ranks, cloud, channel, timeout, config)
    code = pack_code(function, args)
    with ExitStack() as stack:
        watcher = _Watcher(function, on_progress, cancelled)
        return _Run(settings, modules_of(function), stack).go(code, watcher)


def _check(
    function: Function,
    ranks: int,
    cloud: str | None,
    channel: str | None,
    timeout: float | None,
    config: Config | None,
) -> _Settings:
    config = Config.from_env() if config is None else config
    if not isinstance(config, Config):
        msg = f"config is a {type(config).__qualname__}: give a Config"
        raise UsageError(msg)
    if not callable(function):
        msg = f"run takes a function of a communicator, not {function!r}"
        raise UsageError(msg)
    for collective, name in config.algorithms.items():
        named(collective, name)
    return _Settings(
        ranks=_check_ranks(ranks),
        cloud=check_cloud(config.cloud if cloud is None else cloud),
        channel=check_channel(config.channel if channel is None else channel),
        timeout=_check_timeout(config.timeout if timeout is None else timeout),
        config=config,
    )


def _check_ranks(ranks: object) -> int:
    try:
        count = operator.index(ranks)  # type: ignore[arg-type]
    except TypeError:
        count = 0
    if isinstance(ranks, bool) or count < 1:
        msg = f"cannot run {ranks!r} ranks: ask for 1 or more"
        raise UsageError(msg)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = count * _FILES_PER_RANK + _FILES
    if most != resource.RLIM_INFINITY and files > most:
        msg = (
            f"{count} ranks need about {files:,} open files, but the limit is"
            f" {most:,}: ask for fewer ranks, or raise it with ulimit -n"
        )
        raise UsageError(msg)
    return count


def _check_timeout(timeout: object) -> float:
    try:
        seconds = float(timeout)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if isinstance(timeout, str) or not seconds > 0:
        msg = f"cannot run for {timeout!r} s: give a timeout above 0"
        raise UsageError(msg)
    return min(seconds, _LONGEST)


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Who looks on from other threads and from the caller's."""

    function: Function
    on_progress: Callable[[int, int], None] | None
    cancelled: Event | None

    @property
    def patience(self) -> float:
        """How many seconds may pass between two calls of `check`."""
        return inf if self.cancelled is None else _GLANCE

    def show(self, progress: Progress) -> None:
        """Pass on how far the run has come."""
        if self.on_progress is not None:
            self.on_progress(progress.done, progress.total)

    def check(self) -> None:
        """Raise `TaskCancelledError` if the run is not wanted any more."""
        if self.cancelled is not None and self.cancelled.is_set():
            name = getattr(self.function, "__qualname__", repr(self.function))
            raise TaskCancelledError(name, "was cancelled")


class _Run:
    """One run: what it opens, `stack` closes, the ranks first and the cloud last."""

    def __init__(
        self, settings: _Settings, preload: Sequence[str], stack: ExitStack
    ) -> None:
        self._settings = settings
        self._key = JobKey(secrets.token_bytes(16), secrets.token_bytes(32))
        self._prefix = f"{self._key.job.hex()}/"
        size, key = settings.ranks, self._key
        self._meter = Meter()
        after = stack.enter_context(ExitStack())  # the cloud has been closed
        cloud = open_cloud(settings.cloud, size + MAILBOXES, settings.config)
        stack.callback(cloud.close)
        self._address: Address = cloud.address
        self._cloud = MeteredCloud(cloud, self._meter)
        stack.callback(_within, _COURTESY, self._remove_blobs)
        self._sockets = private_directory()
        stack.callback(shutil.rmtree, self._sockets, ignore_errors=True)
        self._desk = stack.enter_context(closing(ControlDesk(size, self._cloud, key)))
        # A cloud that hangs lets the desk go when it is closed.
        after.callback(self._desk.join, _GOODBYE)
        self._functions = ProcessFunctions(
            HANDLER,
            on_end=self._tell_end,
            preload=preload,
            scratch=self._scratch(),
        )
        stack.callback(self._functions.close)

    def go(self, code: bytes, watcher: _Watcher) -> Results[Any]:
        """Start all ranks and wait for them."""
        settings = self._settings
        self._cloud.blobs.put(self._prefix + "code", code)
        started = time.time()
        first = Invitation(
            key=self._key,
            rank=0,
            size=settings.ranks,
            address=self._address,
            channel=settings.channel,
            sockets=self._sockets,
            code=self._prefix + "code",
            digest=hashlib.sha256(code).digest(),
            started=started,
            timeout=settings.timeout,
            wants_progress=watcher.on_progress is not None,
            algorithms=settings.config.algorithms,
        )
        for rank in range(settings.ranks):
            self._functions.invoke(replace(first, rank=rank).pack())
        job = Job(settings.ranks, started=started, timeout=settings.timeout)
        self._watch(job, watcher)
        seconds = time.time() - started
        # An interpreter that ends runs what was left to its end: threads, atexit.
        left = started + settings.timeout - time.time()
        self._functions.join(min(max(0.0, left), LAMBDA_TIMEOUT))
        return Results(job.values(), self._report(job, seconds))

    def _watch(self, job: Job, watcher: _Watcher) -> None:
        """Return when the job is done; raise why it failed."""
        while not job.is_done:
            wait = max(0.0, job.next_check() - time.time())
            for event in self._desk.events(min(wait, watcher.patience)):
                if isinstance(event, Progress):
                    watcher.show(event)
                job.feed(event, time.time())
            watcher.check()
            failure = job.failure(time.time())
            if failure is not None:
                raise failure

    def _tell_end(self, ending: Ending) -> None:
        """Put on the desk that a process is gone."""
        rank = Invitation.unpack(ending.payload).rank
        self._desk.put(Ended(rank, str(ending)))

    def _report(self, job: Job, seconds: float) -> Report:
        settings = self._settings
        # Not in a rank's own count: its start and its farewell, one request each.
        unseen = {
            "lambda:Invoke": settings.ranks,
            "sqs:SendMessageBatch": settings.ranks,
        }
        usage = self._meter.usage() + job.usage + Usage(unseen, unseen)
        return Report(
            ranks=settings.ranks,
            channel=settings.channel,
            cloud=settings.cloud,
            seconds=seconds,
            usage=usage,
            memory_mb=settings.config.memory_mb,
            phases=[outcome.phases for outcome in job.outcomes],
        )

    def _remove_blobs(self) -> None:
        """Remove what the job has put; on AWS what stays expires after a day."""
        with suppress(ServerlessDistError):
            self._cloud.blobs.delete(self._cloud.blobs.list(self._prefix))

    def _scratch(self) -> list[Path]:
        """Return what is to be removed if this process is killed."""
        if isinstance(self._address, LocalAddress):
            return [self._sockets, self._address.directory]
        return [self._sockets]


def _within(seconds: float, function: Callable[[], None]) -> None:
    """Call the function, and go on without it if it takes longer."""
    thread = Thread(target=function, daemon=True)
    thread.start()
    thread.join(seconds)
