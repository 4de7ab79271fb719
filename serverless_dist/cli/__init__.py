"""The command line: ``serverless-dist``."""

from serverless_dist.cli.main import main

__all__ = ["main"]
