"""Being logged in: sessions, the one-time link, and how often a login may fail.

The file of sessions holds hashes of the tokens only: whoever reads it cannot come in with what is there. What makes
no sense in it (or a file that others could write) counts as no session: people log in again.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batch_orders.adapters.private_files import is_private, open_at_once, replace_private
from batch_orders.web.people import LINK_NAME, Person, Role, fold_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FORMAT = "batch-orders sessions"
_VERSION = 1
_MOST_BYTES = 4_000_000
_TOKEN_BYTES = 32

IDLE_LIMIT = 12 * 3600.0
AGE_LIMIT = 7 * 24 * 3600.0
MOST_SESSIONS = 1000
# How much of the idle time a restart may forget: not every click is written to the disk.
_SEEN_AGAIN = 300.0
# How far a clock may be set back before sessions from the future are thrown away.
_CLOCK_SLIP = 300.0

_WINDOW = 15 * 60.0
_DAY = 24 * 3600.0
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody's visit. `fingerprint` is the users file's at login: where it has changed, the visit is over."""

    person: Person
    csrf: str = field(repr=False)
    expires_at: float
    fingerprint: str


@dataclass(slots=True, kw_only=True)
class _Entry:
    person: Person
    fingerprint: str
    opened_at: float
    seen_at: float
    written_at: float

    @property
    def expires_at(self) -> float:
        return min(self.seen_at + IDLE_LIMIT, self.opened_at + AGE_LIMIT)


class Sessions:
    """Sessions on the server's side that survive a restart, in a file at `path` of one process.

    Times are `clock`'s seconds. Safe to use from several threads.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._entries = _loaded(path, clock())

    def open(self, person: Person, fingerprint: str) -> str:
        """A new session's token, for its cookie. Of too many sessions, those seen longest ago end."""
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        with self._lock:
            self._prune(now)
            while len(self._entries) >= MOST_SESSIONS:
                del self._entries[min(self._entries, key=lambda key: self._entries[key].seen_at)]
            self._entries[_hash(token)] = _Entry(
                person=person, fingerprint=fingerprint, opened_at=now, seen_at=now, written_at=now
            )
            self._save()
        return token

    def find(self, token: str) -> Session | None:
        """The session of this token, which counts as seen now; None where there is none (any more)."""
        key, now = _hash(token), self._clock()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry.expires_at <= now:
                del self._entries[key]
                return None
            entry.seen_at = max(entry.seen_at, now)
            if now - entry.written_at >= _SEEN_AGAIN:
                self._save()
            return Session(
                person=entry.person, csrf=_csrf(token), expires_at=entry.expires_at, fingerprint=entry.fingerprint
            )

    def close(self, token: str) -> None:
        """End the session of this token, for good."""
        with self._lock:
            if self._entries.pop(_hash(token), None) is not None:
                self._save()

    def _prune(self, now: float) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if now < entry.expires_at}

    def _save(self) -> None:
        for entry in self._entries.values():
            entry.written_at = entry.seen_at
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_private(self._path, _written(self._entries))
        except OSError:
            # A full disk, say. What the file still has must not let in after a restart who has left meanwhile; those
            # who are in stay in until then.
            with suppress(OSError):
                self._path.unlink()


def csrf_ok(session: Session, given: str) -> bool:
    """Whether a form came from this session's own page."""
    return hmac.compare_digest(session.csrf.encode(), given.encode(errors="replace"))


def _csrf(token: str) -> str:
    return hmac.new(token.encode(), b"batch-orders csrf", hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _loaded(path: Path, now: float) -> dict[str, _Entry]:
    """The file's sessions, as far as they make sense and hold."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(_MOST_BYTES + 1) if is_private(file.fileno()) else b""
        document = json.loads(content.decode() if len(content) <= _MOST_BYTES else "")
        if (document["format"], document["version"]) != (_FORMAT, _VERSION):
            return {}
        entries = {str(key): _entry(stored) for key, stored in document["sessions"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return {}
    return {
        key: entry
        for key, entry in entries.items()
        if entry.opened_at <= entry.seen_at <= now + _CLOCK_SLIP and now < entry.expires_at
    }


def _entry(stored: Any) -> _Entry:  # noqa: ANN401 - JSON
    times = {name: float(stored[name]) for name in ("opened_at", "seen_at")}
    person = Person(name=str(stored["name"]), role=Role(stored["role"]))
    return _Entry(person=person, fingerprint=str(stored["fingerprint"]), **times, written_at=times["seen_at"])


def _written(entries: dict[str, _Entry]) -> bytes:
    sessions = {
        key: {
            "name": entry.person.name,
            "role": entry.person.role.value,
            "fingerprint": entry.fingerprint,
            "opened_at": entry.opened_at,
            "seen_at": entry.seen_at,
        }
        for key, entry in entries.items()
    }
    return json.dumps({"format": _FORMAT, "version": _VERSION, "sessions": sessions}).encode()


# The one-time link -------------------------------------------------------------------------------------------------


class OneTimeLink:
    """A token that lets whoever started the page in, once. `renew` gives it, and makes the one before worthless."""

    person = Person(name=LINK_NAME, role=Role.APPROVER)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashed: bytes | None = None

    def renew(self) -> str:
        """A new token: the one that counts from now on."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._lock:
            self._hashed = _hash(token).encode()
        return token

    def use(self, token: str) -> bool:
        """Whether this is the token and nobody has used it yet; it is used up then."""
        given = _hash(token).encode()
        with self._lock:
            if self._hashed is None or not hmac.compare_digest(self._hashed, given):
                return False
            self._hashed = None
            return True


# How often a login may fail ----------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Tally:
    """The failures of one kind, and until when the next one has to wait."""

    times: list[float] = field(default_factory=list)
    strikes: int = 0
    last: float = 0.0
    until: float = 0.0


class _Tallies:
    """`free` failures within a quarter of an hour cost nothing; then each makes the next wait longer, up to `longest`.

    Remembers the `most` last ones. Who has had to wait is forgotten after a day without failures.
    """

    def __init__(self, *, free: int, shortest: float, longest: float, most: int) -> None:
        self._free, self._shortest, self._longest, self._most = free, shortest, longest, most
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Seconds until the next try; 0 where it may be now."""
        tally = self._tallies.get(key)
        return max(0.0, tally.until - now) if tally else 0.0

    def fail(self, key: str, now: float) -> None:
        tally = self._tallies.get(key)
        if tally is None or now - tally.last >= (_DAY if tally.strikes else _WINDOW):
            tally = self._tallies[key] = _Tally()
        self._tallies.move_to_end(key)
        tally.last = now
        tally.times = [*(time for time in tally.times if now - time < _WINDOW), now][-self._free :]
        if tally.strikes or len(tally.times) >= self._free:
            # Not 2 ** strikes as it stands: that number grows without end.
            tally.until = now + min(self._longest, self._shortest * 2 ** min(tally.strikes, 20))
            tally.strikes += 1
        while len(self._tallies) > self._most:
            self._tallies.popitem(last=False)

    def undo(self, key: str) -> None:
        """The last failure was none."""
        tally = self._tallies.get(key)
        if tally is None:
            return
        tally.times = tally.times[:-1]
        tally.strikes = max(0, tally.strikes - 1)
        tally.until = 0.0

    def clear(self, key: str) -> None:
        self._tallies.pop(key, None)


class LoginLimit:
    """How often logins may fail: for a name from one address, for an address, and more mildly for a name altogether.

    A try counts as failed before the password is looked at (`attempt`), so that many tries at once are not free;
    `succeeded` takes that back. Who was let in from an address lately is not held up there by failures elsewhere, so
    that nobody can keep a person out who fails from another address. Thread-safe, and its memory is bounded.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, most: int = 10_000) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._most = most
        self._pairs = _Tallies(free=5, shortest=30.0, longest=3600.0, most=most)
        self._addresses = _Tallies(free=30, shortest=30.0, longest=3600.0, most=most)
        # The longest wait is short: it slows guessing down, and whoever really is the person gets in between.
        self._names = _Tallies(free=50, shortest=2.0, longest=30.0, most=most)
        self._let_in: OrderedDict[str, None] = OrderedDict()

    def seconds_to_wait(self, address: str, name: str) -> float:
        """How long the next login with this name from this address has to wait; 0 where it may be tried now."""
        with self._lock:
            return self._wait(*_keys(address, name), self._clock())

    def attempt(self, address: str, name: str) -> float:
        """Begin a login: 0 where it may be tried, and it counts as failed until `succeeded`; else seconds to wait."""
        (pair, place, who), now = _keys(address, name), self._clock()
        with self._lock:
            wait = self._wait(pair, place, who, now)
            if not wait:
                self._pairs.fail(pair, now)
                self._addresses.fail(place, now)
                self._names.fail(who, now)
            return wait

    def succeeded(self, address: str, name: str) -> None:
        """The login that `attempt` began was right: failures with this name from this address are forgotten."""
        pair, place, who = _keys(address, name)
        with self._lock:
            self._pairs.clear(pair)
            # Others' failures stay: whoever has one password must not guess others' for ever by using it in between.
            self._addresses.undo(place)
            self._names.undo(who)
            self._let_in[pair] = None
            self._let_in.move_to_end(pair)
            while len(self._let_in) > self._most:
                self._let_in.popitem(last=False)

    def _wait(self, pair: str, place: str, who: str, now: float) -> float:
        for_name = 0.0 if pair in self._let_in else self._names.wait(who, now)
        return max(self._pairs.wait(pair, now), self._addresses.wait(place, now), for_name)


def _keys(address: str, name: str) -> tuple[str, str, str]:
    """Name and address together, the address, and the name; all of them short."""
    who = fold_name(name[: 4 * _LONGEST_NAME])[:_LONGEST_NAME]
    place = _place(address[: 4 * _LONGEST_NAME])
    return f"{place}\n{who}", place, who


def _place(address: str) -> str:
    """An address as it is counted: of IPv6 its network, as one machine has a whole one to itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
