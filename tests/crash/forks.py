"""The program as processes that cost no start: forks of one process that has loaded everything once.

Each fork is the program as its users have it (its own command line, settings and exit), and can be killed like any
other process; only the second and a half of importing is spared.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.crash.warm import Warm, die_with_parent, run_and_leave, share_memory

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from tests.program import Program


class Forks(Warm):
    """Starts the program again and again; a context manager. `warm_up` is a command that loads what is loaded late."""

    def __init__(self, program: Program, *warm_up: str | Path) -> None:
        command = ("-m", "tests.crash.forks", *map(str, warm_up))
        super().__init__(*command, environment=program.environment(), prefix=program.prefix)
        assert self._ask("warm up", str(program.folder)) == 0

    def start(self, *arguments: str | Path) -> Fork:
        """A process that runs on."""
        return Fork(self._ask("start", *map(str, arguments)), self)

    def ended(self, pid: int) -> int | None:
        """A process' exit code (negative: the signal that ended it); None while it runs."""
        code: int | None = self._ask("ended", pid)
        return code

    def _ask(self, *words: object) -> Any:
        return self.ask(words)


@dataclass(slots=True)
class Fork:
    """One running program."""

    pid: int
    _forks: Forks
    code: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.code is None:
            self.code = self._forks.ended(self.pid)
        return self.code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            assert time.monotonic() < deadline, "the program does not end"
            time.sleep(0.005)
        assert self.code is not None
        return self.code


def main() -> None:
    """Run the command of the arguments here, to load everything; then answer requests, one JSON line each."""
    from batch_orders.__main__ import main as program  # noqa: PLC0415 - costly, and not for whoever only starts this
    from batch_orders.cli import run  # noqa: PLC0415 - likewise

    answers = os.fdopen(os.dup(1), "w")
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(devnull, descriptor)
    for line in sys.stdin:
        match json.loads(line):
            case ["warm up", folder]:
                os.chdir(folder)
                answer: int | None = run(sys.argv[1:])
                share_memory()
            case ["start", *arguments]:
                answer = os.fork()
                if answer == 0:
                    die_with_parent()
                    os.dup2(devnull, 0)
                    answers.close()
                    sys.argv[1:] = arguments
                    run_and_leave(program)
            case ["ended", pid]:
                found, status = os.waitpid(pid, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if found else None
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
