"""The vendor: what each call does there, and the book of every order whose gate opened. The book is the only oracle."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import httpcore
import httpx

from batch_orders.adapters import device_hub
from tests.histories.sheets import OrderName, addressed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.histories.process import Process

# Seconds: connecting takes so long, and so does an answer that never comes.
_CONNECT = 0.02
_FOR_EVER = 10_000.0


class Answer(NamedTuple):
    """What comes back; without `status` nothing does: the connection breaks, or hangs."""

    status: int = 0
    hangs: bool = False
    number: str = "new"  # or "none", or "known": one given before
    retry_after: str = ""
    error_code: str = ""


class Fate(NamedTuple):
    """What becomes of one call for an order.

    `proof` says that the answer is proof that nothing was applied ("error": only where the setting says so). `dies`
    is where the process is killed on the way: "connecting", "gate" (the intent is written, no byte has left), "sent"
    (before the answer) or "answered" (the answer is there, and was not yet looked at).
    """

    answer: Answer = Answer()
    placed: bool = False
    proof: bool = False
    connects: bool = True
    ends_logins: bool = False
    dies: str = ""


_PLACES = Answer(status=201)
_REFUSES = Answer(status=422)
FATES: dict[str, Fate] = {
    "ordered": Fate(_PLACES, placed=True),
    "refused": Fate(_REFUSES, proof=True),
    "refused_404": Fate(Answer(status=404, error_code="PRODUCT_NOT_FOUND"), proof=True),
    "busy": Fate(Answer(status=429, retry_after="1"), proof=True),
    "busy_for_long": Fate(Answer(status=429, retry_after="3600"), proof=True),
    "token_expired": Fate(Answer(status=401), proof=True),
    "login_lost": Fate(Answer(status=401), proof=True, ends_logins=True),
    "forbidden": Fate(Answer(status=403), proof=True),
    "redirected": Fate(Answer(status=307), proof=True),
    "failed": Fate(Answer(status=503)),
    "failed_after_placing": Fate(Answer(status=500), placed=True),
    "conflict": Fate(Answer(status=409)),
    "conflict_after_placing": Fate(Answer(status=409), placed=True),
    "lost": Fate(),
    "lost_after_placing": Fate(placed=True),
    "hung": Fate(Answer(hangs=True)),
    "hung_after_placing": Fate(Answer(hangs=True), placed=True),
    "no_number": Fate(Answer(status=200, number="none"), placed=True),
    "known_number": Fate(Answer(status=200, number="known"), placed=True),
    "not_reached": Fate(connects=False),
    "killed_connecting": Fate(dies="connecting"),
    "killed_at_the_gate": Fate(dies="gate"),
    "killed_after_the_gate": Fate(dies="sent"),
    "killed_after_placing": Fate(_PLACES, placed=True, dies="sent"),
    "killed_before_the_number_was_read": Fate(_PLACES, placed=True, dies="answered"),
    "killed_before_the_refusal_was_read": Fate(_REFUSES, dies="answered"),
}


class Turn(NamedTuple):
    """One call's fate, and how long its answer takes."""

    fate: str
    seconds: float


@dataclass(slots=True, kw_only=True, eq=False)
class Sent:
    """An order whose gate opened.

    `number` is "" where it was not placed. It is `excused` once there is proof that it came to nothing, or a person
    has said so; until then nothing more may be sent for the order. `told` says that the answer reached the program.
    `forgotten` is what a ledger that was restored from a copy does not know of.
    """

    order: OrderName
    by: Process
    body: Mapping[str, Any]
    number: str = ""
    is_cancelled: bool = False
    excused: str = ""
    told: bool = False
    forgotten: bool = False

    @property
    def stands(self) -> bool:
        """Whether the employee gets something from it."""
        return bool(self.number) and not self.is_cancelled


@dataclass(slots=True)
class Vendor:
    """The book, and every breach of the promise that was seen.

    `known_number` gives an order number that the ledger knows ("" where it knows none). `errors_prove` is the setting
    `server_errors`.
    """

    known_number: Callable[[], str]
    errors_prove: bool = False
    book: list[Sent] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def of(self, order: OrderName) -> list[Sent]:
        """What was sent for an order, the first one first."""
        return [sent for sent in self.book if sent.order == order]

    def standing(self, order: OrderName) -> list[Sent]:
        """Those of them from which the employee gets something."""
        return [sent for sent in self.of(order) if sent.stands]

    def opened(self, process: Process, body: bytes) -> Sent:
        """An order's gate has just opened: may it?"""
        document = json.loads(body)
        sent = Sent(order=addressed(document["shipping_address"]), by=process, body=document)
        before = self.of(sent.order)
        if before and not before[-1].excused:
            self.breaches.append(f"{sent.order} was sent again, and nothing proves that the one before was not applied")
        self.book.append(sent)
        self.breaches.extend(process.objections(sent))
        return sent

    def place(self, sent: Sent) -> None:
        """Take the order."""
        sent.number = str(1 + sum(bool(each.number) for each in self.book))

    def fate(self, name: str) -> Fate:
        """What becomes of a call; a 5xx is as the operator says, where he says that it proves something."""
        fate = FATES[name]
        if self.errors_prove and fate.answer.status >= 500:
            return fate._replace(placed=False, proof=True)
        return fate


class Wire(httpx.AsyncBaseTransport):
    """One process's way to the vendor. It opens the gate as httpcore does: when the connection stands."""

    def __init__(self, process: Process, vendor: Vendor, turns: Sequence[Turn]) -> None:
        self._process = process
        self._vendor = vendor
        self._turns = list(reversed(turns))
        self._logins_work = True
        self._tokens = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one call, or break."""
        self._process.step()
        match request.url.path:
            case device_hub.PLACE_ORDER:
                return await self._order(request)
            case device_hub.LOGIN | device_hub.REFRESH if self._logins_work:
                self._tokens += 1
                return httpx.Response(200, json={"token": f"token-{self._tokens}"})
            case _:
                return httpx.Response(401, json={"message": "Invalid email or password"})

    async def _order(self, request: httpx.Request) -> httpx.Response:
        turn = self._turns.pop() if self._turns else Turn("ordered", 0.0)
        fate = self._vendor.fate(turn.fate)
        self._vendor.seen[turn.fate] += 1
        await asyncio.sleep(_CONNECT)
        self._process.step(dies=fate.dies == "connecting")
        if not fate.connects:
            raise httpx.ConnectError("nobody there")
        event = {"request": httpcore.Request("POST", str(request.url))}
        await request.extensions["trace"]("http11.send_request_headers.started", event)
        self._process.step(dies=fate.dies == "gate")
        try:
            sent = self._vendor.opened(self._process, request.content)
        except Exception as error:
            self._vendor.breaches.append(f"an order that nobody could have written: {error!r}")
            raise
        return await self._answer(sent, fate, turn.seconds)

    async def _answer(self, sent: Sent, fate: Fate, seconds: float) -> httpx.Response:
        self._process.in_flight += 1
        try:
            if fate.placed:
                self._vendor.place(sent)
            self._process.step(dies=fate.dies == "sent")
            await asyncio.sleep(_FOR_EVER if fate.answer.hangs else seconds)
            self._process.step(dies=fate.dies == "answered")
        finally:
            self._process.in_flight -= 1
        if fate.ends_logins:
            self._logins_work = False
        if not fate.answer.status:
            raise httpx.ReadError("connection reset")
        sent.told = True
        if fate.proof:
            sent.excused = "proof"
        return self._response(sent, fate.answer)

    def _response(self, sent: Sent, answer: Answer) -> httpx.Response:
        headers = {"Retry-After": answer.retry_after} if answer.retry_after else {}
        document: dict[str, Any] = {"message": "So it is."}
        if answer.error_code:
            document["error"] = {"code": answer.error_code, "message": "No."}
        if answer.status < 300:
            numbers = {"new": sent.number, "none": "", "known": self._vendor.known_number()}
            document["data"] = {"order_number": numbers[answer.number], "products": []}
        return httpx.Response(answer.status, json=document, headers=headers)
