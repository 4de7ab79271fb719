"""The options of a plan that are worth a look."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from serverless_dist.plan.options import Option, Plan


def digest(plan: Plan) -> Plan:
    """Return the plan with few options, none of them changed.

    Kept are those on the frontier, the marked ones, the best of each strategy and
    channel by seconds x dollars, and, of each strategy that cannot be, the option that
    needs the least memory and time.

    Examples
    --------
    >>> from serverless_dist.plan.options import judge
    >>> good = Option("good", "split", None, 2, 128, seconds=1.0, dollars=1.0)
    >>> bad = Option("bad", "split", None, 4, 128, seconds=2.0, dollars=2.0)
    >>> plan = Plan("", {}, "here", "today", judge([bad, good]))
    >>> [option.name for option in digest(plan).options]
    ['good']
    """
    best = [
        min(group, key=lambda option: option.seconds * option.dollars)
        for group in _grouped(plan.feasible)
    ]
    possible = {option.strategy for option in plan.feasible}
    nearest = {
        option.strategy: option
        for option in sorted(plan.options, key=_distance, reverse=True)
        if option.strategy not in possible
    }
    kept = {id(option) for option in (*best, *nearest.values())}
    kept |= {id(o) for o in plan.options if o.marks or o.is_on_frontier}
    shown = [option for option in plan.options if id(option) in kept]
    return replace(plan, options=tuple(sorted(shown, key=_place)))


def _grouped(options: Iterable[Option]) -> Iterable[Sequence[Option]]:
    groups = defaultdict(list)
    seen = set()
    for option in options:
        # Of channels that come to the same, as queue and hybrid where nothing is large,
        # the first is enough.
        what = (option.strategy, option.seconds, option.dollars)
        if what not in seen:
            seen.add(what)
            groups[option.strategy, option.channel].append(option)
    return groups.values()


def _distance(option: Option) -> tuple[float, int, float]:
    """Return how far an option is from being possible: memory, then time."""
    needed = option.choices.get("needed_mb", option.memory_mb)
    return (float(needed), -option.memory_mb, option.seconds)


def _place(option: Option) -> tuple[bool, bool, float]:
    return (not option.is_feasible, not option.is_on_frontier, option.seconds)
