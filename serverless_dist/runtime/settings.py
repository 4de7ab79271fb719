"""What is asked of a run, checked before anything is started."""

import operator
import resource
from dataclasses import dataclass

from serverless_dist.comm.algorithms import named
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import DIRECT, check_channel
from serverless_dist.runtime.clouds import check_cloud
from serverless_dist.runtime.code import Function

LOCAL, AWS, SIMULATED = "local", "aws", "simulated"
_FILES, _FILES_PER_RANK = 32, 3  # open files of the driver: its own, for each rank
_LONGEST = 1e9  # seconds, thirty years: what clocks and locks can count


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked for, checked."""

    ranks: int
    cloud: str
    channel: str
    timeout: float
    config: Config


def check_settings(
    function: Function,
    ranks: int,
    cloud: str | None,
    channel: str | None,
    timeout: float | None,
    config: Config | None,
) -> Settings:
    """Return what is asked for, with the defaults of `config`.

    Raises
    ------
    UsageError
        It cannot work; the message says what to change.
    """
    config = Config.from_env() if config is None else config
    if not isinstance(config, Config):
        msg = f"config is a {type(config).__qualname__}: give a Config"
        raise UsageError(msg)
    if not callable(function):
        msg = f"run takes a function of a communicator, not {function!r}"
        raise UsageError(msg)
    for collective, name in config.algorithms.items():
        named(collective, name)
    if cloud != SIMULATED:
        cloud = check_cloud(config.cloud if cloud is None else cloud)
    channel = check_channel(config.channel if channel is None else channel)
    if channel == DIRECT and cloud != LOCAL:
        msg = (
            "the direct channel needs ranks on one machine: use queue, object or"
            f" hybrid on {cloud}"
        )
        raise UsageError(msg)
    return Settings(
        ranks=_check_ranks(ranks, cloud),
        cloud=cloud,
        channel=channel,
        timeout=_check_timeout(config.timeout if timeout is None else timeout),
        config=config,
    )


def _check_ranks(ranks: object, cloud: str) -> int:
    try:
        count = operator.index(ranks)  # type: ignore[arg-type]
    except TypeError:
        count = 0
    if isinstance(ranks, bool) or count < 1:
        msg = f"cannot run {ranks!r} ranks: ask for 1 or more"
        raise UsageError(msg)
    if cloud != LOCAL:
        return count
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
