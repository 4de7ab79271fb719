"""Whether a call fits: as Python itself says, for any signature."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serverless_dist.tasks.signatures import shape_of

KINDS = [
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY,
    Parameter.VAR_KEYWORD,
]


@st.composite
def functions(draw: st.DrawFn) -> Callable[..., None]:
    """Give functions with any parameters that Python allows."""
    kinds = sorted(draw(st.lists(st.sampled_from(KINDS), max_size=5)))
    parts: list[Parameter] = []
    has_default = False
    for number, kind in enumerate(kinds):
        is_variable = kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        if is_variable and any(part.kind == kind for part in parts):
            continue
        wants_default = not is_variable and draw(st.booleans())
        if kind <= Parameter.POSITIONAL_OR_KEYWORD:
            has_default = wants_default = has_default or wants_default
        default = 0 if wants_default else Parameter.empty
        parts.append(Parameter("abcdef"[number], kind, default=default))
    text = str(Signature(parts))
    made: Callable[..., None] = eval(f"lambda {text[1:-1]}: None")
    return made


ARGS = st.lists(st.integers(), max_size=5)
KWARGS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(), max_size=4)


@given(functions(), ARGS, KWARGS)
def test_a_call_fits_where_python_calls_the_function(
    function: Callable[..., None], args: list[int], kwargs: dict[str, int]
) -> None:
    shape = shape_of(function)
    try:
        function(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError, match=r"^name\(\) "):
            shape.check("name", args, kwargs)
    else:
        shape.check("name", args, kwargs)


@given(functions(), ARGS, KWARGS)
def test_a_method_takes_its_arguments_after_itself(
    function: Callable[..., None], args: list[int], kwargs: dict[str, int]
) -> None:
    cls = type("Class", (), {"method": function})
    shape = shape_of(function, skip=1)
    try:
        method: Any = cls().method
        method(*args, **kwargs)
    except TypeError:
        if _takes_itself(function) and "a" not in kwargs:  # which is itself
            with pytest.raises(TypeError):
                shape.check("name", args, kwargs)
    else:
        shape.check("name", args, kwargs)


def _takes_itself(function: Callable[..., None]) -> bool:
    """Return whether a function can be called as a method at all."""
    kinds = [each.kind for each in shape_of(function).signature.parameters.values()]  # type: ignore[union-attr]
    return bool(kinds) and kinds[0] <= Parameter.VAR_POSITIONAL


def test_builtins_that_tell_no_signature_take_anything() -> None:
    shape = shape_of(max)
    shape.check("max", (), {"anything": 1})
    shape.check("max", (1,) * 100, {})
