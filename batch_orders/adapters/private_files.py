"""Files that only their owner may read, whatever the umask."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from batch_orders.adapters.new_files import SHOWN, sync_folder, write_durably

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_ONLY = 0o600


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file; where it is new, only its owner may read it. OSError as `os.open`."""
    try:
        return create_private(path, flags)
    except FileExistsError:
        return os.open(path, flags)


def create_private(path: Path, flags: int = os.O_WRONLY) -> int:
    """A descriptor of a new file that only its owner may read; FileExistsError where something is there."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    os.fchmod(descriptor, _OWNER_ONLY)  # the umask can only have taken rights away, from the owner too
    return descriptor


def replace_private(path: Path, content: bytes) -> None:
    """Put a file in the place of this one, whole or not at all, that only its owner may read. OSError as `os.open`.

    Where an administrator replaces another user's file, it stays that user's: a service must not lose its own file.
    """
    temporary = path.with_name(f".{path.name[:SHOWN]}.{secrets.token_hex(4)}.tmp")
    descriptor = create_private(temporary)
    try:
        if os.geteuid() == 0:
            with suppress(FileNotFoundError):
                former = path.stat()
                os.fchown(descriptor, former.st_uid, former.st_gid)
        write_durably(descriptor, content)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            temporary.unlink()


def open_at_once(path: str, flags: int) -> int:
    """`open`'s opener for a file where a pipe may stand: it is not waited for that somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_private(descriptor: int) -> bool:
    """Whether nobody but its owner may read or write the open file."""
    return os.fstat(descriptor).st_mode & 0o077 == 0
