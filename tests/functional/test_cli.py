"""The command line's manners: exit codes, one JSON document, errors that say what to do, nothing private."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TextIO

import pytest
from openpyxl import load_workbook

from batch_orders import __version__
from batch_orders.sandbox import SandboxOptions, running
from tests.program import SAMPLES, Program, sandbox

_ACCOUNT = {"client_id": "hr@example.com", "client_secret": "canary-secret-7351"}


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with no settings at all."""
    return Program(tmp_path)


def test_version(program: Program) -> None:
    """Says the version, in the same words with and without other options."""
    for arguments in (["--version"], ["--quiet", "--version"]):
        done = program.run(*arguments)
        assert (done.returncode, done.stdout.strip()) == (0, f"batch-orders, version {__version__}")


def test_version_and_help_import_nothing_costly(program: Program) -> None:
    """They answer at once because pandas, pandera, httpx and the like are not even looked at."""
    code = (
        "import sys\n"
        "from batch_orders.cli import run\n"
        "assert run(['--help']) == 0 and run(['submit', '--help']) == run(['template', '--help']) == 0\n"
        "costly = {'pandas', 'pandera', 'httpx', 'sqlalchemy', 'pydantic', 'rich', 'openpyxl', 'structlog'}\n"
        "sys.exit(repr(costly & set(sys.modules)) if costly & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=program.folder)
    assert done.returncode == 0, done.stderr


def test_a_check_without_a_ledger_loads_no_database(program: Program) -> None:
    """Nothing was ordered yet, so nobody is asked; loading SQLAlchemy would be a good part of a short check's time."""
    shutil.copy(SAMPLES / "new-hires.csv", program.folder)
    code = (
        "import sys\n"
        "from batch_orders.cli import run\n"
        "assert run(['check', 'new-hires.csv', '--quiet']) == 0\n"
        "costly = {'sqlalchemy', 'batch_orders.adapters.ledger'} & set(sys.modules)\n"
        "sys.exit(repr(costly) if costly else 0)\n"
    )
    with sandbox(program.folder) as hub:
        made = Program(program.folder, hub.login | {"ledger": "none.sqlite"})
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            cwd=made.folder,
            env=made.environment(),
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", ["check", "submit", "template", "catalog", "init", "status", "results", "sandbox", "forget"]
)
def test_every_command_has_help(program: Program, command: str) -> None:
    """With a sentence, and its options."""
    done = program.run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_what_is_no_command_is_said_to_be_none(program: Program) -> None:
    """A slip of the fingers does nothing, and says so."""
    done = program.run("sumbit")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_every_command_of_the_contract_is_there(program: Program) -> None:
    """Whoever asks for help finds each of them."""
    told = program.run("--help").stdout
    listed = {line.split()[0] for line in told.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed >= {
        *("check", "submit", "template", "map", "catalog", "init", "status", "results", "settle", "inbox", "serve"),
        *("worker", "ledger", "forget", "user", "sandbox"),
    }


def test_missing_settings(program: Program) -> None:
    """All that are missing are named at once."""
    done = program.run("submit", SAMPLES / "new-hires.csv", "--yes")
    assert done.returncode == 2
    for name in ("base_url", "client_id", "client_secret", "--sandbox"):
        assert name in done.stderr


def test_no_ledger(tmp_path: Path) -> None:
    """`submit` will not order without a memory, and says how to get one."""
    program = Program(tmp_path, _ACCOUNT | {"base_url": "https://hub.example.com"})
    done = program.run("submit", SAMPLES / "new-hires.csv", "--yes")
    assert done.returncode == 2
    assert "batch-orders init" in done.stderr


def test_no_yes_off_a_terminal(program: Program) -> None:
    """Nobody can be asked, so nothing is sent."""
    done = program.run("submit", SAMPLES / "new-hires.csv", "--sandbox")
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_init_must_be_told_off_a_terminal(tmp_path: Path) -> None:
    """Whether equipment was ordered before is not guessed; and a second `init` changes nothing."""
    program = Program(tmp_path, _ACCOUNT | {"base_url": "https://hub.example.com"})
    assert program.run("init").returncode == 2
    assert program.run("init", "--new").returncode == 0
    assert program.run("init", "--new").returncode == 2


def test_init_on_a_ledger_that_has_moved(tmp_path: Path) -> None:
    """It says where to, not that it is ready."""
    program = Program(tmp_path, _ACCOUNT | {"base_url": "https://hub.example.com"})
    assert program.run("init", "--new").returncode == 0
    assert program.run("ledger", "copy", "--to", "there.sqlite").returncode == 0
    done = program.run("init", "--new")
    assert done.returncode == 2
    assert "it is ready" not in done.stderr
    assert re.search(r"has moved to \S+there\.sqlite", done.stderr)
    assert program.run("init", "--new", "--ledger", "there.sqlite").stderr.count("it is ready") == 1


def test_another_login_or_host_is_refused_until_added(tmp_path: Path) -> None:
    """The ledger belongs to one account."""
    port = _closed_port()
    settings = _ACCOUNT | {"base_url": f"http://127.0.0.1:{port}", "patience": "0"}
    assert Program(tmp_path, settings).run("init", "--new").returncode == 0
    moved = Program(tmp_path, settings | {"client_id": "new@example.com"})
    done = moved.run("submit", SAMPLES / "new-hires.csv", "--yes")
    assert (done.returncode, "--add-login" in done.stderr) == (2, True)
    assert moved.run("init", "--add-login").returncode == 0
    assert moved.run("submit", SAMPLES / "new-hires.csv", "--yes").returncode == 6


def test_device_hub_away(tmp_path: Path) -> None:
    """Nothing is judged by a guess: stopped early, run it again."""
    settings = _ACCOUNT | {"base_url": f"http://127.0.0.1:{_closed_port()}", "patience": "1"}
    done = Program(tmp_path, settings).run("check", SAMPLES / "new-hires.csv")
    assert done.returncode == 6
    assert "cannot be reached" in done.stderr


def test_wrong_password(tmp_path: Path) -> None:
    """Login refused is exit 2, and the secret is nowhere."""
    with running(SandboxOptions()) as hub:
        program = Program(tmp_path, _ACCOUNT | {"base_url": hub.base_url})
        done = program.run("check", SAMPLES / "new-hires.csv", "--verbose")
    assert done.returncode == 2
    assert "refuses the login" in done.stderr
    assert _ACCOUNT["client_secret"] not in done.stdout + done.stderr


def test_results_place_not_writable(program: Program) -> None:
    """Found before the first order."""
    done = program.run(
        "submit", SAMPLES / "rolling-nightly.csv", "--sandbox", "--yes", "--output", program.folder / "no" / "r.csv"
    )
    assert done.returncode == 2
    assert "--output" in done.stderr


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_while_a_large_sheet_is_checked(program: Program, interrupts: int) -> None:
    """The first one ends the program before anybody is asked anything, a second one without any delay."""
    lines = (SAMPLES / "new-hires.csv").read_text(encoding="utf-8").splitlines()
    sheet = program.folder / "large.csv"
    sheet.write_text("\n".join([lines[0], *(f"x{n}{line}" for n in range(400) for line in lines[1:])]))
    with program.start("submit", sheet, "--sandbox", "--yes") as process:
        assert process.stderr is not None
        while "checking every row" not in process.stderr.readline():
            assert process.poll() is None
        for _ in range(interrupts):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "placing" not in err
    assert ("Interrupted" in err) == (interrupts == 1)
    assert list(program.folder.glob("*.results*")) == []


@pytest.mark.parametrize("second", ["stderr: writing the results", "stdout: What next", "stdout: Results"])
def test_a_second_interrupt_at_the_very_end(program: Program, second: str) -> None:
    """While the results are written, the summary is printed, or Python ends: the code is that of the first one."""
    sheet = shutil.copy(SAMPLES / "new-hires.csv", program.folder)
    with program.start("submit", sheet, "--sandbox", "--yes") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _read_until(process.stderr, "placing")
        process.send_signal(signal.SIGINT)
        stream, _, words = second.partition(": ")
        _read_until(process.stdout if stream == "stdout" else process.stderr, words)
        if words == "Results":
            time.sleep(0.02)  # Python is ending by now
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 6


def _read_until(stream: IO[str], words: str) -> None:
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"it ended without “{words}”")


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "--json"),
        ("check", "missing.csv", "--sandbox", "--json"),
        ("nonsense", "--json"),
        ("status", "--json"),
    ],
)
def test_json_is_one_document_also_for_errors(program: Program, arguments: tuple[str, ...]) -> None:
    """Exactly one JSON document on stdout, everything else on stderr."""
    done = program.run(*arguments)
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode != 0
    assert document["error"]["message"]
    assert done.stderr


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("command", ["catalog", "check"])
def test_stdout_that_is_full(program: Program, command: str, *, as_json: bool) -> None:
    """Exit 1 and the reason on stderr, whatever the command was about; no traceback, not even at the very end."""
    words = [*([SAMPLES / "new-hires.csv"] if command == "check" else []), *(["--json"] if as_json else [])]
    with Path("/dev/full").open("w") as full:
        done = _run_onto(program, full, command, *words, "--sandbox")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "its output could not be written: No space left on device" in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [(("catalog", "--sandbox"), 0), (("check", "missing.csv"), 2)])
def test_stdout_that_is_closed(program: Program, arguments: tuple[str, ...], code: int) -> None:
    """Nobody listens, and that is no reason to fail."""
    closed = Program(program.folder, command=("sh", "-c", 'exec "$@" >&-', "sh", *program.command))
    assert closed.run(*arguments, "--json").returncode == code


def test_stderr_that_is_closed(program: Program) -> None:
    """The result is on stdout all the same."""
    closed = Program(program.folder, command=("sh", "-c", 'exec "$@" 2>&-', "sh", *program.command))
    assert closed.json("catalog", "--sandbox", exit_code=0)["titles"]


def _run_onto(program: Program, stdout: TextIO, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A process whose stdout goes there."""
    return subprocess.run(
        [*program.command, *map(str, arguments)],
        cwd=program.folder,
        env=program.environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "command", "source"),
    [
        (("submit", "nosuffix", "--sheet", "v1.2", "--yes"), "submit", "nosuffix"),
        (("--config", "no.toml", "check", "missing.csv"), "check", "missing.csv"),
        (("ledger", "adopt", "x.csv"), "ledger adopt", None),
        (("submit", "--bogus"), "submit", None),
        (("nonsense",), None, None),
    ],
)
def test_an_errors_document_says_what_was_called(
    program: Program, arguments: tuple[str, ...], command: str | None, source: str | None
) -> None:
    """The command and the sheet are those of the command line, whatever other words look like."""
    document = json.loads(program.run(*arguments, "--json").stdout)
    assert (document["command"], document["input"]) == (command, source)


@pytest.mark.parametrize("place", ["batch-orders.toml", "the environment variable BATCH_ORDERS_LOG_FILE"])
def test_a_log_that_cannot_be_opened(program: Program, place: str) -> None:
    """Where the setting came from is said."""
    if place.endswith("toml"):
        (program.folder / place).write_text('log_file = "/nope/x.log"')
    else:
        program.settings["log_file"] = "/nope/x.log"
    done = program.run("catalog", "--sandbox")
    assert done.returncode == 2
    assert f"log_file in {place}: /nope/x.log cannot be opened" in done.stderr


def test_the_same_finding_in_many_rows_is_told_once(program: Program) -> None:
    """On the terminal; scripts and the results have it at each cell."""
    lines = (SAMPLES / "mixed-errors.csv").read_text(encoding="utf-8").splitlines()
    header, german = lines[0], next(line for line in lines if ",Germany," in line)
    sheet = program.folder / "germany.csv"
    sheet.write_text(
        "\n".join([header, *(german.replace("@", f"{number}@") for number in range(12))]), encoding="utf-8"
    )
    text = program.run("check", sheet, "--sandbox").stdout
    assert "✕ I2, I3, I4, I5, I6 and 7 more Country: ‘Germany’" in text
    findings = program.json("check", sheet, "--sandbox", exit_code=3)["findings"]
    assert sum(finding["code"] == "country" for finding in findings) == 12


def test_common_options_may_come_first(program: Program) -> None:
    """`batch-orders --json catalog` is `batch-orders catalog --json`."""
    done = program.run("--json", "catalog", "--sandbox")
    document = json.loads(done.stdout)
    assert len(document["titles"]) >= 60
    assert document["shipping_options"]


def test_quiet_says_nothing_on_success(program: Program) -> None:
    """For cron: no news is good news."""
    sheet = shutil.copy(SAMPLES / "rolling-nightly.csv", program.folder)
    (program.folder / ".env").write_text("BATCH_ORDERS_RATE=100/s\n")
    done = program.run("submit", sheet, "--sandbox", "--yes", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_logs_hold_nothing_private(program: Program) -> None:
    """JSON lines with ids and timings, and no e-mail, name, phone, address or secret."""
    sheet = shutil.copy(SAMPLES / "mixed-errors.csv", program.folder)
    log = program.folder / "run.log"
    quick = Program(program.folder, {"rate": "100/s", "log_file": str(log)})
    done = quick.run("submit", sheet, "--sandbox", "--yes", "--json")
    orders = json.loads(done.stdout)["orders"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["event"] == "order.attempt" for line in lines) >= 6
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text().lower()
    assert "@" not in text
    for order in orders:
        assert order["email"].lower().partition("@")[0] not in text
    for word in ("sandbox-secret", "5550101", "street"):  # three digits of a number also turn up in times and hashes
        assert word not in text


def test_the_sandbox_leaves_the_real_account_alone(tmp_path: Path) -> None:
    """--sandbox ignores the account's settings, and neither kind of ledger serves for the other."""
    program = Program(tmp_path, _ACCOUNT | {"base_url": "https://hub.example.com", "rate": "100/s"})
    real = tmp_path / "real.sqlite"
    own = tmp_path / "sandbox.sqlite"
    sheet = shutil.copy(SAMPLES / "rolling-nightly.csv", tmp_path)
    assert program.run("init", "--new", "--ledger", real).returncode == 0
    assert program.run("submit", sheet, "--sandbox", "--yes", "--ledger", own).returncode == 0
    assert program.run("submit", sheet, "--sandbox", "--yes", "--ledger", real).returncode == 2
    assert program.run("submit", sheet, "--yes", "--ledger", own).returncode == 2
    again = json.loads(program.run("submit", sheet, "--sandbox", "--yes", "--ledger", own, "--json").stdout)
    assert again["counts"]["already_ordered"] == again["counts"]["rows"]


def test_a_printed_sandbox_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    """What `sandbox` says to type leads to a new ledger in this folder, and never to the real account's."""
    with Program(tmp_path).start("sandbox", "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip()]
        while not lines[-1].startswith("batch-orders"):
            lines.append(process.stdout.readline().strip())
        words = [line.removeprefix("export BATCH_ORDERS_") for line in lines if line.startswith("export ")]
        typed = {name.lower(): value for name, _, value in (word.partition("=") for word in words)}
        program = Program(tmp_path, typed)
        assert lines[-1] == "batch-orders init --new"
        assert program.run(*lines[-1].split()[1:]).returncode == 0
        assert (tmp_path / "sandbox-ledger.sqlite").is_file()
        assert program.run("check", SAMPLES / "rolling-nightly.csv").returncode == 0
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_a_sandbox_is_kept_out_of_a_real_ledger(tmp_path: Path) -> None:
    """What is advised first makes a second ledger, in either order; who adds the login all the same is warned."""
    here, there = (
        Program(tmp_path, _ACCOUNT | {"base_url": origin})
        for origin in ("http://127.0.0.1:8765", "https://hub.example.com")
    )
    for one, other, name in ((there, here, "real.sqlite"), (here, there, "play.sqlite")):
        assert one.run("init", "--new", "--ledger", name).returncode == 0
        refused = other.run("check", SAMPLES / "rolling-nightly.csv", "--ledger", name)
        assert refused.returncode == 2
        assert refused.stderr.index("--ledger sandbox.sqlite") < refused.stderr.index("--add-login")
        added = other.run("init", "--add-login", "--ledger", name)
        assert (added.returncode, "Warning: this ledger now holds" in added.stderr) == (0, True)
        assert "--ledger sandbox.sqlite" in added.stderr
    moved = Program(tmp_path, _ACCOUNT | {"base_url": "http://localhost:9000"})
    assert moved.run("init", "--add-login", "--ledger", "play.sqlite").returncode == 0


def test_a_sandboxs_port_that_is_taken(program: Program) -> None:
    """A plain sentence, exit 2, and what to type instead."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = program.run("sandbox", "--port", str(port))
    assert done.returncode == 2
    assert f"Port {port} is in use (another sandbox?)." in done.stderr
    assert "Choose another with --port, or 0 for any free one." in done.stderr


def test_what_next_after_a_check_names_what_was_written(program: Program) -> None:
    """The copy itself, and on the console its name; without one, the very command that writes it."""
    folder = program.folder / "a wave"
    folder.mkdir()
    sheet = Path(shutil.copy(SAMPLES / "mixed-errors.csv", folder))
    lines = sheet.read_text(encoding="utf-8").splitlines()
    sheet.write_text("\n".join([lines[0], *(f"x{n}{line}" for n in range(9) for line in lines[1:])]))
    words = ("a wave/mixed-errors.csv", "--encoding", "utf-8", "--sandbox")
    plain = program.run("check", *words).stdout
    (command,) = re.findall(r"more: `batch-orders (.+)` shows all", plain)
    assert "a copy written with --output shows them" in plain
    written = program.run(*shlex.split(command))
    assert (written.returncode, "--output" in written.stdout) == (4, False)
    copy = program.folder / "mixed-errors.checked.xlsx"
    assert re.search(rf"What next +Mend what the messages say in {copy.name}", written.stdout)
    summary = {row[0]: row[1] for row in load_workbook(copy).worksheets[1].iter_rows(values_only=True)}
    assert "in this file" in str(summary["What next"])
    assert not {"above", "--output"} & set(str(summary).split())


def test_a_throwaway_ledger_is_not_gone_on_with(program: Program) -> None:
    """A sandbox forgets: nobody is told to go on there, or to settle; with a ledger of its own both work."""
    words = ("submit", SAMPLES / "rolling-nightly.csv", "--sandbox", "--yes", "--limit", "0", "--output", "r.csv")
    forgotten = program.run(*words).stdout
    assert "add --ledger try.sqlite to each command" in forgotten
    assert "again" not in forgotten
    kept = program.run(*words, "--ledger", "try.sqlite").stdout
    assert "Run it again without --limit" in kept


def test_an_old_runs_results_say_to_submit_the_sheet(tmp_path: Path) -> None:
    """`results` again would send nothing."""
    with running(SandboxOptions()) as hub:
        login = {"client_id": hub.client_id, "client_secret": hub.client_secret, "base_url": hub.base_url}
        program = Program(tmp_path, login)
        program.run("init", "--new")
        sheet = shutil.copy(SAMPLES / "rolling-nightly.csv", tmp_path)
        run_id = program.json("submit", sheet, "--yes", "--limit", "1", exit_code=6)["run_id"]
        told = program.run("results", run_id).stdout
    assert re.search(r"What next +Submit the sheet again", told)
    assert "same command" not in told
