"""Scripts that travel to ranks which do not have the user's files."""

import os
import sys
from pathlib import Path

import pytest

import serverless_dist as sd
from serverless_dist.cli import main
from serverless_dist.integrations.mpi_scripts import (
    copy_module,
    copy_script,
    run_copied_module,
    run_copied_script,
)

SCRIPT = """
import sys
from serverless_dist import MPI
import near
from inner import deep
print(near.NAME, deep.NAME, sys.argv[1:], MPI.COMM_WORLD.allreduce(1))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A script with a module and a package beside it, and what it does not import."""
    files = {
        "script.py": SCRIPT,
        "near.py": "import json\nfrom inner import other\nNAME = __name__\n",
        "unused.py": "",
        "inner/__init__.py": "",
        "inner/deep.py": "NAME = __name__\n",
        "inner/other.py": "",
        "inner/__main__.py": "from . import deep\nprint('main of', deep.NAME)\n",
    }
    for place, text in files.items():
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_script_is_copied_with_what_it_imports_from_beside_it(program: Path) -> None:
    files = copy_script(os.fspath(program / "script.py"))
    assert sorted(files) == [
        "inner/__init__.py",
        "inner/deep.py",
        "inner/other.py",
        "near.py",
        "script.py",
    ]
    assert files["script.py"] == SCRIPT.encode()


def test_a_copied_script_runs_where_its_files_are_not(
    program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = os.fspath(program / "script.py")
    files = copy_script(path)
    for file in program.rglob("*.py"):
        file.unlink()
    sd.run(run_copied_script, files, path, ["a"], ranks=2, channel="direct")
    assert capfd.readouterr().out == "near inner.deep ['a'] 2\n" * 2


def test_a_copied_package_runs_by_its_main_module(
    program: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(program)
    files = copy_module("inner")
    assert sorted(files) == [f"inner/{n}.py" for n in ("__init__", "__main__", "deep")]
    monkeypatch.chdir("/")
    sd.run(run_copied_module, files, "inner", [], ranks=1, channel="direct")
    assert capfd.readouterr().out == "main of inner.deep\n"


def test_an_installed_module_is_not_copied(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(program)
    assert copy_module("json.tool") == {}


def test_what_a_copied_script_has_imported_is_forgotten_after_it(
    program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world, path = sd.MPI.COMM_WORLD, os.fspath(program / "script.py")
    before = list(sys.path), list(sys.argv), set(sys.modules)
    for text in ("NAME = 'old'\n", "NAME = 'new'\n"):
        (program / "near.py").write_text(text)
        run_copied_script(world, copy_script(path), path, [])
    assert capfd.readouterr().out == "old inner.deep [] 1\nnew inner.deep [] 1\n"
    assert (list(sys.path), list(sys.argv)) == before[:2]
    assert not {"near", "inner", "inner.deep"} & (set(sys.modules) - before[2])


def test_the_command_copies_scripts_to_functions(
    program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = os.fspath(program / "script.py")
    assert main(["run", "-n", "2", "--cloud", "emulated", script, "b"]) == 0
    assert capfd.readouterr().out == "near inner.deep ['b'] 2\n" * 2
