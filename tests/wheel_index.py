"""Directories of tiny wheels, from which packages are made without a network."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from serverless_dist.runtime.requirements import own_pins

OURS = {"boto3", "botocore", "cloudpickle", "msgpack", "numpy", "scipy", "tenacity"}


def write_wheel(
    index: Path,
    name: str,
    version: str = "99",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, str] | None = None,
    needs: Sequence[str] = (),
) -> None:
    about = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    with ZipFile(index / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in (files or {f"{name}/__init__.py": ""}).items():
            wheel.writestr(path, text)
        wheel.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        if name == "numpy":  # pip takes long to make a script
            wheel.writestr(f"{about}/entry_points.txt", "[console_scripts]\na=x:y\n")
        wheel.writestr(f"{about}/RECORD", "")


def write_ours(index: Path, *, without: str = "") -> None:
    pinned = {name: pin.split("==")[1] for name, pin in own_pins().items()}
    files = {
        "numpy": ("__init__.py", "core/tests/test_a.py", "a.pyi", "testing/a.py"),
        "scipy": ("__init__.py", "tests/__init__.py"),
        "botocore": (
            *("__init__.py", "data/endpoints.json", "tests/kept.py", "kept.pyi"),
            *("data/sqs/2012-11-05/service-2.json.gz", "data/ec2/2016/x.json"),
        ),
    }
    for name in OURS - {without}:
        write_wheel(
            index,
            name,
            pinned.get(name, "99"),
            files={f"{name}/{path}": "" for path in files.get(name, ("__init__.py",))},
            needs=["botocore"] if name == "boto3" else [],
        )


def use_only(monkeypatch: pytest.MonkeyPatch, *indexes: Path) -> None:
    """Have pip look into these directories, whatever the machine's settings are."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join(map(str, indexes)))
