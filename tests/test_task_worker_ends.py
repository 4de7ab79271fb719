"""How workers end, and what goes on elsewhere."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist.tasks import worker as worker_module
from serverless_dist.tasks.arguments import pack_value
from serverless_dist.tasks.messages import (
    Bye,
    Finished,
    HandOver,
    Kind,
    Recall,
    Retire,
    Returned,
    unpack,
)
from serverless_dist.tasks.values import Form, failure_of
from serverless_dist.wire import Body
from tests.gates import Gate
from tests.staged_worker import (
    HeldLine,
    Stage,
    exits,
    identity,
    stage,
)

__all__ = ["exits", "stage"]  # fixtures


def test_a_worker_whose_time_is_over_gives_back_and_waits_to_be_let_go(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, gate.pass_through))
        gate.wait_for_arrival()
        line.tell(*sum([stage.order(n, identity, n) for n in range(2, 5)], ()))
        line.tell(Recall(0))
        line.hear(Returned)
        until_retired(line)
        gate.open()
        assert line.hear(Returned) == Returned((2, 3, 4))
        line.hear(Retire)
        line.tell(*stage.order(5, identity, 5))
        assert line.hear(Returned) == Returned((5,))

    line = stage.play(script, lifetime=0.31)
    assert [each.attempt for each in line.said(Finished)] == [1]
    assert len(line.said(Bye)) == 1


def until_retired(line: HeldLine) -> None:
    """Return when a worker that lives for 0.31 s takes its time to be over."""
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        line.wake()
        os.sched_yield()


class Counter:
    def __init__(self) -> None:
        self.counts = np.zeros(3)

    def count(self) -> float:
        self.counts += 1
        return float(self.counts[0])


def test_an_actor_goes_on_in_another_worker_where_it_was(stage: Stage) -> None:
    call = partial(stage.order, function=None, kind=Kind.METHOD, method="count")

    def first(line: HeldLine) -> None:
        line.tell(*stage.order(1, Counter, kind=Kind.CREATE), *call(2), *call(3))
        line.hear(HandOver)
        line.tell(*call(4))  # of which the driver knows that it was not run

    line = stage.play(first, lifetime=0.31)
    (handed,) = line.said(HandOver)
    assert [each.attempt for each in line.said(Finished)] == [1, 2, 3]
    assert not line.said(Returned)
    assert not line.said(Retire)
    again = stage.order(5, Counter, kind=Kind.CREATE, state=handed.state)
    line = stage.play(lambda line: line.tell(*again, *call(6)))
    assert stage.value(line.said(Finished)[-1].values[0]) == 3


@pytest.mark.parametrize("size", [None, 3, 50_000])
def test_an_actor_that_comes_too_late_is_made_elsewhere(
    stage: Stage, size: int | None
) -> None:
    state = None
    if size is not None:
        before = Counter()
        before.counts = np.full(size, 7.0)
        state = stage.client.keep(*pack_value(before))
    create = partial(stage.order, function=Counter, kind=Kind.CREATE)
    call = partial(stage.order, function=None, kind=Kind.METHOD, method="count")
    handed: list[HandOver] = []

    def late(line: HeldLine) -> None:
        until_retired(line)
        line.hear(Retire)
        line.tell(*create(1, state=state))
        handed.append(line.hear(HandOver))

    line = stage.play(late, lifetime=0.31)
    assert not line.said(Finished)
    if state is not None and state.form == Form.STORED:
        stage.store.delete([state.data])  # as the driver does
    again = create(2, state=handed[0].state)
    line = stage.play(lambda line: line.tell(*again, *call(3)))
    counted = stage.value(line.said(Finished)[-1].values[0])
    assert counted == (1 if size is None else 8)


def test_an_actor_that_cannot_go_on_elsewhere_says_why(stage: Stage) -> None:
    class Locked:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    make = partial(stage.order, 1, Locked, kind=Kind.CREATE)

    def first(line: HeldLine) -> None:
        line.tell(*make())
        line.hear(HandOver)

    (handed,) = stage.play(first, lifetime=0.31).said(HandOver)
    line = stage.play(lambda line: line.tell(*make(state=handed.state)))
    failure = failure_of(line.said(Finished)[0].values[0])
    assert "Locked cannot go on elsewhere" in failure.summary
    assert "lock" in failure.summary


@pytest.mark.parametrize(
    ("error", "code"),
    [(EOFError(), 0), (sd.CloudError("the queue is gone", retryable=False), 1)],
    ids=["gone", "not heard"],
)
def test_a_worker_that_has_lost_its_driver_ends_at_once(
    stage: Stage, exits: list[int], error: Exception, code: int
) -> None:
    stage.play(lambda line: line.fail(error))
    assert exits == [code]


def test_a_worker_that_cannot_reach_its_driver_ends(
    stage: Stage, exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = HeldLine.send

    def refuse(line: HeldLine, bodies: Sequence[Body]) -> None:
        if any(type(m) is Finished for body in bodies for m in unpack(body[0])):
            msg = "the queue is gone"
            raise sd.CloudError(msg, retryable=False)
        send(line, bodies)

    monkeypatch.setattr(HeldLine, "send", refuse)
    with pytest.raises(SystemExit):
        stage.play(lambda line: line.tell(*stage.order(1, identity, 1)))
    assert exits == [1]


def test_a_worker_that_hears_nothing_for_long_ends_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_SILENCE", 0.0)

    def script(line: HeldLine) -> None:
        line.wake()
        line.hear(Bye)

    stage.play(script)


@pytest.mark.parametrize("heavy", ["boto3", "scipy", "rich", "moto"])
def test_a_worker_starts_without(heavy: str) -> None:
    code = (
        "import sys, serverless_dist.tasks.worker;sys.exit(sys.argv[1] in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, heavy], check=True)
