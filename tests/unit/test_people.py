"""The users file: who may do what, whose password is whose, and that nobody is lost or let in by mistake."""

from __future__ import annotations

import builtins
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.errors import UsageError, UsersError
from batch_orders.web import people
from batch_orders.web.people import Person, Role, UsersFile

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery staple"
OTHER = "four words are enough"
# The same work as the real one, only less of it.
QUICK = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


@pytest.fixture
def users(tmp_path: Path) -> UsersFile:
    """No users yet."""
    return UsersFile(tmp_path / "data" / "users.json", hasher=PasswordHasher(**QUICK))


def refused(action: Any, *arguments: Any) -> str:
    """The message and hint of the UsersError, with no password in it."""
    with pytest.raises(UsersError) as caught:
        action(*arguments)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    text = f"{caught.value.message} {caught.value.hint}"
    assert PASSWORD not in text
    return text


# Roles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "may_upload", "may_approve", "sees_all"),
    [
        (Role.VIEWER, False, False, True),
        (Role.UPLOADER, True, False, False),
        (Role.APPROVER, True, True, True),
    ],
)
def test_roles(role: Role, *, may_upload: bool, may_approve: bool, sees_all: bool) -> None:
    """A viewer looks, an uploader orders their own, an approver does everything."""
    person = Person(name="ann", role=role)
    assert (person.may_upload, person.may_approve, person.sees_all) == (may_upload, may_approve, sees_all)


# Adding and changing -----------------------------------------------------------------------------------------------


def test_no_file_is_no_users(users: UsersFile) -> None:
    """Asking makes no file, and nobody is let in."""
    assert users.people() == ()
    assert users.verify("ann", PASSWORD) is None
    assert users.fingerprint("ann") is None
    assert not users.path.exists()


def test_a_user_comes_in_with_their_password_alone(users: UsersFile) -> None:
    """Whatever the case of the name; and no other password will do."""
    ann = users.add("  Ann@Example.com ", Role.UPLOADER, PASSWORD)
    assert ann == Person(name="ann@example.com", role=Role.UPLOADER)
    assert users.people() == (ann,)
    assert users.verify("ANN@example.com", PASSWORD) == ann
    for wrong in ("", PASSWORD.upper(), PASSWORD + " ", OTHER, "\0", "x" * 5000, "\udc80", PASSWORD + "\n"):
        assert users.verify("ann@example.com", wrong) is None
    assert users.verify("ann", PASSWORD) is None


def test_the_real_hash_is_argon2id(tmp_path: Path) -> None:
    """What is stored is argon2id with the library's own parameters, and never the password."""
    users = UsersFile(tmp_path / "users.json")
    users.add("ann", Role.VIEWER, PASSWORD)
    assert users.verify("ann", PASSWORD) is not None
    text = users.path.read_text()
    assert PASSWORD not in text
    assert json.loads(text)["users"]["ann"]["password"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777])
def test_the_file_is_its_owners_alone(users: UsersFile, umask: int) -> None:
    """Whatever the umask, and after a change too; nothing else is left lying about but the lock."""
    users.path.parent.mkdir()
    before = os.umask(umask)
    try:
        users.add("ann", Role.VIEWER, PASSWORD)
        users.set_role("ann", Role.APPROVER)
    finally:
        os.umask(before)
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert {path.name for path in users.path.parent.iterdir()} <= {"users.json", "users.json.lock"}


def test_a_link_to_the_file_stays_a_link(users: UsersFile, tmp_path: Path) -> None:
    """Whoever keeps the file elsewhere finds the users there."""
    real = tmp_path / "elsewhere" / "real.json"
    users.path.parent.mkdir()
    users.path.symlink_to(real)
    users.add("ann", Role.VIEWER, PASSWORD)
    assert users.path.is_symlink()
    assert UsersFile(real).people() == users.people() != ()


def test_changes_count_at_once_elsewhere(users: UsersFile) -> None:
    """A page that runs sees what `user add`, `password`, `role` and `remove` do."""
    page = UsersFile(users.path, hasher=PasswordHasher(**QUICK))
    assert page.people() == ()
    users.add("ann", Role.VIEWER, PASSWORD)
    assert page.verify("ann", PASSWORD) == Person(name="ann", role=Role.VIEWER)
    users.set_password("ann", OTHER)
    assert (page.verify("ann", PASSWORD), page.verify("ann", OTHER) is not None) == (None, True)
    users.set_role("ANN", Role.APPROVER)
    assert page.people() == (Person(name="ann", role=Role.APPROVER),)
    assert users.remove("ann") == Person(name="ann", role=Role.APPROVER)
    assert page.verify("ann", OTHER) is None


def test_fingerprints_end_sessions(users: UsersFile) -> None:
    """Another password or role, and being removed, each changes it, also where all is as it was afterwards."""
    users.add("ann", Role.VIEWER, PASSWORD)
    seen = [users.fingerprint("ann")]
    assert users.fingerprint(" ANN ") == seen[0]
    for change in (
        lambda: users.set_password("ann", PASSWORD),
        lambda: users.set_role("ann", Role.APPROVER),
        lambda: users.set_role("ann", Role.VIEWER),
        lambda: users.remove("ann"),
        lambda: users.add("ann", Role.VIEWER, PASSWORD),
    ):
        change()
        seen.append(users.fingerprint("ann"))
    assert len(set(seen)) == len(seen) == 6
    users.add("bob", Role.VIEWER, PASSWORD)
    assert users.fingerprint("ann") == seen[-1]


def test_an_old_hash_is_renewed_at_login(users: UsersFile) -> None:
    """Parameters that are outdated are replaced when the password is known, and nobody is logged out by it."""
    users.add("ann", Role.VIEWER, PASSWORD)
    fingerprint = users.fingerprint("ann")
    newer = UsersFile(users.path, hasher=PasswordHasher(**QUICK | {"memory_cost": 16}))
    assert newer.verify("ann", OTHER) is None
    assert "m=8," in users.path.read_text()
    assert newer.verify("ann", PASSWORD) is not None
    assert "m=16," in users.path.read_text()
    assert newer.verify("ann", PASSWORD) is not None
    assert newer.fingerprint("ann") == fingerprint


def test_a_login_goes_on_where_the_new_hash_cannot_be_kept(users: UsersFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to keep somebody out."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    users.add("ann", Role.VIEWER, PASSWORD)
    monkeypatch.setattr(people, "replace_private", full)
    newer = UsersFile(users.path, hasher=PasswordHasher(**QUICK | {"memory_cost": 16}))
    assert newer.verify("ann", PASSWORD) is not None
    assert "No space left" in refused(users.add, "bob", Role.VIEWER, PASSWORD)
    assert [person.name for person in users.people()] == ["ann"]


def test_names_that_are_not_there_take_the_same_work(users: UsersFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login is one look at one hash with the same parameters, so that its time tells nobody who there is."""
    looked: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str, password: bytes) -> bool:
        looked.append(hashed.split("$")[3])
        return bool(real(self, hashed, password))

    users.add("ann", Role.VIEWER, PASSWORD)
    monkeypatch.setattr(PasswordHasher, "verify", verify)
    for name, password in (
        ("ann", PASSWORD),
        ("ann", OTHER),
        ("ann", "x" * 5000),
        ("bob", PASSWORD),
        ("bob", "x" * 5000),
        ("no name at all!", PASSWORD),
        ("", ""),
    ):
        looked.clear()
        users.verify(name, password)
        assert looked == ["m=8,t=1,p=1"], (name, password[:20])


def test_a_password_is_the_same_on_every_keyboard(users: UsersFile) -> None:
    """Composed and decomposed letters are the same password."""
    users.add("ann", Role.VIEWER, "Zürich ist schön im Mai")
    assert users.verify("ann", "Zu\N{COMBINING DIAERESIS}rich ist scho\N{COMBINING DIAERESIS}n im Mai") is not None
    assert users.verify("ann", "Zurich ist schon im Mai") is None


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "-ann", ".ann", "ann\n", "jürgen", "a" * 65, "ann\0", "<b>", "ann\N{KELVIN SIGN}ü"]
)
def test_names_that_are_refused(users: UsersFile, name: str) -> None:
    """Letters, digits and ._@+- only; the name is not repeated, as it may be a password in the wrong place."""
    if name.strip() == "ann":
        assert users.add(name, Role.VIEWER, PASSWORD).name == "ann"
        return
    assert "no name for a user" in refused(users.add, name, Role.VIEWER, PASSWORD)
    assert not users.path.exists()


def test_the_links_own_name_is_refused(users: UsersFile) -> None:
    """Nobody can be mistaken for whoever came in by the one-time link."""
    assert "one-time link" in refused(users.add, "You", Role.VIEWER, PASSWORD)


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("", "too short"),
        ("elevenchars", "too short"),
        ("x" * 1025, "too long"),
        ("correct\nhorse battery", "cannot be typed"),
        ("correct\0horse battery", "cannot be typed"),
        ("correct horse \udc80 battery", "cannot be typed"),
    ],
)
def test_passwords_that_are_refused(users: UsersFile, password: str, wrong: str) -> None:
    """When somebody is entered, and when their password is changed; and it is not repeated."""
    text = refused(users.add, "ann", Role.VIEWER, password)
    assert wrong in text
    assert "words" in text
    users.add("ann", Role.VIEWER, PASSWORD)
    assert wrong in refused(users.set_password, "ann", password)
    assert users.verify("ann", PASSWORD) is not None


def test_the_shortest_and_the_longest_password(users: UsersFile) -> None:
    """Twelve characters are enough, and 1024 are not too many."""
    for name, password in (("ann", "twelve chars"), ("bob", "x" * 1024)):
        users.add(name, Role.VIEWER, password)
        assert users.verify(name, password) is not None


def test_nobody_twice_and_nobody_unknown(users: UsersFile) -> None:
    """Adding never replaces anybody; what is not there cannot be changed."""
    users.add("ann", Role.VIEWER, PASSWORD)
    before = users.path.read_bytes()
    assert "already" in refused(users.add, "ANN", Role.APPROVER, OTHER)
    for text in (
        refused(users.remove, "bob"),
        refused(users.set_password, "bob", OTHER),
        refused(users.set_role, "bob", Role.APPROVER),
    ):
        assert "no user bob" in text
    assert users.path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o644, 0o666, 0o620, 0o602])
def test_a_file_that_others_get_at_is_refused(users: UsersFile, mode: int) -> None:
    """For every purpose, with how to mend it."""
    users.add("ann", Role.VIEWER, PASSWORD)
    users.path.chmod(mode)
    for action in (
        users.people,
        lambda: users.verify("ann", PASSWORD),
        lambda: users.fingerprint("ann"),
        lambda: users.add("bob", Role.VIEWER, PASSWORD),
        lambda: users.remove("ann"),
    ):
        assert f"chmod 600 {users.path}" in refused(action)
    assert stat.S_IMODE(users.path.stat().st_mode) == mode


GOOD = {"role": "viewer", "password": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "serial": "a"}


def document(**entry: Any) -> dict[str, Any]:
    """A users file's contents, with one user like this."""
    return {"format": "batch-orders users", "version": 1, "users": {"ann": GOOD | entry}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"{" * 100_000,
        b"[" * 100_000,
        b" " * 5_000_000,
        b"9" * 10_000,
        b'{"base_url": "https://hub.example.com"}',
        *(
            json.dumps(wrong).encode()
            for wrong in (
                document() | {"format": "something else"},
                document() | {"version": 0},
                document() | {"version": "1"},
                document() | {"users": []},
                document() | {"users": {"ann": None}},
                document() | {"users": {"Ann": GOOD}},
                document() | {"users": {"a b": GOOD}},
                document() | {"users": {"you": GOOD}},
                document(role="admin"),
                document(role=None),
                document(password="correct horse battery staple"),
                document(password="$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"),
                document(password=None),
                document(serial=""),
                document(serial=1),
            )
        ),
    ],
)
def test_a_broken_or_foreign_file_is_refused(users: UsersFile, content: bytes) -> None:
    """And never overwritten, nor is anybody let in."""
    users.path.parent.mkdir()
    users.path.write_bytes(content)
    users.path.chmod(0o600)
    for action in (users.people, lambda: users.verify("ann", PASSWORD), lambda: users.add("b", Role.VIEWER, PASSWORD)):
        assert "not a users file" in refused(action)
    assert users.path.read_bytes() == content


def test_a_damaged_hash_lets_nobody_in(users: UsersFile) -> None:
    """It is said that the file is damaged."""
    users.add("ann", Role.VIEWER, PASSWORD)
    text = users.path.read_text()
    users.path.write_text(text.replace("$m=8,", "$mm=8,"))
    assert users.path.read_text() != text
    assert "damaged" in refused(users.verify, "ann", PASSWORD)
    assert "damaged" in refused(users.verify, "bob", PASSWORD)


def test_a_later_version_is_refused(users: UsersFile) -> None:
    """It may mean something that this version does not know."""
    users.path.parent.mkdir()
    users.path.write_text(json.dumps(document() | {"version": 2}))
    users.path.chmod(0o600)
    assert "later version" in refused(users.people)


def test_a_folder_or_a_pipe_in_its_place(users: UsersFile, tmp_path: Path) -> None:
    """Neither hangs nor lets anybody in."""
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("folder", "pipe"):
        refused(UsersFile(tmp_path / name).people)
    assert "cannot be written" in refused(UsersFile(tmp_path / "pipe" / "x").add, "ann", Role.VIEWER, PASSWORD)
    assert users.people() == ()


def test_a_lock_that_somebody_keeps(users: UsersFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not hang for ever, and reading goes on."""
    users.add("ann", Role.VIEWER, PASSWORD)
    monkeypatch.setattr(people, "_PATIENCE", 0.05)
    with FileLock(f"{users.path}.lock"):
        assert "does not end" in refused(users.remove, "ann")
        assert users.verify("ann", PASSWORD) is not None


def test_without_argon2(users: UsersFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said with how to get it; who there is can be listed all the same."""
    real = builtins.__import__

    def missing(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "argon2":
            raise ImportError(name)
        return real(name, *rest, **options)

    users.add("ann", Role.VIEWER, PASSWORD)
    monkeypatch.setattr(builtins, "__import__", missing)
    bare = UsersFile(users.path)
    assert len(bare.people()) == 1
    for action in (lambda: bare.verify("ann", PASSWORD), lambda: bare.add("bob", Role.VIEWER, PASSWORD)):
        with pytest.raises(UsageError, match=r"pip install -c constraints\.txt -e '\.\[web\]'"):
            action()


# At once, and laws -------------------------------------------------------------------------------------------------

_ADDING = """
import sys
from pathlib import Path
from argon2 import PasswordHasher
from batch_orders.web.people import Role, UsersFile
users = UsersFile(Path(sys.argv[1]), hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    users.add(f"{sys.argv[2]}{number}", Role.VIEWER, "correct horse battery staple")
"""


def test_two_processes_at_once_lose_nobody(users: UsersFile) -> None:
    """Each adds many, at the same time, and all are there."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ADDING, str(users.path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ann", "bob")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert {person.name for person in users.people()} == {f"{name}{n}" for name in ("ann", "bob") for n in range(25)}


@given(st.text(max_size=70))
def test_a_name_is_taken_as_it_is_compared(name: str) -> None:
    """Any text is refused, or is a name that stays what it is when it is folded again."""
    try:
        taken = people._checked_name(name)
    except UsersError:
        return
    assert people._checked_name(taken) == people._checked_name(f" {name.upper()} ") == taken
    assert taken.isascii()
    assert 1 <= len(taken) <= 64
