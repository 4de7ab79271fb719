"""The command that prints prices, and fetches them from a server on this machine."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.deployed import tell
from tests.price_server import REGION, PriceServer, cache, server

__all__ = ["cache", "server"]  # fixtures

Capture = pytest.CaptureFixture[str]


class TestTheCommand:
    def test_prints_the_shipped_prices(self, capsys: Capture) -> None:
        code, out, _ = tell(capsys, "prices")
        assert code == 0
        assert "Prices of us-east-1" in out
        assert "lambda_storage_gb_second" in out
        (line,) = [line for line in out.splitlines() if "sqs_request" in line]
        wanted = [
            "sqs_request",
            "0.4",
            "1M",
            "requests",
            "AWSQueueService",
            "2025-08-28",
        ]
        assert line.split() == wanted

    def test_fetches_and_prints_and_writes(
        self, capsys: Capture, server: PriceServer, tmp_path: Path
    ) -> None:
        file = tmp_path / "out.json"
        given = ("--region", REGION, "--url", server.address, "--json", str(file))
        code, out, err = tell(capsys, "prices", "--refresh", *given)
        assert (code, err) == (0, "")
        assert f"Prices of {REGION}" in out
        assert "2026-11-03" in out
        values = json.loads(file.read_text())
        assert values["lines"]["sns_request"]["value"] == 0.0000006
        code, out, _ = tell(capsys, "prices", "--region", REGION)
        assert (code, "2026-11-03" in out) == (0, True)

    def test_shows_bars_on_a_terminal(
        self, capsys: Capture, server: PriceServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        given = ("--refresh", "--region", REGION, "--url", server.address)
        code, _, _ = tell(capsys, "prices", *given)
        assert code == 0
        assert "AWSLambda" in screen.getvalue()

    @pytest.mark.parametrize(
        ("given", "code", "why"),
        [
            (("--region", "mars-north-1"), 2, "there are no prices of mars-north-1"),
            (("--region", "mars"), 2, "'mars' is no region"),
            (("--url", "http://x"), 2, "give --refresh"),
            (("--json", "/nowhere/at/all"), 2, "there is no directory /nowhere/at"),
            (("--refresh", "--url", "ftp://x"), 2, "is no address"),
            (("--refresh", "--url", "http://127.0.0.1:1"), 1, "cannot be read"),
        ],
    )
    def test_refuses_in_one_sentence(
        self,
        capsys: Capture,
        server: PriceServer,
        given: tuple[str, ...],
        code: int,
        why: str,
    ) -> None:
        found, out, err = tell(capsys, "prices", *given)
        assert found == code
        assert why in err
        assert out == ""
        assert len(err.splitlines()) == 1
