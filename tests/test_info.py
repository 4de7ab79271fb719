"""`Info` as an object of MPI and as a mapping."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from serverless_dist.comm.constants import MAX_INFO_KEY, MAX_INFO_VAL
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_INFO,
    ERR_INFO_KEY,
    ERR_INFO_NOKEY,
    ERR_INFO_VALUE,
    MPIError,
)
from serverless_dist.comm.info import INFO_ENV, INFO_NULL, Info

PAIRS = {"b": "1", "a": "2"}


def class_of(call: Callable[..., Any], *args: Any) -> int:
    with pytest.raises(MPIError) as caught:
        call(*args)
    return int(caught.value)


@pytest.mark.parametrize(
    "items",
    [PAIRS, list(PAIRS.items()), Info.Create(PAIRS)],
    ids=["dict", "list", "info"],
)
def test_an_info_is_made_of_pairs(items: Any) -> None:
    info = Info.Create(items)
    assert info.items() == list(PAIRS.items())
    assert (info.keys(), info.values()) == (["b", "a"], ["1", "2"])
    assert [info.Get_nthkey(n) for n in range(info.Get_nkeys())] == list(info)


def test_what_is_no_pairs_makes_no_info() -> None:
    with pytest.raises(TypeError):
        Info.Create(123)  # type: ignore[arg-type]


def test_handles_of_one_info_see_the_same_items() -> None:
    info = Info.Create()
    other = Info(info)
    other.Set("key", "value")
    assert info == other
    assert info.Get("key") == "value"
    copy = info.Dup()
    copy["key"] = "another"
    assert copy != info
    assert info["key"] == "value"


def test_mistakes_have_their_classes() -> None:
    info = Info.Create()
    assert info.Get("key") is None
    assert class_of(info.Delete, "key") == ERR_INFO_NOKEY
    assert class_of(info.Get_nthkey, 0) == ERR_ARG
    assert class_of(info.Set, "", "value") == ERR_INFO_KEY
    assert class_of(info.Set, "k" * (MAX_INFO_KEY + 1), "value") == ERR_INFO_KEY
    assert class_of(info.Set, "key", "v" * (MAX_INFO_VAL + 1)) == ERR_INFO_VALUE
    info.Set("k" * MAX_INFO_KEY, "v" * MAX_INFO_VAL)
    assert len(info) == 1


def test_a_null_info_refuses_calls_and_is_an_empty_mapping() -> None:
    info = Info.Create(PAIRS)
    info.Free()
    assert info == INFO_NULL
    for call in (info.Free, info.Dup, info.Get_nkeys):
        assert class_of(call) == ERR_INFO
    assert class_of(info.Get, "a") == class_of(info.Delete, "a") == ERR_INFO
    assert class_of(info.Set, "a", "b") == ERR_INFO
    assert (len(info), info.keys(), info.items(), info.get("a")) == (0, [], [], None)
    assert info.copy() == info
    info.clear()
    for change in (
        lambda: info.update([]),
        lambda: info.__setitem__("a", "b"),
        lambda: info.__delitem__("a"),
        info.popitem,
        lambda: info.pop("a"),
    ):
        with pytest.raises(KeyError):
            change()
    assert info.pop("a", "default") == "default"


def test_an_info_is_a_mapping() -> None:
    info = Info.Create(PAIRS)
    info.update([("b", "3")], c="4")
    assert dict(info.items()) == {"b": "3", "a": "2", "c": "4"}
    assert info.popitem() == ("c", "4")
    assert info.pop("b") == "3"
    assert "b" not in info
    assert (info.get("b"), info.get("b", "x")) == (None, "x")
    with pytest.raises(KeyError):
        info["b"]
    del info["a"]
    with pytest.raises(KeyError):
        del info["a"]
    copy = info.copy()
    copy["z"] = "26"
    copy.clear()
    assert len(copy) == len(info) == 0


def test_an_info_travels_as_a_copy() -> None:
    info = Info.Create(PAIRS)
    copy = pickle.loads(pickle.dumps(info))
    assert copy != info
    assert copy.items() == info.items()


def test_the_environment_cannot_be_changed() -> None:
    assert INFO_ENV.Get("thread_level") == "MPI_THREAD_MULTIPLE"
    assert class_of(INFO_ENV.Set, "arch", "other") == ERR_INFO
    assert class_of(INFO_ENV.Delete, "arch") == ERR_INFO
    INFO_ENV.Free()
    assert INFO_ENV
    copy = INFO_ENV.Dup()
    copy["arch"] = "other"
    assert INFO_ENV["arch"] != "other"


@pytest.mark.parametrize(
    ("args", "command", "argv"),
    [
        (None, None, None),
        ([], None, None),
        ("prog", "prog", ""),
        (["prog", "-n", "4"], "prog", "-n 4"),
    ],
)
def test_the_environment_may_name_a_command(
    args: Any, command: str | None, argv: str | None
) -> None:
    env = Info.Create_env(args)
    assert (env.Get("command"), env.Get("argv")) == (command, argv)
    assert env.Get("arch") == INFO_ENV.Get("arch")
    assert env.Get("wdir")
