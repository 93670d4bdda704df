"""The program, started again and again without loading it anew, with a fault at one of its system calls.

`Launcher` is what tests use: a process (this module's `main`) that has imported all that the program imports, and
forks for every run. The fork is the program as its users have it, with its own command line, settings, output and
exit; only the second and a half of importing is spared.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash.syscalls import DOABLE, GO_ON, Answer, Call, Supervisor, hold_back, usual_error
from tests.crash.warm import Warm, die_with_parent, run_and_leave, share_memory

if TYPE_CHECKING:
    from typing import NoReturn

    from tests.program import Program

_ORDER = b"POST /api/v1/device-hub/place-order "


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault at the `at`-th (from 1; 0: at none) of the calls that touch the run's folder or the network.

    `kill` ends the process before the call, `tear` in the middle of it; `fail` returns an error instead of making the
    call, `lie` makes it and returns an error all the same. `error` is the error's number (0: one that fits the call);
    `onward` holds for all later calls too. `calls` (names; openat is opening to write) and `targets` (a pattern) say
    which calls count: all, unless said.
    """

    at: int = 0
    how: str = "fail"
    error: int = 0
    onward: bool = False
    calls: tuple[str, ...] = ()
    targets: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run went: its exit code (negative: the signal that ended it), its output, and the calls that count.

    A call is written as "pwrite64 ledger.sqlite"; `struck` is the one with the fault ("" where the run ended first).
    `orders_after` is how many orders' first bytes left after the fault.
    """

    code: int
    out: str
    err: str
    calls: list[str]
    struck: str
    orders_after: int


class Launcher(Warm):
    """Starts the program; a context manager. `warm_up` is a first command, which loads what is loaded late."""

    def __init__(self, program: Program, *warm_up: str | Path) -> None:
        # Libraries leave a socket to the garbage collector where the system refuses to set it up.
        options = ("-W", "error", "-W", "ignore::ResourceWarning")
        super().__init__(*options, "-m", "tests.crash.launcher", environment=os.environ)
        assert self._ask(program, warm_up, Strike())["code"] == 0

    def run(self, program: Program, *arguments: str | Path, strike: Strike | None = None) -> Run:
        """Run a command to its end, with this fault."""
        answer = self._ask(program, arguments, strike or Strike())
        out, err = (_output(program.folder, name).read_text() for name in ("out", "err"))
        return Run(out=out, err=err, **answer)

    def _ask(self, program: Program, arguments: tuple[str | Path, ...], strike: Strike) -> dict[str, Any]:
        request = {
            "folder": str(program.folder),
            "environment": program.environment(),
            "arguments": list(map(str, arguments)),
            "strike": asdict(strike),
        }
        answer: dict[str, Any] = self.ask(request)
        return answer


def _output(folder: Path, name: str) -> Path:
    """Where a run's output goes: beside its folder, so that writing it is none of the calls that count."""
    return folder.with_name(f"{folder.name}.{name}")


# The process that forks ---------------------------------------------------------------------------------------------


def main() -> None:
    """Run the first command here, to load everything; then a fork for each further one. One JSON line for each."""
    answers = os.dup(1)
    os.dup2(2, 1)
    _answer(answers, {"code": _warm_up(json.loads(sys.stdin.readline()))})
    share_memory()
    for line in sys.stdin:
        request = json.loads(line)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            os.close(answers)
            ours.close()
            _be_the_program(request, theirs)
        theirs.close()
        _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
        ours.close()
        _answer(answers, _supervised(pid, listener, request))


def _answer(descriptor: int, answer: dict[str, Any]) -> None:
    os.write(descriptor, json.dumps(answer).encode() + b"\n")


def _warm_up(request: dict[str, Any]) -> int:
    from batch_orders.cli import run  # noqa: PLC0415 - costly, and not for whoever only starts this

    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return run(request["arguments"])


def _be_the_program(request: dict[str, Any], supervisor: socket.socket) -> NoReturn:
    """As `batch-orders` would be: its folder, environment, arguments, output, and an exit of its own."""
    from batch_orders.__main__ import main as program  # noqa: PLC0415

    folder = Path(request["folder"])
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path, how in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, _output(folder, "out"), flags),
        (2, _output(folder, "err"), flags),
    ):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    hold_back(supervisor)
    supervisor.close()
    run_and_leave(program)


def _supervised(pid: int, listener: int, request: dict[str, Any]) -> dict[str, Any]:
    supervisor = Supervisor(pid, listener)
    judge = _Judge(Strike(**request["strike"]), request["folder"], supervisor)
    code = supervisor.watch(judge)
    return {"code": code, "calls": judge.calls, "struck": judge.struck, "orders_after": judge.orders_after}


class _Judge:
    """Counts the calls of a run, and answers each: all go on but the one that is to be struck."""

    def __init__(self, strike: Strike, folder: str, supervisor: Supervisor) -> None:
        self._strike = strike
        self._folder = folder + "/"
        self._supervisor = supervisor
        self.calls: list[str] = []
        self.struck = ""
        self.orders_after = 0

    def __call__(self, call: Call) -> Answer:
        name = self._name(call)
        if self.struck and name == "network" and self._begins_order(call):
            self.orders_after += 1
        if not name or not self._counts(call, name):
            return GO_ON
        self.calls.append(f"{call.name} {name}")
        if len(self.calls) != self._strike.at and not (self.struck and self._strike.onward):
            return GO_ON
        self.struck = self.struck or self.calls[-1]
        return self._fault(call)

    def _name(self, call: Call) -> str:
        """What the call touches: the network, a file by its name in the folder, the folder (.), nothing of these."""
        if call.target == "network":
            return "network"
        if not f"{call.target}/".startswith(self._folder):
            return ""
        return call.target.removeprefix(self._folder) if call.target.startswith(self._folder) else "."

    def _counts(self, call: Call, name: str) -> bool:
        if self._strike.calls:
            reads = call.name == "openat" and not call.arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if reads or call.name not in self._strike.calls:
                return False
        return re.match(self._strike.targets, name) is not None

    def _begins_order(self, call: Call) -> bool:
        return call.name == "sendto" and self._supervisor.text(call.arguments[1], len(_ORDER)) == _ORDER

    def _fault(self, call: Call) -> Answer:
        error = self._strike.error or usual_error(call)
        match self._strike.how:
            case "fail":
                return Answer(error=error)
            case "lie":
                return Answer(error=error, is_done=call.name in DOABLE)
            case "kill":
                return Answer(kill=True)
            case "tear":
                return Answer(kill=True, is_done=call.name in DOABLE, share=0.5)
        raise ValueError(self._strike.how)


if __name__ == "__main__":
    main()
