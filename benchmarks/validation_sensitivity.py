"""How much the predicted seconds hang on what nobody has published."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace

from validation_effort import FITTED, Effort
from validation_fmi import load_measured, replay
from validation_fsd import Replay
from validation_rows import Row

from serverless_dist.cloud.latency import SOURCES, US_EAST_1, Latency, Profile

FACTORS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Shift:
    """What becomes of the predicted seconds if a number is half, and twice as large.

    Attributes
    ----------
    name
        The number.
    channel
        Which replay.
    seconds
        What it predicts as things are.
    halved, doubled
        The changes, as shares of that.
    """

    name: str
    channel: str
    seconds: float
    halved: float
    doubled: float


def shift_queue_and_object(row: Row) -> Iterator[Shift]:
    """Change each unpublished latency and each fitted constant in turn."""
    for channel in ("queue", "object"):
        base = Replay(row, channel).run()
        for name in _estimates(channel):
            moved = [
                Replay(row, channel, profile=_scaled(name, factor)).run()
                for factor in FACTORS
            ]
            # Starting functions is before the batch begins.
            whole = base.loading if name.startswith("lambda") else base.seconds
            shifted = [
                each.loading if name.startswith("lambda") else each.seconds
                for each in moved
            ]
            yield Shift(name, channel, whole, *(each / whole - 1 for each in shifted))
        for name in _fitted(channel):
            shifted = [
                Replay(row, channel, effort=_changed(name, factor)).run().seconds
                for factor in FACTORS
            ]
            yield Shift(
                f"fitted: {name}",
                channel,
                base.seconds,
                *(each / base.seconds - 1 for each in shifted),
            )


def shift_fmi(interval: float) -> Iterator[Shift]:
    """Change S3's latencies, get and put alike, and replay FMI."""
    for measured in load_measured():
        base = replay(measured, interval)
        shifted = [
            replay(measured, interval, _scaled("s3_get", f, _scaled("s3_put", f)))
            for f in FACTORS
        ]
        yield Shift(measured.name, "FMI", base, *(each / base - 1 for each in shifted))


def _estimates(channel: str) -> list[str]:
    """Return the latencies that are estimates and that a replay goes through."""
    services = ("sns", "sqs") if channel == "queue" else ("s3", "lambda")
    unused = ("sqs_send", "s3_delete")
    return [
        field.name
        for field in fields(Profile)
        if isinstance(getattr(US_EAST_1, field.name), Latency)
        and SOURCES[field.name].is_estimate
        and field.name.startswith(services)
        and field.name not in unused
    ]


def _fitted(channel: str) -> tuple[str, ...]:
    """Return the fitted constants that the seconds of a batch hang on."""
    own = ("message", "seen") if channel == "queue" else ()
    return ("request", "value", "jitter", *own)


def _scaled(name: str, factor: float, base: Profile = US_EAST_1) -> Profile:
    latency: Latency = getattr(US_EAST_1, name)
    return Profile.from_dict({name: asdict(latency.scaled(factor))}, base)


def _changed(name: str, factor: float) -> Effort:
    number: float = getattr(FITTED, name)
    if name == "seen":  # it is a share
        return replace(FITTED, seen=min(1.0, number * factor))
    return replace(FITTED, **{name: number * factor})
