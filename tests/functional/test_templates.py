"""What a person copies to run it by itself (templates/): each is tried as far as it can be without being installed."""

from __future__ import annotations

import ast
import grp
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch_orders.logs import configure_logs, get_logger
from tests.program import SAMPLES, Program, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.program import RunningHub

_ROOT = Path(__file__).parents[2]
_TEMPLATES = _ROOT / "templates"
_UNITS = ("batch-orders.service", "batch-orders.timer", "batch-orders-page.service", "batch-orders-worker.service")
_PACKAGES = {"systemd-analyze": "systemd", "logrotate": "logrotate", "strace": "strace"}
# As it stands in the templates, and what is there on this machine.
_INSTALLED = "/opt/batch-orders/bin/batch-orders"
_HERE = str(Path(sys.executable).with_name("batch-orders"))
# System calls that numpy tries, and that the units forbid; and one that we and SQLite make as root only, which the
# units never are.
_DENIED = ("mbind", "sched_getaffinity", "sched_setaffinity")
_AS_ROOT = "fchown"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A Device Hub for nightly jobs."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "100") as running:
        yield running


@pytest.fixture
def tool() -> Callable[[str], str]:
    """A program of Debian's; CI must have it: nothing is skipped there."""

    def find(name: str) -> str:
        # Not every user's PATH has the administrator's programs.
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if found:
            return found
        reason = f"{name} is not installed (Debian: {_PACKAGES[name]})"
        return pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)

    return find


def _job(folder: Path, hub: RunningHub) -> Path:
    """A working folder with its settings, the login in .env, a ledger, and an inbox with a sheet in it."""
    folder.mkdir(parents=True)
    settings = {"base_url": hub.login["base_url"], "ledger": str(folder / "ledger.sqlite"), "rate": "100/s"}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    (folder / "batch-orders.toml").write_text("".join(lines))
    login = [f"BATCH_ORDERS_{name.upper()}={hub.login[name]}\n" for name in ("client_id", "client_secret")]
    (folder / ".env").write_text("".join(login))
    assert Program(folder).run("init", "--new").returncode == 0
    (folder / "inbox").mkdir()
    shutil.copy(SAMPLES / "rolling-nightly.csv", folder / "inbox")
    _age(folder / "inbox" / "rolling-nightly.csv")
    return folder


def _age(path: Path) -> None:
    """It was dropped a while ago, so that nobody waits for its upload."""
    os.utime(path, (1_700_000_000, 1_700_000_000))


def _run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run to the end: the exit code, and everything that it said."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=100, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout + done.stderr


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BATCH_ORDERS_")}


# cron ---------------------------------------------------------------------------------------------------------------


def _cron_lines() -> list[str]:
    lines = (_TEMPLATES / "batch-orders.crontab").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#") and not re.match(r"[A-Z]+=", line)]


def test_the_crontab_line_as_it_is_written(tmp_path: Path, hub: RunningHub) -> None:
    """Run as cron runs it (sh, hardly any environment): silent when all is well; else it says what, for cron's mail."""
    (line,) = _cron_lines()
    *times, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"[0-9*/,-]+", time) for time in times)
    assert "%" not in command
    folder = _job(tmp_path / "batch-orders", hub)
    (folder / ".venv").symlink_to(sys.prefix)
    environment = {"HOME": str(tmp_path), "LOGNAME": "hr", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    assert _run("/bin/sh", "-c", command, env=environment) == (0, "")
    results = folder / "inbox" / "done" / "rolling-nightly.results.csv"
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    shutil.copy(SAMPLES / "mixed-errors.csv", folder / "inbox")
    _age(folder / "inbox" / "mixed-errors.csv")
    code, said = _run("/bin/sh", "-c", command, env=environment)
    assert code == 4
    assert "mixed-errors.csv → attention" in said


# systemd ------------------------------------------------------------------------------------------------------------


def _unit(name: str) -> list[tuple[str, str]]:
    lines = (_TEMPLATES / name).read_text().splitlines()
    return [(key, value) for key, is_set, value in (line.partition("=") for line in lines) if is_set and key[0] != "#"]


def _units_here(folder: Path) -> list[str]:
    """The units, for the program as it is installed here: it has to be there."""
    for name in _UNITS:
        (folder / name).write_text((_TEMPLATES / name).read_text().replace(_INSTALLED, _HERE))
    return [str(folder / name) for name in _UNITS]


def test_units_are_what_systemd_understands(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Not one remark; and a unit with a mistake in it gets one."""
    analyze, units = tool("systemd-analyze"), _units_here(tmp_path)
    assert _run(analyze, "verify", *units) == (0, "")
    (tmp_path / "batch-orders.service").write_text(Path(units[0]).read_text().replace("PrivateTmp", "PrivateTemp"))
    assert "PrivateTemp" in _run(analyze, "verify", units[0])[1]


@pytest.mark.parametrize("name", ["batch-orders.service", "batch-orders-page.service", "batch-orders-worker.service"])
def test_units_are_hardened(tmp_path: Path, tool: Callable[[str], str], name: str) -> None:
    """Systemd's own judgement: an exposure of 2 at most, out of 10."""
    _units_here(tmp_path)
    code, said = _run(tool("systemd-analyze"), "security", "--offline=yes", "--threshold=20", str(tmp_path / name))
    assert code == 0, said


def test_both_units_are_hardened_alike() -> None:
    """What one of them needs nothing of, the other does not need either."""
    one, other = ((_TEMPLATES / name).read_text().partition("# What it needs nothing of.")[2] for name in _UNITS[::2])
    assert one.strip()
    assert other.partition("[Install]")[0].strip() == one.strip()


def test_the_timers_calendar(tool: Callable[[str], str]) -> None:
    """Every night at two."""
    (calendar,) = (value for key, value in _unit("batch-orders.timer") if key == "OnCalendar")
    code, said = _run(tool("systemd-analyze"), "calendar", "--iterations=2", calendar)
    assert code == 0, said
    assert len(re.findall(r"02:00:00 ", said)) >= 2


def _allowed_calls(analyze: str, unit: str) -> set[str]:
    """The system calls that a unit's filters let through, as this systemd knows their groups."""
    allowed: set[str] = set()
    for key, value in _unit(unit):
        if key == "SystemCallFilter":
            names = {call for group in value.lstrip("~").split() for call in _calls_in(analyze, group)}
            allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def _calls_in(analyze: str, group: str) -> set[str]:
    code, said = _run(analyze, "syscall-filter", group)
    assert code == 0, said
    names = {line.strip() for line in said.splitlines()[1:] if line.strip() and not line.strip().startswith("#")}
    return {call for name in names for call in (_calls_in(analyze, name) if name.startswith("@") else {name})}


def test_the_service_as_it_is_written(tmp_path: Path, hub: RunningHub, tool: Callable[[str], str]) -> None:
    """Its command works through the inbox, and does so without the system calls that its filters forbid."""
    strace, analyze = tool("strace"), tool("systemd-analyze")
    folder = _job(tmp_path / "lib", hub)
    (command,) = (value for key, value in _unit("batch-orders.service") if key == "ExecStart")
    here = {
        _INSTALLED: _HERE,
        "/srv/batch-orders/inbox": str(folder / "inbox"),
        "/etc/batch-orders/batch-orders.toml": str(folder / "batch-orders.toml"),
    }
    words = [here.get(word, word) for word in command.split()]
    calls = tmp_path / "calls"
    denied = f"inject={','.join(_DENIED)}:error=EPERM"
    traced = [strace, "-f", "-qq", "-c", "-U", "name", "-e", denied, "-o", str(calls), *words]
    assert _run(*traced, cwd=folder, env=_clean()) == (0, "")
    assert (folder / "inbox" / "done" / "rolling-nightly.results.csv").exists()
    made = {line.strip() for line in calls.read_text().splitlines() if re.fullmatch(r"\s*[a-z0-9_]+\s*", line)}
    assert {"execve", "fsync", "connect"} <= made
    forbidden = made - {"syscall", "total"} - _allowed_calls(analyze, "batch-orders.service")
    assert forbidden <= {*_DENIED, *([_AS_ROOT] if os.geteuid() == 0 else [])}


# logrotate ----------------------------------------------------------------------------------------------------------


def test_the_log_goes_on_after_it_was_rotated(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Also for a process that has it open (the page): what it writes then stands in the new file, and nothing twice."""
    logrotate = tool("logrotate")
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    text = (_TEMPLATES / "batch-orders.logrotate").read_text()
    text = text.replace("/var/log/batch-orders/", f"{logs}/").replace(
        "su batch-orders batch-orders", f"su {user} {group}"
    )
    stanza = tmp_path / "stanza"
    stanza.write_text(text)
    stanza.chmod(0o644)
    rotate = (logrotate, "--state", str(tmp_path / "state"), str(stanza))
    code, said = _run(logrotate, "-d", *rotate[1:])
    assert code == 0
    assert "error" not in said, said
    log = logs / "batch-orders.log"
    configure_logs(verbose=False, log_file=log)
    try:
        get_logger().info("before.rotation")
        assert _run(rotate[0], "--force", *rotate[1:]) == (0, "")
        get_logger().info("after.rotation")
    finally:
        configure_logs(verbose=False, log_file=None)
    (rotated,) = (path for path in logs.iterdir() if path != log)
    assert [json.loads(line)["event"] for line in rotated.read_text().splitlines()] == ["before.rotation"]
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["after.rotation"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (log, rotated)} == {0o600}


# Containers ---------------------------------------------------------------------------------------------------------


def test_the_container_file_passes_its_linter(tmp_path: Path) -> None:
    """Not one remark of hadolint's; and a file with a mistake in it gets one."""
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    text = (_TEMPLATES / "Containerfile").read_text()
    assert _run(hadolint, "--no-color", str(_TEMPLATES / "Containerfile")) == (0, "")
    (tmp_path / "Containerfile").write_text(text.replace("COPY --from=build", "ADD --from=built"))
    assert _run(hadolint, str(tmp_path / "Containerfile"))[0] == 1


def test_the_container_is_made_of_what_it_copies(tmp_path: Path) -> None:
    """From just these files a wheel can be built, which has the templates in it; and its extras are there."""
    text = (_TEMPLATES / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE):
        for name in line.split():
            source = _ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, tmp_path / name)
    code, said = _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=tmp_path)
    assert code == 0, said
    (wheel,) = (tmp_path / "dist").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    for template in _TEMPLATES.iterdir():
        assert any(name.endswith(f"/share/batch-orders/templates/{template.name}") for name in names), template.name
    extras = re.search(r"'\.\[([a-z,]+)\]'", text)
    assert extras is not None
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


# Airflow ------------------------------------------------------------------------------------------------------------


def test_the_command_of_the_airflow_example(tmp_path: Path, hub: RunningHub) -> None:
    """It compiles, tries nothing a second time, and its command line does the job (without Airflow itself)."""
    tree = ast.parse((_TEMPLATES / "batch_orders_dag.py").read_text())
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BashOperator"
    )
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert given["retries"] == 0
    folder = _job(tmp_path / "lib", hub)
    command = given["bash_command"].replace(_INSTALLED, _HERE)
    command = command.replace("/var/lib/batch-orders", str(folder)).replace("/srv/batch-orders", str(folder))
    code, said = _run("bash", "-c", command, env=_clean())
    assert code == 0, said
    assert (folder / "inbox" / "done" / "rolling-nightly.results.csv").exists()
