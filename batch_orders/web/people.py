"""Who may use the page, and what each may do: the users file.

One JSON file that only its owner may read, written whole or not at all. It is read anew each time it is asked, so
that what `batch-orders user` changes counts at once in a page that is running. Passwords are in it as argon2id hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
import unicodedata
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from batch_orders.adapters.new_files import reason
from batch_orders.adapters.private_files import is_private, open_at_once, replace_private
from batch_orders.errors import UsageError, UsersError
from batch_orders.messages import people as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from argon2 import PasswordHasher

_FORMAT = "batch-orders users"
_VERSION = 1
_MOST_BYTES = 4_000_000

# The name of whoever comes in by the one-time link.
LINK_NAME = "you"
_LONGEST_NAME = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}\Z")

_HASH = re.compile(r"\$argon2id\$v=19\$m=[0-9]{1,7},t=[0-9]{1,3},p=[0-9]{1,2}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+\Z")
_SHORTEST_PASSWORD = 12
_LONGEST_PASSWORD = 1024
_NO_PASSWORD = b"\0"  # what is looked at instead of what no password can be

# How long another process may hold the file, in seconds: it does so for milliseconds.
_PATIENCE = 10
# Each look at a password takes 64 MB: so many at once, the others wait.
_AT_ONCE = threading.BoundedSemaphore(2)


class Role(StrEnum):
    """What somebody may do on the page."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    APPROVER = "approver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may use the page."""

    name: str
    role: Role

    @property
    def may_upload(self) -> bool:
        """Whether they may upload sheets, mend and order their own."""
        return self.role in {Role.UPLOADER, Role.APPROVER}

    @property
    def may_approve(self) -> bool:
        """Whether they may approve others' sheets."""
        return self.role is Role.APPROVER

    @property
    def sees_all(self) -> bool:
        """Whether they see every run and result, and not their own alone."""
        return self.role in {Role.VIEWER, Role.APPROVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class _User:
    """A user as the file has them. `serial` is new whenever the password or the role is."""

    role: Role
    hashed: str
    serial: str


class UsersFile:
    """The users file at `path`. Where there is none there are no users; `add` makes it.

    Every method raises UsersError where the file is broken or foreign, or others can read or write it. `hasher` is for
    tests: the real one is slow on purpose.
    """

    def __init__(self, path: Path, *, hasher: PasswordHasher | None = None) -> None:
        self.path = path
        self._given_hasher = hasher

    def people(self) -> tuple[Person, ...]:
        """Everybody in the file, by name."""
        return tuple(Person(name=name, role=user.role) for name, user in sorted(self._read().items()))

    def expect(self, name: str, *, is_there: bool) -> None:
        """UsersError where somebody is there, or is not, against expectation: before a password is asked for."""
        _require(self._read(), _checked_name(name), is_there=is_there)

    def add(self, name: str, role: Role, password: str) -> Person:
        """Enter somebody; UsersError where they are there, or name or password cannot be taken."""
        name, user = _checked_name(name), _User(role=role, hashed=self._hashed(password), serial=_serial())
        with self._changing() as users:
            _require(users, name, is_there=False)
            users[name] = user
        return Person(name=name, role=role)

    def remove(self, name: str) -> Person:
        """Take somebody out, as they were; UsersError where they are not there."""
        name = _checked_name(name)
        with self._changing() as users:
            _require(users, name, is_there=True)
            return Person(name=name, role=users.pop(name).role)

    def set_password(self, name: str, password: str) -> Person:
        """Give somebody another password, which ends their sessions."""
        return self._change(name, hashed=self._hashed(password))

    def set_role(self, name: str, role: Role) -> Person:
        """Give somebody another role, which ends their sessions."""
        return self._change(name, role=role)

    def verify(self, name: str, password: str) -> Person | None:
        """The person, where this is their password; the work is the same for a name that is not there."""
        hasher, dummy, name = self._hasher, self._dummy, fold_name(name)
        from argon2.exceptions import VerificationError  # noqa: PLC0415 - an extra

        user = self._read().get(name)
        text = _prepared(password)
        try:
            with _AT_ONCE:
                hasher.verify(user.hashed if user else dummy, text or _NO_PASSWORD)
        except VerificationError:
            return None
        if user is None or text is None:
            return None
        self._renew_hash(name, user, text)
        return Person(name=name, role=user.role)

    def fingerprint(self, name: str) -> str | None:
        """What changes whenever somebody's password or role does; None where they are not there (any more)."""
        name = fold_name(name)
        user = self._read().get(name)
        if user is None:
            return None
        return hashlib.sha256(f"{name}\n{user.role}\n{user.serial}".encode()).hexdigest()

    # The file ---------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, _User]:
        try:
            with open(self.path, "rb", opener=open_at_once) as file:
                if not is_private(file.fileno()):
                    raise UsersError(words.users_open(self.path), hint=words.how_to_close(self.path))
                content = file.read(_MOST_BYTES + 1) or b""
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unreadable(error) from error
        return self._parsed(content)

    def _parsed(self, content: bytes) -> dict[str, _User]:
        try:
            document: Any = json.loads(content.decode() if len(content) <= _MOST_BYTES else "")
            if document["format"] == _FORMAT and document["version"] > _VERSION:
                raise UsersError(words.users_of_a_later_version(self.path), hint=words.how_to_update())
            if document["format"] == _FORMAT and document["version"] == _VERSION:
                return {_stored_name(name): _user(entry) for name, entry in document["users"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        raise self._broken()

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _User]]:
        """The users, to be changed in the block and then written; nobody else changes them meanwhile."""
        path = Path(os.path.realpath(self.path))  # a link to the file stays a link
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(f"{path}.lock", timeout=_PATIENCE, mode=0o600)
            lock.acquire()
        except Timeout:
            raise UsersError(words.users_busy(self.path), hint=words.how_to_wait()) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            users = self._read()
            yield users
            try:
                replace_private(path, _written(users))
            except OSError as error:
                raise self._unwritable(error) from error
        finally:
            lock.release()

    def _change(self, name: str, **changed: Any) -> Person:  # noqa: ANN401 - a _User's fields
        name = _checked_name(name)
        with self._changing() as users:
            _require(users, name, is_there=True)
            users[name] = replace(users[name], **changed, serial=_serial())
            return Person(name=name, role=users[name].role)

    def _unreadable(self, error: OSError) -> UsersError:
        return UsersError(words.users_unreadable(self.path, reason(error)), hint=words.how_to_place_users())

    def _unwritable(self, error: OSError) -> UsersError:
        return UsersError(words.users_unwritable(self.path, reason(error)), hint=words.how_to_place_users())

    def _broken(self) -> UsersError:
        return UsersError(words.users_broken(self.path), hint=words.how_to_mend_users())

    # Passwords --------------------------------------------------------------------------------------------------

    @cached_property
    def _hasher(self) -> PasswordHasher:
        if self._given_hasher is not None:
            return self._given_hasher
        try:
            from argon2 import PasswordHasher  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(words.needs_web()) from None
        return PasswordHasher()

    @cached_property
    def _dummy(self) -> str:
        """A hash of what nobody knows: what a name that is not there is looked at with."""
        return self._hasher.hash(secrets.token_bytes(32))

    def _hashed(self, password: str) -> str:
        if len(password) > _LONGEST_PASSWORD:
            raise UsersError(words.long_password(_LONGEST_PASSWORD), hint=words.how_to_choose_password())
        if len(unicodedata.normalize("NFKC", password)) < _SHORTEST_PASSWORD:
            raise UsersError(words.short_password(_SHORTEST_PASSWORD), hint=words.how_to_choose_password())
        text = _prepared(password)
        if text is None:
            raise UsersError(words.odd_password(), hint=words.how_to_choose_password())
        with _AT_ONCE:
            return self._hasher.hash(text)

    def _renew_hash(self, name: str, user: _User, text: bytes) -> None:
        """Hash the password anew where today's parameters are others; the login goes on where that cannot be kept."""
        if not self._hasher.check_needs_rehash(user.hashed):
            return
        with _AT_ONCE:
            hashed = self._hasher.hash(text)
        with suppress(UsersError), self._changing() as users:
            if users.get(name) == user:  # somebody may have given them another password meanwhile
                users[name] = replace(user, hashed=hashed)


def fold_name(name: str) -> str:
    """A name as it is compared, whoever typed it."""
    return name.strip().lower()


def _checked_name(name: str) -> str:
    name = fold_name(name)
    if not _NAME.match(name):
        raise UsersError(words.bad_name(_LONGEST_NAME), hint=words.how_to_name())
    if name == LINK_NAME:
        raise UsersError(words.reserved_name(name), hint=words.how_to_name())
    return name


def _require(users: dict[str, _User], name: str, *, is_there: bool) -> None:
    if is_there and name not in users:
        raise UsersError(words.no_such_user(name), hint=words.how_to_list_users())
    if not is_there and name in users:
        raise UsersError(words.user_exists(name), hint=words.how_to_change_user())


def _prepared(password: str) -> bytes | None:
    """What is hashed: one and the same whichever way a keyboard composes letters; None for what no password is."""
    if len(password) > _LONGEST_PASSWORD:
        return None
    text = unicodedata.normalize("NFKC", password)
    # Cc: control characters; Cs: halves of characters, which cannot be encoded.
    return None if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text) else text.encode()


def _serial() -> str:
    return secrets.token_hex(16)


def _stored_name(name: str) -> str:
    if name != fold_name(name) or not _NAME.match(name) or name == LINK_NAME:
        raise ValueError("no name of ours")
    return name


def _user(entry: Any) -> _User:  # noqa: ANN401 - JSON
    hashed, serial = entry["password"], entry["serial"]
    if not (isinstance(hashed, str) and _HASH.match(hashed) and isinstance(serial, str) and serial):
        raise ValueError("no user of ours")
    return _User(role=Role(entry["role"]), hashed=hashed, serial=serial)


def _written(users: dict[str, _User]) -> bytes:
    entries = {
        name: {"role": user.role.value, "password": user.hashed, "serial": user.serial}
        for name, user in sorted(users.items())
    }
    return (json.dumps({"format": _FORMAT, "version": _VERSION, "users": entries}, indent=2) + "\n").encode()
