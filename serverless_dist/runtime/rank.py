"""The inside of a rank: from its invitation to its outcome."""

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from typing import NoReturn

from serverless_dist.cloud import Cloud, Meter, MeteredCloud
from serverless_dist.comm import Communicator, Endpoint, PhaseTimes, set_world
from serverless_dist.comm.abort import end_process, set_abort
from serverless_dist.errors import (
    ProtocolError,
    ServerlessDistError,
    UnpicklableError,
)
from serverless_dist.runtime.channels import open_channel
from serverless_dist.runtime.clouds import connect
from serverless_dist.runtime.code import unpack_code
from serverless_dist.runtime.control import (
    Buffers,
    ControlLine,
    Failure,
    Farewell,
    Outcome,
    Phases,
    Progress,
    enclosed,
)
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.progress import set_reporter
from serverless_dist.runtime.tracebacks import describe

_NO_TIME = Phases(0.0, 0.0, 0.0, 0.0)


def run_rank(invitation: Invitation) -> None:
    """Run one rank and tell the driver how it ended, whatever its function raises."""
    with ExitStack() as stack:
        cloud = stack.enter_context(closing(connect(invitation.address)))
        meter = Meter()
        metered = MeteredCloud(cloud, meter)
        line = stack.enter_context(
            closing(
                ControlLine(invitation.rank, invitation.size, metered, invitation.key)
            )
        )
        if invitation.wants_progress:
            set_reporter(lambda done, total: line.tell(Progress(done, total)))
        set_abort(_aborter(invitation.rank, line))
        value, failure, phases = _attempt(invitation, metered, meter, stack)
        line.tell(Outcome(invitation.rank, value, failure, phases))
        line.tell(Farewell(invitation.rank, meter.usage()))


def _attempt(
    invitation: Invitation, cloud: Cloud, meter: Meter, stack: ExitStack
) -> tuple[Buffers, Failure | None, Phases]:
    """Run the function; return its value or failure, and where the time went."""
    phases = _NO_TIME
    try:
        transport = open_channel(
            invitation.channel,
            invitation.rank,
            invitation.size,
            cloud=cloud,
            key=invitation.key,
            sockets=invitation.sockets,
            meter=meter,
        )
        # A rank that failed is closed after it has told: to flush may take long.
        stack.callback(transport.close)
        left = invitation.started + invitation.timeout - time.time()
        endpoint = Endpoint(
            transport,
            deadline=time.monotonic() + left,
            channel=invitation.channel,
            algorithms=invitation.algorithms,
        )
        stack.callback(endpoint.close)
        world = Communicator.world(endpoint)
        set_world(world)
        function, args = unpack_code(_load(invitation, cloud))
        boot = time.time() - invitation.started
        started = time.monotonic()
        try:
            value = _call(function, world, args)
        finally:
            seconds = time.monotonic() - started
            phases = _phases(boot, seconds, endpoint.times)
        endpoint.close()
        return _enclosed_value(value), None, phases
    except SystemExit as error:
        return (), _exit(error), phases
    except BaseException as error:
        return (), _failure(error), phases


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


def _phases(boot: float, seconds: float, times: PhaseTimes) -> Phases:
    # Threads that wait at the same time count each.
    compute = max(0.0, seconds - times.send - times.wait)
    return Phases(boot, compute, times.send, times.wait)


def _load(invitation: Invitation, cloud: Cloud) -> bytearray:
    """Return the job's code, which the digest in the invitation vouches for."""
    data = bytearray(cloud.blobs.get(invitation.code) or b"")
    if hashlib.sha256(data).digest() != invitation.digest:
        msg = f"the job's code {invitation.code} is gone or was changed"
        raise ProtocolError(msg)
    return data


def _enclosed_value(value: object) -> Buffers:
    try:
        return enclosed(value)
    except UnpicklableError as error:
        kind = type(value).__qualname__
        msg = f"the returned {kind} cannot be pickled: {error.__cause__}"
        raise UnpicklableError(msg) from None


def _aborter(rank: int, line: ControlLine) -> Callable[[int], NoReturn]:
    """Return a function that tells the driver to stop the job, and ends this rank."""

    def abort(code: int) -> NoReturn:
        failure = Failure(f"called Abort({code})", error=enclosed(SystemExit(code)))
        # Without a word, the driver sees the end of this process all the same.
        with suppress(ServerlessDistError):
            line.tell(Outcome(rank, (), failure, _NO_TIME))
        end_process(code)

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
    summary, text = describe(error, {__file__})
    try:
        return Failure(summary, text, enclosed(error))
    except BaseException:  # whatever its own __reduce__ raises
        return Failure(summary, text)
