"""Which ranks of a job have not started, and what to do about it. Pure.

1. An invocation may be lost, or wait as long as Lambda keeps it when it is busy. So the
   roll is called some seconds after the start: every rank that runs has put its claim.
2. While more and more have started, the others are only slow.
3. Then who is missing is invited again, which is safe: the second start of a rank ends
   at once. Of a subtree, its root is invited; it invites the others.
4. Who is still missing after the longest time that an invitation lives never comes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from serverless_dist.cloud.limits import LAMBDA_EVENT_AGE
from serverless_dist.errors import RankDiedError
from serverless_dist.runtime.tree import roots

_CALLS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0)  # seconds after the start
_LAST = LAMBDA_EVENT_AGE + 15.0


@dataclass(frozen=True, slots=True)
class Missing:
    """Ranks to invite again, or the error if they never come."""

    invite: Sequence[int] = ()
    error: RankDiedError | None = None


class RollCall:
    """Knows when to look who has started.

    Parameters
    ----------
    size, branching
        The number of ranks, and how many others each starts.
    started
        When the first was invited.
    """

    def __init__(self, size: int, branching: int, started: float) -> None:
        self._size = size
        self._branching = branching
        self._started = started
        self._most = 0  # that were present at a call
        self._left = [started + seconds for seconds in (*_CALLS, _LAST)]

    @property
    def next_call(self) -> float:
        """When to look; infinite when all have started."""
        return self._left[0] if self._left else inf

    def take(self, present: Collection[int]) -> Missing:
        """Take note who has started by `next_call`."""
        self._left.pop(0)
        missing = [rank for rank in range(self._size) if rank not in present]
        if not missing:
            self._left.clear()
            return Missing()
        if self._left:
            is_growing = len(present) > self._most
            self._most = max(self._most, len(present))
            if is_growing:
                return Missing()
            return Missing(invite=roots(missing, self._branching))
        others = f", nor did {len(missing) - 1} more" if missing[1:] else ""
        summary = (
            f"did not start within {_LAST:g} s{others}: serverless-dist doctor shows"
            " how many functions the account may run at a time"
        )
        return Missing(error=RankDiedError(missing[0], summary))
