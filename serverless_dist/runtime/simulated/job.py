"""One simulated run: the driver and the functions of a job, in one virtual time."""

import gc
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import partial
from types import ModuleType
from typing import Any

from serverless_dist.cloud import Meter, MeteredCloud
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.beside import map_beside
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.lifeline import RENEW_SECONDS
from serverless_dist.cloud.limits import MAX_WAIT
from serverless_dist.cloud.simulated import Machine, SimulatedCloud
from serverless_dist.cloud.simulated.functions import Environment, SimulatedFunctions
from serverless_dist.cloud.virtual import VirtualTime
from serverless_dist.comm.place import Place, take_place
from serverless_dist.runtime.control import MAILBOXES, Progress, Traced
from serverless_dist.runtime.envelope import unseal
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.job import Job
from serverless_dist.runtime.launch import SHORT, Results, compile_report
from serverless_dist.runtime.rank import run_rank, sealed
from serverless_dist.runtime.settings import Settings
from serverless_dist.runtime.simulated.calls import interruptible, virtual_calls
from serverless_dist.runtime.simulated.deadlock import Ledger
from serverless_dist.runtime.simulated.surroundings import SimulatedSurroundings
from serverless_dist.runtime.tree import (
    WIDTH,
    child_envelopes,
    children,
    choose_branching,
)
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.wire import JobKey, decode

_COLLECT = 200_000, 20, 100  # objects more, collections of them, and of those
_SECRET = b"of a simulated deployment"


class Compute(StrEnum):
    """Where the seconds of computing are from.

    Attributes
    ----------
    MEASURED
        From this machine's processor, divided by the function's share of a vCPU.
    GIVEN
        From what ranks say with `compute_for`: all else takes no time, and the same
        seed gives the same run bit for bit.
    """

    MEASURED = "measured"
    GIVEN = "given"


class SimulatedJob:
    """One simulated run: the driver and the functions are strands of one time."""

    def __init__(
        self,
        settings: Settings,
        code: bytes,
        *,
        profile: Profile,
        seed: int,
        compute: Compute,
        warm: int,
        is_traced: bool,
    ) -> None:
        self._settings = settings
        self._code = code
        self._seed = seed
        self._profile = profile
        self._compute = compute
        self._is_traced = is_traced
        measure = time.thread_time if compute is Compute.MEASURED else None
        self._time = VirtualTime(measure)
        size = settings.ranks
        self._cloud = SimulatedCloud(
            self._time, mailboxes=size + MAILBOXES, profile=profile, seed=seed
        )
        memory_mb = settings.config.memory_mb
        self._functions = SimulatedFunctions(
            self._cloud, self._handle, memory_mb=memory_mb, warm=warm
        )
        # The same for the same seed, so that all its messages are.
        identity = hashlib.sha256(f"simulated job {seed}".encode()).digest()[:16]
        self._key = JobKey.derive(_SECRET, identity)
        self._prefix = f"{self._key.job.hex()}/"
        self._traced: list[Traced] = []
        self._ledger = Ledger(size, self._time.fail)
        self._lease = ""
        self._meter = Meter()
        self._results: Results[Any] | None = None
        # It is no function, but it is as good as one with a whole vCPU.
        self._machine = self._cloud.machine()
        self._driver = MeteredCloud(self._machine, self._meter)

    def go(self, on_progress: Callable[[int, int], None] | None) -> Results[Any]:
        """Run the driver to its end, and what else goes on until then."""
        driver = self._machine.start(lambda: self._drive(on_progress), "the driver")
        with virtual_calls(self._time), interruptible(self._time), _rare_collections():
            self._time.run(driver)
        assert self._results is not None
        return self._results

    def _drive(self, on_progress: Callable[[int, int], None] | None) -> None:
        """Do what the driver of a job on AWS does."""
        clock, blobs, settings = self._time, self._driver.blobs, self._settings
        blobs.get(RECORD_KEY)
        tenure = self._take_mailboxes()
        self._lease = tenure.key
        clock.start(lambda: self._renew(tenure), "renewal")
        started = clock.now()
        job = Job(settings.ranks, started=started, timeout=settings.timeout)
        self._start(started, wants_progress=on_progress is not None)
        desk = HybridTransport(
            settings.ranks, settings.ranks + MAILBOXES, self._driver, self._key
        )
        while not job.is_done:
            wait = min(max(0.0, job.next_check() - clock.now()), MAX_WAIT)
            for message in desk.receive(wait):
                event = decode(message.body)
                if isinstance(event, Progress) and on_progress is not None:
                    on_progress(event.done, event.total)
                job.feed(event, clock.now())
            failure = job.failure(clock.now())
            if failure is not None:
                raise failure
        seconds = clock.now() - started
        for traced in self._traced:
            job.feed(traced, clock.now())
        tenure.stop()
        blobs.delete(blobs.list(self._prefix))
        desk.close()
        tenure.vacate()
        report = compile_report(
            settings,
            job,
            name=self._key.job.hex(),
            usage=self._meter.usage(),
            started=0.0,
            seconds=seconds,
            dropped={flaw.value: count for flaw, count in desk.dropped.items()},
            simulation={
                "profile": self._profile.name,
                "seed": self._seed,
                "compute": self._compute.value,
                "throttled": dict(sorted(self._cloud.throttled.items())),
            },
        )
        self._results = Results(job.values(), report)

    def _take_mailboxes(self) -> Tenure:
        count = self._settings.ranks + MAILBOXES
        search = LeaseSearch(
            self._driver.blobs,
            self._time,
            mailboxes=count,
            count=count,
            holder="the simulation",
        )
        tenure = search.attempt()
        assert tenure is not None  # nobody else is there
        return tenure

    def _renew(self, tenure: Tenure) -> None:
        while True:
            self._time.sleep(RENEW_SECONDS)
            tenure.renew()

    def _start(self, started: float, *, wants_progress: bool) -> None:
        """Invite the first ranks, which invite the others."""
        settings, code = self._settings, self._code
        is_short = len(code) <= SHORT
        if not is_short:
            self._driver.blobs.put(self._prefix + "code", code)
        branching = choose_branching(settings.ranks)
        first = Invitation(
            key=self._key,
            rank=0,
            size=settings.ranks,
            address=_address(settings.ranks, self._lease),
            channel=settings.channel,
            code="" if is_short else self._prefix + "code",
            inline=code if is_short else b"",
            digest=hashlib.sha256(code).digest(),
            started=started,
            timeout=settings.timeout,
            wants_progress=wants_progress,
            algorithms=settings.config.algorithms,
            versions={},
            branching=branching,
            is_traced=self._is_traced,
        )
        roots = children(0, settings.ranks, branching)
        payloads = [sealed(replace(first, rank=rank)) for rank in roots]
        self._invoke(self._machine, payloads)

    def _invoke(self, machine: Machine, payloads: Sequence[bytes]) -> None:
        """Start ranks from a machine; the report counts one invocation for each."""
        invoke = partial(self._functions.invoke, machine)
        map_beside(self._time, invoke, payloads, limit=WIDTH)

    def _handle(self, environment: Environment, payload: bytes) -> None:
        """Do what the handler of a function does."""
        machine = environment.machine
        take_place(
            Place(
                clock=self._time.now,
                pass_time=machine.compute,
                set_main=self._set_main,
            )
        )
        meter = Meter()
        surroundings = SimulatedSurroundings(
            environment,
            meter,
            lease=self._lease,
            ledger=self._ledger,
            watch=self._traced.append,
        )
        envelope = unseal(_SECRET, payload)
        self._invoke(machine, [child.seal() for child in child_envelopes(envelope)])
        invitation = Invitation.from_fields(envelope.key, envelope.fields)
        claim = f"{self._prefix}claims/rank-{invitation.rank}"
        if surroundings.cloud.blobs.put(claim, bytes(53), if_absent=True):
            run_rank(invitation, surroundings)

    def _set_main(self, module: ModuleType) -> None:
        assert self._time.current is not None
        self._time.current.main = sys.modules["__main__"] = module


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Give a context in which garbage that has cycles is looked for more rarely.

    A thousand ranks hold millions of objects, all of which are looked at each time.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _address(ranks: int, lease: str) -> AwsAddress:
    """Return an address as long as a real one, for the sake of the payload's size."""
    account = "0" * 12
    region, name = US_EAST_1.name, "serverless-dist"
    return AwsAddress(
        region=region,
        endpoint=None,
        queue_url_prefix=f"https://sqs.{region}.amazonaws.com/{account}/{name}-mailbox-",
        topic_arns=(f"arn:aws:sns:{region}:{account}:{name}-data-0",),
        bucket=f"{name}-{account}",
        mailboxes=ranks + MAILBOXES,
        lease=lease,
    )
