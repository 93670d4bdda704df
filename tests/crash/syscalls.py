"""A process whose system calls are asked about first: each goes on, fails, or is the process's last.

The kernel's seccomp notifications do this, with nothing but Python and for all threads in one order: a filter in the
process holds every call of `CALLS` back until its supervisor has answered. (strace can inject faults too, but it
counts the calls of each thread by itself, so that most points in a program of several threads cannot be reached.)

Linux on x86-64 only: the numbers are its own.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import re
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# Every call through which the program can touch a file or a connection, by its number.
_NUMBERED = """
    read 0  write 1  close 3  stat 4  fstat 5  lstat 6  lseek 8  ioctl 16  pread64 17  pwrite64 18  access 21
    socket 41  connect 42  sendto 44  recvfrom 45  shutdown 48  getsockname 51  getpeername 52  setsockopt 54
    getsockopt 55  fcntl 72  flock 73  fsync 74  fdatasync 75  ftruncate 77  rename 82  mkdir 83  rmdir 84  link 86
    unlink 87  chmod 90  fchmod 91  fchown 93  openat 257  newfstatat 262  unlinkat 263  linkat 265  fallocate 285
    renameat2 316
"""
CALLS = {int(number): name for name, number in re.findall(r"(\w+) (\d+)", _NUMBERED)}
# Where the call's path stands among its arguments; all others have a descriptor as their first one.
_PATH_AT = {
    **dict.fromkeys(("stat", "lstat", "access", "rename", "mkdir", "rmdir", "link", "unlink", "chmod"), 0),
    **dict.fromkeys(("openat", "newfstatat", "unlinkat", "linkat", "renameat2"), 1),
}
_INTERNET = (socket.AF_INET, socket.AF_INET6)

_SECCOMP, _PIDFD_GETFD = 317, 438
_SET_MODE_FILTER, _NEW_LISTENER, _NO_NEW_PRIVS = 1, 1 << 3, 38
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_X86_64 = 0xC000003E
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1
# struct seccomp_notif: id, pid, flags; and in it struct seccomp_data: nr, arch, instruction pointer, six arguments.
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")

_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """Why this machine cannot do it; "" where it can."""
    if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
        return "the numbers of system calls are those of Linux on x86-64"
    sizes = (ctypes.c_uint16 * 3)()
    if _libc.syscall(_SECCOMP, 3, 0, sizes) != 0 or list(sizes[:2]) != [_NOTIFICATION.size, _ANSWER.size]:
        return "the kernel has no seccomp notifications, or another shape of them"
    return ""


# In the process -----------------------------------------------------------------------------------------------------


def hold_back(supervisor: socket.socket) -> None:
    """From now on every one of `CALLS` of this process waits for its supervisor. It must have one thread only."""
    program = _filter()
    pointer = ctypes.cast(ctypes.c_char_p(program), ctypes.c_void_p)
    header = struct.pack("=H6xQ", len(program) // 8, pointer.value)
    if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    listener = _libc.syscall(_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.c_char_p(header))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    # The one call that must go through before anybody can answer: sendmsg is not held back.
    supervisor.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])


def _filter() -> bytes:
    """The filter: of another machine's calls and of all but `CALLS`, let everything through."""
    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    numbers = sorted(CALLS)
    steps = [(load, 0, 0, 4), (jump_if_equal, 1, 0, _X86_64), (answer, 0, 0, _ALLOW), (load, 0, 0, 0)]
    steps += [(jump_if_equal, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(answer, 0, 0, _ALLOW), (answer, 0, 0, _ASK)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


# Its supervisor -----------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """One call that waits for an answer. `target` is a path, "network" for a connection, or "" for anything else."""

    name: str
    target: str
    arguments: tuple[int, ...]
    thread: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a call: it goes on, it returns this `error`, or the process is killed before it is made.

    With `done` of its bytes (all where it has none) it is made first, by the supervisor in the process's name: then
    the error is a lie, and the kill comes right after the call, or in the middle of it.
    """

    error: int = 0
    kill: bool = False
    is_done: bool = False
    share: float = 1.0


GO_ON = Answer()


class Supervisor:
    """Answers for one process, from its first call to its end."""

    def __init__(self, pid: int, listener: int) -> None:
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._listener = listener
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self._connections: set[str] = set()

    def watch(self, judge: Callable[[Call], Answer]) -> int:
        """Ask `judge` about each call until the process has ended; its exit code (negative: the signal)."""
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        waiting.register(self._pidfd, select.POLLIN)
        while (ready := dict(waiting.poll())).get(self._pidfd) is None:
            if ready.get(self._listener, 0) & select.POLLIN:
                self._answer_one(judge)
        for descriptor in (self._listener, self._pidfd, self._memory):
            os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def text(self, address: int, length: int) -> bytes:
        """What stands in the process's memory."""
        return os.pread(self._memory, length, address)

    def _answer_one(self, judge: Callable[[Call], Answer]) -> None:
        notification = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notification)
        except FileNotFoundError:  # the thread has gone in the meantime
            return
        number, thread, _, nr, _, _, *arguments = _NOTIFICATION.unpack(notification)
        call = Call(CALLS[nr], self._target(thread, CALLS[nr], arguments), tuple(arguments), thread)
        answer = judge(call)
        if answer.is_done:
            self._do(call, answer.share)
        if answer.kill:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            return
        flags = 0 if answer.error else _GO_ON
        try:
            fcntl.ioctl(self._listener, _SEND, _ANSWER.pack(number, 0, -answer.error, flags))
        except FileNotFoundError:
            return

    # What a call is about -------------------------------------------------------------------------------------------

    def _target(self, thread: int, name: str, arguments: list[int]) -> str:
        if name == "socket":
            return "network" if arguments[0] in _INTERNET else ""
        if name in _PATH_AT:
            path = self.text(arguments[_PATH_AT[name]], 4096).partition(b"\0")[0]
            if path or name != "newfstatat":
                return os.path.join(self._link(f"/proc/{thread}/cwd"), os.fsdecode(path))  # noqa: PTH118 - text
        what = self._link(f"/proc/{thread}/fd/{arguments[0] & 0xFFFFFFFF}")
        if name == "connect" and self.text(arguments[1], 1)[0] in _INTERNET:
            self._connections.add(what)
        return "network" if what in self._connections else what if what.startswith("/") else ""

    def _link(self, path: str) -> str:
        try:
            return os.readlink(path)  # noqa: PTH115 - text, and thousands of times
        except OSError:
            return ""

    # Doing what the process asked for -------------------------------------------------------------------------------

    def _do(self, call: Call, share: float) -> None:
        """Make the call in the process's name, with as much of its bytes."""
        first, second, third, fourth = call.arguments[:4]
        if call.name in {"unlink", "link"}:
            other = self.text(second, 4096).partition(b"\0")[0] if call.name == "link" else b""
            os.link(call.target, os.fsdecode(other)) if other else Path(call.target).unlink()
            return
        descriptor = _libc.syscall(_PIDFD_GETFD, self._pidfd, first, 0)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        length = int(third * share)
        try:
            match call.name:
                case "pwrite64":
                    os.pwrite(descriptor, self.text(second, length), fourth)
                case "write" | "sendto":
                    os.write(descriptor, self.text(second, length))
                case "read" | "recvfrom":
                    os.read(descriptor, length)
                case "fsync" | "fdatasync":
                    os.fsync(descriptor)
                case "ftruncate":
                    os.ftruncate(descriptor, second)
                case _:
                    raise NotImplementedError(call.name)
        except BlockingIOError:
            pass  # as it would have been for the process
        finally:
            os.close(descriptor)


# The calls that the supervisor can make in a process's name.
DOABLE = frozenset(
    ("pwrite64", "write", "sendto", "read", "recvfrom", "fsync", "fdatasync", "ftruncate", "unlink", "link")
)
# Those that change a file or a folder, or make sure that a change lasts.
WRITES = (
    *("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename", "renameat2", "link", "linkat"),
    *("unlink", "unlinkat", "mkdir", "rmdir", "chmod", "fchmod", "fchown"),
)


def usual_error(call: Call) -> int:
    """What the call would fail with in a bad hour."""
    if call.target != "network":
        return errno.EIO
    return {"connect": errno.ECONNREFUSED, "socket": errno.EMFILE}.get(call.name, errno.ECONNRESET)
