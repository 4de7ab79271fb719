"""An actor whose worker's time is over goes on elsewhere, with all it refers to."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

import serverless_dist as sd


@pytest.fixture(autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=1, config=sd.Config(worker_seconds=2)):
        yield


class Keeper:
    def __init__(self) -> None:
        self.refs: list[Any] = []

    def keep(self, value: str) -> int:
        self.refs.append(sd.put(value))
        return os.getpid()

    def pid(self) -> int:
        return os.getpid()

    def kept(self) -> list[Any]:
        return sd.get(self.refs)


def test_what_only_the_actor_refers_to_moves_with_it() -> None:
    keeper = sd.remote(Keeper).remote()
    first = sd.get(keeper.keep.remote("kept"))
    moves = 0
    while moves < 2:
        pid = sd.get(keeper.pid.remote())
        moves += pid != first
        first = pid
    assert sd.get(keeper.kept.remote()) == ["kept"]
