"""Draw a report or a plan into a PNG: what the README shows.

Usage: python benchmarks/picture.py FILE.json OUT.png [--width 1280] [--height 1290]

FILE.json is what --json has written. Needs plotly and Chromium.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from serverless_dist import Report
from serverless_dist.plan.options import Plan
from serverless_dist.plan.pictures import write_html

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Write the page, and take a picture of its upper part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("document", type=Path, metavar="FILE.json")
    parser.add_argument("picture", type=Path, metavar="OUT.png")
    parser.add_argument("--width", type=int, default=1_280)
    parser.add_argument("--height", type=int, default=1_290)
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("needs Chromium on the PATH")
    values = json.loads(options.document.read_text(encoding="utf-8"))
    is_plan = values["kind"] == "plan"
    document = Plan.from_dict(values) if is_plan else Report.from_dict(values)
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        page = Path(directory) / "page.html"
        write_html(document, page)
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={directory}/browser",
            f"--window-size={options.width},{options.height}",
            f"--screenshot={options.picture.absolute()}",
        ]
        subprocess.run(
            [browser, *flags, page.as_uri()],
            check=True,
            timeout=120,
            stderr=subprocess.DEVNULL,
        )
    print(f"{options.picture}: {options.picture.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
