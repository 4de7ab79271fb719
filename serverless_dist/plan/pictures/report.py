"""The page of a run: what it took, who waited when, who spoke to whom, what it cost."""

from collections.abc import Mapping
from typing import Any

from serverless_dist.plan.pictures import costs, phases, timeline, traffic
from serverless_dist.plan.pictures.numbers import (
    count,
    money,
    plain,
    safe,
    seconds,
    size,
)
from serverless_dist.plan.pictures.page import Row, Section, figures, render, table


def page(report: Mapping[str, Any]) -> str:
    """Return the page of a report in its JSON form."""
    noun = "rank" if report["ranks"] == 1 else "ranks"
    name = f"Run of {count(report['ranks'])} {noun} over channel {report['channel']}"
    sections = [
        _summary(report),
        timeline.section(report) if report["timeline"] else phases.section(report),
        traffic.section(report),
        costs.section(report),
    ]
    faults = _faults(report)
    if faults:
        sections.append(_section(faults))
    return render(name, _subtitle(report), sections)


def _subtitle(report: Mapping[str, Any]) -> str:
    simulation = report["simulation"]
    if simulation is None:
        return f"Job {report['job']}, on cloud {report['cloud']}."
    return (
        f"Job {report['job']}, simulated with profile {simulation['profile']}, "
        f"seed {simulation['seed']} and {simulation['compute']} computing times."
    )


def _summary(report: Mapping[str, Any]) -> Section:
    moved, simulation = report["bytes"], report["simulation"]
    pairs = [
        ("Time", seconds(report["seconds"])),
        (
            "Price",
            f"{money(report['dollars']['total'])}<small>{_prices(report)}</small>",
        ),
        ("Ranks", f"{count(report['ranks'])}<small>{_memory(report)}</small>"),
        ("Channel", safe(report["channel"])),
        ("Cloud", f"{safe(report['cloud'])}<small>{safe(report['region'])}</small>"),
        ("Requests", count(sum(report["requests"].values()))),
        ("Bytes sent", size(moved["sent"])),
        ("Bytes received", size(moved["received"])),
        ("GB-seconds", plain(report["gb_seconds"])),
    ]
    if simulation is not None:
        name, seed = safe(simulation["profile"]), safe(simulation["seed"])
        pairs.append(("Profile", f"{name}<small>seed {seed}</small>"))
    return Section("summary", "Summary", body=figures(pairs))


def _prices(report: Mapping[str, Any]) -> str:
    return f"prices of {safe(report['priced_in'])}"


def _memory(report: Mapping[str, Any]) -> str:
    return f"{count(report['memory_mb'])} MB each"


def _faults(report: Mapping[str, Any]) -> list[Row]:
    """Return what went other than it should: what, which, and how often."""
    simulation = report["simulation"]
    kinds = {
        "request made again": report["retries"],
        "request put off as one too many": simulation["throttled"]
        if simulation
        else {},
        "message dropped": report["dropped"],
    }
    return [
        Row((kind, safe(name), count(times)))
        for kind, counts in kinds.items()
        for name, times in counts.items()
    ]


def _section(faults: list[Row]) -> Section:
    headings = ("what", "which", "times")
    return Section(
        "faults",
        "Retries and drops",
        "What the cloud refused at first, and what arrived but was not for a rank.",
        body=table(headings, faults, numbers={"times"}),
    )
