"""Bytes changed, cut, doubled or put in anywhere in a good file: a sheet, or its refusal, and no other exception."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from tests.make_cases import CASES, cases

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = [f"{kind}-wave/sheet.{kind}" for kind in ("xls", "xlsb", "ods")]
_CASES = cases() | {name: (CASES / name).read_bytes() for name in _OTHERS}
_TEXTS = sorted(name for name in _CASES if name.endswith(".csv"))
_WORKBOOKS = sorted(name for name in _CASES if name.startswith(("xlsx-", "xlsb-", "ods-")))
# What a reader trips over, if over anything.
_BITS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b'"', b"\r", b"\0", b"\xff\xfe", b"sep=,\n", b"<", b"/>", b"<!--", b"99999999999", b"-1", b"NaN", b""]
    ),
)
_CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 12), _BITS), min_size=1, max_size=4)
_QUIET = [HealthCheck.function_scoped_fixture]


def _mutated(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for where, gone, put in changes:
        at = where % (len(content) + 1)
        content = content[:at] + put + content[at + gone :]
    return content


def _read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refusal, sheet = "", None
    try:
        sheet = read_sheet(path)
    except SheetError as error:
        refusal = error.message
    assert refusal.isprintable()
    assert refusal if sheet is None else len(sheet.frame) == len(sheet.row_numbers) > 0


@settings(suppress_health_check=_QUIET, deadline=None, max_examples=200)
@given(st.sampled_from(_TEXTS), _CHANGES)
def test_mutated_text(tmp_path: Path, name: str, changes: list[tuple[int, int, bytes]]) -> None:
    """CSV files of every kind that there is a case of."""
    _read(tmp_path / "wave.csv", _mutated(_CASES[name], changes))


@settings(suppress_health_check=_QUIET, deadline=None, max_examples=200)
@given(st.sampled_from(_WORKBOOKS), st.integers(0, 20), _CHANGES)
def test_mutated_parts_of_workbooks(
    tmp_path: Path, name: str, which: int, changes: list[tuple[int, int, bytes]]
) -> None:
    """The XML itself, in a whole archive: a change to the archive's bytes ends at its checksum."""
    with zipfile.ZipFile(io.BytesIO(_CASES[name])) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    part = sorted(parts)[which % len(parts)]
    parts[part] = _mutated(parts[part], changes)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place, content in parts.items():
            archive.writestr(place, content)
    _read(tmp_path / "wave.xlsx", buffer.getvalue())


@settings(suppress_health_check=_QUIET, deadline=None, max_examples=200)
@given(_CHANGES)
def test_mutated_old_workbooks(tmp_path: Path, changes: list[tuple[int, int, bytes]]) -> None:
    """The records of an .xls, and the OLE2 archive around them, which has no checksum."""
    _read(tmp_path / "wave.xls", _mutated(_CASES["xls-wave/sheet.xls"], changes))


@pytest.mark.parametrize("name", sorted(_CASES))
def test_every_case_is_a_sheet_or_refused(tmp_path: Path, name: str) -> None:
    """What is mutated is itself read or refused."""
    _read(tmp_path / name.rpartition("/")[2], _CASES[name])
