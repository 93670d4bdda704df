"""The program as its users meet it: a process of its own, with its settings in the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.privacy import assert_log_is_clean, assert_no_secret, private_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLES = Path(__file__).parents[1] / "sample_inputs"
_COMMAND = (sys.executable, "-W", "error", "-m", "batch_orders")


class Process(subprocess.Popen[str]):
    """The program at work. Whatever its test is about, what it says and logs is looked through for what is private."""

    def __init__(self, program: Program, arguments: Sequence[str | Path]) -> None:
        self._program = program
        self._files = [program.folder / argument for argument in arguments]
        super().__init__(
            [*program.command, *map(str, arguments)],
            cwd=program.folder,
            env=program.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """Everything that it wrote, once it has ended."""
        out, err = super().communicate(input, timeout)
        assert "Traceback" not in err, err
        if secret := self._program.settings.get("client_secret"):
            assert_no_secret(out + err + self._log(err), secret)
        assert_log_is_clean(self._log(err), set().union(*map(private_cells, self._files)))
        return out, err

    def _log(self, err: str) -> str:
        """What it logged: to a file, and with --verbose to stderr."""
        path = self._program.folder / self._program.settings.get("log_file", "no log")
        lines = [line for line in err.splitlines() if line.startswith('{"timestamp"')]
        return "\n".join([*lines, path.read_text() if path.is_file() else ""])


@dataclass(frozen=True)
class Program:
    """`batch-orders` in a folder, with settings of its own and nothing of this machine's."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = _COMMAND

    @property
    def prefix(self) -> tuple[str, ...]:
        """What its command line begins with on another machine (see tests/cluster/hosts.py)."""
        return self.command[: -len(_COMMAND)]

    def start(self, *arguments: str | Path) -> Process:
        """A process that runs on."""
        return Process(self, arguments)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A process, run to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str | Path, exit_code: int) -> dict[str, Any]:
        """The one JSON document of a command, which ends with this exit code."""
        done = self.run(*arguments, "--json")
        assert done.returncode == exit_code, f"exit {done.returncode}: {done.stderr}\n{done.stdout}"
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["exit_code"] == exit_code
        return document

    def environment(self) -> dict[str, str]:
        """This machine's, without any settings but the program's own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BATCH_ORDERS_")}
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "data")}
        return clean | home | {f"BATCH_ORDERS_{name.upper()}": value for name, value in self.settings.items()}


@dataclass(frozen=True)
class RunningHub:
    """A `batch-orders sandbox` in a process of its own."""

    login: dict[str, str]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Every order placed, with the body that it came in."""
        placed: list[dict[str, Any]] = httpx.get(f"{self.login['base_url']}/sandbox/orders", trust_env=False).json()
        return placed

    def discontinue(self, title: str) -> None:
        """Take a title out of every inventory."""
        url = f"{self.login['base_url']}/sandbox/discontinue"
        httpx.post(url, json={"product_title": title}, trust_env=False).raise_for_status()


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[RunningHub]:
    """`batch-orders sandbox` on any free port, ended as a person would: by an interrupt."""
    with Program(folder).start("sandbox", "--port", "0", "--json", *options) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                text += line
            document = json.loads(text)
            yield RunningHub({name: document[name] for name in ("base_url", "client_id", "client_secret")})
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            process.communicate()
