"""Starting ranks, watching them, and reporting what a run took."""

from serverless_dist.runtime.launch import Results, run
from serverless_dist.runtime.progress import report_progress
from serverless_dist.runtime.report import Report

__all__ = ["Report", "Results", "report_progress", "run"]
