"""The commands around a deployment, as a user types them."""

import io
import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serverless_dist.cli import deploy as deploy_command
from serverless_dist.cli.deploy import parse_memories
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.leases import acquire
from serverless_dist.errors import UsageError
from serverless_dist.runtime.deploy import deploy
from serverless_dist.runtime.plan import Plan
from serverless_dist.runtime.versions import versions
from tests.deployed import tell
from tests.deployers import drop, pack_handler
from tests.stand_in import ACCOUNT, REGION, ROOT, StandIn, stand_in

__all__ = ["stand_in"]  # a fixture

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
COMMANDS = ("deploy", "status", "logs", "doctor", "policy", "destroy")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def signed_in(stand_in: StandIn, monkeypatch: Patch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in stand_in.environment(ROOT).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def packed(monkeypatch: Patch, tmp_path: Path) -> dict[str, object]:
    """A package that is there already; what it was to be built of."""
    asked: dict[str, object] = {}

    def build_package(directory: Path, **wanted: object) -> object:
        asked.update(wanted)
        return pack_handler(tmp_path, "handler = print\n")

    monkeypatch.setattr(deploy_command, "build_package", build_package)
    monkeypatch.setattr(deploy_command, "check_python", lambda python: None)
    return asked


@pytest.fixture
def walk(stand_in: StandIn, tmp_path: Path) -> Iterator[S3Blobs]:
    """The bucket of a deployment of ten mailboxes."""
    plan = Plan("walk", 2, (512,), "x86_64", "3.11")
    package = pack_handler(tmp_path, "handler = print\n")
    with stand_in.signed_in() as clients:
        deploy(clients, plan, package, on_progress=drop)
        yield S3Blobs(clients.s3, f"walk-{ACCOUNT}", clients.pool)


@pytest.mark.usefixtures("signed_in")
class TestADeployment:
    def test_is_made_and_then_is_there(
        self, capsys: Capture, packed: dict[str, object]
    ) -> None:
        make = ("deploy", "--ranks", "2", "--name", "made", "--memory", "512")
        code, out, err = tell(capsys, *make, "--include", "mine")
        assert code == 0, err
        for part in ("made-512", f"made-{ACCOUNT}", "made-mailbox-*", "made-function"):
            assert part in out
        assert "10 queues" in out
        assert "Idle it costs" in out
        assert (
            "Next: AWS_REGION=us-east-1 SERVERLESS_DIST_FABRIC=made"
            " SERVERLESS_DIST_MEMORY_MB=512 serverless-dist run -n 2 --cloud aws SCRIPT"
        ) in out
        assert "uploading the package" in err
        assert packed["include"] == [Path("mine")]
        assert packed["architecture"] == "x86_64"
        assert packed["python"] == versions()["Python"]
        code, _, err = tell(capsys, *make)
        assert (code, err.splitlines()[-1]) == (0, "nothing to change")

    def test_says_who_uses_it_and_is_not_removed_then(
        self, capsys: Capture, walk: S3Blobs
    ) -> None:
        lease = acquire(walk, mailboxes=10, count=3, holder="Ada", wait=0.0)
        code, out, err = tell(capsys, "status", "--name", "walk")
        assert code == 0, err
        assert "stack walk: UPDATE_COMPLETE" in out
        assert "the same here" in out
        assert "mailboxes: 10, 3 in use\n  0 to 2 by Ada\n" in out
        assert "512 MB" in out
        assert "events that failed for good: 0" in out
        code, _, err = tell(capsys, "destroy", "--name", "walk", "--yes")
        assert code == 2
        assert "walk is in use: mailboxes 0 to 2 by Ada" in err
        lease.release(clean=True)

    @pytest.mark.usefixtures("walk")
    def test_is_removed_once_somebody_agrees(
        self, capsys: Capture, monkeypatch: Patch
    ) -> None:
        destroy = ("destroy", "--name", "walk")
        monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
        code, out, err = tell(capsys, *destroy)
        assert (code, err) == (2, "serverless-dist: error: nothing was removed\n")
        assert f"Remove walk of account {ACCOUNT}, {REGION}, and all" in out
        monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
        code, out, err = tell(capsys, *destroy)
        assert code == 0, err
        assert out.endswith("walk is removed\n")
        code, _, err = tell(capsys, "status", "--name", "walk")
        assert code == 2
        assert "there is no deployment walk in account" in err

    def test_whose_name_is_taken_by_a_bucket_is_refused(
        self, capsys: Capture, packed: dict[str, object], stand_in: StandIn
    ) -> None:
        del packed
        with stand_in.signed_in() as clients:
            clients.s3.request("create_bucket", "b", Bucket=f"taken-{ACCOUNT}")
        code, out, err = tell(capsys, "deploy", "--ranks", "1", "--name", "taken")
        assert (code, out) == (2, "")
        assert f"bucket taken-{ACCOUNT} exists" in err.splitlines()[-1]
        assert "choose another --name" in err.splitlines()[-1]

    def test_of_more_ranks_than_may_run_at_once_is_refused_before_anything_is_built(
        self, capsys: Capture, packed: dict[str, object]
    ) -> None:
        code, out, err = tell(capsys, "deploy", "--ranks", "1001")
        assert (code, out) == (2, "")
        assert "1,001 ranks run at once, but the account may run 1,000" in err
        assert packed == {}

    def test_may_be_tried_without_making_it(
        self, capsys: Capture, packed: dict[str, object]
    ) -> None:
        del packed
        options = ("--name", "tried", "--ranks", "2", "--dry-run")
        code, out, _ = tell(
            capsys, "deploy", *options, "--memory", "128", "--memory=256"
        )
        made = json.loads(out)
        assert code == 0
        assert {"Function128", "Function256", "Mailbox9"} < made["Resources"].keys()
        assert tell(capsys, "status", "--name", "tried")[0] == 2

    def test_larger_than_a_stack_has_several_templates(
        self, capsys: Capture, packed: dict[str, object]
    ) -> None:
        del packed
        _, out, _ = tell(capsys, "deploy", "--ranks", "200", "--dry-run")
        decoder, found = json.JSONDecoder(), []
        while out.strip():
            made, end = decoder.raw_decode(out)
            out = out[end:].lstrip()
            found.append("Function1769" in made["Resources"])
        assert found == [True, False]

    def test_that_cannot_be_removed_whole_is_a_failure(
        self, capsys: Capture, monkeypatch: Patch
    ) -> None:
        left = ["stack lab is left: S3::Bucket lab-1: not empty"]
        monkeypatch.setattr(
            "serverless_dist.cli.destroy.destroy", lambda *args, **more: left
        )
        code, out, err = tell(capsys, "destroy", "--yes")
        assert (code, out) == (1, "")
        assert "could be removed: stack lab is left: S3::Bucket lab-1: not empty" in err

    def test_is_not_removed_unless_somebody_agrees(
        self, capsys: Capture, monkeypatch: Patch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        code, _, err = tell(capsys, "destroy")
        assert code == 2
        assert err.endswith("may be removed: add --yes\n")

    def test_that_does_not_exist_is_removed_already(self, capsys: Capture) -> None:
        code, _, err = tell(capsys, "destroy", "--name", "never", "--yes")
        assert code == 0
        assert "there is no deployment never" in err

    @pytest.mark.parametrize("what", ["deploy", "run"])
    def test_has_a_policy_for_its_users(self, capsys: Capture, what: str) -> None:
        code, out, _ = tell(capsys, "policy", what, "--name", "mine")
        assert code == 0
        policy = json.loads(out)
        assert policy["Version"] == "2012-10-17"
        assert f"arn:aws:s3:::mine-{ACCOUNT}" in out
        elsewhere = ("--account", "123456789012", "--region", "cn-north-1")
        _, out, _ = tell(capsys, "policy", what, *elsewhere)
        assert "arn:aws-cn:s3:::serverless-dist-123456789012" in out
        assert ACCOUNT not in out


class TestWhoHasNoCredentials:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: Patch, tmp_path: Path) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    @pytest.mark.parametrize(
        "command",
        [
            ("deploy", "--ranks", "2", "--python", "3.13"),
            ("status",),
            ("logs", "0" * 32),
            ("policy", "run"),
            ("destroy", "--yes"),
        ],
        ids=lambda command: command[0],
    )
    def test_is_told_how_to_get_some(
        self, capsys: Capture, command: tuple[str, ...]
    ) -> None:
        code, out, err = tell(capsys, *command, "--region", REGION)
        assert (code, out) == (2, "")
        assert "no usable AWS credentials (NoCredentialsError): sign in with" in err
        assert len(err.splitlines()) == 1

    def test_is_told_so_by_the_doctor(self, capsys: Capture) -> None:
        code, out, _ = tell(capsys, "doctor", "--region", REGION)
        assert code == 1
        assert out.startswith("problem  credentials: ")

    def test_may_print_the_policy_of_an_account(self, capsys: Capture) -> None:
        options = ("--account", "123456789012", "--region", REGION)
        assert tell(capsys, "policy", "run", *options)[0] == 0

    def test_and_no_region_is_told_to_set_it(self, capsys: Capture) -> None:
        code, _, err = tell(capsys, "status")
        assert code == 2
        assert "no usable AWS region" in err
        assert "set AWS_REGION" in err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("deploy --ranks 0", "a job has at least 1 rank, not 0: change --ranks"),
        ("deploy --ranks 2 --python 3.11", "Lambda does not run Python 3.11: use"),
        ("deploy --ranks 2 --memory lots", "--memory is 'lots': give megabytes"),
        ("policy run --account 12", "--account is '12': an AWS account has 12 digits"),
        ("policy run --account 123456789012 --name No", "'No' cannot name a"),
        ("doctor --ranks 0", "--ranks is 0: give a number from 1 on"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence(capsys: Capture, command: str, said: str) -> None:
    code, out, err = tell(capsys, *command.split(), "--region", REGION)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_sizes_are_taken_once_each() -> None:
    assert parse_memories(["1769", "512,1769", "128"]) == (128, 512, 1_769)
    with pytest.raises(UsageError, match="give megabytes"):
        parse_memories(["512,"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys: Capture, command: str) -> None:
    code, out, err = tell(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert "--name" in out
    assert "--region" in out


def test_running_a_script_imports_neither_boto3_nor_rich(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("")
    program = (
        "import sys; from serverless_dist.cli import main;"
        f" main(['run', '-n', '1', {str(script)!r}]);"
        " print({'boto3', 'rich'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_terminal_sees_only_the_last_line_of_progress() -> None:
    program = (
        "from serverless_dist.cli.places import progress_lines\n"
        "with progress_lines() as on_progress: on_progress('resources ready')"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    with process:
        seen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                seen += os.read(ours, 1_000)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert seen.endswith(b"\x1b[2K") or b"\x1b[?25h" in seen  # it is wiped out again
