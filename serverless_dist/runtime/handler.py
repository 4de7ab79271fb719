"""The entry point of the function on Lambda, which imports this as it starts.

What an invocation does is in `environment`.
"""

import logging

from serverless_dist.config import FunctionConfig
from serverless_dist.runtime.environment import Context, Environment

logging.basicConfig()  # it changes nothing under AWS's own runtime client
logging.getLogger("serverless_dist").setLevel(logging.INFO)
_environment = Environment(FunctionConfig.from_env())


def handler(event: object, context: Context) -> None:
    """Handle one event."""
    _environment.handle(event, context)
