"""Where workers run: processes of this machine, or functions of a cloud."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from serverless_dist.cloud import Functions
from serverless_dist.cloud.processes import Ending, ProcessFunctions
from serverless_dist.runtime.envelope import Envelope
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.lines import Hub
from serverless_dist.tasks.messages import Die, pack

HANDLER = "serverless_dist.tasks.worker:handler"
KIND = "worker"  # of an envelope
Tell = Callable[[int, str], None]


class Crew(Protocol):
    """Starts workers and ends them; each that has ended is told of, by number."""

    def start(self, invitation: Invitation) -> None:
        """Start a worker; it may take an HTTP request."""
        ...

    def end(self, worker: int) -> None:
        """End a worker, whatever it does, also one that is being started."""
        ...

    def is_gone(self, worker: int) -> bool:
        """Return whether a worker that has said farewell is gone by that."""
        ...

    def forget(self, worker: int) -> None:
        """Give back what is held of a worker that has ended."""
        ...

    def close(self) -> None:
        """Make sure that no worker runs any more, or that it will not for long."""
        ...


class ProcessCrew:
    """Workers as processes of this machine.

    Parameters
    ----------
    tell
        Is told of each worker that has ended, and how.
    scratch
        What is to be removed if this process is killed.
    """

    def __init__(self, tell: Tell, *, scratch: Sequence[Path]) -> None:
        self._tell = tell
        self._payloads: dict[int, bytes] = {}
        self._condemned: set[int] = set()
        self._functions = ProcessFunctions(
            HANDLER, on_end=self._take_end, scratch=scratch
        )

    def __repr__(self) -> str:
        return f"<ProcessCrew {self._functions!r}>"

    def start(self, invitation: Invitation) -> None:
        """Start a worker."""
        payload = invitation.pack()
        self._payloads[invitation.worker] = payload
        self._functions.invoke(payload)
        if invitation.worker in self._condemned:  # while it was being started
            self._functions.kill(payload)

    def end(self, worker: int) -> None:
        """Kill a worker."""
        self._condemned.add(worker)
        payload = self._payloads.get(worker)
        if payload is not None:
            self._functions.kill(payload)

    def is_gone(self, worker: int) -> bool:
        """Return False: the end of its process is told of."""
        del worker
        return False

    def forget(self, worker: int) -> None:
        """Give back what is held of a worker that has ended."""
        self._payloads.pop(worker, None)
        self._condemned.discard(worker)

    def close(self) -> None:
        """End all processes."""
        self._functions.close()

    def _take_end(self, ending: Ending) -> None:
        worker = Invitation.unpack(ending.payload).worker
        is_kill = ending.exit_code == -signal.SIGKILL
        how = f"{ending}, as when memory runs out" if is_kill else str(ending)
        self._tell(worker, how)


class FunctionCrew:
    """Workers as invocations of a function, which nobody can end but they themselves.

    Parameters
    ----------
    functions
        What runs them.
    hub
        What they are told by.
    tell
        Is told of each worker that has ended, and how.
    """

    def __init__(self, functions: Functions, hub: Hub, tell: Tell) -> None:
        self._functions = functions
        self._hub = hub
        self._tell = tell

    def __repr__(self) -> str:
        return f"<FunctionCrew {self._functions!r}>"

    def start(self, invitation: Invitation) -> None:
        """Start a worker: one request to Lambda."""
        envelope = Envelope(invitation.key, KIND, invitation.fields())
        self._functions.invoke(envelope.seal())

    def end(self, worker: int) -> None:
        """Tell a worker to end its process, and do not wait for that."""
        self._hub.send({worker: [(pack([Die()]),)]})
        self._tell(worker, "was told to end")

    def is_gone(self, worker: int) -> bool:
        """Return True: it reads nothing any more."""
        del worker
        return True

    def forget(self, worker: int) -> None:
        """Do nothing: nothing is held."""

    def close(self) -> None:
        """Do nothing: workers end when they see that the lease has ended."""
