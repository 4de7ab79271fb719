"""The inside of a rank: from its invitation to its outcome."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import NoReturn

from serverless_dist.cloud import Cloud, Meter, MeteredCloud
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.services import Stopped
from serverless_dist.comm import Communicator, Endpoint, set_world
from serverless_dist.comm.abort import end_process, set_abort
from serverless_dist.errors import (
    DeadlineError,
    ServerlessDistError,
    UnpicklableError,
)
from serverless_dist.runtime.channels import open_channel
from serverless_dist.runtime.clouds import connect
from serverless_dist.runtime.code import unpack_code
from serverless_dist.runtime.control import (
    Buffers,
    ControlLine,
    Ended,
    Event,
    Failure,
    Outcome,
    Phases,
    Progress,
    enclosed,
)
from serverless_dist.runtime.envelope import Envelope
from serverless_dist.runtime.guard import Abandoned, OutOfTime
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.progress import ignore_progress, set_reporter
from serverless_dist.runtime.surroundings import Surroundings
from serverless_dist.runtime.tracebacks import describe
from serverless_dist.runtime.trail import Trail
from serverless_dist.runtime.versions import check_versions, versions
from serverless_dist.transport import Transport

_log = logging.getLogger(__name__)
KIND = "rank"  # of an envelope
_SHORT = 30_000  # bytes of a value that shares a request, and its price, with others
_NO_TIME = Phases(0.0, 0.0, 0.0, 0.0)


def handler(payload: bytes) -> bytes:
    """Run the rank that `payload` invites, in a process of its own."""
    invitation = Invitation.unpack(payload)
    with closing(connect(invitation.address)) as cloud:
        meter = Meter()
        run_rank(invitation, Surroundings(MeteredCloud(cloud, meter), meter))
    return b""


def part(envelope: Envelope) -> "RankPart":
    """Return the rank that an envelope invites; see `Part`."""
    return RankPart(Invitation.from_fields(envelope.key, envelope.fields))


class RankPart:
    """A rank as a part of a job that a function runs; see `Part`."""

    def __init__(self, invitation: Invitation) -> None:
        assert isinstance(invitation.address, AwsAddress)
        self._invitation = invitation
        self.address = invitation.address
        self.name = f"rank {invitation.rank}"

    def run(self, surroundings: Surroundings) -> None:
        """Run the rank and tell the driver how it ended."""
        run_rank(self._invitation, surroundings)

    def mourn(self, cloud: Cloud, how: str) -> None:
        """Tell the driver how the rank ended, since it cannot itself."""
        invitation = self._invitation
        line = ControlLine(
            invitation.rank, invitation.size, cloud, invitation.key, is_mourning=True
        )
        with closing(line):
            line.tell(Ended(invitation.rank, how))


def sealed(invitation: Invitation) -> bytes:
    """Return an invitation as it travels to a function."""
    return Envelope(invitation.key, KIND, invitation.fields()).seal()


def run_rank(invitation: Invitation, surroundings: Surroundings) -> None:
    """Run one rank and tell the driver how it ended, whatever its function raises."""
    rank, meter = invitation.rank, surroundings.meter
    with ExitStack() as stack:
        line = ControlLine(rank, invitation.size, surroundings.cloud, invitation.key)
        stack.callback(line.close)
        if invitation.wants_progress:
            set_reporter(lambda done, total: line.tell(Progress(done, total)))
        stack.callback(set_reporter, ignore_progress)
        set_abort(_aborter(rank, line, surroundings))
        stack.callback(set_abort, end_process)
        stack.callback(set_world, None)
        events: list[Event] = []
        channel = ExitStack()
        trail = Trail(
            rank,
            invitation.started,
            is_traced=invitation.is_traced,
            clock=surroundings.clock.now,
            calendar=surroundings.calendar,
        )
        try:
            outcome = _outcome(invitation, surroundings, channel, line, trail)
            if outcome is not None:
                events = [*surroundings.printed(), outcome]
                if outcome.failure is not None or _size(outcome.value) > _SHORT:
                    # To close the channel of one that failed may take long.
                    line.tell(*events)
                    events = []
        finally:
            # After its farewell nothing of the rank reads its mailbox: others may get
            # it. What went wrong with the channel is in the outcome.
            with suppress(ServerlessDistError):
                channel.close()
        traced = surroundings.untold(trail.traced())
        if traced:  # it may be long, and the farewell is one request
            line.tell(*events, *traced)
            events = []
        line.tell(*events, trail.farewell(meter.usage()))


def _outcome(
    invitation: Invitation,
    surroundings: Surroundings,
    channel: ExitStack,
    line: ControlLine,
    trail: Trail,
) -> Outcome | None:
    """Run the function and return how it ended; None if nobody wants to know."""
    try:
        with surroundings.guarded(lambda: line.tell(*surroundings.printed())):
            value, failure, phases = _attempt(invitation, surroundings, channel, trail)
    except Abandoned as error:
        _log.warning("%s", error)
        return None
    except OutOfTime as error:  # it came when the function had ended
        value, failure, phases = (), _failure(error), _NO_TIME
    return Outcome(invitation.rank, value, failure, phases)


def _size(value: Buffers) -> int:
    return sum(buffer.raw().nbytes for buffer in value)


def _attempt(
    invitation: Invitation,
    surroundings: Surroundings,
    stack: ExitStack,
    trail: Trail,
) -> tuple[Buffers, Failure | None, Phases]:
    """Run the function; return its value or failure, and where the time went."""
    phases = _NO_TIME
    try:
        if invitation.versions:  # a process has its driver's
            check_versions(invitation.versions, versions(), "its function")
        transport = surroundings.observed(
            open_channel(
                invitation.channel,
                invitation.rank,
                invitation.size,
                cloud=surroundings.cloud,
                key=invitation.key,
                sockets=invitation.sockets,
                meter=surroundings.meter,
            )
        )
        # A rank that failed is closed after it has told: to flush may take long.
        stack.callback(transport.close)
        left = invitation.started + invitation.timeout - surroundings.calendar()
        clock = surroundings.clock
        endpoint = Endpoint(
            transport,
            deadline=clock.now() + min(left, surroundings.seconds),
            clock=clock,
            channel=invitation.channel,
            algorithms=invitation.algorithms,
            stopwatch=trail.stopwatch,
        )
        stack.callback(endpoint.close)
        surroundings.meet(endpoint)
        world = Communicator.world(endpoint)
        set_world(world)
        trail.begin(surroundings.boot(invitation.started), endpoint, transport)
        with trail.stopwatch.loading():
            function, args = unpack_code(_load(invitation, surroundings))
        try:
            with _hushed(transport):
                value = _call(function, world, args)
        finally:
            phases = trail.end()
        endpoint.close()
        return _enclosed_value(value), None, phases
    except (Abandoned, Stopped):
        raise
    except SystemExit as error:
        return (), _exit(error), phases
    except BaseException as error:
        return (), _failure(error), phases


@contextmanager
def _hushed(transport: Transport) -> Iterator[None]:
    """Give a context after which no long poll that was cut short takes what comes."""
    __tracebackhide__ = True
    try:
        yield
    except (Abandoned, OutOfTime):
        with suppress(ServerlessDistError):
            transport.wake()
        raise


def _call(
    function: Callable[..., object], world: Communicator, args: Sequence[object]
) -> object:
    """Return what the function returns; None if it leaves as one that succeeded."""
    __tracebackhide__ = True
    try:
        return function(world, *args)
    except SystemExit as error:
        if error.code in (None, 0):
            return None
        raise


def _load(invitation: Invitation, surroundings: Surroundings) -> bytearray:
    """Return the job's code, which the invitation encloses or vouches for."""
    if invitation.code:
        return surroundings.load(invitation.code, invitation.digest)
    return bytearray(invitation.inline)


def _enclosed_value(value: object) -> Buffers:
    try:
        return enclosed(value)
    except UnpicklableError as error:
        kind = type(value).__qualname__
        msg = f"the returned {kind} cannot be pickled: {error.__cause__}"
        raise UnpicklableError(msg) from None


def _aborter(
    rank: int, line: ControlLine, surroundings: Surroundings
) -> Callable[[int], NoReturn]:
    """Return a function that tells the driver to stop the job, and ends this rank."""

    def abort(code: int) -> NoReturn:
        failure = Failure(f"called Abort({code})", error=enclosed(SystemExit(code)))
        # Without a word, the driver sees the end of this process all the same.
        with suppress(ServerlessDistError):
            outcome = Outcome(rank, (), failure, _NO_TIME)
            line.tell(*surroundings.printed(), outcome)
        surroundings.leave(code)

    return abort


def _exit(error: SystemExit) -> Failure:
    """Return the failure of a rank that left: `error` says how, as to a shell."""
    if isinstance(error.code, int):
        code = int(error.code)  # a suite leaves with whether it has failed
        summary = f"exited with code {code}"
    else:
        code, summary = 1, f"exited: {error.code}"
    return Failure(summary, error=enclosed(SystemExit(code)), is_exit=True)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, OutOfTime):
        error = DeadlineError(str(error)).with_traceback(error.__traceback__)
    summary, text = describe(error, {__file__})
    try:
        return Failure(summary, text, enclosed(error))
    except BaseException:  # whatever its own __reduce__ raises
        return Failure(summary, text)
