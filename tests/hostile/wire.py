"""One connection of a hostile server: bounded reading and writing, and every way of ending it."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    import threading

_LOOK = 0.02
_LARGEST_HEAD = 65_536
_LARGEST_BODY = 1_000_000


class GoneError(Exception):
    """The peer went, the server is being stopped, or the connection has lived too long."""


class Wire:
    """A connection with a buffer. Everything on it ends when `stop` is set, or after `limit` seconds."""

    def __init__(self, sock: socket.socket, stop: threading.Event, limit: float) -> None:
        self._sock = sock
        self._stop = stop
        self._ends_at = time.monotonic() + limit
        self._buffer = bytearray()
        sock.settimeout(_LOOK)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Become a TLS server; GoneError where the handshake fails."""
        self._sock.settimeout(5)
        try:
            self._sock = context.wrap_socket(self._sock, server_side=True)
        except OSError as error:  # ssl.SSLError is one
            raise GoneError from error
        self._sock.settimeout(_LOOK)

    def first_byte(self) -> bool:
        """Wait for anything to read; false where the peer ends the connection instead."""
        try:
            self._fill()
        except GoneError:
            return False
        return True

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer[:] = rest
        return line

    def head(self) -> dict[str, str]:
        """The headers up to the blank line, by lower-case name."""
        headers: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def exactly(self, count: int) -> bytes:
        """So many bytes of body."""
        if count > _LARGEST_BODY:
            raise GoneError
        while len(self._buffer) < count:
            self._fill()
        body = bytes(self._buffer[:count])
        del self._buffer[:count]
        return body

    def send(self, data: bytes, *, one_byte_a_second: bool = False) -> None:
        """Send it all; GoneError where the peer does not want it."""
        self._sock.settimeout(5)
        try:
            if not one_byte_a_second:
                self._sock.sendall(data)
                return
            for position in range(len(data)):
                self._sock.sendall(data[position : position + 1])
                if self._stop.wait(1):
                    raise GoneError
        except OSError as error:
            raise GoneError from error
        finally:
            self._sock.settimeout(_LOOK)

    def hang(self) -> None:
        """Say nothing until the peer goes."""
        with contextlib.suppress(GoneError):
            while True:
                self._fill()

    def close(self) -> None:
        """End it in order; what the peer still sends is waited for a moment, so that nothing sent is lost."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._ends_at = min(self._ends_at, time.monotonic() + 0.5)
            self.hang()
        self._sock.close()

    def abandon(self) -> None:
        """Just close: where the peer's bytes were not read, it gets a reset from the operating system."""
        self._sock.close()

    def reset(self) -> None:
        """End it with RST."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _fill(self) -> None:
        while True:
            if self._stop.is_set() or time.monotonic() > self._ends_at or len(self._buffer) > 2 * _LARGEST_BODY:
                raise GoneError
            try:
                data = self._sock.recv(_LARGEST_HEAD)
            except TimeoutError:
                continue
            except OSError as error:
                raise GoneError from error
            if not data:
                raise GoneError
            self._buffer += data
            return
