"""What a deployment has made, as it lies in its bucket for whoever starts a job.

It is written when all else is there: who can read it finds everything that it names.
"""

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from serverless_dist.errors import UsageError

RECORD_KEY = "deployment.json"
HANDLER = "serverless_dist.runtime.handler.handler"
SECRET_VARIABLE = "SERVERLESS_DIST_SECRET"  # in a function's environment, as hex digits


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts of a deployment, by name.

    Attributes
    ----------
    name, region, account
        What it is called, and where it is.
    version
        The version of serverless_dist that has made it.
    mailboxes, queue_url_prefix
        How many queues there are; the URL of number i is the prefix and i.
    topic_arns
        The topics; number j serves the j-th 200 mailboxes.
    bucket
        The bucket.
    functions
        The functions by their memory in MB.
    architecture, versions, package
        What the functions run: ``x86_64`` or ``arm64``, the versions of Python and of
        the packages that count, and the SHA-256 of the zip.
    secret
        What the keys of jobs are derived from; the functions know it too.
    """

    name: str
    region: str
    account: str
    version: str
    mailboxes: int
    queue_url_prefix: str
    topic_arns: tuple[str, ...]
    bucket: str
    functions: Mapping[int, str]
    architecture: str
    versions: Mapping[str, str]
    package: str
    secret: bytes = field(repr=False)

    def pack(self) -> bytes:
        """Return the record as JSON."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        values["functions"] = {str(mb): name for mb, name in self.functions.items()}
        values["secret"] = self.secret.hex()
        return json.dumps(values, indent=2, default=dict).encode()

    @classmethod
    def unpack(cls, data: bytes) -> "Deployment":
        """Return the record that `pack` made.

        Raises
        ------
        UsageError
            It is that of another version, or damaged.
        """
        try:
            values = json.loads(data)
            values["functions"] = {int(mb): n for mb, n in values["functions"].items()}
            values["topic_arns"] = tuple(values["topic_arns"])
            values["secret"] = bytes.fromhex(values["secret"])
            values["mailboxes"] = operator.index(values["mailboxes"])
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Not the original error's text: it may quote the record.
            msg = (
                f"the deployment's {RECORD_KEY} is of another version or damaged"
                f" ({type(error).__name__}): run serverless-dist deploy again"
            )
            raise UsageError(msg) from None

    def function(self, memory_mb: int) -> str:
        """Return the name of the function with that memory.

        Raises
        ------
        UsageError
            There is none.
        """
        if memory_mb not in self.functions:
            sizes = ", ".join(f"{mb:,}" for mb in sorted(self.functions))
            msg = (
                f"{self.name} has no function of {memory_mb:,} MB, only of {sizes} MB:"
                f" set SERVERLESS_DIST_MEMORY_MB, or deploy with --memory {memory_mb}"
            )
            raise UsageError(msg)
        return self.functions[memory_mb]
