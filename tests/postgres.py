"""A real PostgreSQL server for tests: the one that BATCH_ORDERS_TEST_POSTGRES names, or one of our own.

Our own is started from an installed PostgreSQL, in a folder of its own, and answers on a Unix socket and on a loopback
port. It cannot run as root, so root starts it as the user `postgres` that Debian's package brings.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from batch_orders.places import LedgerUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "BATCH_ORDERS_TEST_POSTGRES"
# How a server ends: at once and in order, or as when it crashes.
FAST, CRASH = signal.SIGINT, signal.SIGQUIT
_USER = "postgres"
# Durable, as a ledger's server has to be; small, as a test's may be.
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 32MB
fsync = on
log_min_messages = fatal
autovacuum = on
"""


@functools.cache
def programs() -> Path | None:
    """The folder of an installed PostgreSQL's programs, the newest one's; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("postgres")
    return Path(here).resolve().parent if here else None


def why_not() -> str:
    """Why there is no server to test with; "" where there is one."""
    return "" if os.environ.get(VARIABLE) else why_none_of_our_own()


def why_none_of_our_own() -> str:
    """Why no server can be started here; "" where one can."""
    if programs() is None:
        return f"no PostgreSQL: install Debian's package `postgresql`, or name a server in {VARIABLE}"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_USER)
        except KeyError:
            return f"PostgreSQL cannot run as root, and there is no user {_USER} to run it"
    return ""


@dataclasses.dataclass
class Server:
    """A server, with the right to make databases there. `url` names a database that is there already."""

    url: LedgerUrl
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def run(self, *statements: str, url: LedgerUrl | None = None) -> list[tuple[Any, ...]]:
        """What the last of these statements gives, each in a transaction of its own."""
        with closing(connected(url or self.url)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, like: LedgerUrl | None = None) -> Iterator[LedgerUrl]:
        """A new database: empty, or a copy of this one."""
        name = f"bo_{os.getpid()}_{next(self._numbers)}_{secrets.token_hex(3)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {like.database if like else 'template0'}")
        try:
            yield dataclasses.replace(self.url, database=name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    # What happens to a server of our own -----------------------------------------------------------------------------

    def stop(self, *, how: signal.Signals = FAST) -> None:
        """End it; by force where it does not end by itself, as on a machine with too much to do."""
        if self.process is not None:
            children = _children(self.process.pid)
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                for child in children:  # each must be gone before the server may start again
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
            self.process = None

    def configure(self, line: str) -> None:
        """Start it anew with one more line in its configuration."""
        assert self.folder is not None
        self.stop()
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            print(line, file=file)
        self.start()

    def demand_passwords(self) -> None:
        """From now on everybody but its own user needs a password."""
        assert self.folder is not None
        rules = f"host all {_USER} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)
        self.run("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        assert self.folder is not None
        command = [_program("postgres"), "-D", self.folder / "data", "-k", self.folder, "-p", str(self.url.port)]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **_as_somebody())
        ends_at = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < ends_at, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def connected(url: LedgerUrl) -> psycopg.Connection[Any]:
    """A session of the test's own, in autocommit."""
    parts = {"user": url.user, "password": url.password, "host": url.host, "port": url.port, "dbname": url.database}
    given = {name: value for name, value in parts.items() if value}
    return psycopg.connect(autocommit=True, **{**given, **dict(url.query)})


@contextmanager
def running() -> Iterator[Server]:
    """The server that the environment names, or a new one, which ends with the block."""
    named = os.environ.get(VARIABLE)
    if named:
        yield Server(LedgerUrl.parse(named))
        return
    with own_server() as server:
        yield server


@contextmanager
def own_server(network: str | None = None) -> Iterator[Server]:
    """A new server; with a network ("10.1.2.1/24": its own address there), for other machines too."""
    folder = Path(tempfile.mkdtemp(prefix="bo-pg-"))
    server = None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        command = [_program("initdb"), "-D", folder / "data", "-U", _USER, "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            check=False,
            capture_output=True,
            **_as_somebody(),
        )
        assert done.returncode == 0, done.stderr.decode()
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)
            if network:
                file.write("listen_addresses = '*'\n")
        if network:
            with (folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {network} trust\n")
        host = network.partition("/")[0] if network else "127.0.0.1"
        url = LedgerUrl(user=_USER, password="", host=host, port=_free_port(), database="postgres")
        server = Server(url, folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


def _program(name: str) -> Path:
    folder = programs()
    assert folder is not None
    return folder / name


def _as_somebody() -> dict[str, Any]:
    """For subprocess: whom the server runs as."""
    somebody = {"user": _USER, "group": _USER, "extra_groups": ()} if os.geteuid() == 0 else {}
    return {"cwd": "/", **somebody}


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
