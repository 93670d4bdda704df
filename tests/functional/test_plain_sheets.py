"""A plain worksheet is read at once, and read as openpyxl reads it: whatever stands in it, however it is written."""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from batch_orders.adapters import xlsx_plain, xlsx_reader, xlsx_usual
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from tests.program import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_orders.models import Sheet

_HEADERS = ("Email", "First name", "Product title", "Quantity", "ZIP")
_ROOT = Path(__file__).parents[2]
_MADE_BY_OTHERS = sorted((_ROOT / "tests").glob("cases/*/*.xlsx"))
# Without it openpyxl reads the whole sheet to find out.
_SIZE = '<dimension ref="A1:E99"/>'
# A row so long that openpyxl does not come to those below it while it looks for the sheet with orders.
_LONG = f'<row r="30"><c r="A30" t="str"><v>{"x" * 70_000}</v></c></row>'
# Of a row: its attributes, its cells by column (style, kind, contents), what stands between, and whether in order.
_Row = tuple[str, dict[str, tuple[str, str, str]], str, bool]
_SHARED = (
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
_NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def _both_ways(content: bytes) -> tuple[Sheet | str, Sheet | str, list[bool]]:
    """What becomes of a workbook, read as it is and by openpyxl alone; and which of its parts were plain."""
    plain: list[bool] = []

    def watched(read: object) -> object:
        def wrapper(*arguments: object) -> object:
            found = read(*arguments)  # type: ignore[operator]
            plain.append(found is not None)
            return found

        return wrapper

    with (
        patch.object(xlsx_reader, "plain_sheet", watched(xlsx_reader.plain_sheet)),
        patch.object(xlsx_reader, "plain_texts", watched(xlsx_reader.plain_texts)),
    ):
        fast = _read(content)
    with (
        patch.object(xlsx_reader, "plain_sheet", lambda *_: None),
        patch.object(xlsx_reader, "plain_texts", lambda *_: None),
    ):
        return fast, _read(content), plain


def _read(content: bytes) -> Sheet | str:
    try:
        return read_sheet(Path("wave.xlsx"), content=content)
    except SheetError as error:
        return error.message


def _assert_same(content: bytes) -> list[bool]:
    fast, exact, plain = _both_ways(content)
    if isinstance(fast, str) or isinstance(exact, str):
        assert fast == exact
        return plain
    assert fast.frame.equals(exact.frame)
    assert [*fast.values.items()] == [*exact.values.items()]
    assert [type(value.value) for value in fast.values.values()] == [type(v.value) for v in exact.values.values()]
    for field in ("headers", "header_row", "row_numbers", "above", "oddities", "sheet_name", "template"):
        assert getattr(fast, field) == getattr(exact, field), field
    return plain


@contextmanager
def _in_small_pieces() -> Iterator[None]:
    """The first few rows below the twentieth show how the others are written, however many odd ones there are."""
    with (
        patch.object(xlsx_plain, "_FIRST_PIECE", 2**8),
        patch.object(xlsx_plain, "_PIECE", 2**9),
        patch.object(xlsx_usual, "_RARE", 0),
    ):
        yield


@pytest.mark.parametrize("path", _MADE_BY_OTHERS, ids=lambda path: path.parent.name)
def test_every_case(path: Path) -> None:
    """The workbooks of the cases, odd ones all of them."""
    _assert_same(path.read_bytes())


@pytest.mark.parametrize("path", [SAMPLES / "new-hires.xlsx", _ROOT / "templates" / "new-hires-template.xlsx"])
def test_our_own_are_plain(path: Path) -> None:
    """What we give people to fill in is read the quick way."""
    assert all(_assert_same(path.read_bytes()))


def test_what_others_write_is_plain() -> None:
    """What openpyxl and XlsxWriter write is: else the quick way would be there for nothing."""
    row = ["ana@example.com", "Ana & “Co” <x>", 'Dock 14"', 1, 2139.5]
    workbook = Workbook()
    assert workbook.active is not None
    for values in (_HEADERS, row):
        workbook.active.append(values)
    workbook.active.row_dimensions[2].hidden = True
    workbook.active["E2"].number_format = "00000"
    saved = io.BytesIO()
    workbook.save(saved)
    assert _assert_same(saved.getvalue()) == [True]  # it gives each cell a text of its own
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as other:
        sheet = other.add_worksheet()
        sheet.write_row(0, 0, _HEADERS)
        sheet.write_row(1, 0, row, other.add_format({"bold": True}))
        sheet.write_formula(2, 0, "=A2", None, "ana@example.com")
        sheet.merge_range("B3:C3", "merged")
        sheet.set_column("E:E", None, None, {"hidden": True})
    assert _assert_same(written.getvalue()) == [True, True]


# Written by hand -----------------------------------------------------------------------------------------------------


def _workbook(rows: str, *, texts: str = "<si><t>Ana</t></si>", head: str = "", tail: str = "") -> bytes:
    """A workbook with these rows below its header; `texts` are those that cells share."""
    workbook = Workbook()
    assert workbook.active is not None
    workbook.active.append(_HEADERS)
    workbook.active["A2"].number_format = "yyyy-mm-dd"
    workbook.active["A3"].number_format = "00000"
    workbook.active["A4"].number_format = "[h]:mm"
    base, made = io.BytesIO(), io.BytesIO()
    workbook.save(base)
    headers = "".join(
        f"<c r='{'ABCDE'[at]}1' t='inlineStr'><is><t>{name}</t></is></c>" for at, name in enumerate(_HEADERS)
    )
    first = f'<row r="1">{headers}</row>'.replace("'", '"')
    with zipfile.ZipFile(base) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            part = old.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                part = f"{head}<worksheet {_NAMESPACE}>{_SIZE}<sheetData>{first}{rows}</sheetData>{tail}</worksheet>"
            elif name == "[Content_Types].xml":
                part = part.replace("</Types>", f"{_SHARED}</Types>")
            new.writestr(name, part)
        new.writestr("xl/sharedStrings.xml", f"<sst {_NAMESPACE}>{texts}</sst>")
    return made.getvalue()


_VALUES = st.sampled_from(
    (
        *("", "0", "1", "-1", "45000", "45000.5", "1e3", "1.0", "2958466", "-5", "+1", " 7", "1_0", "x", "é", "#N/A"),
        *("&amp;", "&#65;", "&#13;", "&#0;", "&nope;", "_x000D_", "_x005F_x000D_", "a\rb", "a\r\nb"),
        *("\x01", "\ufffe", "]]>", "<!--c-->", "<![CDATA[1]]>"),
    )
)
_KINDS = st.sampled_from(["", ' t="s"', ' t="n"', ' t="str"', ' t="b"', ' t="e"', ' t="inlineStr"', ' t="d"', " t='s'"])
_STYLES = st.sampled_from(["", ' s="0"', ' s="1"', ' s="2"', ' s="3"', ' s="9"', ' foo="1"'])
_FORMULAS = st.sampled_from(
    [
        "",
        "",
        "",
        "<f>A1</f>",
        "<f/>",
        '<f t="shared" si="0"/>',
        '<f t="shared" ref="A1:A2" si="0">B1&amp;C1</f>',
        "<f>&bad;</f>",
    ]
)
_INSIDE = st.one_of(
    st.builds("{}<v>{}</v>".format, _FORMULAS, _VALUES),
    st.builds("{}".format, _FORMULAS),
    st.builds("{}<v/>".format, _FORMULAS),
    st.builds("<is><t>{}</t></is>".format, _VALUES),
    st.builds('<is><t xml:space="preserve"> {} </t></is>'.format, _VALUES),
    st.sampled_from(["<is><r><t>A</t></r></is>", "<is/>", " ", "<!-- c -->", "<v>1</v><v>2</v>", "text", "<extLst/>"]),
)
_USUAL = st.sampled_from(
    [
        *[("", ' t="s"', "<v>0</v>"), (' s="1"', ' t="str"', "<f>A1</f><v>M &amp; x</v>"), ("", ' t="b"', "<v>1</v>")],
        *[(' s="1"', "", "<v>45000.5</v>"), (' s="2"', "", "<v>2139</v>"), (' s="3"', ' t="n"', "<v>0.5</v>")],
        *[("", "", "<v>1e3</v>"), ("", ' t="inlineStr"', "<is><t>_x0041_</t></is>"), ("", ' t="e"', "<v>#N/A</v>")],
        *[("", "", "<f>A1</f><v></v>"), ("", ' t="str"', "<f>A1</f><v/>"), (' s="2"', "", ""), ("", "", "<f>A1</f>")],
    ]
)
_CELLS = st.one_of(_USUAL, _USUAL, _USUAL, _USUAL, st.tuples(_STYLES, _KINDS, _INSIDE))
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(
            ["", "", "", ' hidden="1"', ' spans="1:5"', ' hidden="true" s="1"', ' x="&lt;"', " hidden='1'"]
        ),
        st.dictionaries(st.sampled_from("ABCDE"), _CELLS, max_size=5),
        st.sampled_from(["", "", "", "", "\n", "<!-- c -->"]),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=3,
)
_USUAL_ROWS = st.tuples(
    st.sampled_from(["", "", ' hidden="1"', ' spans="1:5"']),
    st.dictionaries(st.sampled_from("ABCDE"), _USUAL, max_size=5),
    st.just(""),
    st.just(True),
)
_TEXTS = st.lists(
    st.one_of(
        st.just("<si><t>Ana</t></si>"),
        st.just("<si><t>Ben &lt; _x000D_</t></si>"),
        st.builds("<si><t>{}</t></si>".format, _VALUES),
        st.sampled_from(
            ['<si><t xml:space="preserve"> a </t></si>', "<si><t/></si>", "<si/>", "<si><r><t>R</t></r></si>", "\n"]
        ),
    ),
    min_size=1,
    max_size=3,
)


def _written(rows: list[_Row], first: int = 2) -> str:
    xml = ""
    for number, (attributes, cells, between, is_sorted) in enumerate(rows, start=first):
        columns = sorted(cells) if is_sorted else list(cells)
        each = [(column, *cells[column]) for column in columns]
        inside = between.join(f'<c r="{column}{number}"{style}{kind}>{what}</c>' for column, style, kind, what in each)
        xml += f'<row r="{number}"{attributes}>{inside}</row>{between}'
    return xml


@settings(max_examples=400, deadline=None)
@given(_ROWS, _TEXTS)
@example([("", {"A": ("", ' t="s"', "<v>0</v>")}, "", True)], ["<si><t>x005F_</t></si>"])
def test_cells_however_they_are_written(rows: list[_Row], texts: list[str]) -> None:
    """Kinds, styles, formulas, references, comments, in and out of order: the same sheet, or the same refusal."""
    _assert_same(_workbook(_written(rows), texts="".join(texts)))


@settings(max_examples=400, deadline=None)
@given(st.lists(_USUAL_ROWS, min_size=1, max_size=4), st.one_of(_ROWS, st.lists(_USUAL_ROWS, max_size=3)), _TEXTS)
@example([("", {"A": ("", ' t="inlineStr"', "<is><t>x</t></is>")}, "", True)], [("", {}, "", True)], ["<si><t/></si>"])
def test_rows_like_those_before(usual: list[_Row], others: list[_Row], texts: list[str]) -> None:
    """Below the first rows, which are read one by one: usual ones, and odd ones among them."""
    with _in_small_pieces():
        _assert_same(_workbook(_written([*usual, *usual, *others, *usual, *others], 21), texts="".join(texts)))


@pytest.mark.parametrize(
    "odd",
    [
        '<row r="30"><c r="A30" t="str"><v>x</v></c></row>',
        '<row r="1048577"><c r="A1048577" t="str"><v>x</v></c></row>',
        '<row r="90" hidden=1><c r="A90" t="str"><v>x</v></c></row>',
        '<row r="90" hidden="1"><c r="A90" t="str"><v>x</v></c></row>',
        '<row r="90"><c r="A91" t="str"><v>x</v></c></row>',
        '<row r="90"><c r="A90" t="str"><v></v></c></row>',
        '<row r="90"><c r="A90" t="str"><v>&nope;</v></c></row>',
        '<row r="90"><c r="B90"><v>1_0</v></c></row>',
        '<row r="90"><c r="B90"><v></v></c></row>',
        '<row r="90"><c r="C90" t="s"><v>-1</v></c></row>',
        '<row r="90"><c r="C90" t="s"><v>1</v></c></row>',
        '<row r="90"><c r="B90"><v>2</v></c><c r="A90" t="str"><v>x</v></c></row>',
    ],
)
def test_one_odd_row_among_usual_ones(odd: str) -> None:
    """Out of order, hidden, or with something in it that cannot be read."""
    cells = '<c r="A{0}" t="str"><v>M &amp; x</v></c><c r="B{0}"><v>2</v></c><c r="C{0}" t="s"><v>0</v></c>'
    rows = [f'<row r="{row}">{cells.format(row)}</row>' for row in (*range(21, 29), *range(31, 50), *range(91, 99))]
    with _in_small_pieces():
        _assert_same(_workbook("".join([*rows[:8], _LONG, *rows[8:-8], odd, *rows[-8:]])))
        assert _assert_same(_workbook("".join([*rows[:8], _LONG, *rows[8:]]))) == [True, True]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_workbook_with_a_broken_byte(data: st.DataObject) -> None:
    """A few bytes of the cells, or of their texts, taken out, changed or put in."""
    first, formula = data.draw(st.sampled_from([(2, "<f>A1</f>"), (31, "")]))  # one by one, and many at once
    cells = '<c r="A{0}" t="s"><v>0</v></c><c r="C{0}" t="str">{1}<v>M &amp; x</v></c><c r="D{0}" s="1"><v>2</v></c>'
    usual = [f'<row r="{row}" spans="1:5">{cells.format(row, formula)}</row>' for row in range(first - 10, first + 5)]
    above, rows = "".join([*usual[:9], _LONG]) if first > 2 else "", "".join(usual[10:])
    texts = "<si><t>Ana</t></si><si><t>Ben</t></si>"
    which = data.draw(st.sampled_from(["rows", "texts"]))
    text = rows if which == "rows" else texts
    at = data.draw(st.integers(0, len(text) - 1))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(st.text(alphabet='<>/"&;=cvrst 0123A\r\x00', max_size=3))
    text = text[:at] + put + text[at + gone :]
    content = _workbook(above + (text if which == "rows" else rows), texts=text if which == "texts" else texts)
    with _in_small_pieces():
        _assert_same(content)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', ""),
        ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n', ""),
        ("<!-- a comment -->", ""),
        ("", '<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'),
        ("", '<mergeCells count="1"><mergeCell ref="nonsense"/></mergeCells>'),
        ("", '<pageMargins left="x"/>'),
        ("", "<pageMargins"),
    ],
)
def test_what_stands_around_the_rows(head: str, tail: str) -> None:
    """Another encoding, a comment, merged cells, and what is broken there."""
    rows = '<row r="2"><c r="A2" t="str"><v>ana@example.com é</v></c></row><row r="3"><c r="B3"><v>1</v></c></row>'
    _assert_same(_workbook(rows, head=head, tail=tail))


def test_a_large_sheet_in_many_pieces() -> None:
    """Rows that are cut anywhere by the pieces in which the part is read."""
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="str"><v>e{number}@example.com {"é" * 400}</v></c></row>'
        for number in range(2, 3_000)
    )
    assert _assert_same(_workbook(rows)) == [True, True]
