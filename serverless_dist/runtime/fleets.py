"""Where the ranks of a job run: processes of this machine, or functions of Lambda."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Protocol

from serverless_dist.cloud import Blobs
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.local import private_directory
from serverless_dist.cloud.processes import Ending, ProcessFunctions
from serverless_dist.errors import CloudError, ServerlessDistError
from serverless_dist.runtime.clouds import FunctionCloud, check_lease
from serverless_dist.runtime.control import Ended, Event
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.rank import sealed
from serverless_dist.runtime.rollcall import RollCall
from serverless_dist.runtime.tree import WIDTH, children, choose_branching

HANDLER = "serverless_dist.runtime.rank:handler"
_GOODBYE = 6.0  # seconds that functions may take to see that they have to stop
_GLANCE = 5.0  # seconds between two looks at what has become of the lease
Tell = Callable[[Event], None]


class Fleet(Protocol):
    """What starts ranks and ends them; events of it are told from any thread."""

    def start(self, first: Invitation) -> None:
        """Start all ranks; `first` is the invitation of rank 0."""
        ...

    def next_check(self) -> float:
        """Return when `check` has something to do."""
        ...

    def check(self) -> None:
        """Look after ranks that may not have started."""
        ...

    def end(self, seconds: float, have_left: Callable[[float], bool]) -> None:
        """Make sure that no rank runs any more, or that it will not for long.

        Parameters
        ----------
        seconds
            How long ranks that are done may take to end; 0: they end now.
        have_left
            Returns whether all ranks have said farewell, waiting so long for it.
        """
        ...


class ProcessFleet:
    """Ranks as processes of this machine.

    Parameters
    ----------
    tell
        Is told of each process that has ended.
    preload
        Modules that are imported once for all.
    scratch
        What else is to be removed if this process is killed.
    """

    def __init__(
        self, tell: Tell, *, preload: Sequence[str], scratch: Sequence[Path]
    ) -> None:
        self._tell = tell
        self._sockets = private_directory()
        try:
            self._functions = ProcessFunctions(
                HANDLER,
                on_end=self._tell_end,
                preload=preload,
                scratch=[self._sockets, *scratch],
            )
        except BaseException:
            self._remove_sockets()
            raise

    def __repr__(self) -> str:
        return f"<ProcessFleet {self._functions!r}>"

    def start(self, first: Invitation) -> None:
        """Start all ranks; `first` is the invitation of rank 0."""
        for rank in range(first.size):
            invitation = replace(first, rank=rank, sockets=self._sockets)
            self._functions.invoke(invitation.pack())

    def next_check(self) -> float:
        """Return infinity: a process that does not start is told of."""
        return inf

    def check(self) -> None:
        """Do nothing."""

    def end(self, seconds: float, have_left: Callable[[float], bool]) -> None:
        """End all processes, those that run to their end after so long."""
        del have_left
        # An interpreter that ends runs what was left to its end: threads, atexit.
        self._functions.join(min(seconds, LAMBDA_TIMEOUT))
        self._functions.close()
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _tell_end(self, ending: Ending) -> None:
        """Tell that a process is gone."""
        rank = Invitation.unpack(ending.payload).rank
        self._tell(Ended(rank, f"{ending} before it returned"))


class FunctionFleet:
    """Ranks as invocations of a function: a tree, of which the driver is the root.

    Parameters
    ----------
    cloud
        Whose function it is.
    tell
        Is told of ranks that cannot be started.
    blobs
        Where ranks put their claims.
    """

    def __init__(self, cloud: FunctionCloud, tell: Tell, blobs: Blobs) -> None:
        self._cloud = cloud
        self._tell = tell
        self._blobs = blobs
        self._pool = ThreadPoolExecutor(WIDTH, "serverless_dist launch")
        self._roll: RollCall | None = None
        self._first: Invitation | None = None
        self._refusal: CloudError | None = None

    def __repr__(self) -> str:
        return f"<FunctionFleet {self._cloud.functions!r}>"

    def start(self, first: Invitation) -> None:
        """Start the first ranks, which start the others; return at once."""
        branching = choose_branching(first.size)
        self._first = replace(first, branching=branching)
        self._roll = RollCall(first.size, branching, time.monotonic())
        self._invite(children(0, first.size, branching))

    def next_check(self) -> float:
        """Return when the roll is called next."""
        if self._roll is None:
            return inf
        return time.time() + min(_GLANCE, self._roll.next_call - time.monotonic())

    def check(self) -> None:
        """Call the roll if it is time, and invite again who is missing."""
        check_lease(self._cloud)
        if self._roll is None or self._roll.next_call > time.monotonic():
            return
        assert self._first is not None
        prefix = f"{self._first.key.job.hex()}/claims/rank-"
        present = {int(key.removeprefix(prefix)) for key in self._blobs.list(prefix)}
        missing = self._roll.take(present)
        if not present and self._refusal is not None:
            raise self._refusal
        if missing.error is not None:
            if self._refusal is not None:
                missing.error.add_note(f"at one time: {self._refusal}")
            raise missing.error
        self._invite(missing.invite)

    def end(self, seconds: float, have_left: Callable[[float], bool]) -> None:
        """Stop the ranks and wait a moment for them."""
        del seconds
        self._pool.shutdown(wait=False, cancel_futures=True)
        # Before the claims are removed: who starts now finds a claim or no lifeline.
        self._cloud.stop()
        if have_left(0.0) or have_left(_GOODBYE):
            self._cloud.vacate()

    def _invite(self, ranks: Sequence[int]) -> None:
        assert self._first is not None
        for rank in ranks:
            invitation = replace(self._first, rank=rank)
            self._pool.submit(partial(self._invoke, invitation))

    def _invoke(self, invitation: Invitation) -> None:
        try:
            self._cloud.functions.invoke(sealed(invitation))
        except (ServerlessDistError, RuntimeError) as error:
            if isinstance(error, CloudError) and error.retryable:
                # The roll call sees whether it has started all the same.
                self._refusal = error
            else:
                how = f"was not started: {error}"
                self._tell(Ended(invitation.rank, how, has_run=False))
