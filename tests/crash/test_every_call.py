"""A fault at every call that a run makes to the ledger and to the network: nothing twice, nothing lost.

        python -m pytest -s -n 2 tests/crash/test_every_call.py --every-point --basetemp /dev/shm/points
        python -m pytest -s tests/crash/test_every_call.py -k fail --every-point --part 1/4    # and 2/4, 3/4, 4/4

Without `--every-point` it is a sample, by `--seeds`, of the calls that change something. The oracle is the hostile
Device Hub's own book, the ledger as the run left it, and a second run in which nothing fails.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import random
import re
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from tests.crash.launcher import Launcher, Run, Strike
from tests.crash.syscalls import WRITES
from tests.crash.waves import PEOPLE, Standing, Wave, Waves
from tests.hostile import HostileHub
from tests.hostile.server import CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.hostile import Call

_CONCURRENCY = 2
# The ledger, what stands beside it (its journal, its mark, the pace, the locks of its runs), and every connection.
_LEDGER_AND_NETWORK = r"ledger\.sqlite|network"
_KILLED = -9
# What may fail once and stops nothing: SQLite does not mind whether the folder of its journal could be synced, nor (as
# root) whether its owner could be made that of the ledger, or of the pace; the results' temporary file is made for its
# owner only, so giving it those rights once more, against a strange umask, need not succeed (there are file systems
# without rights); and the folder of the runs' locks need not be made where it is there. An order whose intent was
# durable by then may leave.
_MAY_FAIL = re.compile(
    r"fdatasync \.|fchown ledger\.sqlite(\.pace)?-journal|fchmod \.hires\.results\.csv\.\w+\.tmp"
    r"|mkdir ledger\.sqlite\.runs"
)


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waves]:
    """Waves for a hub that does nothing wrong, and writes down what it gets."""
    with HostileHub() as hub:
        yield Waves(tmp_path_factory.mktemp("waves"), hub, concurrency=str(_CONCURRENCY))


@pytest.fixture(scope="module")
def launcher(waves: Waves, system_calls: None) -> Iterator[Launcher]:  # noqa: ARG001 - it needs them
    """Starts the program."""
    wave = waves.new()
    with Launcher(wave.program, "submit", wave.sheet, "--yes") as started:
        yield started


@pytest.mark.timeout(20_000)
@pytest.mark.parametrize(("how", "sample"), [("kill", 16), ("fail", 14), ("lie", 8)])
def test_a_fault_at_every_call(
    waves: Waves, launcher: Launcher, request: pytest.FixtureRequest, how: str, sample: int
) -> None:
    """The process is killed before a call (and so after the one before it), or the call fails, undone or done."""
    everything = request.config.getoption("--every-point")
    calls = () if everything else (*WRITES, "connect", "sendto", "recvfrom")
    strike = Strike(how=how, targets=_LEDGER_AND_NETWORK, calls=calls)
    _sweep(waves, launcher, request, strike, sample)


@pytest.mark.timeout(20_000)
@pytest.mark.parametrize(
    ("error", "onward"), [(errno.ENOSPC, True), (errno.EIO, False), (errno.EROFS, True)], ids=["full", "EIO", "EROFS"]
)
def test_a_disk_that_fails_at_every_write(
    waves: Waves, launcher: Launcher, request: pytest.FixtureRequest, error: int, *, onward: bool
) -> None:
    """A disk that is full, or read-only, from some write on, or fails once: nothing is sent from there on.

    With one order in flight, so that none has left already when another one's write fails.
    """
    calls = (*WRITES, *([] if error == errno.ENOSPC else ["openat"]))
    strike = Strike(error=error, onward=onward, targets="(?!network)", calls=calls)
    runs = [run for run in _sweep(waves, launcher, request, strike, 8, concurrency="1") if run.orders_after]
    went_on = [run for run in runs if not _MAY_FAIL.fullmatch(run.struck) or (onward and run.orders_after > 1)]
    assert not went_on, (sorted({run.struck for run in went_on}), went_on[0])


def _sweep(
    waves: Waves, launcher: Launcher, request: pytest.FixtureRequest, strike: Strike, sample: int, **settings: str
) -> list[Run]:
    """Strike at every point, or at a sample of them, each in a wave of its own, and judge what comes of it."""
    whole = _submit(launcher, waves.new(**settings), strike)
    assert whole.code == 0, whole.err
    part, parts = map(int, request.config.getoption("--part").split("/"))
    points: Iterable[int] = range(part, 10 * len(whole.calls), parts)
    everything = request.config.getoption("--every-point")
    if not everything:
        chance = random.Random(request.config.getoption("--seeds"))  # noqa: S311 - it can be repeated
        points = chance.sample(range(1, len(whole.calls)), sample)
    struck = []
    for at in points:
        wave = waves.new(**settings)
        run = _submit(launcher, wave, dataclasses.replace(strike, at=at))
        _judge(waves, wave, run, launcher)
        waves.discard(wave)
        if run.struck:
            struck.append(run)
        elif everything:  # no two runs make quite the same calls: that these were all, a run without a fault shows
            break
    print(f"\n{len(struck)} of about {len(whole.calls) // parts} points: nothing twice, nothing lost")  # noqa: T201 - with -s
    assert len(struck) >= 0.9 * (len(whole.calls) // parts if everything else sample)
    return struck


def _submit(launcher: Launcher, wave: Wave, strike: Strike) -> Run:
    return launcher.run(wave.program, "submit", wave.sheet, "--yes", "--json", strike=strike)


def _judge(waves: Waves, wave: Wave, run: Run, launcher: Launcher) -> None:
    """What the contract promises of a run that was struck, and of the run after it."""
    about = f"{run.struck or 'nothing'} struck: exit {run.code}\n{run.err}{run.out}"
    before = wave.standing()
    _judge_words(run, before, waves.calls(wave), about)
    again = _submit(launcher, wave, Strike())
    after, calls = wave.standing(), waves.calls(wave)
    about += f"\nthen exit {again.code}\n{again.err}{again.out}\n{before}\n{after}"
    assert max(Counter(call.email for call in calls).values(), default=1) == 1, f"an order was sent twice: {about}"
    assert len(after) == PEOPLE, f"an order was lost: {about}"
    numbers = {call.email: call.order_number for call in calls}
    for email, (state, number) in after.items():
        left = before.get(email, Standing("planned", "")).state
        assert state == {"planned": "ordered", "sending": "unknown"}.get(left, left), about
        assert state == "unknown" or number == numbers[email], about
    unknown = sum(state == "unknown" for state, _ in after.values())
    assert unknown <= _CONCURRENCY, about
    assert again.code == (5 if unknown else 0), about
    with closing(Ledger(wave.ledger)) as ledger:
        assert ledger.verify() > 0


def _judge_words(run: Run, left: Mapping[str, Standing], calls: list[Call], about: str) -> None:
    """No traceback, no secret; and one JSON document on stdout that tells the truth of the run and of each order."""
    assert "Traceback" not in run.err, about
    assert CLIENT_SECRET not in run.err + run.out, about
    if run.code == _KILLED:
        return
    document = json.loads(run.out)
    assert document["exit_code"] == run.code, about
    states = [standing.state for standing in left.values()]
    match run.code:
        case 0:
            assert states == ["ordered"] * PEOPLE, about
        case 1 | 6:
            assert document["stopped"] or document["error"]["message"], about
        case 2:
            assert document["error"]["message"], about
            assert not calls, f"something was sent: {about}"
        case 5:
            assert "unknown" in {order["status"] for order in document["orders"]}, about
        case _:
            pytest.fail(about)
    sent = {call.email for call in calls}
    for order in document["orders"]:
        match order["status"]:
            case "ordered":
                assert left[order["email"]] == ("ordered", order["order_number"]), about
            case "not_sent":
                assert order["email"] not in sent, about
            case status:
                # Where the ledger failed just as it was told, it may know more than the run.
                assert status == "unknown", about
                assert left[order["email"]].state in {"unknown", "sending", "ordered"}, about
