"""A worker with other versions is told of before anything runs on it."""

import platform
from collections.abc import Iterator

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist.runtime.versions import mismatch, versions
from serverless_dist.tasks import driver

OTHER = {"Python": "2.7", "numpy": "0.1"}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[sd.Session]:
    """A session that takes itself for another one than its workers do."""
    monkeypatch.setattr(driver, "versions", lambda: {**versions(), **OTHER})
    with sd.init("local", workers=1) as session:
        yield session


@sd.remote
def identity(x: int) -> int:
    return x


@sd.remote
class Actor:
    def call(self) -> int:
        return 1


def test_tasks_and_actors_fail_with_both_versions(session: sd.Session) -> None:
    here, numpy = ".".join(platform.python_version_tuple()[:2]), np.__version__
    actor = Actor.remote()  # type: ignore[attr-defined]
    refs = [identity.remote(1), actor.call.remote(), identity.remote(2)]
    for ref in refs:
        with pytest.raises((sd.VersionMismatchError, sd.ActorDiedError)) as caught:
            sd.get(ref)
        text = str(caught.value)
        assert "the driver has Python 2.7, numpy 0.1" in text
        assert f"its worker has Python {here}, numpy {numpy}: install the same" in text
    with pytest.raises(sd.VersionMismatchError):
        sd.get(refs[0])


def test_a_missing_package_is_a_mismatch() -> None:
    ours = {"Python": "3.11", "numpy": "2.0"}
    text = "the driver has numpy 2.0, its worker has numpy missing: install the same"
    assert mismatch(ours, {"Python": "3.11"}) == text


def test_what_only_the_worker_has_does_not_matter() -> None:
    assert mismatch({"Python": "3.11"}, {"Python": "3.11", "numpy": "1"}) is None


def test_only_the_minor_version_of_python_counts() -> None:
    assert versions()["Python"].count(".") == 1
