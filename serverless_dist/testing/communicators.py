"""The conformance suite of communicators, whatever carries their messages."""

from serverless_dist.testing.collectives import CollectivesSuite
from serverless_dist.testing.messages import MessagesSuite


class CommunicatorSuite(MessagesSuite, CollectivesSuite):
    """What a `Communicator` promises; derive and implement `run`.

    ``run(size, function)`` calls the function with the communicator of each of `size`
    new ranks and returns their results by rank; a rank's exception reaches the caller.
    """
