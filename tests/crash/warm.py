"""A process that has loaded the program once, and forks for every run that it is asked for."""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import NoReturn

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


def share_memory() -> None:
    """Before forking: the forks' garbage collections leave alone what is there by now, and so copy no page of it."""
    gc.freeze()


def run_and_leave(program: Callable[[], None]) -> NoReturn:
    """In a fork: run the program to its end, and exit with its code, as the interpreter would.

    All but the last step of that: objects are not taken apart one by one, which would copy every page that is shared
    with the parent (half of what a small run takes); the kernel takes them.
    """
    code = 1
    try:
        program()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing of the parent's own code may run on here
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]  # the interpreter waits for threads like this
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
