"""`batch-orders user …`: who may use the page, and no password anywhere to be read."""

from __future__ import annotations

import json
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from batch_orders.web.people import Person, Role, UsersFile
from tests.program import Program
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery staple"
OTHER = "four words are enough"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with no settings at all."""
    return Program(tmp_path)


@pytest.fixture
def users(program: Program) -> UsersFile:
    """The users file where it is without a setting."""
    return UsersFile(program.folder / "data" / "batch-orders" / "users.json")


def say(program: Program, *arguments: str, stdin: str = f"{PASSWORD}\n") -> subprocess.CompletedProcess[str]:
    """Run the command with this on stdin; no password is in what it says."""
    done = subprocess.run(
        [*program.command, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=program.folder,
        env=program.environment(),
    )
    assert "Traceback" not in done.stderr
    for line in stdin.splitlines():
        assert not line or line not in done.stdout + done.stderr
    return done


def document(program: Program, *arguments: str, exit_code: int = 0, stdin: str = f"{PASSWORD}\n") -> dict[str, Any]:
    """The one JSON document of the command, which ends with this code."""
    done = say(program, *arguments, "--json", stdin=stdin)
    assert done.returncode == exit_code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["exit_code"] == exit_code
    return told


def test_from_the_first_user_to_none(program: Program, users: UsersFile) -> None:
    """Added, listed, changed and removed; the page's own eyes see each step."""
    done = say(program, "user", "add", " Ann@Example.com", "--role", "uploader")
    assert done.returncode == 0, done.stderr
    assert "ann@example.com may use the page as uploader" in done.stdout
    assert str(users.path) in done.stdout
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert users.verify("ann@example.com", PASSWORD) == Person(name="ann@example.com", role=Role.UPLOADER)
    assert say(program, "user", "list").stdout.split() == ["ann@example.com", "uploader"]
    assert say(program, "user", "role", "ann@example.com", "approver").returncode == 0
    assert say(program, "user", "password", "ann@example.com", stdin=f"{OTHER}\r\nmore\n").returncode == 0
    assert users.verify("ann@example.com", PASSWORD) is None
    assert users.verify("ann@example.com", OTHER) == Person(name="ann@example.com", role=Role.APPROVER)
    assert say(program, "user", "remove", "ann@example.com").returncode == 0
    assert users.people() == ()
    assert "No users yet" in say(program, "user", "list").stdout


def test_json(program: Program, users: UsersFile) -> None:
    """One document for each, with the command, the file and whom it is about."""
    for command, options, role in (
        ("add", ("ann", "--role", "viewer"), "viewer"),
        ("password", ("ann",), "viewer"),
        ("role", ("ann", "approver"), "approver"),
        ("list", (), ""),
        ("remove", ("ann",), "approver"),
    ):
        ann = {"name": "ann", "role": role}
        about = {"users": [{"name": "ann", "role": "approver"}]} if command == "list" else {"user": ann}
        assert document(program, "user", command, *options) == {
            "command": f"user {command}",
            "exit_code": 0,
            "users_file": str(users.path),
            **about,
        }
    assert document(program, "user", "list")["users"] == []
    failed = document(program, "user", "remove", "ann", exit_code=2)
    assert failed["command"] == "user remove"
    assert "no user ann" in failed["error"]["message"]
    assert "user list" in failed["error"]["hint"]


def test_every_role_can_be_given(program: Program, users: UsersFile) -> None:
    """The command line's words are the page's roles, and no other is taken."""
    for role in Role:
        assert say(program, "user", "add", role.value, "--role", role.value).returncode == 0
    assert {person.name: person.role for person in users.people()} == {role.value: role for role in Role}
    assert say(program, "user", "add", "ann", "--role", "admin").returncode == 2
    assert say(program, "user", "add", "ann").returncode == 2


def test_where_the_users_are(program: Program) -> None:
    """The flag beats the setting."""
    set_up = Program(program.folder, {"users_file": "team.json"})
    assert document(set_up, "user", "add", "ann", "--role", "viewer")["users_file"] == str(program.folder / "team.json")
    flagged = document(set_up, "user", "list", "--users", "other.json")
    assert (flagged["users_file"], flagged["users"]) == (str(program.folder / "other.json"), [])
    assert "--users is a folder" in say(program, "user", "list", "--users", ".").stderr


@pytest.mark.parametrize(
    ("stdin", "wrong"),
    [("", "No password was given"), ("\n", "too short"), ("hunter2\n", "too short"), ("x" * 20_000, "too long")],
)
def test_passwords_that_are_refused(program: Program, users: UsersFile, stdin: str, wrong: str) -> None:
    """With what would be right; nobody is entered, and nobody's password changed."""
    done = say(program, "user", "add", "ann", "--role", "viewer", stdin=stdin)
    assert done.returncode == 2
    assert wrong in done.stderr
    assert not users.path.exists()
    users.add("ann", Role.VIEWER, PASSWORD)
    assert say(program, "user", "password", "ann", stdin=stdin).returncode == 2
    assert users.verify("ann", PASSWORD) is not None


def test_a_password_is_never_an_argument(program: Program, users: UsersFile) -> None:
    """Nor is it shown where somebody gives it as one."""
    users.add("bob", Role.VIEWER, OTHER)
    for arguments in (
        ("user", "add", "ann", PASSWORD, "--role", "viewer"),
        ("user", "password", "bob", PASSWORD),
        ("user", "password", "bob", PASSWORD, "--json"),
        ("user", "add", "ann", "--role", "viewer", "--password", PASSWORD),
        ("user", "add", "ann", "--role", "viewer", f"--password={PASSWORD}"),
        ("user", "add", PASSWORD, "--role", "viewer"),
    ):
        done = say(program, *arguments)
        assert done.returncode == 2, arguments
        assert PASSWORD not in done.stdout + done.stderr
    assert [person.name for person in users.people()] == ["bob"]
    assert users.verify("bob", OTHER) is not None


def test_a_file_that_others_get_at(program: Program, users: UsersFile) -> None:
    """Is refused by each command, and what to do is said."""
    users.add("ann", Role.VIEWER, PASSWORD)
    users.path.chmod(0o640)
    for arguments in (("list",), ("remove", "ann"), ("role", "ann", "viewer"), ("add", "bob", "--role", "viewer")):
        done = say(program, "user", *arguments)
        assert done.returncode == 2
        assert f"chmod 600 {users.path}" in done.stderr


def test_on_a_terminal(program: Program, users: UsersFile) -> None:
    """The password is asked for twice, and not shown; two that differ are asked for again."""
    terminal = Terminal(program, "user", "add", "ann", "--role", "approver")
    for number, (first, second) in enumerate(((PASSWORD, OTHER), (PASSWORD, PASSWORD)), 1):
        terminal.until(rf"(?s)(Password \(.*){{{number}}}: ")
        terminal.say(first)
        terminal.until(rf"(?s)(The same again.*){{{number}}}: ")
        terminal.say(second)
    assert terminal.end() == 0
    assert "do not match" in terminal.text
    assert PASSWORD not in terminal.text
    assert OTHER not in terminal.text
    assert users.verify("ann", PASSWORD) == Person(name="ann", role=Role.APPROVER)


def test_what_cannot_be_is_said_before_a_password_is_asked_for(program: Program, users: UsersFile) -> None:
    """A name that is taken, or not there."""
    users.add("ann", Role.VIEWER, PASSWORD)
    for arguments in (("add", "ann", "--role", "viewer"), ("password", "bob"), ("add", "a b", "--role", "viewer")):
        terminal = Terminal(program, "user", *arguments)
        assert terminal.end() == 2
        assert "Password (" not in terminal.text


def test_without_argon2(program: Program, users: UsersFile) -> None:
    """What to install is said."""
    (program.folder / "argon2.py").write_text("raise ImportError('argon2')\n")
    done = say(program, "user", "add", "ann", "--role", "viewer")
    assert done.returncode == 2
    assert ".venv/bin/pip install -c constraints.txt -e '.[web]'" in done.stderr
    assert not users.path.exists()


@pytest.mark.parametrize("command", ["add", "remove", "list", "password", "role"])
def test_every_command_has_help(program: Program, command: str) -> None:
    """With the common options."""
    done = say(program, "user", command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert "--users" in done.stdout
