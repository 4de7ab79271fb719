"""`MPIError`, error codes, and the classes that checks give to mistakes."""

import pickle

import pytest

from serverless_dist.comm import exceptions
from serverless_dist.comm.checks import (
    check_distinct,
    check_items,
    check_rank,
    check_tag,
)
from serverless_dist.comm.constants import PROC_NULL, ROOT
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_COUNT,
    ERR_LASTCODE,
    ERR_OTHER,
    ERR_RANK,
    ERR_ROOT,
    ERR_TAG,
    ERR_UNKNOWN,
    SUCCESS,
    ErrorCodes,
    MPIError,
)
from serverless_dist.errors import UsageError

CLASSES = {
    name: value for name, value in vars(exceptions).items() if name.startswith("ERR_")
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_class_has_a_text_and_is_its_own_class(name: str) -> None:
    error = MPIError(CLASSES[name])
    assert str(error) == error.error_string == error.Get_error_string()
    assert "nobody" not in str(error)
    assert error.error_class == error.Get_error_class() == CLASSES[name]
    assert error.error_code == error.Get_error_code() == int(error)
    assert error <= ERR_LASTCODE
    assert repr(error) == f"MPI.Exception({CLASSES[name]})"


def test_no_two_error_classes_share_a_number() -> None:
    assert len(set(CLASSES.values())) == len(CLASSES)


def test_an_error_compares_and_hashes_as_its_code() -> None:
    low, high = MPIError(ERR_RANK), MPIError(ERR_ROOT)
    assert low < high
    assert low <= ERR_RANK <= low
    assert high > ERR_RANK
    assert high >= low
    assert low == ERR_RANK == MPIError(ERR_RANK, "another sentence")
    assert low != high
    assert hash(low) == hash(ERR_RANK)
    assert low
    assert not MPIError(SUCCESS)
    assert MPIError(-1) == ERR_UNKNOWN


def test_an_error_says_its_sentence_and_keeps_the_text_of_its_class() -> None:
    error = MPIError(ERR_ROOT, "root is 9")
    assert str(error) == "root is 9"
    assert error.error_string == str(MPIError(ERR_ROOT))
    assert repr(error) == f"MPI.Exception({ERR_ROOT}, 'root is 9')"


@pytest.mark.parametrize("base", [UsageError, RuntimeError, ValueError])
def test_an_error_is_a_mistake_of_the_caller(base: type[Exception]) -> None:
    assert issubclass(MPIError, base)


@pytest.mark.parametrize("error", [MPIError(ERR_TAG), MPIError(ERR_TAG, "tag is 1")])
def test_an_error_travels(error: MPIError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is MPIError
    assert (int(copy), str(copy)) == (int(error), str(error))


def test_added_classes_and_codes_are_known_until_removed() -> None:
    codes = ErrorCodes()
    assert codes.last == ERR_LASTCODE
    added = codes.Add_error_class()
    assert added == codes.last > ERR_LASTCODE
    code = codes.Add_error_code(added)
    assert codes.Get_error_class(added) == codes.Get_error_class(code) == added
    assert codes.Get_error_string(code) == ""
    codes.Add_error_string(code, "no luck")
    assert codes.Get_error_string(code) == "no luck"
    for refused in (codes.Remove_error_class, codes.Remove_error_code):
        with pytest.raises(MPIError):
            refused(added if refused == codes.Remove_error_class else code)
    codes.Remove_error_string(code)
    codes.Remove_error_code(code)
    assert codes.Get_error_class(code) == ERR_UNKNOWN
    codes.Remove_error_class(added)
    with pytest.raises(MPIError):
        codes.Remove_error_class(added)
    assert codes.Add_error_class() > code


def test_codes_of_predefined_classes_can_be_added() -> None:
    codes = ErrorCodes()
    code = codes.Add_error_code(ERR_OTHER)
    assert codes.Get_error_class(code) == ERR_OTHER
    with pytest.raises(MPIError, match="no error class"):
        codes.Add_error_code(code)
    with pytest.raises(MPIError, match="Remove_error_class"):
        codes.Remove_error_code(codes.Add_error_class())


@pytest.mark.parametrize("code", [SUCCESS, ERR_ROOT, ERR_LASTCODE + 7])
def test_what_was_not_added_cannot_be_removed(code: int) -> None:
    codes = ErrorCodes()
    for remove in (
        codes.Remove_error_class,
        codes.Remove_error_code,
        codes.Remove_error_string,
    ):
        with pytest.raises(MPIError) as caught:
            remove(code)
        assert caught.value == ERR_ARG


def test_checks_classify_mistakes() -> None:
    def class_of(check: object, *args: object) -> int:
        assert callable(check)
        with pytest.raises(MPIError) as caught:
            check(*args)
        return int(caught.value)

    assert class_of(check_rank, "root", 4, 4) == ERR_ROOT
    assert class_of(check_rank, "root", "0", 4) == ERR_ROOT
    assert class_of(check_rank, "dest", 4, 4) == ERR_RANK
    assert class_of(check_tag, -3) == ERR_TAG
    assert class_of(check_tag, None) == ERR_TAG
    assert class_of(check_items, "scatter", 3, 4) == ERR_ARG
    assert class_of(check_items, "scatter", [3], 4) == ERR_COUNT
    assert class_of(check_distinct, "source", [1, 1], 4) == ERR_RANK


def test_the_root_of_an_intercommunicator_may_be_no_rank() -> None:
    special = (ROOT, PROC_NULL)
    assert check_rank("root", ROOT, 2, special) == ROOT
    assert check_rank("root", PROC_NULL, 2, special) == PROC_NULL
    with pytest.raises(MPIError, match="rank from 0 to 1 or ROOT or PROC_NULL"):
        check_rank("root", 2, 2, special)
