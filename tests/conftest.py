"""What several kinds of test share: a simulated Device Hub on a real socket, a ledger, a PostgreSQL server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from batch_orders.adapters.ledger import Ledger
from batch_orders.sandbox import Sandbox, SandboxOptions, running
from tests import postgres as postgresql
from tests.crash.syscalls import why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.places import LedgerUrl

# The program's processes keep their compiled modules, as where somebody has installed it: else each compiles all anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# No test asserts speed, and the machine may be busy.
settings.register_profile("without a deadline", settings(), deadline=None)
settings.load_profile("without a deadline")


@pytest.fixture
def hub() -> Iterator[Sandbox]:
    """A simulated Device Hub that takes orders as fast as they come."""
    with running(SandboxOptions(rate_limit=10_000)) as sandbox:
        yield sandbox


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger in a file of its own."""
    made = Ledger.create(tmp_path / "ledger.sqlite")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for this process' tests. CI must have it: nothing is skipped there."""
    if reason := postgresql.why_not():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with postgresql.running() as server:
        yield server


@pytest.fixture
def own_postgres(own_data: None) -> Iterator[postgresql.Server]:  # noqa: ARG001 - what it does counts
    """A server that the test may stop and start: never one that the environment names."""
    if reason := postgresql.why_none_of_our_own():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with postgresql.own_server() as server:
        yield server


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine keeps of a shared ledger goes into the test's own folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def database(postgres: postgresql.Server, own_data: None) -> Iterator[LedgerUrl]:  # noqa: ARG001 - what it does counts
    """A new empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def _made_once(postgres: postgresql.Server) -> Iterator[LedgerUrl]:
    with postgres.database() as url:
        Ledger.create(url).close()
        yield url


@pytest.fixture
def ledger_database(postgres: postgresql.Server, own_data: None, _made_once: LedgerUrl) -> Iterator[LedgerUrl]:  # noqa: ARG001
    """A new database with a ledger in which nothing has been written yet."""
    with postgres.database(like=_made_once) as url:
        yield url


@pytest.fixture(scope="session")
def system_calls() -> None:
    """What tests ask for that strike the program's system calls. CI must have it: nothing is skipped there."""
    if reason := why_not():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard tests/crash and tests/histories try, and what tests/browser leaves."""
    parser.addoption("--orders", default="1000", help="tests/crash: orders in the sheet")
    parser.addoption("--kills", default="40", help="tests/crash: processes to kill")
    parser.addoption(
        "--seeds", default="1,2", help="tests/crash: the random seeds, one run for each (histories: the first)"
    )
    parser.addoption("--shared-orders", default="200", help="tests/cluster: orders that four machines share")
    parser.addoption("--pictures", action="store_true", help="tests/browser: make docs/pictures anew")
    parser.addoption("--histories", default="200", help="tests/histories: histories to generate")
    parser.addoption("--every-point", action="store_true", help="tests/crash: every system call, not a sample of them")
    parser.addoption(
        "--part", default="1/1", help="tests/crash: of --every-point the K-th of N parts (2/4), N processes"
    )
