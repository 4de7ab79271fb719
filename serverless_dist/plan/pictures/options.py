"""The table of a plan: every option, those that cannot be with the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from serverless_dist.plan.pictures.frontier import choices
from serverless_dist.plan.pictures.numbers import (
    NOTHING,
    count,
    money,
    plain,
    safe,
    seconds,
    words,
)
from serverless_dist.plan.pictures.page import Row, Section, table

_BEFORE = ("option", "strategy", "channel", "ranks", "MB")
_AFTER = ("seconds", "dollars", "requests")
_NUMBERS = {"ranks", "MB", "seconds", "dollars", "requests"}


def section(plan: Mapping[str, Any]) -> Section:
    """Return the table of a plan's options, the outstanding ones first."""
    known = sorted(plan["options"], key=_place)
    chosen = list(dict.fromkeys(name for option in known for name in choices(option)))
    rows = [_row(option, chosen) for option in known]
    barred = sum(not option["is_feasible"] for option in known)
    caption = f"{len(known)} options"
    if barred:
        caption += (
            f", of which {barred} cannot be done: the reason stands below the name"
        )
    headings = (*_BEFORE, *map(words, chosen), *_AFTER)
    numbers = _NUMBERS | {words(name) for name in chosen if _is_numeric(name, known)}
    return Section(
        "options", "Options", f"{caption}.", body=table(headings, rows, numbers)
    )


def _is_numeric(name: str, known: Sequence[Mapping[str, Any]]) -> bool:
    return all(isinstance(each.get(name) or 0, int | float) for each in known)


def _place(option: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
    marks = option["marks"]
    return (
        not option["is_feasible"],
        "recommended" not in marks,
        not option["is_on_frontier"],
        option["seconds"],
    )


def _row(option: Mapping[str, Any], chosen: list[str]) -> Row:
    kind = "" if option["is_feasible"] else "out"
    marks = "".join(
        f'<span class="mark">{safe(each)}</span>' for each in option["marks"]
    )
    extra = choices(option)
    cells = (
        f"<b>{safe(option['name'])}</b>{marks}<small>{safe(_told(option))}</small>",
        safe(option["strategy"]),
        safe(option["channel"] or NOTHING),
        count(option["ranks"]),
        count(option["memory_mb"]),
        *(plain(extra.get(name)) for name in chosen),
        seconds(option["seconds"]),
        money(option["dollars"]),
        count(sum(option["requests"].values())),
    )
    return Row(cells, "best" if option["marks"] else kind)


def _told(option: Mapping[str, Any]) -> str:
    if not option["is_feasible"]:
        return f"Cannot be done: {option['reason']}"
    told = option["why"] or (
        "nothing is both faster and cheaper" if option["is_on_frontier"] else ""
    )
    return str(told)
