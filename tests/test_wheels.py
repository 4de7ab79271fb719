"""pip finds the wheels that a function's machine can run, and says what is missing."""

import re
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime import wheels
from serverless_dist.runtime.requirements import own_pins, read_requirements
from serverless_dist.runtime.wheels import Target, unpack_wheels
from tests.wheel_index import use_only, write_ours, write_wheel


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (index := tmp_path / "index").mkdir()
    write_ours(index)
    use_only(monkeypatch, index)
    return index


def unpack(
    directory: Path,
    lines: str = "",
    *,
    python: str = "3.13",
    architecture: str = "x86_64",
) -> set[str]:
    """Return the names that have come of some requirements."""
    (path := directory / "requirements.txt").write_text(lines)
    target = Target(python, architecture)
    unpack_wheels(target, read_requirements(path), directory / "out")
    return {path.name for path in (directory / "out").iterdir()}


def test_wheels_are_taken_that_lambda_can_run(tmp_path: Path, index: Path) -> None:
    tags = [
        "py2.py3-none-any",
        "cp38-abi3-manylinux2014_x86_64",
        "cp313-cp313-manylinux_2_34_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp313-cp313-manylinux1_x86_64",
        "py3-none-manylinux_2_28_x86_64",
        "cp313-cp313-linux_x86_64",
    ]
    names = {f"compiled{number}": tag for number, tag in enumerate(tags)}
    for name, tag in names.items():
        write_wheel(index, name, tag=tag)
    assert names.keys() <= unpack(tmp_path, "\n".join(names))


@pytest.mark.parametrize(
    ("architecture", "tag"),
    [
        ("x86_64", "cp313-cp313-macosx_11_0_x86_64"),
        ("x86_64", "cp313-cp313-manylinux_2_35_x86_64"),
        ("x86_64", "cp313-cp313-musllinux_1_2_x86_64"),
        ("x86_64", "cp312-cp312-manylinux_2_17_x86_64"),
        ("arm64", "cp313-cp313-manylinux_2_17_x86_64"),
    ],
)
def test_a_wheel_for_another_machine_is_refused_by_name(
    architecture: str, tag: str, tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "compiled", tag=tag)
    text = f"compiled>=2 has no wheel for Python 3.13 on {architecture} (Linux, glibc"
    with pytest.raises(UsageError, match=re.escape(text)):
        unpack(tmp_path, "compiled >= 2", architecture=architecture)


def test_an_older_release_is_taken_if_only_that_has_a_wheel(
    tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "compiled", "2", tag="cp313-cp313-win_amd64")
    write_wheel(index, "compiled", "1", tag="cp313-cp313-manylinux_2_17_aarch64")
    made = unpack(tmp_path, "compiled", architecture="arm64")
    assert "compiled-1.dist-info" in made


def test_what_has_only_a_source_distribution_is_refused_by_name(
    tmp_path: Path, index: Path
) -> None:
    with tarfile.open(index / "sourced-1.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("sourced-1/setup.py"), BytesIO())
    write_wheel(index, "user", needs=["sourced>=1"])
    with pytest.raises(UsageError, match=r"sourced>=1 has no wheel for Python 3\.13"):
        unpack(tmp_path, "user")


def test_conditions_see_the_functions_machine_and_not_this_one(
    tmp_path: Path, index: Path
) -> None:
    conditions = {
        "arm": "platform_machine == 'aarch64'",
        "intel": "platform_machine == 'x86_64'",
        "mac": "sys_platform == 'darwin'",
        "linux": "sys_platform == 'linux'",
        "future": "python_version >= '3.99'",
    }
    for name in conditions:
        write_wheel(index, name)
    needs = [f"{name}; {condition}" for name, condition in conditions.items()]
    write_wheel(index, "user", needs=needs)
    made = unpack(tmp_path, "user", python="3.99", architecture="arm64")
    assert made & conditions.keys() == {"arm", "linux", "future"}


def test_requirements_that_contradict_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict each other") as caught:
        unpack(tmp_path, "numpy==1.0")
    assert own_pins()["numpy"] in str(caught.value)
    assert "requested numpy==1.0" in str(caught.value)


def test_without_a_wheel_of_our_numpy_another_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other := tmp_path / "other").mkdir()
    write_ours(other, without="numpy")
    write_wheel(other, "numpy", "77")
    use_only(monkeypatch, other)
    assert "numpy-77.dist-info" in unpack(tmp_path)


def test_settings_of_the_users_pip_do_not_lead_files_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    for name in ("PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_QUIET"):
        monkeypatch.setenv(name, "1")
    assert "numpy" in unpack(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_without_pip_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"has no pip, .* -m ensurepip"):
        unpack(tmp_path)


def test_without_a_network_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(CloudError, match="pip reaches no package index"):
        unpack(tmp_path, "nowhere")


def test_anything_else_that_pip_says_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"made no package .*Invalid requirement"):
        unpack(tmp_path, "no requirement at all")


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'riscv': say x86_64 or arm64"):
        unpack(tmp_path, architecture="riscv")


def test_requirements_have_comments_long_lines_and_other_files(
    tmp_path: Path, index: Path
) -> None:
    for name in ("one", "two", "three"):
        write_wheel(index, name)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("three\n")
    lines = "# all\none >= \\\n  1  # the first\n\ntwo\n-r more/base.txt\n"
    made = unpack(tmp_path, lines)
    assert made >= {"one", "two", "three"}
    read = read_requirements(tmp_path / "requirements.txt")
    assert read.names == {"one", "two", "three"}
    assert "# " not in "".join(read.lines)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("-e ./mine", "'-e ./mine' is on this machine only"),
        ("one --hash=sha256:00", "give a file without hashes"),
        ("-r nowhere.txt", "nowhere.txt cannot be read"),
        ("-r requirements.txt", "requirements.txt includes itself"),
    ],
)
def test_requirements_that_no_package_can_have_are_refused(
    lines: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        unpack(tmp_path, lines)


def test_a_missing_requirements_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.txt cannot be read"):
        read_requirements(tmp_path / "absent.txt")
