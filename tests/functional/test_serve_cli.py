"""`batch-orders serve`: when it starts, when it refuses to, and how it ends."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.program import Program
from tests.served import serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program in a folder of its own."""
    return Program(tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 - that is the point
def test_nobody_can_reach_a_page_without_users_from_elsewhere(program: Program, host: str) -> None:
    """On anything but loopback the page does not start before somebody is entered, and says how."""
    document = program.json("serve", "--sandbox", "--port", "0", "--host", host, exit_code=2)
    assert "batch-orders user add" in document["error"]["hint"]


def test_approval_needs_somebody_who_can_approve(program: Program) -> None:
    """A rule that nobody could fulfil is found at the start."""
    strict = Program(program.folder, settings={"approval": "required"})
    document = strict.json("serve", "--sandbox", "--port", "0", exit_code=2)
    assert "approve" in document["error"]["message"]


def test_a_port_that_is_taken(program: Program) -> None:
    """The message names it, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        document = program.json("serve", "--sandbox", "--port", port, exit_code=2)
    assert port in document["error"]["message"]
    assert "--port" in document["error"]["hint"]


def test_without_a_ledger_there_is_no_page(tmp_path: Path) -> None:
    """A page that could not order says so when it starts, not when HR presses the button."""
    settings = {"base_url": "https://hub.example.com", "client_id": "orders@example.com", "client_secret": "a secret"}
    program = Program(tmp_path, settings | {"ledger": "none.sqlite"})
    document = program.json("serve", "--port", "0", exit_code=2)
    assert "init" in document["error"]["hint"]


def test_faults_are_the_sandboxes_alone(program: Program) -> None:
    """A real Device Hub is never made to fail."""
    assert program.json("serve", "--port", "0", "--fault", "hang=1", exit_code=2)["exit_code"] == 2


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_ends_the_page(program: Program, end: signal.Signals) -> None:
    """With exit code 0, as an operator or systemd expects."""
    with serving(program, "--sandbox") as page:
        assert page.enter().get("/").status_code == 200
        page.process.send_signal(end)
        assert page.process.wait(30) == 0


def test_a_ledger_has_one_page(program: Program) -> None:
    """A second one would not know who is logged in at the first; it does not start, and the first goes on."""
    with serving(program, "--sandbox", "--ledger", "try.sqlite") as page:
        document = program.json("serve", "--sandbox", "--ledger", "try.sqlite", "--port", "0", exit_code=2)
        assert "Another page is running" in document["error"]["message"]
        assert page.enter().get("/").status_code == 200
    with serving(program, "--sandbox", "--ledger", "try.sqlite") as page:
        assert page.enter().get("/").status_code == 200
