"""Whether a call fits a signature, told where the call is made."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any, NamedTuple

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class CallShape(NamedTuple):
    """What a function takes; `least` and `most` count positional arguments alone.

    `signature` has neither defaults nor annotations, so that it can travel; None: the
    function has none that can be known. `hidden` are names of positional parameters
    that mean something else as keywords.
    """

    signature: Signature | None
    least: int
    most: int
    hidden: frozenset[str] = frozenset()

    def check(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise a `TypeError`, as a call of the function itself would."""
        if not kwargs and self.least <= len(args) <= self.most:
            return
        if self.signature is not None:
            # Python 3.11's `bind` takes a hidden name for the parameter's.
            seen = {key: kwargs[key] for key in kwargs if key not in self.hidden}
            try:
                self.signature.bind(*args, **seen)
            except TypeError as error:
                msg = f"{name}() {error}"
                raise TypeError(msg) from None


_ANY = CallShape(None, 0, 1 << 30)


def shape_of(function: Callable[..., Any], *, skip: int = 0) -> CallShape:
    """Return what a function takes after its first `skip` parameters.

    >>> shape_of(lambda x, y=1: None).check("f", (), {})
    Traceback (most recent call last):
    TypeError: f() missing a required argument: 'x'
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return _ANY
    if skip and parameters and parameters[0].kind in _POSITIONAL:
        parameters = parameters[skip:]
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    must = [each for each in parameters if _is_required(each)]
    most = len(positional)
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        most = _ANY.most
    if any(each.kind is Parameter.KEYWORD_ONLY for each in must):
        most = -1  # never by position alone
    hidden: frozenset[str] = frozenset()
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters):
        only = [each for each in positional if each.kind is Parameter.POSITIONAL_ONLY]
        hidden = frozenset([each.name for each in only])
    return CallShape(Signature([*map(_bare, parameters)]), len(must), most, hidden)


def _is_required(parameter: Parameter) -> bool:
    is_variable = parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return parameter.default is Parameter.empty and not is_variable


def _bare(parameter: Parameter) -> Parameter:
    has_default = parameter.default is not Parameter.empty
    return Parameter(
        parameter.name,
        parameter.kind,
        default=None if has_default else Parameter.empty,
    )
