"""A public test kit: clocks, a simulator, suites that every implementation passes.

It needs no test framework: suites are classes with ``test_`` methods.
"""

from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.clouds import (
    BlobsSuite,
    ClockSuite,
    FunctionsSuite,
    QueueSuite,
    TopicSuite,
)
from serverless_dist.testing.communicators import CommunicatorSuite
from serverless_dist.testing.simulate import Simulation, simulate
from serverless_dist.testing.transport_suite import TransportSuite
from serverless_dist.testing.transports import LinkedTransport, connect, run_threads

__all__ = [
    "BlobsSuite",
    "ClockSuite",
    "CommunicatorSuite",
    "FunctionsSuite",
    "HandClock",
    "LinkedTransport",
    "QueueSuite",
    "Simulation",
    "TopicSuite",
    "TransportSuite",
    "connect",
    "run_threads",
    "simulate",
]
