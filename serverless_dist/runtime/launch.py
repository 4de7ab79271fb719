"""Start ranks, watch them, and give back what they return: `run`."""

import hashlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from serverless_dist.cloud import Meter, MeteredCloud, Usage
from serverless_dist.cloud.attempts import within
from serverless_dist.config import Config
from serverless_dist.errors import ServerlessDistError, TaskCancelledError
from serverless_dist.runtime.bill import DEFAULT_REGION, prices_near, unit_prices
from serverless_dist.runtime.clouds import (
    has_functions,
    new_key,
    open_cloud,
    scratch_of,
)
from serverless_dist.runtime.code import Function, modules_of, pack_code
from serverless_dist.runtime.control import (
    MAILBOXES,
    ControlDesk,
    Event,
    Printed,
    Progress,
)
from serverless_dist.runtime.fleets import Fleet, FunctionFleet, ProcessFleet
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.job import Job
from serverless_dist.runtime.modules import Modules, beside_script
from serverless_dist.runtime.report import Report
from serverless_dist.runtime.settings import AWS, LOCAL, Settings, check_settings
from serverless_dist.runtime.versions import versions

T = TypeVar("T")

_GLANCE = 0.2  # seconds
_GOODBYE = 1.0  # seconds that a long poll may take to see that its cloud is closed
_COURTESY = 5.0  # seconds for what is left to the cloud's own expiry otherwise
SHORT = 65_536  # bytes of code that travel in each invitation: no more than a request


class Results(list[T]):
    """What the ranks returned, in order, and the `report` of the run."""

    def __init__(self, values: Sequence[T], report: Report) -> None:
        super().__init__(values)
        self.report = report


def run(
    function: Callable[..., T],
    *args: object,
    ranks: int = 4,
    cloud: str | None = None,
    channel: str | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: threading.Event | None = None,
    trace: bool = False,
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
    trace
        Whether the report is to have a timeline, which costs a request for each rank.

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
    settings = check_settings(function, ranks, cloud, channel, timeout, config)
    # On another machine, the modules beside the caller's script are not there.
    modules = None if settings.cloud == LOCAL else _modules()
    code = pack_code(function, args, modules)
    with ExitStack() as stack:
        watcher = _Watcher(function, on_progress, cancelled)
        job = _Run(settings, modules_of(function), stack, is_traced=trace)
        return job.go(code, watcher)


def _modules() -> Modules:
    return beside_script(list(sys.modules.values()), sys.modules.get("__main__"))


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Who looks on from other threads and from the caller's."""

    function: Function
    on_progress: Callable[[int, int], None] | None
    cancelled: threading.Event | None

    @property
    def patience(self) -> float:
        """How many seconds may pass between two calls of `check`."""
        return inf if self.cancelled is None else _GLANCE

    def show(self, event: Event) -> None:
        """Pass on how far the run has come, and what ranks print elsewhere."""
        if isinstance(event, Progress) and self.on_progress is not None:
            self.on_progress(event.done, event.total)
        if isinstance(event, Printed):
            sys.stdout.write(event.out)
            sys.stderr.write(event.err)

    def check(self) -> None:
        """Raise `TaskCancelledError` if the run is not wanted any more."""
        if self.cancelled is not None and self.cancelled.is_set():
            name = getattr(self.function, "__qualname__", repr(self.function))
            raise TaskCancelledError(name, "was cancelled")


class _Run:
    """One run: what it opens, `stack` closes, the ranks first and the cloud last."""

    def __init__(
        self,
        settings: Settings,
        preload: Sequence[str],
        stack: ExitStack,
        *,
        is_traced: bool,
    ) -> None:
        self._settings = settings
        self._is_traced = is_traced
        self._meter = Meter()
        size = settings.ranks
        after = stack.enter_context(ExitStack())  # the cloud has been closed
        cloud = open_cloud(settings.cloud, size + MAILBOXES, settings.config)
        stack.callback(cloud.close)
        self._opened = cloud
        self._key = new_key(cloud)
        self._prefix = f"{self._key.job.hex()}/"
        self._cloud = MeteredCloud(cloud, self._meter)
        stack.callback(within, _COURTESY, self._remove_blobs)
        desk = ControlDesk(size, self._cloud, self._key)
        self._desk = stack.enter_context(closing(desk))
        # A cloud that hangs lets the desk go when it is closed.
        after.callback(desk.join, _GOODBYE)
        self._fleet: Fleet
        if has_functions(cloud):
            self._fleet = FunctionFleet(cloud, desk.put, self._cloud.blobs)
        else:
            self._fleet = ProcessFleet(
                desk.put, preload=preload, scratch=scratch_of(cloud)
            )
        self._patience = 0.0  # of ranks that are done
        self._job: Job | None = None
        stack.callback(lambda: self._fleet.end(self._patience, self._have_left))

    def go(self, code: bytes, watcher: _Watcher) -> Results[Any]:
        """Start all ranks and wait for them."""
        settings = self._settings
        is_short = len(code) <= SHORT
        if not is_short:
            self._cloud.blobs.put(self._prefix + "code", code)
        started = time.time()
        skew = self._opened.skew if has_functions(self._opened) else 0.0
        self._job = Job(settings.ranks, started=started, timeout=settings.timeout)
        self._fleet.start(
            Invitation(
                key=self._key,
                rank=0,
                size=settings.ranks,
                address=self._opened.address,
                channel=settings.channel,
                code="" if is_short else self._prefix + "code",
                inline=code if is_short else b"",
                digest=hashlib.sha256(code).digest(),
                started=started + skew,
                timeout=settings.timeout,
                wants_progress=watcher.on_progress is not None,
                algorithms=settings.config.algorithms,
                versions=versions() if has_functions(self._opened) else {},
                is_traced=self._is_traced,
            )
        )
        try:
            self._watch(self._job, watcher)
        except ServerlessDistError as error:
            if settings.cloud == AWS:
                job = self._key.job.hex()
                error.add_note(f"What ranks printed: serverless-dist logs {job}")
            raise
        seconds = time.time() - started
        self._patience = max(0.0, started + settings.timeout - time.time())
        values = self._job.values()
        return Results(values, self._report(self._job, started, seconds))

    def _watch(self, job: Job, watcher: _Watcher) -> None:
        """Return when the job is done; raise why it failed."""
        while not job.is_done:
            when = min(job.next_check(), self._fleet.next_check())
            wait = max(0.0, when - time.time())
            for event in self._desk.events(min(wait, watcher.patience)):
                watcher.show(event)
                job.feed(event, time.time())
            watcher.check()
            self._fleet.check()
            failure = job.failure(time.time())
            if failure is not None:
                raise failure

    def _have_left(self, seconds: float) -> bool:
        """Return whether all ranks have said farewell, waiting so long for it."""
        job, until = self._job, time.time() + seconds
        while job is not None and not job.have_all_left and time.time() < until:
            try:
                events = self._desk.events(max(0.0, until - time.time()))
            except ServerlessDistError:  # why the run has failed is known already
                return False
            for event in events:
                job.feed(event, time.time())
        return job is None or job.have_all_left

    def _report(self, job: Job, started: float, seconds: float) -> Report:
        usage, region = self._meter.usage(), None
        if has_functions(self._opened):
            usage += self._opened.lease_usage()
            region = self._opened.address.region
        return compile_report(
            self._settings,
            job,
            name=self._key.job.hex(),
            usage=usage,
            started=started,
            seconds=seconds,
            dropped=self._desk.dropped,
            region=region,
        )

    def _remove_blobs(self) -> None:
        """Remove what the job has put; on AWS what stays expires after a day."""
        self._cloud.blobs.delete(self._cloud.blobs.list(self._prefix))


def compile_report(
    settings: Settings,
    job: Job,
    *,
    name: str,
    usage: Usage,
    started: float,
    seconds: float,
    dropped: Mapping[str, int],
    region: str | None = None,
    simulation: Mapping[str, Any] | None = None,
) -> Report:
    """Return the report of a job that is done.

    Parameters
    ----------
    settings, job, name
        The job, and its id.
    usage, dropped
        What its driver has used, and dropped.
    started, seconds
        When it began, and what it took.
    region
        Where it ran; None: where the settings say.
    simulation
        What was assumed, if it was simulated.
    """
    # Not in a rank's own count: its start and its farewell, one request each.
    unseen = {"lambda:Invoke": settings.ranks, "sqs:SendMessageBatch": settings.ranks}
    where = region or settings.config.region or DEFAULT_REGION
    prices = prices_near(where)
    return Report(
        job=name,
        ranks=settings.ranks,
        channel=settings.channel,
        cloud=settings.cloud,
        seconds=seconds,
        usage=usage + job.usage + Usage(unseen, unseen),
        memory_mb=settings.config.memory_mb,
        phases=[outcome.phases for outcome in job.outcomes],
        started=started,
        region=where,
        priced_in=prices.region,
        prices=unit_prices(prices),
        dropped=Counter(job.dropped) + Counter(dropped),
        traffic=job.traffic,
        timelines=job.timelines,
        simulation=simulation,
    )
