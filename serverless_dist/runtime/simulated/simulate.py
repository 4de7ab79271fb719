"""Run ranks in virtual time, on a simulated cloud: `simulate`."""

from collections.abc import Callable
from typing import TypeVar

from serverless_dist.cloud.latency import US_EAST_1, load_profile
from serverless_dist.cloud.limits import LAMBDA_MEMORY_MB
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime.bill import strict_prices
from serverless_dist.runtime.code import pack_code
from serverless_dist.runtime.launch import Results
from serverless_dist.runtime.settings import SIMULATED, check_settings
from serverless_dist.runtime.simulated.job import Compute, SimulatedJob

T = TypeVar("T")
_MOST_RANKS = 10_000  # five times what can be deployed, in some 2 GB


def simulate(
    function: Callable[..., T],
    *args: object,
    ranks: int = 4,
    channel: str | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    seed: int = 0,
    profile: str = US_EAST_1.name,
    compute: str = Compute.MEASURED,
    warm: bool = False,
    trace: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Results[T]:
    """Run ``function(comm, *args)`` on all ranks of a simulated cloud.

    The ranks are real code, one at a time in this process; requests, waits and sleeps
    take the virtual time that a `Profile` of a cloud gives them. What they compute and
    return is real; what it takes is in the report.

    Parameters
    ----------
    function, args, ranks, channel, timeout, config, trace, on_progress
        As for `run`; the channel is ``"queue"``, ``"object"`` or ``"hybrid"``.
    seed
        Of all that is left to chance.
    profile
        What the cloud is like: a name, or a file of ``serverless-dist calibrate``.
    compute
        One of `Compute`.
    warm
        Whether there is a warm environment for each rank.

    Returns
    -------
    Results
        A list with one value for each rank, and the `Report` as its ``report``.

    Raises
    ------
    UsageError
        The call cannot work; nothing was started.
    RankError
        A rank failed. The rank's own exception is the cause.
    ProtocolError
        All ranks wait for each other, for ever: it says at once for what.
    DeadlineError
        The run took longer than `timeout`, in virtual seconds.

    Examples
    --------
    >>> results = simulate(lambda comm: comm.allreduce(comm.rank), ranks=16)
    >>> results[0], results.report.ranks, results.report.cloud
    (120, 16, 'simulated')
    >>> 0.5 < results.report.seconds < 5.0
    True
    """
    settings = check_settings(function, ranks, SIMULATED, channel, timeout, config)
    _check_memory(settings.config.memory_mb)
    _check_ranks(settings.ranks)
    strict_prices(settings.config.region)
    job = SimulatedJob(
        settings,
        pack_code(function, args),
        profile=load_profile(profile),
        seed=_check_seed(seed),
        compute=_check_compute(compute),
        warm=ranks if warm else 0,
        is_traced=trace,
    )
    return job.go(on_progress)


def _check_seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        msg = f"seed is {seed!r}: give a whole number from 0 on"
        raise UsageError(msg)
    return seed


def _check_ranks(ranks: int) -> None:
    if ranks > _MOST_RANKS:
        msg = (
            f"cannot simulate {ranks:,} ranks: ask for {_MOST_RANKS:,} or fewer, or"
            " plan single collectives for more with `serverless-dist plan`"
        )
        raise UsageError(msg)


def _check_memory(memory_mb: int) -> None:
    least, most = LAMBDA_MEMORY_MB
    if not least <= memory_mb <= most:
        msg = f"no function has a memory of {memory_mb} MB: ask for {least} to {most}"
        raise UsageError(msg)


def _check_compute(compute: str) -> Compute:
    try:
        return Compute(compute)
    except ValueError:
        msg = f"compute is {compute!r}: use one of {', '.join(Compute)}"
        raise UsageError(msg) from None
