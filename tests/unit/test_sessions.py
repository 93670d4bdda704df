"""Sessions, the one-time link and the limit on failed logins, with a clock of the tests' own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.web import sessions as module
from batch_orders.web.people import Person, Role
from batch_orders.web.sessions import LoginLimit, OneTimeLink, Session, Sessions, csrf_ok

if TYPE_CHECKING:
    from pathlib import Path

ANN = Person(name="ann@example.com", role=Role.UPLOADER)
HOUR = 3600.0
DAY = 24 * HOUR


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the sessions go."""
    return tmp_path / "data" / "sessions.json"


@pytest.fixture
def sessions(path: Path, clock: Clock) -> Sessions:
    """No sessions yet."""
    return Sessions(path, clock=clock)


def found(sessions: Sessions, token: str) -> Session:
    """The session of this token, which is there."""
    session = sessions.find(token)
    assert session is not None
    return session


# Sessions ----------------------------------------------------------------------------------------------------------


def test_a_session_is_its_tokens_alone(sessions: Sessions, clock: Clock) -> None:
    """Whoever has the token is the person; any other text is nobody."""
    token = sessions.open(ANN, "print")
    session = found(sessions, token)
    assert (session.person, session.fingerprint, session.expires_at) == (ANN, "print", clock.now + 12 * HOUR)
    assert len(token) >= 43
    for wrong in ("", token[:-1], token + "=", token.swapcase(), "é", "\udc80", "x" * 10_000):
        assert sessions.find(wrong) is None


def test_the_file_holds_no_token(sessions: Sessions, path: Path) -> None:
    """Only hashes, no CSRF token either, and only its owner may read it, whatever the umask."""
    before = os.umask(0o000)
    try:
        tokens = [sessions.open(ANN, "print") for _ in range(3)]
    finally:
        os.umask(before)
    text = path.read_text()
    for token in tokens:
        assert token not in text
        assert found(sessions, token).csrf not in text
        assert hashlib.sha256(token.encode()).hexdigest() in text
        assert sessions.find(hashlib.sha256(token.encode()).hexdigest()) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_sessions_survive_a_restart(sessions: Sessions, path: Path, clock: Clock) -> None:
    """With everything that they were; those that were closed stay closed."""
    token, other = sessions.open(ANN, "print"), sessions.open(ANN, "print")
    before = found(sessions, token)
    sessions.close(other)
    again = Sessions(path, clock=clock)
    assert found(again, token) == before
    assert again.find(other) is None


def test_closing_ends_one_session(sessions: Sessions) -> None:
    """At once, and only that one; closing what is not there is nothing."""
    token, other = sessions.open(ANN, "print"), sessions.open(ANN, "print")
    sessions.close(token)
    sessions.close(token)
    sessions.close("nonsense")
    assert sessions.find(token) is None
    assert found(sessions, other).person == ANN


def test_idle_sessions_end(sessions: Sessions, path: Path, clock: Clock) -> None:
    """After twelve hours without a click, also where the program was restarted meanwhile."""
    token, other = sessions.open(ANN, "print"), sessions.open(ANN, "print")
    for _ in range(3):
        clock.go(12 * HOUR - 1)
        found(sessions, token)
    assert sessions.find(other) is None
    clock.go(6 * HOUR)
    again = Sessions(path, clock=clock)
    assert found(again, token).person == ANN
    clock.go(12 * HOUR)
    assert Sessions(path, clock=clock).find(token) is None
    assert again.find(token) is None


def test_every_session_ends_after_a_week(sessions: Sessions, path: Path, clock: Clock) -> None:
    """However busy it is, and however often the program was restarted."""
    token, opened = sessions.open(ANN, "print"), clock.now
    while clock.now < opened + 7 * DAY - HOUR:
        assert found(sessions, token).expires_at <= opened + 7 * DAY
        clock.go(HOUR)
        sessions = Sessions(path, clock=clock)
    clock.go(HOUR)
    assert sessions.find(token) is None


def test_not_every_click_is_written(sessions: Sessions, path: Path, clock: Clock) -> None:
    """Within five minutes of the last time, seeing a session again leaves the disk alone."""
    token = sessions.open(ANN, "print")
    before = path.read_bytes()
    clock.go(299)
    found(sessions, token)
    assert path.read_bytes() == before
    clock.go(1)
    found(sessions, token)
    assert path.read_bytes() != before


def test_too_many_sessions(sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those seen longest ago go."""
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    tokens = []
    for _ in range(3):
        tokens.append(sessions.open(ANN, "print"))
        clock.go(1)
    found(sessions, tokens[0])
    tokens.append(sessions.open(ANN, "print"))
    assert [sessions.find(token) is not None for token in tokens] == [True, False, True, True]


def test_there_are_never_more_than_a_thousand() -> None:
    """The bound itself."""
    assert module.MOST_SESSIONS == 1000


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_file_that_others_get_at_is_not_believed(sessions: Sessions, path: Path, clock: Clock, mode: int) -> None:
    """Somebody could have written a session of their own into it; the next login makes it private again."""
    token = sessions.open(ANN, "print")
    path.chmod(mode)
    again = Sessions(path, clock=clock)
    assert again.find(token) is None
    again.open(ANN, "print")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _tampered(**changed: Any) -> Any:
    def change(document: dict[str, Any]) -> bytes:
        for entry in document["sessions"].values():
            entry.update(changed)
        return json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"\xff",
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda _: b" " * 5_000_000,
        lambda document: json.dumps(document | {"format": "x"}).encode(),
        lambda document: json.dumps(document | {"version": 2}).encode(),
        lambda document: json.dumps(document | {"sessions": []}).encode(),
        lambda document: json.dumps(document)[:-5].encode(),
        _tampered(role="admin"),
        _tampered(opened_at="soon"),
        _tampered(opened_at=float("nan")),
        _tampered(opened_at=10**400),
        _tampered(opened_at=float("inf"), seen_at=float("inf")),
        _tampered(seen_at=1e12),
        _tampered(opened_at=0),
        _tampered(seen_at=0),
    ],
)
def test_what_makes_no_sense_is_no_session(sessions: Sessions, path: Path, clock: Clock, change: Any) -> None:
    """A damaged file keeps nobody from logging in again."""
    token = sessions.open(ANN, "print")
    path.write_bytes(change(json.loads(path.read_text())))
    again = Sessions(path, clock=clock)
    assert again.find(token) is None
    assert found(again, again.open(ANN, "print")).person == ANN


def test_a_clock_that_was_set_back(sessions: Sessions, path: Path, clock: Clock) -> None:
    """A little is forgiven; a session from far in the future is none."""
    token = sessions.open(ANN, "print")
    clock.go(-200)
    assert found(Sessions(path, clock=clock), token).person == ANN
    clock.go(-200)
    assert Sessions(path, clock=clock).find(token) is None


def test_a_full_disk(sessions: Sessions, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is in stays in until a restart; who has left does not come back by it."""
    token, left = sessions.open(ANN, "print"), sessions.open(ANN, "print")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace_private", full)
    sessions.close(left)
    assert found(sessions, token).person == ANN
    assert found(sessions, sessions.open(ANN, "print")).person == ANN
    assert Sessions(path, clock=clock).find(left) is None


def test_many_threads(sessions: Sessions, path: Path, clock: Clock) -> None:
    """Opening, finding and closing at once loses and leaves nothing."""
    kept: list[str] = []

    def visit() -> None:
        for _ in range(10):
            token, other = sessions.open(ANN, "print"), sessions.open(ANN, "print")
            found(sessions, other)
            sessions.close(other)
            kept.append(token)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(kept)) == 40
    assert len(json.loads(path.read_text())["sessions"]) == 40
    again = Sessions(path, clock=clock)
    assert all(again.find(token) for token in kept)


# CSRF --------------------------------------------------------------------------------------------------------------


def test_csrf_tokens(sessions: Sessions, path: Path, clock: Clock) -> None:
    """One for each session, the same after a restart, not to be had from the file, and not shown in a log."""
    token, other = sessions.open(ANN, "print"), sessions.open(ANN, "print")
    session = found(sessions, token)
    assert csrf_ok(session, session.csrf)
    assert csrf_ok(found(Sessions(path, clock=clock), token), session.csrf)
    assert session.csrf not in repr(session)
    for wrong in ("", token, session.csrf[:-1], session.csrf + "0", found(sessions, other).csrf, "é", "\udc80"):
        assert not csrf_ok(session, wrong)


@given(st.text())
def test_no_text_passes_as_a_csrf_token(text: str) -> None:
    """Any text is looked at without an error, and is not the token."""
    assert not csrf_ok(Session(person=ANN, csrf="0" * 64 + "x", expires_at=1.0, fingerprint=""), text)


def test_sessions_are_frozen(sessions: Sessions) -> None:
    """Nobody makes an approver of themselves by the way."""
    session = found(sessions, sessions.open(ANN, "print"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        session.person = Person(name="ann", role=Role.APPROVER)  # type: ignore[misc] # that it cannot be done


# The one-time link -------------------------------------------------------------------------------------------------


def test_the_link_works_once() -> None:
    """And only the newest one; before there is one, nothing works."""
    link = OneTimeLink()
    assert not link.use("")
    assert not link.use("None")
    first = link.renew()
    assert not link.use(first[:-1])
    assert not link.use("é\udc80")
    assert link.use(first)
    assert not link.use(first)
    second, third = link.renew(), link.renew()
    assert len({first, second, third}) == 3
    assert not link.use(second)
    assert link.use(third)
    assert link.person == Person(name="you", role=Role.APPROVER)


def test_the_link_works_once_for_many_at_once() -> None:
    """Of many browsers that use it at the same time one comes in."""
    for _ in range(50):
        link = OneTimeLink()
        token, came_in = link.renew(), list[bool]()
        barrier = threading.Barrier(4)

        def use(link: OneTimeLink = link, token: str = token, came_in: list[bool] = came_in, b: Any = barrier) -> None:
            b.wait()
            came_in.append(link.use(token))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(came_in) == [False, False, False, True]


# Failed logins -----------------------------------------------------------------------------------------------------

HERE, THERE = "192.0.2.1", "198.51.100.7"


def fail(limit: LoginLimit, address: str, name: str, times: int) -> int:
    """Fail as often as is allowed without waiting, at most so many times; how often it was."""
    return sum(limit.attempt(address, name) == 0 for _ in range(times))


def test_five_failures_then_a_wait_that_grows(clock: Clock) -> None:
    """Half a minute, then twice as long each time, up to an hour; the seconds are those that are left."""
    limit = LoginLimit(clock)
    assert fail(limit, HERE, "ann", 10) == 5
    waits = []
    for _ in range(9):
        wait = limit.seconds_to_wait(HERE, "ann")
        waits.append(wait)
        clock.go(wait - 1)
        assert limit.attempt(HERE, " ANN ") == pytest.approx(1)
        clock.go(1)
        assert limit.attempt(HERE, "ann") == 0
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_failures_long_ago_do_not_count(clock: Clock) -> None:
    """Five within a quarter of an hour do; one now and then does not."""
    limit = LoginLimit(clock)
    for _ in range(20):
        assert limit.attempt(HERE, "ann") == 0
        clock.go(4 * 60)
    assert fail(limit, HERE, "ann", 10) == 2


def test_waiting_does_not_begin_anew_before_a_day(clock: Clock) -> None:
    """Who had to wait gets one try at a time, until a day has passed without any."""
    limit = LoginLimit(clock)
    fail(limit, HERE, "ann", 5)
    clock.go(DAY - 1)
    assert fail(limit, HERE, "ann", 5) == 1
    clock.go(DAY)
    assert fail(limit, HERE, "ann", 10) == 5


def test_a_success_clears_it(clock: Clock) -> None:
    """Who gets in after some slips has all tries again."""
    limit = LoginLimit(clock)
    for _ in range(40):
        assert fail(limit, HERE, "ann", 1) == 1
        assert limit.attempt(HERE, "ann") == 0
        limit.succeeded(HERE, "Ann")
        assert limit.seconds_to_wait(HERE, "ann") == 0
        clock.go(60)


def test_successes_alone_are_never_limited(clock: Clock) -> None:
    """A whole office that logs in from one address in the morning."""
    limit = LoginLimit(clock)
    for number in range(500):
        assert limit.attempt(HERE, f"person{number}") == 0
        limit.succeeded(HERE, f"person{number}")


def test_nobody_is_locked_out_from_elsewhere(clock: Clock) -> None:
    """An attacker at one address, however long, does not make the person wait at another one."""
    limit = LoginLimit(clock)
    for _ in range(2000):
        clock.go(min(limit.attempt(THERE, "ann"), 60.0))
        assert limit.seconds_to_wait(HERE, "ann") == 0


def test_an_address_is_limited_whatever_the_names(clock: Clock) -> None:
    """Trying one password with many names stops too, and elsewhere nobody notices."""
    limit = LoginLimit(clock)
    assert sum(fail(limit, THERE, f"name{number}", 1) for number in range(100)) == 30
    assert limit.seconds_to_wait(THERE, "somebody else") == 30
    assert limit.seconds_to_wait(HERE, "name1") == 0


def test_an_own_password_does_not_buy_guesses(clock: Clock) -> None:
    """Logging in as oneself in between does not take back failures with others' names."""
    limit = LoginLimit(clock)
    guesses = 0
    for number in range(200):
        guesses += fail(limit, THERE, f"name{number}", 1)
        if limit.attempt(THERE, "mallory") == 0:
            limit.succeeded(THERE, "mallory")
    assert guesses <= 30


def test_many_addresses_slow_each_other_down(clock: Clock) -> None:
    """Guesses at one name from everywhere come to a short wait; who was let in from an address before has none."""
    limit = LoginLimit(clock)
    assert limit.attempt(HERE, "ann") == 0
    limit.succeeded(HERE, "ann")
    assert sum(fail(limit, f"203.0.113.{number}", "ann", 1) for number in range(200)) == 50
    for number in range(200):
        assert 0 <= limit.seconds_to_wait(THERE, "ann") <= 30
        clock.go(30)
        assert limit.seconds_to_wait(THERE, "ann") == 0
        limit.attempt(f"203.0.113.{number}", "ann")
        assert limit.seconds_to_wait(HERE, "ann") == 0
    assert limit.seconds_to_wait(THERE, "bob") == 0


def test_many_tries_at_once_are_not_free(clock: Clock) -> None:
    """A try counts before its password is looked at."""
    limit, started = LoginLimit(clock), list[float]()
    threads = [threading.Thread(target=lambda: started.append(limit.attempt(HERE, "ann"))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert started.count(0) == 5


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:DB8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("testclient", "testclient", True),
    ],
)
def test_addresses(clock: Clock, one: str, other: str, *, is_same: bool) -> None:
    """Of IPv6 the network counts, as one machine has all of it; IPv4 is the same in either spelling."""
    limit = LoginLimit(clock)
    fail(limit, one, "ann", 5)
    assert (limit.seconds_to_wait(other, "ann") > 0) == is_same


def test_memory_is_bounded(clock: Clock) -> None:
    """However many names and addresses are tried, and however long they are."""
    limit = LoginLimit(clock, most=100)
    for number in range(1000):
        address, name = f"10.0.{number // 250}.{number % 250}", f"{number}" + "x" * 10_000
        limit.attempt(address, name)
        limit.succeeded(address, name)
        limit.attempt(address, name)
    for tallies in (limit._pairs, limit._addresses, limit._names):
        assert len(tallies._tallies) == 100
        assert all(len(key) < 400 and len(tally.times) <= 50 for key, tally in tallies._tallies.items())
    assert len(limit._let_in) == 100


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans(), st.floats(0, 2000)), max_size=80)
)
def test_waiting_always_helps(steps: list[tuple[str, str, bool, float]]) -> None:
    """After any history: no wait is longer than an hour, and who waits as long as is said may try."""
    clock = Clock()
    limit = LoginLimit(clock)
    for address, name, is_right, pause in steps:
        wait = limit.attempt(address, name)
        assert 0 <= wait <= HOUR
        if wait:
            clock.go(wait)
            assert limit.attempt(address, name) == pytest.approx(0, abs=1e-5)
        if is_right:
            limit.succeeded(address, name)
        clock.go(pause)
