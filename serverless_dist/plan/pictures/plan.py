"""The page of a plan: the options in dollars and seconds, and each with its reasons."""

from collections.abc import Mapping
from typing import Any

from serverless_dist.plan.pictures import frontier, options
from serverless_dist.plan.pictures.numbers import (
    count,
    money,
    plain,
    safe,
    seconds,
    words,
)
from serverless_dist.plan.pictures.page import Section, figures, render


def page(plan: Mapping[str, Any]) -> str:
    """Return the page of a plan in its JSON form."""
    subtitle = f"Prices of {plan['region']}, latencies of profile {plan['profile']}."
    sections = [_summary(plan), frontier.section(plan), options.section(plan)]
    return render(str(plan["title"]), subtitle, sections)


def _summary(plan: Mapping[str, Any]) -> Section:
    known = plan["options"]
    marked = [
        (mark.capitalize(), _price(option))
        for mark in ("recommended", "cheapest", "fastest")
        for option in known
        if mark in option["marks"]
    ]
    able = sum(option["is_feasible"] for option in known)
    asked = [
        (words(name), plain(value))
        for name, value in plan["question"].items()
        if value is not None
    ]
    counted = (
        "Options",
        f"{count(len(known))}<small>{count(able)} can be done</small>",
    )
    return Section("summary", "Summary", body=figures([*marked, counted, *asked]))


def _price(option: Mapping[str, Any]) -> str:
    price = f"{seconds(option['seconds'])}, {money(option['dollars'])}"
    return f"{price}<small>{safe(option['name'])}</small>"
