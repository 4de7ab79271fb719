"""The client of this process: one for all that is called without naming a session.

A session belongs to the process, as in Ray: `get` and `remote` mean the one that
`init` has opened or, inside of a worker, the worker's.
"""

from serverless_dist.errors import UsageError
from serverless_dist.tasks.client import Client

_ELSEWHERE = "a ref of a session that is not open here: it was shut down, or not begun"


class _Current:
    """The one client; None: no session is open."""

    client: Client | None = None


def set_client(client: Client | None) -> None:
    """Have everything that names no session use this client."""
    _Current.client = client


def find_client() -> Client | None:
    """Return the client of this process; None: no session is open."""
    return _Current.client


def client_of(job: bytes) -> Client:
    """Return the client of this process, if it is of this session.

    Raises
    ------
    UsageError
        No session is open, or another one.
    """
    client = _Current.client
    if client is None or client.job != job:
        raise UsageError(_ELSEWHERE)
    return client


def require_current(client: Client) -> Client:
    """Return the client of a ref, if it is that of this process; else see `client_of`.

    Ids of two sessions may be the same, so refs of one mean nothing to the other.
    """
    if client is not _Current.client:
        raise UsageError(_ELSEWHERE)
    return client
