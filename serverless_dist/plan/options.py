"""Options with their seconds and dollars, and which of them to take.

An option is on the frontier if no other is both faster and cheaper. Recommended is:

- as a rule the option with the least seconds x dollars: halving the time is worth
  doubling the price, and no more;
- with a deadline the cheapest one that meets it (and the budget, if there is one);
- with a budget alone the fastest one that keeps to it.

Options that cannot be are kept, with the reason; nothing marks them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from serverless_dist.errors import UsageError
from serverless_dist.runtime.documents import (
    count,
    counts,
    fields_of,
    listed,
    number,
    numbers,
    optional,
    reading,
    scalar,
    take,
    text,
    truth,
)

RULE = "the least seconds x dollars: halving the time is worth doubling the price"
"""What is recommended where neither a deadline nor a budget is given."""


class Mark(StrEnum):
    """What an option stands out by."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    RECOMMENDED = "recommended"
    CHOSEN = "chosen"  # what a run takes if nobody says otherwise; no judgement


@dataclass(frozen=True, slots=True)
class Option:
    """One way to do it, and what it would take.

    Attributes
    ----------
    name
        What tables call it; unique within a plan.
    strategy
        The kind of way, as ``"rows split"`` or ``"tree"``.
    channel
        How ranks talk; None if they do not.
    ranks, memory_mb
        How many functions, and how large they are.
    seconds, dollars
        What it would take; for an option that cannot be, what it would take if it
        could.
    lines
        Dollars by service; they sum to `dollars`.
    requests
        How many requests of each kind are made.
    choices
        What else was chosen, as ``batch`` or ``algorithm``. In JSON these are fields
        like the others.
    reason
        Why it cannot be, and what would be needed; None if it can.
    is_on_frontier, marks, why
        What `judge` says of it: whether no other is both faster and cheaper, what it
        stands out by, and a sentence about that.
    """

    name: str
    strategy: str
    channel: str | None
    ranks: int
    memory_mb: int
    seconds: float
    dollars: float
    lines: Mapping[str, float] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, str | int | float] = field(default_factory=dict)
    reason: str | None = None
    is_on_frontier: bool = False
    marks: tuple[Mark, ...] = ()
    why: str = ""

    @property
    def is_feasible(self) -> bool:
        """Whether it can be done at all."""
        return self.reason is None

    def to_dict(self) -> dict[str, Any]:
        """Return the option as values that JSON knows.

        >>> Option("a", "tree", None, 1, 128, 1.0, 2.0).to_dict()["is_feasible"]
        True
        """
        values = asdict(self)
        chosen = values.pop("choices")
        marks = [mark.value for mark in self.marks]
        return {**values, **chosen, "is_feasible": self.is_feasible, "marks": marks}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Option":
        """Return the option that `to_dict` has written.

        Raises
        ------
        UsageError
            A field is missing, or is not what it should be.
        """
        with reading("this is no option of a plan"):
            known = {each.name for each in fields(cls)} | {"is_feasible"}
            given = fields_of(values)
            return cls(
                name=take(given, "name", text),
                strategy=take(given, "strategy", text),
                channel=take(given, "channel", optional(text)),
                ranks=take(given, "ranks", count),
                memory_mb=take(given, "memory_mb", count),
                seconds=take(given, "seconds", number),
                dollars=take(given, "dollars", number),
                lines=take(given, "lines", numbers),
                requests=take(given, "requests", counts),
                choices={
                    name: take(given, name, scalar)
                    for name in given
                    if name not in known
                },
                reason=take(given, "reason", optional(text)),
                is_on_frontier=take(given, "is_on_frontier", truth),
                marks=take(given, "marks", _marks),
                why=take(given, "why", text),
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """All options of a question.

    Attributes
    ----------
    title
        What it is about, in a few words.
    question
        What was asked: values that JSON knows.
    region, profile
        Whose prices and latencies were reckoned with.
    options
        As `judge` returns them.
    """

    title: str
    question: Mapping[str, Any]
    region: str
    profile: str
    options: tuple[Option, ...]

    @property
    def feasible(self) -> tuple[Option, ...]:
        """The options that can be done."""
        return tuple(option for option in self.options if option.is_feasible)

    @property
    def frontier(self) -> tuple[Option, ...]:
        """The options that no other is both faster and cheaper than, fastest first."""
        best = (option for option in self.options if option.is_on_frontier)
        return tuple(sorted(best, key=lambda option: option.seconds))

    def marked(self, mark: Mark) -> Option:
        """Return the option that has the mark; there is one in a judged plan."""
        return next(option for option in self.options if mark in option.marks)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as values that JSON knows."""
        return {
            "kind": "plan",
            "title": self.title,
            "question": dict(self.question),
            "region": self.region,
            "profile": self.profile,
            "options": [option.to_dict() for option in self.options],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_dict` has written.

        Raises
        ------
        UsageError
            It is no plan, a field is missing, or is not what it should be.
        """
        if values.get("kind") != "plan":
            msg = f"this is no plan: its kind is {values.get('kind')!r}, not 'plan'"
            raise UsageError(msg)
        with reading("this is no plan"):
            return cls(
                title=take(values, "title", text),
                question=take(values, "question", _question),
                region=take(values, "region", text),
                profile=take(values, "profile", text),
                options=take(values, "options", _options),
            )


def _question(values: object) -> dict[str, Any]:
    asked = fields_of(values)
    return {name: take(asked, name, optional(scalar)) for name in asked}


def _marks(values: object) -> tuple[Mark, ...]:
    return tuple(map(Mark, listed(values)))


def _options(values: object) -> tuple[Option, ...]:
    return tuple(map(Option.from_dict, listed(values)))


def judge(
    options: Sequence[Option],
    *,
    within: float | None = None,
    budget: float | None = None,
) -> tuple[Option, ...]:
    """Return the options, in the same order, with the outstanding ones marked.

    Parameters
    ----------
    options
        All that was thought of.
    within
        Seconds that the recommended one may take.
    budget
        Dollars that it may cost.

    Raises
    ------
    UsageError
        No option can be, or none that can keeps to the deadline and the budget; the
        message says what would be needed.

    Examples
    --------
    >>> slow = Option("slow", "serial", None, 1, 128, seconds=9.0, dollars=1.0)
    >>> fast = Option("fast", "split", None, 8, 128, seconds=2.0, dollars=3.0)
    >>> poor = Option("poor", "split", "object", 8, 128, seconds=9.5, dollars=3.0)
    >>> for option in judge([slow, fast, poor]):
    ...     print(option.name, option.is_on_frontier, *option.marks)
    slow True cheapest
    fast True fastest recommended
    poor False
    """
    _check("deadline", "seconds", within)
    _check("budget", "dollars", budget)
    able = [option for option in options if option.is_feasible]
    if not able:
        raise UsageError(_nothing_feasible(options))
    best = {
        Mark.CHEAPEST: min(able, key=lambda o: (o.dollars, o.seconds)),
        Mark.FASTEST: min(able, key=lambda o: (o.seconds, o.dollars)),
        Mark.RECOMMENDED: _recommend(able, within, budget),
    }
    rule = _rule(within, budget)
    frontier = _frontier(able)
    return tuple(
        _described(option, best, frontier, rule) if option.is_feasible else option
        for option in options
    )


def _check(what: str, unit: str, limit: float | None) -> None:
    if limit is not None and not limit > 0:
        msg = f"a {what} of {limit:g} {unit} cannot be kept: give more than 0"
        raise UsageError(msg)


def _nothing_feasible(options: Sequence[Option]) -> str:
    """Say for each strategy what its option nearest to being possible would need."""
    reasons: dict[str, str] = {}
    for option in sorted(options, key=lambda o: (-o.memory_mb, o.seconds)):
        reasons.setdefault(option.strategy, option.reason or "")
    told = "; ".join(f"{strategy}: {reason}" for strategy, reason in reasons.items())
    return f"no option can be done: {told or 'nothing was asked for'}"


def _recommend(
    able: Sequence[Option], within: float | None, budget: float | None
) -> Option:
    fitting = [
        option
        for option in able
        if (within is None or option.seconds <= within)
        and (budget is None or option.dollars <= budget)
    ]
    if not fitting:
        raise UsageError(_nothing_fitting(able, within, budget))
    if within is not None:
        return min(fitting, key=lambda o: (o.dollars, o.seconds))
    if budget is not None:
        return min(fitting, key=lambda o: (o.seconds, o.dollars))
    return min(fitting, key=lambda o: o.seconds * o.dollars)


def _nothing_fitting(
    able: Sequence[Option], within: float | None, budget: float | None
) -> str:
    fastest = min(able, key=lambda o: (o.seconds, o.dollars))
    cheapest = min(able, key=lambda o: (o.dollars, o.seconds))
    limits = [f"{within:g} s"] if within is not None else []
    limits += [f"${budget:g}"] if budget is not None else []
    return (
        f"no option keeps to {' and '.join(limits)}: the fastest, {fastest.name}, takes"
        f" {fastest.seconds:.3g} s for ${fastest.dollars:.3g}, the cheapest,"
        f" {cheapest.name}, {cheapest.seconds:.3g} s for ${cheapest.dollars:.3g}"
    )


def _rule(within: float | None, budget: float | None) -> str:
    if within is not None:
        purse = "" if budget is None else f" for at most ${budget:g}"
        return f"the cheapest within {within:g} s{purse}"
    return RULE if budget is None else f"the fastest for at most ${budget:g}"


def _frontier(able: Sequence[Option]) -> list[Option]:
    """Return those that no other is as fast and as cheap as, fastest first."""
    best: list[Option] = []
    for option in sorted(able, key=lambda o: (o.seconds, o.dollars)):
        if not best or option.dollars < best[-1].dollars:
            best.append(option)
    return best


def _described(
    option: Option,
    best: Mapping[Mark, Option],
    frontier: Sequence[Option],
    rule: str,
) -> Option:
    marks = tuple(mark for mark, marked in best.items() if marked is option)
    is_on_frontier = any(each is option for each in frontier)
    sentences = {
        Mark.CHEAPEST: "nothing costs less",
        Mark.FASTEST: "nothing is faster",
        Mark.RECOMMENDED: rule,
    }
    why = "; ".join(sentences[mark] for mark in marks)
    if not is_on_frontier:
        better = min(
            (each for each in frontier if _is_as_good(each, option)),
            key=lambda each: each.seconds * each.dollars,
        )
        why = why or f"{better.name} is {_comparison(better, option)}"
    return replace(option, is_on_frontier=is_on_frontier, marks=marks, why=why)


def _is_as_good(one: Option, other: Option) -> bool:
    return one.seconds <= other.seconds and one.dollars <= other.dollars


def _comparison(better: Option, option: Option) -> str:
    """Say how many times faster and cheaper the better one is."""
    times = {
        "faster": _ratio(option.seconds, better.seconds),
        "cheaper": _ratio(option.dollars, better.dollars),
    }
    told = [f"{ratio:.3g} times {how}" for how, ratio in times.items() if ratio > 1.005]
    return " and ".join(told) or "as good"


def _ratio(more: float, less: float) -> float:
    return more / less if less > 0 else float("inf") if more > 0 else 1.0
