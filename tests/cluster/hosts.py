"""Several machines as network namespaces of this one: each has an address and a home of its own.

Where this system does not let us make them, `Hosts` is the same with homes alone, on the loopback address.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Self

from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LOOPBACK = "127.0.0.1"


class Hosts:
    """So many machines; a context manager. What serves them listens on `address`, which is this machine's."""

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder
        self._count = count
        # Tests that run at once, and what an earlier one left, must not get into each other's way.
        self._name = f"bo{os.getpid()}"
        self._network = f"10.203.{os.getpid() % 250}"
        self.are_namespaces = False

    @property
    def address(self) -> str:
        """Where the machines reach this one."""
        return f"{self._network}.1" if self.are_namespaces else _LOOPBACK

    @property
    def network(self) -> str | None:
        """The network that the machines are in, by this one's address there; None where they are none."""
        return f"{self.address}/24" if self.are_namespaces else None

    def program(self, number: int, settings: Mapping[str, str]) -> Program:
        """`batch-orders` on one of the machines (from 0), with its settings and a home of its own."""
        home = self._folder / f"host-{number}"
        home.mkdir(exist_ok=True)
        program = Program(home, dict(settings))
        if not self.are_namespaces:
            return program
        return Program(home, dict(settings), ("ip", "netns", "exec", self._host(number), *program.command))

    def __enter__(self) -> Self:
        self.are_namespaces = shutil.which("ip") is not None and os.geteuid() == 0 and self._made()
        return self

    def __exit__(self, *_: object) -> None:
        self._unmade()

    def _made(self) -> bool:
        """A bridge of this machine's, and a cable from it to each of the others; false where that is not allowed."""
        try:
            _ip("link", "add", self._name, "type", "bridge")
            _ip("addr", "add", f"{self._network}.1/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
            for number in range(self._count):
                for command in self._cable(number):
                    _ip(*command)
        except subprocess.CalledProcessError:
            self._unmade()
            return False
        return True

    def _cable(self, number: int) -> Iterator[tuple[str, ...]]:
        host, near, far = self._host(number), f"{self._name}n{number}", f"{self._name}f{number}"
        yield ("netns", "add", host)
        yield ("link", "add", near, "type", "veth", "peer", "name", far, "netns", host)
        yield ("link", "set", near, "master", self._name, "up")
        yield ("-n", host, "addr", "add", f"{self._network}.{10 + number}/24", "dev", far)
        yield ("-n", host, "link", "set", far, "up")
        yield ("-n", host, "link", "set", "lo", "up")

    def _unmade(self) -> None:
        for number in range(self._count):
            with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
                _ip("netns", "del", self._host(number))
        with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
            _ip("link", "del", self._name)

    def _host(self, number: int) -> str:
        return f"{self._name}h{number}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)
