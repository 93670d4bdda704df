"""A command on a real pseudo-terminal, as a person has it."""

from __future__ import annotations

import os
import pty
import re
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from tests.program import Program


class Terminal:
    """A command on a terminal of its own: 120 columns, and what it wrote so far."""

    def __init__(self, program: Program, *arguments: str | Path) -> None:
        self.text = ""
        self._pid, self._descriptor = pty.fork()
        if self._pid == 0:  # the child: nothing but the program may run here
            os.chdir(program.folder)
            environment = program.environment() | {"TERM": "xterm-256color", "COLUMNS": "120"}
            words = [sys.executable, "-W", "error", "-m", "batch_orders", *map(str, arguments)]
            os.execve(sys.executable, words, environment)  # noqa: S606 - no shell is wanted

    def until(self, pattern: str) -> str:
        """Read until the pattern shows up."""
        deadline = time.monotonic() + 60
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, self.text
            self._read()
        return self.text

    def say(self, text: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{text}\n".encode())

    def interrupt(self, number: signal.Signals) -> None:
        """Send the program a signal, as a person would who has read the question.

        In the instant between writing a question and waiting for its answer Python takes note of a signal only when
        the answer comes.
        """
        time.sleep(0.5)
        os.kill(self._pid, number)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        try:
            chunk = os.read(self._descriptor, 65_536)
        except OSError:  # the program has ended
            return False
        self.text += chunk.decode(errors="replace")
        return bool(chunk)
