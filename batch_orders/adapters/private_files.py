"""Files that only their owner may read, whatever the umask."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
