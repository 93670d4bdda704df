"""New files that are there whole or not at all, and never in the place of another.

A file is written to a hidden sibling, made durable, and then linked to the first free name: a link never replaces a
file, so nothing is ever overwritten. On file systems without links, the name is taken by an empty file which is
replaced at once: there, and only there, a kill between those two steps leaves that empty file.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESULTS_NAME = re.compile(r"(?P<name>.+\.results)(?:-[0-9]+)?", re.IGNORECASE | re.DOTALL)
OWNER_ONLY = 0o600
# Characters of the name that its temporary sibling shows: a longer one might not fit a file system.
SHOWN = 40
_EVERYBODY = 0o666  # less what the user's umask takes away
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EINVAL}


def write_new(path: Path, content: bytes) -> Path:
    """Write a file that holds nothing private; the path that it got. OSError where it cannot be written."""
    temporary = path.with_name(f".{path.name[:SHOWN]}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _EVERYBODY)
    try:
        write_durably(descriptor, content)
        return move_into_place(temporary, path)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            temporary.unlink()


def write_durably(descriptor: int, content: bytes) -> None:
    """Write everything, and have it on the disk."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def move_into_place(temporary: Path, wished: Path) -> Path:
    """Give the file the first free name, never that of another file; the name that it got."""
    names = _names(wished)
    while True:
        final = next(names)
        try:
            _move(temporary, final)
        except FileExistsError:
            continue
        sync_folder(final.parent)
        return final


def reason(error: OSError) -> str:
    """Why the file system does not take a file, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    return error.strerror or type(error).__name__


def _names(wished: Path) -> Iterator[Path]:
    """The wished-for name, then `NAME.results-2.xlsx`, `NAME.results-3.xlsx` and so on."""
    yield wished
    numbered = RESULTS_NAME.fullmatch(wished.stem)
    stem = numbered["name"] if numbered else wished.stem
    yield from (wished.with_name(f"{stem}-{number}{wished.suffix}") for number in count(2))


def _move(temporary: Path, final: Path) -> None:
    """Make the file appear at `final`; FileExistsError where something is there. The temporary name may remain."""
    try:
        final.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        try:
            temporary.replace(final)
        except OSError:
            final.unlink()
            raise


def sync_folder(folder: Path) -> None:
    """Make the new name durable, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
