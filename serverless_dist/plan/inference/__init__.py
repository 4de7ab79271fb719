"""What an inference takes, split in every way over any number of functions.

`shapes` says what is to be inferred, and `ways` what a way to do it is; `rows` and
`pipeline` are those ways, and `plan` puts all of them beside each other.
"""

from serverless_dist.plan.inference.exchanges import Via
from serverless_dist.plan.inference.kernels import Kernel
from serverless_dist.plan.inference.plan import (
    MEMORY_MB,
    RANKS,
    Search,
    plan_inference,
)
from serverless_dist.plan.inference.published import published_options
from serverless_dist.plan.inference.shapes import LayerActivity, Shape, Traffic
from serverless_dist.plan.inference.ways import Strategy

__all__ = [
    "MEMORY_MB",
    "RANKS",
    "Kernel",
    "LayerActivity",
    "Search",
    "Shape",
    "Strategy",
    "Traffic",
    "Via",
    "plan_inference",
    "published_options",
]
