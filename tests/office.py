"""LibreOffice, headless, for tests: open a workbook as a person would and save it again, or look at it as a picture.

    copy = office.resave(path, "xlsx")      # or "ods", "xls", "csv" …: opened and saved as that
    pages = office.picture(path)            # PNG files, one for each printed page

Where there is no LibreOffice the test is skipped and says so; on CI (CI=true) it fails instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Seconds that one conversion may take: it makes a profile first, and the machine may be busy.
_PATIENCE = 100
_MANNERS = ("--headless", "--norestore", "--nologo", "--nodefault")
# UTF-8, comma, quotes where needed, cells as they are shown.
_FILTERS = {"csv": "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"}


def resave(path: Path, kind: str, folder: Path | None = None) -> Path:
    """The file opened by LibreOffice and saved as `kind` into `folder` (else `office-KIND` beside it)."""
    folder = folder or path.parent / f"office-{kind}"
    # A profile of its own: two LibreOffices with one profile wait for each other, or fail.
    with tempfile.TemporaryDirectory(prefix="batch-orders-office-", ignore_cleanup_errors=True) as profile:
        own = (f"-env:UserInstallation=file://{profile}", *_MANNERS)
        done = _run("soffice", *own, "--convert-to", _FILTERS.get(kind, kind), "--outdir", folder, path)
    saved = folder / f"{path.stem}.{kind}"
    assert saved.is_file(), f"LibreOffice did not save {path.name} as {kind}: {done}"
    return saved


def picture(path: Path, folder: Path | None = None, *, dots_per_inch: int = 60) -> list[Path]:
    """The file as LibreOffice prints it: a PNG for each page, in order."""
    pages = resave(path, "pdf", folder)
    _run("pdftoppm", "-r", str(dots_per_inch), "-png", pages, pages.with_suffix(""))
    found = sorted(pages.parent.glob(f"{pages.stem}-*.png"))
    assert found, f"{path.name} has no pages"
    return found


def _run(program: str, *arguments: str | Path) -> str:
    """Run to the end; what it said. With all that it started, it is ended when it takes too long."""
    _require(program)
    with subprocess.Popen(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, f"{program} ended with {process.returncode}: {said}"
    return said


def _require(program: str) -> None:
    if shutil.which(program):
        return
    why = f"{program} is not installed (Debian: libreoffice-calc and poppler-utils)"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
