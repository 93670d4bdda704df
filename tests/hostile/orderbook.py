"""What a hostile Device Hub was sent and what it placed: in memory, and as fsynced lines that outlive any crash."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FIRST_NUMBER = 700_000


@dataclass(slots=True, kw_only=True)
class Call:
    """One place-order call as the server saw it. Times are in seconds since the epoch.

    `seen` is what the hook on the first byte gave back; `body` is the order as it came ({} where it was no JSON);
    `order_number` is "" where nothing was placed.
    """

    number: int
    at: float
    seen: object = None
    fault: str = ""
    email: str = ""
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    order_number: str = ""


class OrderBook:
    """The only oracle. Safe to use from several threads; `path` is appended to, so it may outlive several servers."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600) if path else None
        earlier = read_log(path) if path else []
        self._placed = sum(entry["event"] == "placed" for entry in earlier)
        self._known = next((entry["order_number"] for entry in earlier if entry["event"] == "placed"), "")
        self._received = sum(entry["event"] == "received" for entry in earlier)
        self.calls: list[Call] = []

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def receive(self) -> Call:
        """The first byte of an order has come."""
        with self._lock:
            self._received += 1
            call = Call(number=self._received, at=time.time())
            self.calls.append(call)
            self._write("received", call=call.number, at=call.at)
            return call

    def read(self, call: Call) -> None:
        """The whole order has come: `call` knows for whom it is, and the hash of its body."""
        with self._lock:
            self._write("read", call=call.number, at=time.time(), email=call.email, sha256=call.sha256)

    def place(self, call: Call) -> None:
        """The order is placed now, whatever the client gets to hear of it."""
        with self._lock:
            self._placed += 1
            call.order_number = str(_FIRST_NUMBER + self._placed)
            self._known = self._known or call.order_number
            self._write(
                "placed",
                call=call.number,
                at=time.time(),
                email=call.email,
                sha256=call.sha256,
                order_number=call.order_number,
            )

    @property
    def known_number(self) -> str:
        """The first order number that was ever given, for an answer that gives it again."""
        with self._lock:
            return self._known

    def _write(self, event: str, **entry: Any) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, json.dumps({"event": event, **entry}).encode() + b"\n")
            os.fsync(self._descriptor)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every entry of a log: `received` (first byte), `read` (whole body), `placed`; a last half line is left out."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]
