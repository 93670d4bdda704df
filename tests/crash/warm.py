"""A process that has loaded the program once, and forks for every run that it is asked for."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_PR_SET_PDEATHSIG = 1


class Warm:
    """A module of ours that runs as a process, and answers each JSON line with another; a context manager."""

    def __init__(self, *command: str, environment: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        """`command` is what follows `python`, and `prefix` what comes before it."""
        self._process = subprocess.Popen(
            [*prefix, sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},  # what forks must have one thread
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def ask(self, request: object) -> Any:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def die_with_parent() -> None:
    """In a fork: nothing of it runs on when the process that it was forked by has ended, however that was."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
