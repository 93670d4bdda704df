"""Small sheets, and reports on them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from batch_orders.models import Column, Mapped, Originals, Report, ResultRow, RowStatus, Sheet, SheetKind, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.models import Finding

SENT_AT = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
RUN_ID = "20261124-0915-a1b2c3"


def make_sheet(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    kind: SheetKind = SheetKind.XLSX,
    sheet_name: str | None = "New hires",
    header_row: int = 1,
    row_numbers: Sequence[int] | None = None,
    first_column: int = 1,
    values: Mapping[tuple[int, int], Value] | None = None,
    delimiter: str = ",",
    path: Path = Path("wave.xlsx"),
) -> Sheet:
    """A sheet as the reader gives it: text cells, rows right below the header unless `row_numbers` says otherwise."""
    columns = range(len(headers))
    return Sheet(
        path=path,
        kind=kind,
        sheet_name=sheet_name,
        header_row=header_row,
        headers=tuple(headers),
        frame=pd.DataFrame([list(row) for row in rows], columns=list(columns), dtype=str),
        row_numbers=tuple(row_numbers or range(header_row + 1, header_row + 1 + len(rows))),
        first_column=first_column,
        values=Originals(values),
        delimiter=delimiter,
    )


def make_mapped(
    sheet: Sheet, positions: Mapping[Column, int] | None = None, *, results: Sequence[int] = (), prefix: str = ""
) -> Mapped:
    """The sheet with its known columns, given or found by our own names."""
    if positions is None:
        positions = {column: sheet.headers.index(column) for column in Column if column in sheet.headers}
    return Mapped(
        sheet=sheet,
        rows=range(len(sheet.row_numbers)),
        sources={column: (position,) for column, position in positions.items()},
        results=tuple(results),
        prefix=prefix,
    )


def make_report(
    mapped: Mapped,
    rows: Sequence[ResultRow] | None = None,
    *,
    findings: Sequence[Finding] = (),
    summary: Sequence[tuple[str, str]] = (("Rows", "1"),),
    command: str = "submit",
) -> Report:
    """A report that has a result for every row: ordered, unless `rows` says otherwise."""
    ordered = ResultRow(status=RowStatus.ORDERED, order_number="10001", submitted_at=SENT_AT, run_id=RUN_ID)
    rows = tuple(rows) if rows is not None else (ordered,) * len(mapped.sheet.frame)
    counts = {"rows": len(rows), "orders": len(rows)}
    counts |= {status.value: sum(row.status is status for row in rows) for status in RowStatus}
    return Report(
        run_id=RUN_ID,
        command=command,
        mapped=mapped,
        rows=rows,
        orders=(),
        findings=tuple(findings),
        counts=counts,
        exit_code=0,
        summary=tuple(summary),
    )
