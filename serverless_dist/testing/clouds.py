"""Conformance suites: what every implementation of a cloud seam must do.

A test class derives from a suite and makes the thing under test::

    class TestMemoryQueue(QueueSuite):
        def make_queue(self, visibility: float = 30.0) -> Queue:
            return MemoryQueue(HandClock(), seed=7, visibility=visibility)

The suites state what the contract promises and no more, so that they hold for a
service across a network and for a hostile wrapper as well:

1. What `make_queue` and `make_topic` give is empty and nobody else uses it; what
   `make_blobs` gives may be shared, the suite stays below prefixes of its own.
2. A body may come twice, in any order, now and then even after its delete. What
   should not happen is therefore counted: most bodies must behave.
3. Time passes only inside ``receive(limit, wait)``, so a clock that jumps will do.

No test framework is imported: the suites are classes with ``test_`` methods.
"""

from serverless_dist.testing.blobs_suite import BlobsSuite
from serverless_dist.testing.clock_suite import ClockSuite
from serverless_dist.testing.functions_suite import FunctionsSuite
from serverless_dist.testing.queue_suite import QueueSuite
from serverless_dist.testing.topic_suite import TopicSuite

__all__ = ["BlobsSuite", "ClockSuite", "FunctionsSuite", "QueueSuite", "TopicSuite"]
