"""A distribution from samples.

Three quantiles tell the three numbers of a shifted lognormal: what is above the floor
has quantiles whose logarithms lie symmetrically about the median's, so
``(low - floor) * (high - floor) == (middle - floor) ** 2``. A few outliers, as of one
request in a hundred that was repeated, do not move quantiles of 5 % and 95 %.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist, median

from serverless_dist.cloud.latency import Latency
from serverless_dist.errors import UsageError

_SHARE = 0.95  # of the samples are below the upper quantile, and above the lower one
_DEVIATIONS = NormalDist().inv_cdf(_SHARE)


def fit(samples: Sequence[float]) -> Latency:
    """Return the shifted lognormal whose median and 5 % and 95 % quantiles these have.

    Where no such distribution exists, as they are skewed to the left, the floor is 0,
    and median and 95 % quantile are theirs. Less than nothing counts as nothing.

    Parameters
    ----------
    samples
        Seconds, in any order; a hundred tell the median within some percent, and the
        tail roughly.

    Returns
    -------
    Latency
        Its floor is not above the smallest sample.

    Raises
    ------
    UsageError
        There are no samples.

    Examples
    --------
    >>> true = Latency(0.010, 0.005, 0.7)
    >>> fit([true.quantile(n / 100) for n in range(1, 100)])
    Latency(floor=0.01, median=0.005, sigma=0.7)
    """
    if not samples:
        msg = "no latency can be told from no samples"
        raise UsageError(msg)
    ordered = sorted(max(0.0, sample) for sample in samples)
    low, middle = quantile(ordered, 1 - _SHARE), median(ordered)
    high = quantile(ordered, _SHARE)
    floor = min(_floor(low, middle, high), ordered[0])
    above, most = middle - floor, high - floor
    # Half of the samples may be nothing at all, as the hop of an emulator.
    sigma = math.log(most / above) / _DEVIATIONS if above > 0 else 0.0
    return Latency(_rounded(floor), _rounded(above), round(sigma, 4))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return what so large a share of ordered samples stay below, by interpolation.

    >>> quantile([1.0, 2.0, 4.0], 0.5), quantile([1.0, 2.0, 4.0], 0.625)
    (2.0, 3.0)
    """
    last = len(ordered) - 1
    place = min(max(share * (last + 2) - 1, 0.0), last)
    below = math.floor(place)
    after = ordered[min(below + 1, last)]
    return ordered[below] + (place - below) * (after - ordered[below])


def _floor(low: float, middle: float, high: float) -> float:
    skew = high + low - 2 * middle
    if skew <= 0:
        return 0.0
    return max(0.0, (high * low - middle**2) / skew)


def _rounded(seconds: float) -> float:
    return round(seconds, 7)  # a tenth of a microsecond
