"""Sessions whose workers are functions: what they leave behind at their end."""

import signal
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from tests.fabric import Deployed, lines, shared, world

__all__ = ["lines", "shared", "world"]  # fixtures


class _Keeper:
    def keep(self, x: Any) -> Any:
        return x


Keeper: Any = sd.remote(_Keeper)


@sd.remote
def goes_on(mark: Path) -> None:
    mark.touch()
    signal.pause()


@sd.remote
def fails() -> None:
    msg = "as it should"
    raise ValueError(msg)


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_session_gives_its_mailboxes_back(
    world: Deployed, tmp_path: Path, state: str
) -> None:
    taken = world.taken()
    with sd.init("aws", workers=3, config=world.config):
        keeper = Keeper.remote()
        assert sd.get(keeper.keep.remote(7)) == 7
        with pytest.raises(ValueError, match="as it should"):
            sd.get(fails.remote())
        if state == "busy":
            goes_on.remote(tmp_path / "mark")
            while not (tmp_path / "mark").exists():
                sd.wait([keeper.keep.remote(0)])
    assert world.left() == []
    assert world.taken() == taken


def test_a_gang_that_fails_leaves_nothing_either(world: Deployed) -> None:
    @sd.ranks(2)
    def fail(comm: sd.Communicator) -> None:
        if comm.rank == 1:
            msg = "on purpose"
            raise ValueError(msg)
        comm.recv(source=1)

    taken = world.taken()
    with (
        sd.init("aws", workers=2, config=world.config),
        pytest.raises(ValueError, match="on purpose"),
    ):
        sd.get(fail.remote())
    assert world.left() == []
    assert world.taken() == taken
