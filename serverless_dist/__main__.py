"""``python -m serverless_dist`` is ``serverless-dist``."""

import sys

from serverless_dist.cli import main

sys.exit(main())
