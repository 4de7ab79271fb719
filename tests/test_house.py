"""The house rules that a machine can check."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import serverless_dist

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "serverless_dist"
INTEGRATIONS = ROOT / "integrations"  # a link in the package leads to it
# Each floor may import itself and those before it; `testing` may import all. Only the
# command line may import `integrations`, which know but public names.
FLOORS = [
    "lazy",
    "errors",
    "cloud",
    "config",
    "wire",
    "transport",
    "comm",
    "runtime",
    "tasks",
    "plan",
    "inference",
    "integrations",
    "cli",
]
# What each part of the communicator may import of the other parts.
COMM: dict[str, set[str]] = {
    "algorithms": set(),
    "data": set(),
    "topology": set(),
    "engine": {"data"},
    "collectives": {"algorithms", "data", "engine", "topology"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))  # which follows no links
ADAPTERS = sorted(INTEGRATIONS.rglob("*.py"))
PUBLIC = [
    "MPI",
    "ActorDiedError",
    "ActorHandle",
    "CloudError",
    "Communicator",
    "Config",
    "CredentialsError",
    "DataFileError",
    "DeadlineError",
    "DeadlockError",
    "GetTimeoutError",
    "ObjectLostError",
    "ObjectRef",
    "ObjectRefGenerator",
    "Op",
    "ProtocolError",
    "RankDiedError",
    "RankError",
    "RemoteError",
    "Report",
    "Results",
    "ServerlessDistError",
    "Session",
    "Status",
    "TaskCancelledError",
    "TaskError",
    "TaskTimeoutError",
    "UnpicklableError",
    "UsageError",
    "VersionMismatchError",
    "WorkerCrashedError",
    "as_completed",
    "cancel",
    "compute_for",
    "get",
    "get_actor",
    "init",
    "is_initialized",
    "kill",
    "loading",
    "map",
    "put",
    "ranks",
    "remote",
    "report_progress",
    "run",
    "shutdown",
    "simulate",
    "starmap",
    "wait",
]


def imports(path: Path) -> Iterator[str]:
    """Give the names of all modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_its_own_floor_and_those_below(path: Path) -> None:
    here = floor(path)
    if here in ("__init__", "__main__", "testing"):
        return
    below = FLOORS[: FLOORS.index(here) + 1]
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "serverless_dist" and rest and rest[0] in [*FLOORS, "testing"]:
            assert rest[0] in below, f"{here} imports {name}"


@pytest.mark.parametrize("package", COMM)
def test_a_part_of_the_communicator_imports_only_what_is_below(package: str) -> None:
    parts = {path.name for path in (PACKAGE / "comm").iterdir() if path.is_dir()}
    for path in (PACKAGE / "comm" / package).glob("*.py"):
        for name in imports(path):
            part = name.removeprefix("serverless_dist.comm.").split(".")[0]
            if part in parts - {package}:
                assert part in COMM[package], f"{path} imports {name}"


def test_only_one_file_imports_boto3() -> None:
    users = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        for name in imports(path)
        if name.split(".")[0] in ("boto3", "botocore")
    }
    assert users == {"cloud/aws.py"}


def test_inference_uses_only_public_names() -> None:
    homes = {"comm", "cloud", "wire", "transport", "runtime", "plan.inference"}
    for path in PACKAGE.glob("inference/*.py"):
        for name in imports(path):
            for home in homes:
                module = f"serverless_dist.{home}"
                if name.startswith(f"{module}."):
                    public = import_module(module).__all__
                    inside = name.removeprefix(f"{module}.").split(".")[0]
                    assert inside in public, f"{path} imports {name}"


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda p: p.name)
def test_an_integration_uses_only_public_names(path: Path) -> None:
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "serverless_dist" and parts[1:2] != ["integrations"]:
            assert len(parts) <= 2, f"{path} imports {name}"
            assert len(parts) == 1 or parts[1] in PUBLIC, f"{path} imports {name}"


def test_the_integrations_are_one_flat_folder_that_a_link_leads_to() -> None:
    assert {path.parent for path in ADAPTERS} == {INTEGRATIONS}
    assert (PACKAGE / "integrations").resolve() == INTEGRATIONS


def test_the_public_names_are_these() -> None:
    assert sorted(PUBLIC) == sorted(serverless_dist.__all__)
    for name in PUBLIC:
        assert hasattr(serverless_dist, name)


def test_every_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in PACKAGE.rglob("__init__.py")
    }
    packages.add("serverless_dist.integrations")
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(packages)


@pytest.mark.parametrize("heavy", ["boto3", "scipy", "rich", "moto"])
def test_a_rank_starts_without(heavy: str) -> None:
    code = (
        "import sys, serverless_dist.runtime.rank;sys.exit(sys.argv[1] in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, heavy], check=True)


@pytest.mark.parametrize("heavy", ["boto3", "scipy", "rich", "moto"])
def test_the_command_that_runs_scripts_starts_without(heavy: str) -> None:
    code = (
        "import sys; from serverless_dist.cli import main;"
        "assert main(['run', 'nowhere.py']) == 2;"
        "sys.exit(sys.argv[1] in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, heavy], check=True)
