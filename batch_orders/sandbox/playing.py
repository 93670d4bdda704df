"""Faults on a real connection: what no ASGI application can do is done at the transport beneath it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from starlette.responses import Response

from batch_orders.sandbox.faults import End, Scene

if TYPE_CHECKING:
    from starlette.requests import Request

    from batch_orders.sandbox.faults import Fault
    from batch_orders.sandbox.state import PlacedOrder

# Switched on, for 0 seconds; Windows has shorter numbers there.
_LINGER_0 = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_DRIP_EVERY = 1.0


async def play(request: Request, fault: Fault, order: PlacedOrder | None = None, first_number: str = "") -> Response:
    """Answer as the fault says, or end the connection; then the response goes nowhere.

    `order` is what was placed, if anything, and `first_number` the number of the first order of all.
    """
    scene = Scene(
        base_url=str(request.base_url).rstrip("/"),
        order_number=order.order_number if order is not None else "",
        known_number=first_number,
        body=order.body if order is not None else {},
    )
    answer = fault.answer(scene) if fault.answer is not None else b""
    if fault.end is End.KEEP:
        return _response(answer)
    transport: asyncio.Transport = request.state.connection.take_over()
    if fault.one_byte_a_second:
        await _drip(request, transport, answer)
    else:
        transport.write(answer)
    if fault.end is End.RESET:
        with contextlib.suppress(OSError):  # the peer may have gone already
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        transport.abort()
    elif fault.end is End.CLOSE:
        transport.close()
    # uvicorn takes a response that never began for a mistake, unless the peer has gone.
    await _is_gone(request)
    return Response()


async def _drip(request: Request, transport: asyncio.Transport, answer: bytes) -> None:
    for position in range(len(answer)):
        transport.write(answer[position : position + 1])
        if await _is_gone(request, within=_DRIP_EVERY):
            return


async def _is_gone(request: Request, within: float | None = None) -> bool:
    """Wait until the connection has ended; false where so many seconds pass first. What still comes is dropped."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return True
    return False


def _response(answer: bytes) -> Response:
    """A whole HTTP answer as uvicorn wants it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    response = Response(body, int(status.split()[1]))
    response.raw_headers = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
    return response
