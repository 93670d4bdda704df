"""uvicorn, with what faults need of it: a connection to take over, and a port that can be closed for a while.

Both reach a request's handler in its `state`: `request.state.connection` and `request.state.server`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable


class Connection(H11Protocol):
    """A connection that a request's handler can take over."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 -- uvicorn's own business
        super().__init__(*arguments, **options)
        self.app_state = {**self.app_state, "connection": self}
        self._is_taken = False

    def take_over(self) -> asyncio.Transport:
        """The transport, for whoever also ends the connection: from now on it speaks HTTP no longer."""
        self._is_taken = True
        return self.transport

    def shutdown(self) -> None:
        """The server stops: it waits for the answers on their way, and here none is."""
        if self._is_taken:
            self.transport.abort()
        else:
            super().shutdown()


class Server(uvicorn.Server):
    """A server that says when it has started, and whose port can be closed for a while.

    `bind` gives a socket that has a host and port, and does not listen yet.
    """

    def __init__(
        self, config: uvicorn.Config, started: threading.Event, bind: Callable[[str, int], socket.socket]
    ) -> None:
        super().__init__(config)
        self._has_started = started
        self._bind = bind
        self._reopening: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        self.lifespan.state["server"] = self
        await super().startup(sockets)
        self._has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; a port that is about to open is waited for, so that it closes with the rest."""
        if self._reopening is not None:
            await self._reopening
        await super().shutdown(sockets)

    def refuse_for(self, seconds: float) -> None:
        """Close the port for so long without giving it away; one that is closed opens when it would have anyway."""
        if self._reopening is not None and not self._reopening.done():
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        self.servers[0].close()
        self._reopening = asyncio.create_task(self._open_after(seconds, self._bind(host, port)))

    async def _open_after(self, seconds: float, bound: socket.socket) -> None:
        await asyncio.sleep(seconds)
        await super().startup([bound])
