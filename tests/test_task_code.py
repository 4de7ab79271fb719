"""Code on its way to workers: functions and classes, packed once."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.tasks.code import Code, pack_code, unpack_code


def sent(target: Callable[..., Any]) -> Code:
    """Return code after its way to a worker."""
    _, body = pack_code(Code(target, (KeyError,)), {})
    return unpack_code([b"".join(body)])


def test_code_arrives_with_what_is_worth_another_attempt() -> None:
    offset = 5
    code = sent(lambda x: x + offset)
    assert code.target(3) == 8
    assert code.retry_exceptions == (KeyError,)


def test_a_class_that_is_nowhere_but_in_a_function_arrives() -> None:
    class Local:
        def __init__(self, x: int) -> None:
            self.x = x

    assert sent(Local).target(3).x == 3


def test_the_same_code_has_the_same_digest_and_other_code_another_one() -> None:
    def power(exponent: int) -> Code:
        return Code(lambda x: x**exponent, ())

    digests = [pack_code(power(n), {})[0] for n in (2, 2, 3)]
    assert digests[0] == digests[1] != digests[2]
    assert all(len(digest) == 16 for digest in digests)


def test_the_digest_depends_on_modules_and_on_what_is_retried() -> None:
    kinds = [Code(max, ()), Code(max, (KeyError,))]
    digests = [pack_code(code, m)[0] for code in kinds for m in ({}, {"m.py": ""})]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("make", [threading.Lock, lambda: (x for x in "")])
def test_what_cannot_be_pickled_is_named(make: Callable[[], Any]) -> None:
    obstacle = make()

    def uses() -> Any:
        return obstacle

    with pytest.raises(sd.UnpicklableError, match=r"uses cannot be sent") as caught:
        pack_code(Code(uses, ()), {})
    assert "its variable 'obstacle' is a" in str(caught.value)
    assert type(obstacle).__qualname__ in str(caught.value)


@pytest.mark.parametrize("run", ["pack", "pack.__main__"])
def test_a_program_that_is_a_package_travels_whole(tmp_path: Path, run: str) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    for path in (tmp_path / "beside.py", package / "__init__.py", package / "inner.py"):
        path.write_text("")
    (package / "__main__.py").write_text(
        "import sys\n"
        "import pack.inner, beside\n"
        "from serverless_dist.runtime.modules import beside_script\n"
        "found = beside_script(list(sys.modules.values()), sys.modules['__main__'])\n"
        "print(*sorted(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", run], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == b"beside.py pack/__init__.py pack/inner.py\n"
