"""Pings a monitor such as healthchecks: ADDRESS/start, ADDRESS on success, ADDRESS/fail.

The pings go out in a thread of their own, so that nobody waits for a monitor: a dead one costs a run nothing but the
seconds that `close` is given. Nothing here follows a redirect or trusts a proxy or a certificate from the environment.
"""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import certifi
import httpx

if TYPE_CHECKING:
    from pathlib import Path

# Seconds for each step of a try (connecting, sending, the answer), and before each try: a ping that is lost is a false
# alarm, so one that fails is tried again.
_TIMEOUT = 5.0
_BEFORE_EACH_TRY = (0.0, 1.0, 3.0)


class Pinger:
    """One check of a monitor."""

    def __init__(self, url: str, *, proxy: str | None = None, ca_file: Path | None = None) -> None:
        self._url = url
        self._proxy = proxy
        self._ca_file = ca_file
        self._waiting: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._arrived = 0
        self._sent = 0
        # A daemon: one that hangs in a look-up of the monitor's name must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name="pinger", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """The job begins."""
        self._send("/start", "")

    def end(self, body: str, *, is_success: bool) -> None:
        """The job has ended; `body` is what the monitor may show."""
        self._send("" if is_success else "/fail", body)
        self._waiting.put(None)

    def close(self, seconds: float) -> bool:
        """Whether every ping arrived, within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive() and self._arrived == self._sent

    def _send(self, suffix: str, body: str) -> None:
        self._sent += 1
        self._waiting.put((suffix, body))

    def _work(self) -> None:
        # Whatever it is, a thread's traceback on stderr would help nobody: `close` says that a ping did not arrive.
        with contextlib.suppress(Exception):
            tls = ssl.create_default_context(cafile=self._ca_file or certifi.where())
            with httpx.Client(
                proxy=self._proxy, verify=tls, trust_env=False, follow_redirects=False, timeout=_TIMEOUT
            ) as client:
                while (ping := self._waiting.get()) is not None:
                    self._arrived += self._ping(client, *ping)

    def _ping(self, client: httpx.Client, suffix: str, body: str) -> bool:
        parts = urlsplit(self._url)
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
        for pause in _BEFORE_EACH_TRY:
            time.sleep(pause)
            try:
                if client.post(url, content=body.encode()).is_success:
                    return True
            except httpx.HTTPError:
                continue
        return False
