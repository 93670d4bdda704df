"""How the simulated Device Hub says no: the two body shapes that the reference documents."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What is wrong with one field; items are named `items[0].quantity`, counted from 0."""

    field: str
    message: str


class Refusal(Exception):  # noqa: N818 -- it is an answer, not a failure of the sandbox
    """An answer other than 200: its HTTP status, its JSON body and headers of its own."""

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


def plain(status: int, message: str) -> Refusal:
    """The short shape: `{"message"}`."""
    return Refusal(status, {"message": message})


def coded(
    status: int, code: str, message: str, details: Sequence[Detail] = (), headers: Mapping[str, str] | None = None
) -> Refusal:
    """The long shape: `{"success": false, "error": {"code", "message", "details"}}`."""
    error = {"code": code, "message": message, "details": [asdict(detail) for detail in details]}
    return Refusal(status, {"success": False, "error": error}, headers)


def too_many(message: str, *, retry_after: int) -> Refusal:
    """429, with the seconds to wait in `Retry-After`."""
    return coded(429, "RATE_LIMIT_EXCEEDED", message, headers={"Retry-After": str(retry_after)})
