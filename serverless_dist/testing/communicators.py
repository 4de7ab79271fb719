"""The conformance suite of communicators, whatever carries their messages."""

from serverless_dist.testing.buffer_collectives import BufferCollectivesSuite
from serverless_dist.testing.buffers import BuffersSuite
from serverless_dist.testing.collectives import CollectivesSuite
from serverless_dist.testing.groups import GroupsSuite
from serverless_dist.testing.intercomms import IntercommsSuite
from serverless_dist.testing.messages import MessagesSuite
from serverless_dist.testing.nonblocking import NonblockingSuite
from serverless_dist.testing.requests import RequestsSuite
from serverless_dist.testing.topologies import TopologiesSuite


class CommunicatorSuite(
    MessagesSuite,
    BuffersSuite,
    RequestsSuite,
    CollectivesSuite,
    BufferCollectivesSuite,
    NonblockingSuite,
    GroupsSuite,
    TopologiesSuite,
    IntercommsSuite,
):
    """What a `Communicator` promises; derive and implement `run`.

    ``run(size, function)`` calls the function with the communicator of each of `size`
    new ranks and returns their results by rank; a rank's exception reaches the caller.
    """
