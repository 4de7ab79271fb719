"""A plan as a table for people."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serverless_dist.plan.options import Option, Plan


def print_plan(console: Console, plan: Plan) -> None:
    """Print the options within 80 columns, and why the marked ones stand out."""
    table = Table(
        title=escape(
            f"{plan.title}; prices of {plan.region}, latencies of {plan.profile}"
        ),
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    table.add_column("option", overflow="fold")
    for heading in ("ranks", "MB", "seconds", "dollars"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for option in sorted(plan.options, key=lambda each: not each.is_feasible):
        table.add_row(
            *map(escape, _cells(option)), style="" if option.is_feasible else "dim"
        )
    console.print(table)
    for option in plan.options:
        if option.marks:
            marks = ", ".join(mark.value for mark in option.marks)
            text = f"{marks}: {option.name}: {option.why}"
            console.print(text, markup=False, highlight=False)


def _cells(option: Option) -> tuple[str, ...]:
    remark = ", ".join(mark.value for mark in option.marks)
    if not remark and option.is_on_frontier:
        remark = "on the frontier"
    if option.reason is not None:
        remark = f"cannot be: {option.reason}"
    return (
        option.name,
        f"{option.ranks:,}",
        f"{option.memory_mb:,}",
        f"{option.seconds:.3g}",
        f"{option.dollars:.3g}",
        remark,
    )
