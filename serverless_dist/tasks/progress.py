"""A bar on the terminal: how far tasks have come, and what they have cost so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serverless_dist.tasks.lifecycle import Counts


@contextmanager
def shown(counts: Callable[[], Counts], dollars: Callable[[], float]) -> Iterator[None]:
    """Show a bar on standard error while the block runs; its own thread draws it.

    Parameters
    ----------
    counts
        Returns how far the tasks have come; called from another thread.
    dollars
        Returns what they have cost so far, likewise.
    """
    # rich takes a tenth of a second to import, and most programs show no bar.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Figures(ProgressColumn):
        """The counts as text; asking for it moves the bar as well."""

        def render(self, task: Task) -> Text:
            now = counts()
            ended = now.done + now.failed
            task.total, task.completed = max(1, now.submitted), ended
            return Text(
                f"{ended}/{now.submitted} done, {now.running} under way, "
                f"{now.failed} failed, {now.retried} retried, ${dollars():.6f}"
            )

    bar = Progress(
        Figures(), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True)
    )
    with bar:
        bar.add_task("tasks")
        yield
