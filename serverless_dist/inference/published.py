"""The workbook of FSD-Inference: what the published system took."""

import json
from importlib.resources import files
from typing import Any


def load_published() -> dict[str, Any]:
    """Return what the workbook says, as ``data/README.md`` tells.

    >>> workbook = load_published()
    >>> workbook["layers"], workbook["samples"], len(workbook["runs"])
    (120, 10000, 16)
    """
    resource = files("serverless_dist.inference") / "data" / "published.json"
    values: dict[str, Any] = json.loads(resource.read_text())
    return values
