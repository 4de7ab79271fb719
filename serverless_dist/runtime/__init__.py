"""Starting ranks, watching them, and reporting what a run took."""

from typing import TYPE_CHECKING

from serverless_dist.lazy import lazy_names

if TYPE_CHECKING:
    from serverless_dist.runtime.launch import Results, run
    from serverless_dist.runtime.loads import loading
    from serverless_dist.runtime.progress import report_progress
    from serverless_dist.runtime.report import Report

__all__ = ["Report", "Results", "loading", "report_progress", "run"]

__getattr__ = lazy_names(
    __name__,
    {
        "Report": "serverless_dist.runtime.report",
        "Results": "serverless_dist.runtime.launch",
        "loading": "serverless_dist.runtime.loads",
        "report_progress": "serverless_dist.runtime.progress",
        "run": "serverless_dist.runtime.launch",
    },
)
