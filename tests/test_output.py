"""What a rank prints goes to the function's log and to the driver."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serverless_dist.runtime.output import Output


def test_what_is_printed_goes_both_ways_and_is_drained_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout, sys.stderr
    with Output() as output:
        print("out", "å")  # noqa: T201
        print("err", file=sys.stderr, flush=True)  # noqa: T201
        assert output.drain() == ("out å\n", "err\n")
        assert output.drain() == ("", "")
        print("late")  # noqa: T201
    assert output.drain() == ("late\n", "")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("out å\nlate\n", "err\n")


@pytest.mark.parametrize("count", [99_999, 100_000, 100_001, 1_000_000])
def test_what_is_too_long_is_cut_and_says_so(count: int) -> None:
    with Output() as output:
        sys.stdout.write("x" * count)
        out, _ = output.drain()
        print("more")  # noqa: T201
        assert output.drain() == ("more\n", "")
    kept, _, said = out.partition("\n")
    assert kept == "x" * min(count, 100_000)
    assert said == ("[the rest is in the function's log]\n" if count > 100_000 else "")


def test_threads_print_whole_texts_in_some_order() -> None:
    with Output() as output, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sys.stdout.write(f"{n}\n"), range(500)))
        out, _ = output.drain()
    assert sorted(map(int, out.split())) == list(range(500))


def test_it_has_what_programs_use_of_a_stream(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(1, "w", encoding="utf-8", closefd=False) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with Output():
            sys.stdout.buffer.write(b"bytes\n")
            sys.stdout.flush()
            assert (sys.stdout.encoding, sys.stdout.errors) == ("utf-8", "strict")
            assert not sys.stdout.isatty()
            assert isinstance(sys.stdout, io.TextIOBase)
            out: Any = sys.stdout
            subprocess.run(["echo", "child"], stdout=out, check=True)
    assert capfdbinary.readouterr().out == b"bytes\nchild\n"
