"""Options, and signatures: what is wrong with a call is said where it is made."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.tasks.messages import STREAMING, Policy
from serverless_dist.tasks.options import (
    ActorOptions,
    CallOptions,
    GangOptions,
    TaskOptions,
    changed,
    count_of,
)
from serverless_dist.tasks.signatures import shape_of

WRONG: list[tuple[type[Any], str, list[object]]] = [
    (TaskOptions, "name", ["", 3]),
    (TaskOptions, "num_returns", [-1, 1.5, True, "many", 10_001]),
    (TaskOptions, "retries", [-1, 0.5, True, "3", None]),
    (TaskOptions, "retry_exceptions", [KeyError, [KeyError, 1], "KeyError", None]),
    (TaskOptions, "timeout", [0, -1, float("nan"), True, "1"]),
    (TaskOptions, "memory", [0, 127, 10_241, True, "512", 512.5]),
    (ActorOptions, "name", ["", 3]),
    (ActorOptions, "max_restarts", [-2, True, 1.5]),
    (ActorOptions, "max_task_retries", [-1, "1"]),
    (ActorOptions, "memory", [1]),
    (CallOptions, "num_returns", [-1]),
    (CallOptions, "timeout", [0]),
    (GangOptions, "ranks", [0, 1.0, True]),
    (GangOptions, "channel", ["pigeons"]),
    (GangOptions, "timeout", [-1]),
]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [(cls, name, value) for cls, name, values in WRONG for value in values],
)
def test_a_wrong_value_is_named_with_its_option(
    options: type[Any], name: str, value: object
) -> None:
    with pytest.raises(sd.UsageError, match=f"{name}.*{re.escape(repr(value))}") as e:
        options(**{name: value})
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("options", [TaskOptions, ActorOptions, CallOptions])
def test_an_unknown_option_is_a_type_error_that_names_the_known_ones(
    options: type[Any],
) -> None:
    with pytest.raises(TypeError, match="f has no option 'gpus': use one of "):
        changed(options(), "f", {"gpus": 1})


def test_options_become_what_the_driver_has_to_know() -> None:
    options = TaskOptions(
        retries=1, timeout=2, memory=256, speculative=True, retry_exceptions=[KeyError]
    )
    assert options.policy() == Policy(
        retries=1, timeout=2, memory=256, speculative=True, retry_errors=True
    )
    assert TaskOptions().policy() == Policy()


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (False, ()),
        (True, (Exception,)),
        ([], ()),
        ([KeyError], (KeyError,)),
        ((KeyError, OSError), (KeyError, OSError)),
    ],
)
def test_errors_worth_retrying_are_classes(
    given: Any, classes: tuple[type[BaseException], ...]
) -> None:
    options = TaskOptions(retry_exceptions=given)
    assert options.worth_retrying == classes
    assert options.policy().retry_errors == bool(classes)


def test_an_actors_calls_are_retried_as_often_as_its_options_say() -> None:
    options = ActorOptions(max_restarts=2, max_task_retries=3, name="counter")
    assert options.policy() == Policy(retries=0, restarts=2, actor_name="counter")
    assert options.call_policy(1.5) == Policy(retries=3, timeout=1.5)


@pytest.mark.parametrize(
    ("num_returns", "is_generator", "count"),
    [
        (None, False, 1),
        (None, True, STREAMING),
        ("streaming", False, STREAMING),
        (2, True, 2),
        (0, False, 0),
    ],
)
def test_the_number_of_returns(
    num_returns: int | str | None, is_generator: object, count: int
) -> None:
    assert count_of(num_returns, is_generator=bool(is_generator)) == count


# The decorators.


def test_options_can_be_given_to_the_decorator_or_changed_later() -> None:
    @sd.remote(name="first", retries=0)
    def f() -> None: ...

    assert repr(f) == "<RemoteFunction first>"
    assert repr(f.options(name="second")) == "<RemoteFunction second>"
    assert repr(f) == "<RemoteFunction first>"
    with pytest.raises(TypeError, match="first has no option 'max_restarts'"):
        f.options(max_restarts=1)


def test_what_is_decorated_keeps_its_name_and_docstring() -> None:
    @sd.remote
    def f() -> None:
        """Say something."""

    @sd.ranks(2)
    def g(comm: sd.Communicator) -> None:
        """Say more."""

    @sd.remote
    class A:
        """Be."""

    assert [each.__doc__ for each in (f, g, A)] == [
        "Say something.",
        "Say more.",
        "Be.",
    ]
    assert vars(f)["__name__"] == "f"
    assert vars(A)["__name__"] == "A"


def remote_function() -> Any:
    return sd.remote(len)


def remote_class() -> Any:
    @sd.remote
    class Counter:
        def add(self) -> None: ...

    return Counter


def gang() -> Any:
    return sd.ranks(2)(lambda comm: comm.rank)


@pytest.mark.parametrize("make", [remote_function, remote_class, gang])
def test_calling_what_is_remote_is_a_type_error_that_says_how(
    make: Callable[[], Any],
) -> None:
    with pytest.raises(TypeError, match=r"\.remote\(\.\.\.\)"):
        make()(1)


@pytest.mark.parametrize("target", [3, "f", partial(len, "abc")], ids=repr)
def test_only_functions_and_classes_can_be_remote(target: Any) -> None:
    with pytest.raises(TypeError, match="remote takes a function or a class, not"):
        sd.remote(target)


@pytest.mark.parametrize("make", [remote_function, remote_class, gang])
def test_what_is_remote_is_not_made_remote_again(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="remote takes a function or a class"):
        sd.remote(make())


def test_ranks_needs_a_number_and_a_function() -> None:
    with pytest.raises(TypeError, match=r"write @ranks\(4\)"):
        sd.ranks(len)  # type: ignore[arg-type]
    with pytest.raises(sd.UsageError, match="ranks takes a function"):
        sd.ranks(2)(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ranks has no option 'retries'"):
        sd.ranks(2, retries=1)


# Signatures.


def plain(x: int, y: int = 1) -> None: ...
def variable(*args: int, **kwargs: int) -> None: ...
def keyword(x: int, *, key: int) -> None: ...
def mixed(x: int = 1, *, key: int) -> None: ...
def positional(x: int, /, y: int) -> None: ...
def optional(*, key: int = 1) -> None: ...


CALLS: list[tuple[Callable[..., Any], tuple[int, ...], dict[str, int]]] = [
    (function, args, kwargs)
    for function in (plain, variable, keyword, mixed, positional, optional)
    for args in ((), (1,), (1, 2), (1, 2, 3))
    for kwargs in ({}, {"x": 1}, {"y": 1}, {"key": 1}, {"y": 1, "key": 1})
]


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_a_call_is_refused_if_python_would_refuse_it(
    function: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    shape = shape_of(function)
    try:
        function(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) "):
            shape.check(function.__name__, args, kwargs)
    else:
        shape.check(function.__name__, args, kwargs)


def test_what_has_no_signature_takes_anything() -> None:
    shape_of(max).check("f", (), {})
    shape_of(3).check("f", (1, 2), {"x": 3})  # type: ignore[arg-type]


def test_the_first_parameters_can_be_left_out() -> None:
    shape_of(plain, skip=1).check("f", (), {})
    shape_of(variable, skip=1).check("f", (1,), {})
    with pytest.raises(TypeError, match="too many positional arguments"):
        shape_of(plain, skip=1).check("f", (1, 2), {})


@pytest.mark.parametrize("value", ["yes", 3, None])
def test_speculative_is_true_or_false(value: object) -> None:
    with pytest.raises(sd.UsageError, match="speculative is"):
        sd.remote(speculative=value)(abs_of)


def abs_of(x: int) -> int:
    return abs(x)
