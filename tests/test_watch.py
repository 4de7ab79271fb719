"""Waiting for descriptors: when a wait looks before it sleeps."""

import os
from collections.abc import Callable, Iterator

import pytest

from serverless_dist.transport.watch import Watch


class Machine:
    """A pipe, and a time that passes only when a process gives way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.gave_way = 0
        self.looks = 0
        self.on_way: Callable[[], object] = lambda: None
        self.end, self.other = os.pipe()

    def give_way(self) -> None:
        self.now += self.seconds
        self.gave_way += 1
        self.on_way()

    def clock(self) -> float:
        self.looks += 1
        return self.now

    def watch(self, ranks: int = 1) -> Watch:
        watch = Watch(ranks, clock=self.clock, give_way=self.give_way)
        watch.add(self.end)
        return watch

    def write(self) -> None:
        os.write(self.other, b"x")


@pytest.fixture(params=[1e-6, 1e-2], ids=["idle", "busy"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    machine = Machine(request.param)
    yield machine
    os.close(machine.end)
    os.close(machine.other)


def test_what_comes_at_a_glance_is_returned(machine: Machine) -> None:
    machine.on_way = machine.write
    events = machine.watch().wait(600.0)
    assert [descriptor for descriptor, _ in events] == [machine.end]
    assert machine.gave_way == 1


def test_a_glance_ends(machine: Machine) -> None:
    assert machine.watch().wait(1e-4) == []
    assert 1 <= machine.gave_way <= 110


def test_who_does_not_wait_does_not_glance(machine: Machine) -> None:
    assert machine.watch().wait(0.0) == []
    assert machine.watch().wait(-1.0) == []
    assert machine.gave_way == 0


def test_where_ranks_outnumber_cores_nobody_glances(machine: Machine) -> None:
    assert machine.watch(100_000).wait(1e-4) == []
    assert machine.gave_way == 0


@pytest.mark.parametrize("machine", [1e-2], ids=["busy"], indirect=True)
def test_where_others_want_the_core_ever_fewer_waits_glance(machine: Machine) -> None:
    watch = machine.watch()
    machine.on_way = machine.write

    def glances_late() -> bool:
        """Wait while nothing is there; return whether it looked before it slept."""
        before = machine.looks
        if watch.is_glancing:
            watch.wait(600.0)
            os.read(machine.end, 9)
        return machine.looks > before

    def waits_without() -> int:
        machine.write()
        waits = 0
        while not watch.is_glancing:
            watch.wait(600.0)
            waits += 1
        os.read(machine.end, 9)
        return waits

    waits = []
    for _ in range(3):
        assert glances_late()
        waits.append(waits_without())
    assert waits == [64, 128, 256]
    machine.write()
    watch.wait(600.0)  # at once: the core is free again
    os.read(machine.end, 9)
    assert glances_late()
    assert waits_without() == 64
