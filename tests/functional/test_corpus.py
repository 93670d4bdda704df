"""`python -m tests.corpus FOLDER`: nothing crashes, hangs or is lost, and it would be seen if anything did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests import corpus, make_cases
from tests.program import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def _folder(tmp_path: Path) -> Path:
    names = ("xlsx-numbers/sheet.xlsx", "xlsx-two-sheets/sheet.xlsx", "csv-utf16/sheet.csv", "csv-nul/sheet.csv")
    for name, content in make_cases.cases().items():
        if name in names:
            (tmp_path / name.replace("/", "-")).write_bytes(content)
    (tmp_path / "no-header.csv").write_bytes((SAMPLES / "no-header.csv").read_bytes())
    (tmp_path / "separator.csv").write_text("sep=;\na;b\n1;2\n\n3;4\n")
    (tmp_path / "not a sheet.bin").write_bytes(b"\0")
    return tmp_path


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of orders, other sheets and broken ones: each is accounted for."""
    assert corpus.main([str(_folder(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "6 files: 4 read, 2 refused, 0 crashes, 0 hangs" in said
    assert "refused  csv-nul-sheet.csv: csv-nul-sheet.csv holds a NUL character in line 3" in said
    assert said.rstrip().endswith(", 0 lost")


def test_nothing_to_read(tmp_path: Path) -> None:
    """A folder without sheets proves nothing."""
    assert corpus.main([str(tmp_path)]) == 1


def test_memory_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What takes more than it may is told."""
    assert corpus.main([str(_folder(tmp_path)), "--memory", "1"]) == 1
    assert "6 beyond 1 MB" in capsys.readouterr().out


def test_a_hang_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What takes too long is ended."""
    assert corpus.main([str(_folder(tmp_path)), "--deadline", "0.01"]) == 1
    assert "6 hangs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"megabytes": 1, "judged": 2, "skipped": {"header": 1}, "counted": 3}, "ok"),
        ({"megabytes": 1, "judged": 2, "skipped": {"header": 1}, "counted": 4}, "rows"),
        ({"megabytes": 1, "refused": "damaged"}, "refused"),
        ({"crash": "KeyError"}, "crash"),
    ],
)
def test_verdicts(said: dict[str, object], word: str) -> None:
    """A lost row and a crash are no success."""
    assert corpus.verdict(said, memory=512) == word


@pytest.mark.skipif("BATCH_ORDERS_TEST_CORPUS" not in os.environ, reason="names no folder of other people's files")
def test_other_peoples_files() -> None:
    """A folder of the tester's own: csv-spectrum, say, or a public set of workbooks."""
    assert corpus.main([os.environ["BATCH_ORDERS_TEST_CORPUS"]]) == 0
