"""Attributes of communicators and datatypes, on a stand-in for both."""

from typing import Any, ClassVar

import pytest

from serverless_dist.comm.attributes import (
    COMM_ATTRIBUTES,
    Attributed,
    Keyvals,
    Store,
)
from serverless_dist.comm.constants import (
    KEYVAL_INVALID,
    LASTUSEDCODE,
    MAX_TAG,
    TAG_UB,
    WTIME_IS_GLOBAL,
)
from serverless_dist.comm.exceptions import (
    ERR_KEYVAL,
    ERR_OTHER,
    ERR_TAG,
    ERROR_CODES,
    MPIError,
)


class Thing(Attributed):
    _keyvals: ClassVar[Keyvals] = Keyvals(COMM_ATTRIBUTES)

    def __init__(self) -> None:
        self.store: Store = {}

    def _attributes(self) -> Store:
        return self.store

    def duplicate(self) -> "Thing":
        new = Thing()
        self._copy_attributes(new.store)
        return new

    def free(self) -> None:
        self._delete_attributes()


class Other(Thing):
    _keyvals: ClassVar[Keyvals] = Keyvals({})


def class_of(call: Any, *args: Any) -> int:
    with pytest.raises(MPIError) as caught:
        call(*args)
    return int(caught.value)


def test_an_attribute_is_there_between_set_and_delete() -> None:
    thing, value = Thing(), [1, 2]
    key = Thing.Create_keyval()
    assert thing.Get_attr(key) is None
    thing.Set_attr(key, value)
    assert thing.Get_attr(key) is value
    thing.Delete_attr(key)
    assert thing.Get_attr(key) is None
    thing.Delete_attr(key)


@pytest.mark.parametrize("rule", [None, False, True, lambda *_: NotImplemented])
def test_a_duplicate_gets_what_the_key_says(rule: Any) -> None:
    thing, value = Thing(), [1, 2]
    key = Thing.Create_keyval(rule)
    thing.Set_attr(key, value)
    copy = thing.duplicate().Get_attr(key)
    assert copy is (value if rule is True else None)


def test_functions_are_told_object_key_and_value() -> None:
    thing = Thing()
    told: list[tuple[str, Any, int, Any]] = []

    def copy_fn(*args: Any) -> int:
        told.append(("copy", *args))
        return 8

    key = Thing.Create_keyval(copy_fn, lambda *args: told.append(("delete", *args)))
    thing.Set_attr(key, 7)
    copy = thing.duplicate()
    assert copy.Get_attr(key) == 8
    thing.Set_attr(key, 9)
    thing.Delete_attr(key)
    copy.free()
    assert told == [
        ("copy", thing, key, 7),
        ("delete", thing, key, 7),
        ("delete", thing, key, 9),
        ("delete", copy, key, 8),
    ]


def test_a_key_for_integers_takes_only_integers() -> None:
    thing = Thing()
    key = Thing.Create_keyval(True, nopython=True)  # noqa: FBT003
    thing.Set_attr(key, 0)
    assert thing.duplicate().Get_attr(key) == 0
    with pytest.raises(TypeError):
        thing.Set_attr(key, "text")


def test_attributes_outlive_their_freed_key() -> None:
    deleted: list[Any] = []
    thing = Thing()
    key = Thing.Create_keyval(None, lambda *args: deleted.append(args[2]))
    thing.Set_attr(key, "value")
    assert Thing.Free_keyval(key) == KEYVAL_INVALID
    assert class_of(Thing.Free_keyval, key) == ERR_KEYVAL
    assert class_of(thing.Set_attr, key, "other") == ERR_KEYVAL
    assert thing.Get_attr(key) == "value"
    thing.free()
    assert deleted == ["value"]


def test_predefined_attributes_are_there_and_fixed() -> None:
    thing = Thing()
    assert thing.Get_attr(TAG_UB) == MAX_TAG
    assert thing.Get_attr(WTIME_IS_GLOBAL) == 0
    assert thing.Get_attr(LASTUSEDCODE) == ERROR_CODES.last
    assert class_of(thing.Set_attr, TAG_UB, 1) == ERR_KEYVAL
    assert class_of(thing.Delete_attr, TAG_UB) == ERR_KEYVAL
    assert class_of(Thing.Free_keyval, TAG_UB) == ERR_KEYVAL


def test_keys_belong_to_one_kind_of_object() -> None:
    key = Other.Create_keyval()
    assert class_of(Thing().Get_attr, key) == ERR_KEYVAL
    assert class_of(Other().Get_attr, TAG_UB) == ERR_KEYVAL
    assert class_of(Thing().Get_attr, KEYVAL_INVALID) == ERR_KEYVAL


def test_a_failing_function_is_printed_and_classified(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> None:
        msg = "out of paper"
        raise ValueError(msg)

    thing = Thing()
    key = Thing.Create_keyval(fail, fail)
    thing.Set_attr(key, 1)
    assert class_of(thing.duplicate) == ERR_OTHER
    assert "ValueError: out of paper" in capsys.readouterr().err
    assert thing.Get_attr(key) == 1
    assert class_of(thing.Delete_attr, key) == ERR_OTHER
    assert thing.Get_attr(key) is None
    thing.Set_attr(key, 1)
    capsys.readouterr()
    thing.free()
    assert capsys.readouterr().err.count("ValueError: out of paper") == 1
    assert thing.store == {}


def test_an_error_of_mpi_in_a_function_keeps_its_class() -> None:
    def fail(*_: Any) -> None:
        raise MPIError(ERR_TAG)

    thing = Thing()
    key = Thing.Create_keyval(None, fail)
    thing.Set_attr(key, 1)
    assert class_of(thing.Delete_attr, key) == ERR_TAG


def test_attributes_go_in_the_reverse_order() -> None:
    gone: list[int] = []
    thing = Thing()
    keys = [Thing.Create_keyval(None, lambda *a: gone.append(a[1])) for _ in range(3)]
    for key in keys:
        thing.Set_attr(key, None)
    thing.free()
    assert gone == keys[::-1]
