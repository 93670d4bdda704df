"""The results file: what stands in it, how it looks, and that it is there whole or not at all."""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from batch_orders.adapters.results_csv import guarded, render_csv, unguarded
from batch_orders.adapters.results_style import longest_line, row_height, xlsx_text
from batch_orders.adapters.results_writer import reserve, results_path
from batch_orders.adapters.results_xlsx import render_xlsx
from batch_orders.errors import BatchOrdersError, UsageError
from batch_orders.models import (
    RESULT_COLUMNS,
    Cell,
    Column,
    Finding,
    FindingCode,
    Remark,
    ResultRow,
    RowStatus,
    Severity,
    SheetKind,
    Value,
)
from tests.builders import RUN_ID, SENT_AT, make_mapped, make_report, make_sheet

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

    from batch_orders.models import Report

ROOT = Path(__file__).resolve().parents[2]
RED, YELLOW, BLUE = "00FFC7CE", "00FFEB9C", "00DDEBF7"
FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "-2+3+cmd|' /C calc'!A0",
    '=HYPERLINK("http://x")',
    "\n=1",
]


def simple_report(
    kind: SheetKind = SheetKind.CSV, cells: tuple[str, ...] = ("ana@example.com",), **changes: Any
) -> Report:
    """A report on a sheet of one column, `email`, with these cells."""
    sheet = make_sheet(["email"], [[cell] for cell in cells], kind=kind, **changes)
    return make_report(make_mapped(sheet))


def read_csv(content: bytes, delimiter: str = ",") -> list[list[str]]:
    """The cells of a CSV file as they stand there."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def read_xlsx(content: bytes) -> Workbook:
    """The workbook, read back by openpyxl."""
    return load_workbook(io.BytesIO(content))


def written(report: Report, path: Path) -> Path:
    """Reserve and write in one go."""
    with reserve(path) as results:
        return results.write(report)


# --- where it goes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("wave.xlsx", SheetKind.XLSX, "wave.results.xlsx"),
        ("wave.xls", SheetKind.XLS, "wave.results.xlsx"),
        ("wave.xlsb", SheetKind.XLSB, "wave.results.xlsx"),
        ("wave.ods", SheetKind.ODS, "wave.results.xlsx"),
        ("wave.csv", SheetKind.CSV, "wave.results.csv"),
        ("wave.txt", SheetKind.CSV, "wave.results.csv"),
        ("new.hires.v2.csv", SheetKind.CSV, "new.hires.v2.results.csv"),
        ("wave", SheetKind.CSV, "wave.results.csv"),
        ("wave.results.xlsx", SheetKind.XLSX, "wave.results.xlsx"),
        ("wave.results-7.xlsx", SheetKind.XLSX, "wave.results.xlsx"),
        ("wave.Results-12.XLSX", SheetKind.XLSX, "wave.Results.xlsx"),
        ("my.results-final.csv", SheetKind.CSV, "my.results-final.results.csv"),
        ("results.csv", SheetKind.CSV, "results.results.csv"),
    ],
)
def test_name_beside_the_input(source: str, kind: SheetKind, expected: str) -> None:
    """The results' name comes from the input's, whose own `.results-N` is not piled up."""
    assert results_path(Path("folder") / source, kind, None) == Path("folder") / expected


def test_output_is_taken_as_given() -> None:
    """`--output` decides name and format, whatever the input was."""
    assert results_path(Path("wave.csv"), SheetKind.CSV, Path("elsewhere/out.XLSX")) == Path("elsewhere/out.XLSX")


@pytest.mark.parametrize("output", ["out.pdf", "out", "out.xls", "folder/"])
def test_output_of_another_format_is_refused(output: str) -> None:
    """A suffix that says neither format is a usage error that names both."""
    with pytest.raises(UsageError, match=r"\.csv or \.xlsx"):
        results_path(Path("wave.csv"), SheetKind.CSV, Path(output))
    with pytest.raises(UsageError, match=r"\.csv or \.xlsx"):
        reserve(Path(output))


@pytest.mark.parametrize(
    ("wished", "existing", "expected"),
    [
        ("wave.results.csv", [], "wave.results.csv"),
        ("wave.results.csv", ["wave.results.csv"], "wave.results-2.csv"),
        ("wave.results.csv", ["wave.results.csv", "wave.results-2.csv", "wave.results-4.csv"], "wave.results-3.csv"),
        ("wave.results-2.csv", ["wave.results-2.csv"], "wave.results-3.csv"),
        ("orders-2026.csv", ["orders-2026.csv"], "orders-2026-2.csv"),
    ],
)
def test_nothing_is_overwritten(tmp_path: Path, wished: str, existing: list[str], expected: str) -> None:
    """What is there stays as it is; the results get the next free name."""
    if wished == "wave.results-2.csv":
        (tmp_path / "wave.results.csv").touch()
    for name in existing:
        (tmp_path / name).write_text("mine")
    before = set(tmp_path.iterdir())
    final = written(simple_report(), tmp_path / wished)
    assert final == tmp_path / expected
    assert all((tmp_path / name).read_text() == "mine" for name in existing)
    assert set(tmp_path.iterdir()) - before == {final}
    assert read_csv(final.read_bytes())[1][0] == "ana@example.com"


def test_a_name_taken_after_the_reservation_is_not_overwritten(tmp_path: Path) -> None:
    """Free names are found when writing, not when reserving; a dangling link and a folder are taken names too."""
    with reserve(tmp_path / "out.csv") as results:
        (tmp_path / "out.csv").symlink_to(tmp_path / "nowhere")
        (tmp_path / "out-2.csv").mkdir()
        assert results.write(simple_report()) == tmp_path / "out-3.csv"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_only_the_owner_may_read_it(tmp_path: Path, umask: int) -> None:
    """Names and addresses are in it: 0600 from the first moment, whatever the umask."""
    before = os.umask(umask)
    try:
        with reserve(tmp_path / "out.csv") as results:
            (temporary,) = tmp_path.iterdir()
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
            final = results.write(simple_report())
    finally:
        os.umask(before)
    assert stat.S_IMODE(final.stat().st_mode) == 0o600


def test_reserving_shows_nothing_but_a_hidden_file(tmp_path: Path) -> None:
    """Before the results are complete there is no file of their name."""
    with reserve(tmp_path / "wave.results.xlsx"):
        (temporary,) = tmp_path.iterdir()
        assert re.fullmatch(r"\.wave\.results\.xlsx\..+\.tmp", temporary.name)
    assert list(tmp_path.iterdir()) == []


def test_discarding_twice_is_fine_and_writing_afterwards_is_not(tmp_path: Path) -> None:
    """A reservation is used once."""
    results = reserve(tmp_path / "out.csv")
    results.discard()
    results.discard()
    with pytest.raises(ValueError, match="already"):
        results.write(simple_report())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what is open in /proc")
def test_nothing_stays_open(tmp_path: Path) -> None:
    """Written or discarded, no file is left open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        written(simple_report(), tmp_path / "out.csv")
        reserve(tmp_path / "out.csv").discard()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_unwritable_place_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    """A missing folder, a file in the way, a name that is too long: exit 2, and what to do."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "no" / "out.csv", tmp_path / "file" / "out.csv", tmp_path / ("x" * 250 + ".csv")):
        with pytest.raises(UsageError, match=r"cannot be written in .*: .*Nothing was sent") as caught:
            reserve(path)
        assert caught.value.exit_code == 2
        assert "--output" in caught.value.hint
        assert str(path.parent) in caught.value.message


def test_a_workbook_needs_a_temporary_folder_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nowhere to build the workbook is found when reserving, not after the orders."""

    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(UsageError):
        reserve(tmp_path / "out.xlsx")
    with reserve(tmp_path / "out.csv"):
        pass


def test_a_failed_write_says_that_the_orders_are_safe(tmp_path: Path) -> None:
    """Exit 1, the reason, and how to get the file after all; nothing half-written remains."""
    results = reserve(tmp_path / "out.csv")
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(BatchOrdersError, match="in the ledger") as caught:
        results.write(simple_report())
    assert caught.value.exit_code == 1
    assert "batch-orders results" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The file size limit of a process stands in for a full disk, in both formats."""
    program = """
        import resource, signal, sys
        from pathlib import Path
        from batch_orders.adapters.results_writer import reserve
        from batch_orders.errors import BatchOrdersError
        from tests.builders import make_mapped, make_report, make_sheet

        folder = Path(sys.argv[1])
        sys.dont_write_bytecode = True  # what is loaded under the limit would be cut off too, for all who come after
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        report = make_report(make_mapped(make_sheet(["email"], [["ana@example.com"]] * 500)))
        for name in ("out.csv", "out.xlsx"):
            with reserve(folder / name) as results:
                resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
                try:
                    results.write(report)
                except BatchOrdersError as error:
                    print(error.message)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    """
    done = run_program(program, str(tmp_path))
    assert done.count("could not be written") == 2
    assert list(tmp_path.iterdir()) == []


def run_program(program: str, *arguments: str) -> str:
    """What a Python program prints that runs in a process of its own, in the project's folder."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=100)
    return done.stdout


# --- killed at any step --------------------------------------------------------------------------------------------

KILLER = """
    import json, os, sys, tempfile
    from pathlib import Path
    from batch_orders.adapters.results_writer import reserve
    from tests.builders import make_mapped, make_report, make_sheet

    STEPS = ("open", "fchmod", "write", "fsync", "link", "replace", "close", "unlink")
    report = make_report(make_mapped(make_sheet(["email"], [["ana@example.com"]] * 50)))

    def hook(kill_at):
        calls = []

        def hooked(name, real):
            def call(*arguments, **keywords):
                calls.append(name)
                if len(calls) == kill_at:
                    Path(sys.argv[1], f"step-{kill_at}").write_text(name)
                    os._exit(9)
                if name == "write" and len(arguments[1]) > 100:
                    arguments = (arguments[0], arguments[1][:len(arguments[1]) // 2])
                return real(*arguments, **keywords)

            return call

        originals = {name: getattr(os, name) for name in STEPS}
        for name, real in originals.items():
            setattr(os, name, hooked(name, real))
        return originals

    def child(folder, kill_at):
        results = Path(folder, "out.csv")
        hook_off = hook(kill_at)
        with reserve(results) as file:
            file.write(report)
        os._exit(0)

    kill_at, code = 0, 9
    while code == 9:
        kill_at += 1
        folder = Path(sys.argv[1], f"killed-{kill_at}")
        folder.mkdir()
        (folder / "out.csv").write_text("mine")
        pid = os.fork()
        if pid == 0:
            child(folder, kill_at)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps({"code": code, "runs": kill_at}))
"""


def test_killed_at_any_step_there_is_no_results_file_or_a_complete_one(tmp_path: Path) -> None:
    """A kill before each call to the file system, until a run gets through; the file that was there is not touched."""
    outcome = json.loads(run_program(KILLER, str(tmp_path)))
    assert outcome["code"] == 0, "the last run was not killed and ended well"
    complete = 0
    for kill_at in range(1, outcome["runs"] + 1):
        folder = tmp_path / f"killed-{kill_at}"
        assert (folder / "out.csv").read_text() == "mine"
        final = folder / "out-2.csv"
        if final.exists():
            complete += 1
            assert len(read_csv(final.read_bytes())) == 51
        others = {path.name for path in folder.iterdir()} - {"out.csv", "out-2.csv"}
        assert all(re.fullmatch(r"\.out\.csv\..+\.tmp", name) for name in others)
    steps = [(tmp_path / f"step-{kill_at}").read_text() for kill_at in range(1, outcome["runs"])]
    assert {"open", "write", "fsync", "link", "unlink"} <= set(steps), "a kill fell before each of these"
    last_link = len(steps) - steps[::-1].index("link")
    assert "fsync" in steps[: steps.index("link")], "the contents are durable before they get their name"
    assert "fsync" in steps[last_link:], "and so is the name afterwards"
    assert steps.count("write") > 3, "and in the middle of the contents"
    assert 1 < complete < outcome["runs"], "some kills came before the file was in place, some after"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """There too nothing is overwritten, and nothing but the results remains."""

    def no_links(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "out.csv").write_text("mine")
    final = written(simple_report(), tmp_path / "out.csv")
    assert final == tmp_path / "out-2.csv"
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert len(read_csv(final.read_bytes())) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_without_links_a_failed_move_gives_the_name_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The empty file that held the name goes when the results cannot take its place."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BatchOrdersError, match="not permitted"):
        written(simple_report(), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


# --- what stands in it ---------------------------------------------------------------------------------------------


def story(kind: SheetKind = SheetKind.CSV, **changes: Any) -> Report:
    """A results file that came in again: our old columns in the middle, a foreign one, a blank header."""
    headers = ["E-Mail", "order_status", "order_number", "order_message", "submitted_at", "run_id", "Team", ""]
    rows = [
        ["ana@example.com", "invalid", "", "mend it", "", "old", "Ops; EU", "x"],
        ["ben@example.com", "ordered", "7", "", "2026-01-01T00:00:00Z", "old", 'say "hi", two\nlines', ""],
    ]
    mapped = make_mapped(make_sheet(headers, rows, kind=kind, **changes), {Column.EMAIL: 0}, results=(1, 2, 3, 4, 5))
    berlin = timezone(timedelta(hours=1))
    results = [
        ResultRow(status=RowStatus.INVALID, messages=("=bad",), run_id=RUN_ID),
        ResultRow(
            status=RowStatus.ALREADY_ORDERED,
            order_number="0070",
            submitted_at=datetime(2026, 11, 24, 10, 15, 0, 987654, tzinfo=berlin),
            run_id=RUN_ID,
        ),
    ]
    return make_report(mapped, results)


EXPECTED = [
    ["E-Mail", "Team", "", *RESULT_COLUMNS],
    ["ana@example.com", "Ops; EU", "x", "invalid", "", "=bad", "", RUN_ID],
    ["ben@example.com", 'say "hi", two\nlines', "", "already_ordered", "0070", "", "2026-11-24T09:15:00Z", RUN_ID],
]


def test_csv_has_their_columns_then_ours() -> None:
    """Order, headers and texts as they came; our old columns replaced; UTC to the second; BOM and CRLF."""
    content = render_csv(story())
    assert content.startswith(b"\xef\xbb\xbfE-Mail,Team,,order_status")
    assert content.count(b"\r\n") == 3
    assert [[unguarded(cell) for cell in row] for row in read_csv(content)] == EXPECTED
    assert b",'=bad," in content


def test_xlsx_has_their_columns_then_ours() -> None:
    """The same cells in a workbook."""
    sheet = read_xlsx(render_xlsx(story(SheetKind.XLSX))).worksheets[0]
    assert [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)] == EXPECTED


def test_prefix_where_the_names_are_the_persons_own() -> None:
    """A sheet with its own `order_status` gets ours as `bo_order_status`."""
    sheet = make_sheet(["email", "order_status"], [["ana@example.com", "theirs"]], kind=SheetKind.CSV)
    report = make_report(make_mapped(sheet, prefix="bo_"))
    header, row = read_csv(render_csv(report))
    assert header == ["email", "order_status", *(f"bo_{name}" for name in RESULT_COLUMNS)]
    assert row[:3] == ["ana@example.com", "theirs", "ordered"]


@pytest.mark.parametrize(
    ("kind", "given", "used"),
    [(SheetKind.CSV, ";", ";"), (SheetKind.CSV, "\t", "\t"), (SheetKind.CSV, "|", "|"), (SheetKind.XLSX, ";", ",")],
)
def test_csv_keeps_the_inputs_delimiter(kind: SheetKind, given: str, used: str) -> None:
    """A comma where the input was a workbook."""
    rows = read_csv(render_csv(story(kind, delimiter=given)), used)
    assert [[unguarded(cell) for cell in row] for row in rows] == EXPECTED


def test_a_results_row_for_each_row_or_none_at_all() -> None:
    """A report that lost a row is a bug that must not become a file."""
    report = make_report(make_mapped(make_sheet(["email"], [["a@example.com"], ["b@example.com"]])), [])
    with pytest.raises(ValueError, match="shorter"):
        render_csv(report)
    with pytest.raises(ValueError, match="shorter"):
        render_xlsx(report)


def test_the_input_is_never_touched(tmp_path: Path) -> None:
    """A results file coming in stays as it is, and gives the next number."""
    source = tmp_path / "wave.results.csv"
    source.write_bytes(b"email\r\nana@example.com\r\n")
    final = written(simple_report(), results_path(source, SheetKind.CSV, None))
    assert final == tmp_path / "wave.results-2.csv"
    assert source.read_bytes() == b"email\r\nana@example.com\r\n"


# --- formulas ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *FORMULAS,
        "\r=1",
        "-",
        "+",
        "=",
        "@",
        "-cmd",
        "+49 ext 5",
        "+A1",
        "-1-2",
        "+1;2",
        "'=x",
        "''@x",
        "-1\n",
        "+49\n",
        "+٤",
    ],
)
def test_csv_guards_what_a_spreadsheet_would_run(text: str) -> None:
    """One `'` in front, no more; reading takes it away."""
    assert guarded(text) == "'" + text
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ana",
        "-12.5",
        "+49",
        "-1.234,56",
        "-.5",
        "+1e5",
        "+49 89 123",
        "+1 (212) 555-0142",
        "+49/89/123",
        "+1.212.555.0142",
        "'",
        "''",
        "'tis",
        "' =x",
        "a=1",
        " =x",
    ],
)
def test_csv_leaves_everything_else_alone(text: str) -> None:
    """Numbers, phone numbers, and text that starts harmlessly."""
    assert guarded(text) == text
    assert unguarded(text) == text


@given(st.text(alphabet=st.one_of(st.sampled_from("'=+-@\t\r\n0 (),.;\""), st.characters(codec="utf-8"))))
def test_csv_guard_can_be_undone(text: str) -> None:
    """Every text comes back as it was, also one that a person began with `'` themselves."""
    assert unguarded(guarded(text)) == text


@given(
    st.lists(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=2), max_size=5),
    st.sampled_from(",;\t|"),
)
def test_csv_round_trip(rows: list[list[str]], delimiter: str) -> None:
    """Whatever the cells hold, the file gives the same cells back."""
    report = make_report(make_mapped(make_sheet(["a", "b"], rows, kind=SheetKind.CSV, delimiter=delimiter), {}))
    back = [[unguarded(cell) for cell in row[:2]] for row in read_csv(render_csv(report), delimiter)]
    assert back == [["a", "b"], *rows]


def test_csv_guards_headers_and_the_vendors_words() -> None:
    """Nothing in the file gets through unguarded, whoever wrote it."""
    report = make_report(
        make_mapped(make_sheet(["=head"], [["x"]], kind=SheetKind.CSV), {}),
        [ResultRow(status=RowStatus.REJECTED, order_number="=1", messages=("@vendor",))],
    )
    header, row = read_csv(render_csv(report))
    assert header[0] == "'=head"
    assert row == ["x", "rejected", "'=1", "'@vendor", "", ""]


def test_workbooks_hold_no_formula() -> None:
    """In headers, cells, results, comments, summary and the sheet's name: text, and read back as text."""
    rows = [[text, text] for text in [*FORMULAS, "#N/A", "{=1+1}"]]
    finding = Finding(
        remark=Remark(code=FindingCode.EMAIL, severity=Severity.ERROR, message="=1+1", suggestions=("=2+2",)),
        scattered=(Cell(2, 1),),
    )
    report = make_report(
        make_mapped(make_sheet(["=1+1", "phone_number"], rows, sheet_name="=1+1")),
        [ResultRow(status=RowStatus.REJECTED, order_number="=1+1", messages=("=1+1",), run_id="=1+1")] * len(rows),
        findings=[finding],
        summary=[("=1+1", "=1+1")],
    )
    content = render_xlsx(report)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]
    assert len(sheets) == 2
    assert not any(re.search(r"<f[ >/]", sheet) for sheet in sheets)
    workbook = read_xlsx(content)
    data = workbook.worksheets[0]
    assert [[cell.value for cell in row[:2]] for row in data.iter_rows(min_row=2)] == rows
    assert {cell.data_type for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    assert data["A2"].quotePrefix, "editing the cell must not make a formula of it either"
    assert data["B2"].number_format == "@", "nor here"


# --- the workbook --------------------------------------------------------------------------------------------------


def marked_report() -> Report:
    """Findings of each kind on a sheet that begins at C5, with gaps, whose first column is our old one."""
    headers = ["run_id", "email", "shipping_zip", "phone_number", "quantity", "start"]
    rows = [
        ["old", "ana@example.com", "02139", "12125550142", "1", "2026-12-01"],
        ["old", "ben@example.com", "", "+1 212 555 0143", "two", "soon"],
    ]
    values = {
        (0, 2): Value(2139, "00000"),
        (0, 3): Value(12125550142.0, "General"),
        (0, 4): Value(1, "General"),
        (0, 5): Value(datetime(2026, 12, 1), "dd.mm.yyyy"),  # noqa: DTZ001 - a sheet's dates have no zone
        (1, 5): Value(True, "General"),
    }
    sheet = make_sheet(headers, rows, header_row=5, row_numbers=(6, 9), first_column=3, values=values)
    findings = [
        Finding(
            remark=Remark(code=FindingCode.OUT_OF_STOCK, severity=Severity.WARNING, message="Few left."),
            scattered=(Cell(6, 7),),
        ),
        Finding(
            remark=Remark(code=FindingCode.REPAIRED, severity=Severity.REPAIR, message="Trimmed."),
            scattered=(Cell(9, 4), Cell(9, 7)),
        ),
        Finding(
            remark=Remark(
                code=FindingCode.QUANTITY, severity=Severity.ERROR, message="Not a number.", suggestions=("2",)
            ),
            scattered=(Cell(9, 7),),
        ),
        Finding(
            remark=Remark(code=FindingCode.ZIP, severity=Severity.ERROR, message="Missing.", suggestions=("A", "B")),
            scattered=(Cell(9, 5),),
        ),
        Finding(
            remark=Remark(code=FindingCode.EMAIL, severity=Severity.ERROR, message="Elsewhere."),
            scattered=(Cell(9, 3), Cell(7, 4)),
        ),
        Finding(remark=Remark(code=FindingCode.CONFLICT, severity=Severity.ERROR, message="No cell."), rows=(9,)),
    ]
    results = [
        ResultRow(status=RowStatus.ORDERED, order_number="10001", submitted_at=SENT_AT, run_id=RUN_ID),
        ResultRow(status=RowStatus.INVALID, messages=("Not a number. " * 12,), run_id=RUN_ID),
    ]
    return make_report(make_mapped(sheet, results=(0,)), results, findings=findings)


@pytest.fixture(scope="module")
def marked() -> Workbook:
    """`marked_report` as a workbook, read back."""
    return read_xlsx(render_xlsx(marked_report()))


def fill(cell: Any) -> str | None:
    """The cell's colour, None where it has none."""
    return cell.fill.start_color.rgb if cell.fill.fill_type == "solid" else None


def test_findings_are_shown_at_the_cells_where_they_stand_now(marked: Workbook) -> None:
    """Colours by the worst finding; the others of the cell are in the same comment; nowhere else is one."""
    sheet = marked.worksheets[0]
    told = {cell.coordinate: cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment}
    assert told == {
        "D6": "Warning: Few left.",
        "A9": "Repaired: Trimmed.",
        "D9": "Error: Not a number.\nSuggestion: 2\n\nRepaired: Trimmed.",
        "B9": "Error: Missing.\nSuggestions: A; B",
    }
    assert {name: fill(sheet[name]) for name in told} == {"D6": YELLOW, "A9": BLUE, "D9": RED, "B9": RED}
    assert [fill(sheet[name]) for name in ("A6", "B6", "C6", "E9", "H9")] == [None] * 5
    assert {cell.comment.author for cell in (sheet["D6"], sheet["D9"])} == {"batch-orders"}


@pytest.mark.parametrize("kind", [SheetKind.CSV, SheetKind.XLSX])
def test_every_row_keeps_its_number(kind: SheetKind, tmp_path: Path) -> None:
    """What the messages call row 9 is row 9 of the results too: a title and blank rows stay where they are."""
    sheet = make_sheet(
        ["email"], [["ana@example.com"], ["ben@example.com"]], header_row=3, row_numbers=(4, 7), kind=kind
    )
    titled = dataclasses.replace(sheet, above={1: ("=New hires",)})
    with reserve(tmp_path / f"wave.results.{kind.value}") as results:
        path = results.write(make_report(make_mapped(titled)))
    if kind is SheetKind.CSV:
        lines = [line.split(",")[0] for line in path.read_text(encoding="utf-8-sig").splitlines()]
    else:
        lines = [str(row[0] or "") for row in read_xlsx(path.read_bytes()).worksheets[0].iter_rows(values_only=True)]
    title = "'=New hires" if kind is SheetKind.CSV else "=New hires"
    assert lines == [title, "", "email", "ana@example.com", "", "", "ben@example.com"]


def test_comments_are_large_enough_to_read() -> None:
    """A longer text gets a taller comment, up to what fits a screen."""
    heights = []
    for length in (1, 20, 500):
        finding = Finding(
            remark=Remark(code=FindingCode.EMAIL, severity=Severity.ERROR, message="Far too long. " * length),
            scattered=(Cell(2, 1),),
        )
        report = simple_report(SheetKind.XLSX)
        content = render_xlsx(make_report(report.mapped, report.rows, findings=[finding]))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (drawing,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".vml")]
        (size,) = re.findall(r"width:([0-9.]+)px;height:([0-9.]+)px", drawing)
        assert float(size[0]) > 300
        heights.append(float(size[1]))
    assert heights[0] < heights[1] < heights[2] < 500


def test_values_stay_what_they_were(marked: Workbook) -> None:
    """Numbers stay numbers and dates dates, in their format; postal codes and phones are text, blank ones too."""
    sheet = marked.worksheets[0]
    assert (sheet["D6"].value, sheet["D6"].data_type) == (1, "n")
    assert (sheet["E6"].value, sheet["E6"].number_format) == (datetime(2026, 12, 1), "dd.mm.yyyy")  # noqa: DTZ001
    assert sheet["E9"].value is True
    assert [sheet[name].value for name in ("B6", "B9", "C6", "C9")] == ["02139", None, "12125550142", "+1 212 555 0143"]
    assert {sheet[name].number_format for name in ("B6", "B9", "C6", "C9")} == {"@"}
    assert sheet.column_dimensions["B"].number_format == "@", "for rows that a person adds"
    assert (sheet["G6"].value, sheet["G6"].data_type) == ("10001", "s")


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        datetime(1899, 12, 31),  # noqa: DTZ001 - a sheet's dates have no zone
        datetime(2026, 1, 1, tzinfo=UTC),
    ],
)
def test_values_that_excel_cannot_hold_are_written_as_their_text(value: float | datetime) -> None:
    """Their text is what the person saw, and it is there."""
    sheet = make_sheet(["email"], [["as shown"]], values={(0, 0): Value(value, "General")})
    data = read_xlsx(render_xlsx(make_report(make_mapped(sheet)))).worksheets[0]
    assert (data["A2"].value, data["A2"].data_type) == ("as shown", "s")


def test_the_data_sheet_is_laid_out(marked: Workbook) -> None:
    """First and active; header bold and frozen; filters over everything; widths from the contents; messages wrapped."""
    sheet = marked.worksheets[0]
    assert marked.active is sheet
    assert [name.title for name in marked.worksheets] == ["New hires", "Summary"]
    assert sheet.freeze_panes == "A6"
    assert sheet.auto_filter.ref == "A5:J9"
    assert all(cell.font.bold for cell in sheet[5])
    assert not sheet["A6"].font.bold
    widths = {letter: dimension.width for letter, dimension in sheet.column_dimensions.items()}
    assert widths["A"] >= len("ana@example.com")
    assert widths["H"] == 60, "the message is wide, and no wider"
    assert sheet["H9"].alignment.wrap_text
    assert sheet.row_dimensions[9].height > 30
    assert sheet.row_dimensions[6].height is None


def test_each_status_has_a_colour_and_its_word() -> None:
    """Colour never tells anything alone, and every status has one."""
    report = make_report(
        make_mapped(make_sheet(["email"], [["ana@example.com"]] * len(RowStatus))),
        [ResultRow(status=status) for status in RowStatus],
    )
    column = read_xlsx(render_xlsx(report)).worksheets[0]["B"][1:]
    assert [cell.value for cell in column] == [status.value for status in RowStatus]
    assert all(fill(cell) for cell in column)


def test_the_summary_stands_on_a_sheet_of_its_own() -> None:
    """Each line: a bold label, and text that is wrapped where it is long."""
    report = make_report(simple_report().mapped, summary=[("Rows", "3"), ("Next", "Mend the marked cells. " * 20)])
    sheet = read_xlsx(render_xlsx(report)).worksheets[1]
    assert [tuple(row) for row in sheet.iter_rows(values_only=True)] == list(report.summary)
    assert sheet["A1"].font.bold
    assert sheet["B2"].alignment.wrap_text
    assert sheet.row_dimensions[2].height > 60
    assert sheet.column_dimensions["B"].width > 60


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, ["Results", "Summary"]),
        ("", ["Results", "Summary"]),
        ("Summary", ["Summary", "Run summary"]),
        ("SUMMARY", ["SUMMARY", "Run summary"]),
        ("History", ["History data", "Summary"]),
        ("a/b:c*d?[e]\\", ["a-b-c-d--e--", "Summary"]),
        ("'quoted'", ["quoted", "Summary"]),
        ("x" * 40, ["x" * 31, "Summary"]),
        ("😀" * 20, ["😀" * 15, "Summary"]),
        ("odd\x01name", ["odd�name", "Summary"]),
    ],
)
def test_sheet_names(name: str | None, expected: list[str]) -> None:
    """The input's name as Excel allows it, and ours beside it."""
    assert read_xlsx(render_xlsx(simple_report(sheet_name=name))).sheetnames == expected


def test_characters_that_xml_forbids() -> None:
    """They are replaced in cells, headers, messages, comments and summary; tab and line ends are fine."""
    odd = "a\x00b\x0bc\x1fd\ud800e\ufffff\tg\r\nh\ri"
    kept = "a�b�c�d�e�f\tg\nh\ni"
    finding = Finding(
        remark=Remark(code=FindingCode.EMAIL, severity=Severity.ERROR, message=odd), scattered=(Cell(2, 1),)
    )
    report = make_report(
        make_mapped(make_sheet([odd], [[odd]])),
        [ResultRow(status=RowStatus.REJECTED, messages=(odd,))],
        findings=[finding],
        summary=[("Vendor", odd)],
    )
    workbook = read_xlsx(render_xlsx(report))
    data, summary = workbook.worksheets
    assert [data["A1"].value, data["A2"].value, data["D2"].value, summary["B1"].value] == [kept] * 4
    assert data["A2"].comment.text == f"Error: {kept}"


def test_lone_surrogates_in_csv() -> None:
    """UTF-8 cannot hold them: they become U+FFFD, and the file is written."""
    assert read_csv(render_csv(simple_report(cells=("a\ud800b",))))[1][0] == "a�b"


def test_long_texts_are_shortened_visibly_in_workbooks_only() -> None:
    """Excel holds 32,767 characters in a cell, and counts one beyond U+FFFF as two."""
    longest, longer = "x" * 32_767, "x" * 32_768
    data = read_xlsx(render_xlsx(simple_report(SheetKind.XLSX, (longest, longer)))).worksheets[0]
    assert data["A2"].value == longest
    assert data["A3"].value == "x" * 32_754 + "… (shortened)"
    assert len(xlsx_text("😀" * 20_000).encode("utf-16-le")) <= 2 * 32_767
    assert xlsx_text("😀" * 16_383) == "😀" * 16_383
    assert read_csv(render_csv(simple_report(cells=(longer,))))[1][0] == longer


def test_text_measures() -> None:
    """Wide letters count double, and a row is as tall as its lines, up to a limit."""
    assert [longest_line(text) for text in ("", "ab\nabc", "東京", "é")] == [0, 3, 4, 1]
    assert row_height("short", 60) is None
    assert row_height("two\nlines", 60) == 30
    assert row_height("x" * 100_000, 60) == row_height("x" * 10_000, 60)


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]), max_size=8), max_size=5)
)
def test_xlsx_round_trip(cells: list[str]) -> None:
    """Whatever the cells hold, the workbook gives the same cells back."""
    report = simple_report(SheetKind.XLSX, tuple(cells))
    data = read_xlsx(render_xlsx(report)).worksheets[0]
    assert [row[0] or "" for row in data.iter_rows(min_row=2, values_only=True)] == cells


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx", "OUT.XLSX"])
def test_the_suffix_decides_the_format(tmp_path: Path, name: str) -> None:
    """A CSV sheet may become a workbook and the other way round."""
    for kind in SheetKind:
        final = written(simple_report(kind), tmp_path / name)
        assert zipfile.is_zipfile(final) == (final.suffix.lower() == ".xlsx")
