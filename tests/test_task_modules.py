"""Modules beside the user's script travel to workers that do not have them."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from serverless_dist.runtime import modules
from serverless_dist.runtime.modules import beside_script, install

Tree = Callable[..., ModuleType]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Write files beside a script, and return the script as a module."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources: str) -> ModuleType:
        for name, source in sources.items():
            path = tmp_path / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        main = ModuleType("__main__")
        main.__file__ = str(tmp_path / "script.py")
        importlib.invalidate_caches()
        return main

    return write


@pytest.fixture(autouse=True)
def worker() -> Iterator[None]:
    """Forget in the end what was imported."""
    before, path = set(sys.modules), list(sys.path)
    modules._directory.cache_clear()
    yield
    if modules._directory.cache_info().currsize:
        modules._directory().cleanup()
    modules._directory.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]
    sys.path[:] = path


def found(main: ModuleType, *names: str) -> Any:
    return dict(beside_script([importlib.import_module(n) for n in names], main))


def test_modules_beside_the_script_are_found_and_others_are_not(tree: Tree) -> None:
    main = tree(t3_one="x = 1", t3_pack__in____init__="", t3_pack__in__two="y = 2")
    names = ("t3_one", "t3_pack", "t3_pack.two", "json", "numpy", "serverless_dist")
    assert found(main, *names) == {
        "t3_one.py": "x = 1",
        "t3_pack/__init__.py": "",
        "t3_pack/two.py": "y = 2",
    }


def test_without_a_script_modules_of_the_working_directory_are_found(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(t3_three="x = 3")
    monkeypatch.chdir(tmp_path)
    assert found(ModuleType("__main__"), "t3_three") == {"t3_three.py": "x = 3"}


def test_a_module_that_lies_elsewhere_than_it_is_called_is_left_out(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = tree(t3_lib__in__four="x = 4")
    monkeypatch.syspath_prepend(tmp_path / "t3_lib")
    assert found(main, "four") == {}


def test_a_file_that_is_gone_or_too_long_is_left_out(
    tree: Tree, tmp_path: Path
) -> None:
    main = tree(t3_gone="", t3_long=f"# {'x' * (1 << 20)}")
    importlib.import_module("t3_gone")
    (tmp_path / "t3_gone.py").unlink()
    assert found(main, "t3_gone", "t3_long") == {}


def test_sources_in_other_encodings_are_what_they_were(
    tree: Tree, tmp_path: Path
) -> None:
    main = tree(t3_latin="")
    source = "# coding: latin-1\nname = 'ä'\n".encode("latin-1")
    (tmp_path / "t3_latin.py").write_bytes(source)
    sources = found(main, "t3_latin")
    sources = {"t3_other_latin.py": sources["t3_latin.py"]}
    install(sources)
    assert importlib.import_module("t3_other_latin").name == "ä"


def test_what_is_installed_can_be_imported() -> None:
    sources = {"t3_b/__init__.py": "", "t3_b/c.py": "from t3_a import x"}
    install({"t3_a.py": "x = 1", **sources})
    assert importlib.import_module("t3_b.c").x == 1


def test_what_can_be_imported_already_is_not_replaced(tree: Tree) -> None:
    tree(t3_here="x = 'here'")
    install({"t3_here.py": "x = 'sent'", "json/__init__.py": "x = 1"})
    assert importlib.import_module("t3_here").x == "here"
    assert not hasattr(importlib.import_module("json"), "x")


def test_a_module_that_was_edited_is_imported_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for number in range(3):  # of the same size, within the same second
        install({"t3_edited.py": f"x = {number}", "t3_kept.py": "x = object()"})
        assert importlib.import_module("t3_edited").x == number
        kept = importlib.import_module("t3_kept").x
        install({"t3_kept.py": "x = object()"})
        assert importlib.import_module("t3_kept").x is kept


def test_a_package_of_which_more_is_sent_later_is_completed() -> None:
    install({"t3_grows/__init__.py": "", "t3_grows/one.py": "x = 1"})
    assert importlib.import_module("t3_grows.one").x == 1
    install({"t3_grows/__init__.py": "", "t3_grows/two.py": "x = 2"})
    assert importlib.import_module("t3_grows.two").x == 2


SCRIPT = """
import os, sys
import beside, pack.inner
import serverless_dist as sd
from serverless_dist.tasks.sites import LocalSite

here = os.path.dirname(os.path.abspath(__file__))
sys.path.remove(here)
LocalSite.ships_modules = True

@sd.remote
def function(x):
    return beside.double(x), pack.inner.NAME, here in sys.path, beside.__file__

@sd.remote
class Actor:
    def call(self):
        return pack.inner.Thing("kept")

with sd.init("local", workers=1):
    doubled, name, is_here, file = sd.get(function.remote(21))
    print(doubled, name, is_here, os.path.dirname(file) == here)
    print(sd.get(Actor.remote().call.remote()).name)
    print(sd.get(sd.remote(pack.inner.whoami).remote()))
    print(list(sd.map(beside.double, range(3))))
    directory = os.path.dirname(file)
print(os.path.exists(directory))
"""


def test_a_script_runs_on_workers_without_its_directory(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("def double(x): return 2 * x")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "inner.py").write_text(
        "NAME = 'inner'\n"
        "def whoami(): return NAME\n"
        "class Thing:\n    def __init__(self, name): self.name = name\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "42 inner False False",
        "kept",
        "inner",
        "[0, 2, 4]",
        "False",
    ]
