"""The page's ways beside the main story, which tests/browser walks: choosers, columns, templates, taking up again."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook, load_workbook

from batch_orders.adapters.sheet_reader import read_sheet
from tests.orders import TITLE
from tests.program import SAMPLES, Program
from tests.served import Served, Visitor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADERS = (
    "Email,First name,Last name,Phone number,Shipping address,City,State / province,ZIP,Country,Product title,Quantity"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One page over the sandbox for all tests here; each has people of its own."""
    with serving(Program(tmp_path_factory.mktemp("page")), "--sandbox") as served:
        yield served


@pytest.fixture(scope="module")
def visitor(page: Served) -> Visitor:
    """Whoever started it."""
    return page.enter()


def _row(name: str, *, item: str = TITLE, quantity: str = "1", city: str = "New York") -> str:
    address = f"1 Main Street,{city},NY,10001,US"
    return f"{name}@example.com,Ana,{name.title()},+1 212 555 0142,{address},{item},{quantity}"


def _headline(text: str) -> str:
    return re.sub(r"<[^>]*>", "", re.search(r"<h1.*?</h1>", text, re.DOTALL)[0])  # type: ignore[index] # every page has one


def _sent(visitor: Visitor, name: str, content: str | bytes) -> str:
    response = visitor.send(name, content if isinstance(content, bytes) else content.encode())
    draft = response.headers["location"].removeprefix("/sheets/")
    visitor.review(draft)
    return str(draft)


def test_an_undeclared_encoding_is_chosen_by_how_it_reads(visitor: Visitor) -> None:
    """The chooser shows what each would read like; what was chosen is what is ordered for."""
    draft = _sent(visitor, "cp1252.csv", f"{_HEADERS}\n{_row('koeln', city='Köln')}\n".encode("cp1252"))
    shown = visitor.review(draft)
    assert _headline(shown.text) == "How is this file written?"
    assert "Köln" in shown.text
    assert 'value="cp1252"' in shown.text
    read = visitor.post(f"/sheets/{draft}/choose", encoding="cp1252")
    assert "koeln@example.com" in visitor.review(draft).text, _headline(read.text)


def test_the_sheet_of_a_workbook_is_chosen(visitor: Visitor) -> None:
    """Where two sheets have orders, nobody guesses which."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, name in (("March", "march"), ("April", "april")):
        sheet = book.create_sheet(title)
        sheet.append(_HEADERS.split(","))
        sheet.append(_row(name).split(","))
    content = io.BytesIO()
    book.save(content)
    draft = _sent(visitor, "two.xlsx", content.getvalue())
    shown = visitor.review(draft)
    assert _headline(shown.text) == "Which sheet is meant?"
    visitor.post(f"/sheets/{draft}/choose", sheet="April")
    read = visitor.review(draft, "?show=all").text
    assert "april@example.com" in read
    assert "march@example.com" not in read


def test_foreign_columns_are_matched_once(visitor: Visitor) -> None:
    """Guesses are shown with samples; what was chosen is remembered for the same headers."""
    headers = "Mitarbeiter,Vorname,Nachname,Tel,Anschrift,Ort,Bundesland,PLZ,Land,Was,Wie viele"
    draft = _sent(visitor, "liste.csv", f"{headers}\n{_row('first')}\n")
    shown = visitor.review(draft)
    assert _headline(shown.text) == "The columns do not fit yet"
    form = visitor.get(f"/sheets/{draft}/columns").text
    assert "first@example.com" in form  # a sample of what stands there
    chosen = {
        "email.0": "Mitarbeiter",
        "firstname.0": "Vorname",
        "lastname.0": "Nachname",
        "phone_number.0": "Tel",
        "shipping_address.0": "Anschrift",
        "shipping_city.0": "Ort",
        "shipping_state.0": "Bundesland",
        "shipping_zip.0": "PLZ",
        "shipping_country.0": "Land",
        "product_title.0": "Was",
    }
    left_open = visitor.post(f"/sheets/{draft}/columns", **chosen)
    assert left_open.status_code == 400
    assert "“Quantity”" in left_open.text
    visitor.post(f"/sheets/{draft}/columns", **chosen, **{"quantity.0": "Wie viele"})
    assert _headline(visitor.review(draft).text) == "The order is ready"
    again = _sent(visitor, "next.csv", f"{headers}\n{_row('second')}\n")
    assert _headline(visitor.review(again).text) == "The order is ready"


def test_what_was_mended_stays_when_the_columns_are_matched_anew(visitor: Visitor) -> None:
    """Whoever goes back to the columns, and changes one of them or none, keeps their mends; each can be undone."""
    headers = _HEADERS.replace("Email", "Who").replace("City", "Place")
    draft = _sent(visitor, "anew.csv", f"{headers}\n{_row('anew', quantity='two')}\n")
    names = (
        "firstname lastname phone_number shipping_address shipping_city shipping_state shipping_zip shipping_country"
    )
    ours = ["email", *names.split(), "product_title", "quantity"]
    chosen = {f"{name}.0": header for name, header in zip(ours, headers.split(","), strict=True)}
    visitor.post(f"/sheets/{draft}/columns", **chosen)
    visitor.review(draft)
    visitor.post(f"/sheets/{draft}/mend", row=2, column=11, after="2")
    assert _headline(visitor.review(draft).text) == "The order is ready"
    for changed in ({}, {"shipping_state.0": "", "shipping_state.always": "CA"}):
        visitor.post(f"/sheets/{draft}/columns", **chosen | changed)
        shown = visitor.review(draft, "?show=all&columns=all").text
        assert "“two” → “2”" in shown
        assert shown.count("(mended)") == 1
    step = re.findall(r'name="step" value="([0-9a-f]+)"', shown)
    visitor.post(f"/sheets/{draft}/undo", step=step[0])
    assert "“two” → “2”" not in visitor.review(draft).text


def test_a_column_that_is_always_the_same_and_items_in_columns(visitor: Visitor) -> None:
    """A constant stands for every row, and a column of numbers says how many of what."""
    headers = "Email,First name,Last name,Phone number,Shipping address,City,State,ZIP,Mice"
    row = "items@example.com,Ana,Items,+1 212 555 0142,1 Main Street,New York,NY,10001,2"
    draft = _sent(visitor, "items.csv", f"{headers}\n{row}\n")
    form = visitor.get(f"/sheets/{draft}/columns").text
    number = re.search(r'name="(item\.\d+)" aria-label="Mice holds"', form)
    assert number is not None
    names = ("email", "firstname", "lastname", "phone_number", "shipping_address", "shipping_city", "shipping_state")
    chosen = {f"{n}.0": h for n, h in zip((*names, "shipping_zip"), headers.split(","), strict=False)}
    chosen |= {"shipping_country.always": "US", number[1]: "count", f"{number[1]}.title": TITLE}
    visitor.post(f"/sheets/{draft}/columns", **chosen)
    shown = visitor.review(draft, "?show=all").text
    assert _headline(shown) == "The order is ready", shown
    assert re.search(r"Items</dt><dd>2 ", shown)


def test_todays_template_can_be_filled_in_and_uploaded(visitor: Visitor, tmp_path: Path) -> None:
    """The template is a workbook of today's titles, and its own example row orders nothing."""
    template = visitor.client.get("/template.xlsx")
    assert template.status_code == 200
    path = tmp_path / "template.xlsx"
    path.write_bytes(template.content)
    assert re.search(r'filename="new-hires-[0-9-]+\.xlsx"', template.headers["content-disposition"])
    shown = visitor.review(_sent(visitor, "template.xlsx", template.content))
    assert "orders" not in _headline(shown.text) or "ready" not in _headline(shown.text)


def test_a_sheet_that_cannot_be_read_says_so_as_the_command_line_does(visitor: Visitor) -> None:
    """The same message, with what can be done on the page."""
    shown = visitor.review(_sent(visitor, "picture.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 40))
    assert _headline(shown.text) == "This sheet cannot be read"
    assert "it is a picture" in shown.text


def test_mending_and_undoing(visitor: Visitor, tmp_path: Path) -> None:
    """One cell, all cells with one value, undo; the corrected sheet holds what was mended and all else as it was."""
    lines = [_HEADERS, _row("one", item="Logitech M185 Wireles Mouse"), _row("two", item="Logitech M185 Wireles Mouse")]
    lines.append(_row("three", quantity="1.5"))
    draft = _sent(visitor, "mend.csv", "\n".join(lines) + "\n")
    assert _headline(visitor.review(draft).text) == "No order is ready yet"
    visitor.post(f"/sheets/{draft}/mend", column=10, before="Logitech M185 Wireles Mouse", after=TITLE)
    assert _headline(visitor.review(draft).text) == "2 of 3 orders are ready"
    visitor.post(f"/sheets/{draft}/mend", row=4, column=11, after="2")
    assert _headline(visitor.review(draft).text) == "All 3 orders are ready"
    path = tmp_path / "mend.csv"
    path.write_bytes(visitor.client.get(f"/sheets/{draft}/file").content)
    wanted = "\n".join(lines).replace("Wireles ", "Wireless ").replace("1.5", "2")
    assert [list(row) for row in read_sheet(path).frame.itertuples(index=False)] == list(
        csv.reader(wanted.splitlines()[1:])
    )
    step = re.findall(r'name="step" value="([0-9a-f]+)"', visitor.review(draft).text)
    visitor.post(f"/sheets/{draft}/undo", step=step[-1])  # the first: the newest stands first
    assert _headline(visitor.review(draft).text) == "1 of 3 orders is ready"


def test_a_held_order_is_released_with_a_note(visitor: Visitor) -> None:
    """What looks like a mistake waits for a person, and says so in the run when it was sent on purpose."""
    rows = [_row("twin"), _row("twin+work")]
    draft = _sent(visitor, "twins.csv", "\n".join([_HEADERS, *(row.replace("Twin+Work", "Twin") for row in rows)]))
    shown = visitor.review(draft)
    released = re.findall(r'name="order" value="([0-9a-f]{12})"', shown.text)
    assert len(set(released)) == 2, shown.text
    for order in dict.fromkeys(released):
        visitor.post(f"/sheets/{draft}/release", order=order, note="two people")
    assert _headline(visitor.review(draft).text) == "All 2 orders are ready"
    run = visitor.order(draft)
    ended = visitor.ended(run)
    assert _headline(ended.text) == "All 2 orders are placed"
    assert "two people" in ended.text


def test_send_it_anyway_never_holds(visitor: Visitor) -> None:
    """Pressed twice, or in a window that is older, it stays sent on purpose; “Undo” holds it, and its note is gone."""
    rows = [_row("pair"), _row("pair+work"), _row("alone")]
    draft = _sent(visitor, "pair.csv", "\n".join([_HEADERS, *(row.replace("Pair+Work", "Pair") for row in rows)]))
    order = re.findall(r'name="order" value="([0-9a-f]{12})"', visitor.review(draft).text)[0]
    for _ in range(2):
        visitor.post(f"/sheets/{draft}/release", order=order, note="really two")
    shown = visitor.review(draft).text
    assert _headline(shown) == "2 of 3 orders are ready"
    assert visitor.confirm(draft)[0].text.count("really two") == 1
    undo = re.search(r"<form(?:(?!</form>).)*Undo: hold the order.*?</form>", shown, re.DOTALL)
    assert undo
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', undo[0]))
    for _ in range(2):
        visitor.post(f"/sheets/{draft}/release", **fields)
    assert _headline(visitor.review(draft).text) == "1 of 3 orders is ready"
    assert "really two" not in visitor.ended(visitor.order(draft)).text


def test_the_rest_is_mended_and_sent_from_the_results(visitor: Visitor) -> None:
    """After a run its sheet goes on where it stands: what was ordered is not ordered again."""
    draft = _sent(visitor, "rest.csv", "\n".join([_HEADERS, _row("resta"), _row("restb", quantity="none")]))
    run = visitor.order(draft)
    ended = visitor.ended(run)
    assert _headline(ended.text) == "The order is placed"
    back = visitor.post(f"/runs/{run}/again")
    assert str(back.url).endswith(f"/sheets/{draft}")
    visitor.review(draft)
    visitor.post(f"/sheets/{draft}/mend", row=3, column=11, after="1")
    assert "1 order was placed before" in visitor.review(draft).text
    second = visitor.order(draft)
    results = visitor.ended(second)
    assert "already ordered" in results.text
    rows = list(csv.DictReader(io.StringIO(visitor.client.get(f"/runs/{second}/results").content.decode("utf-8-sig"))))
    assert [row["order_status"] for row in rows] == ["already_ordered", "ordered"]
    first = list(csv.DictReader(io.StringIO(visitor.client.get(f"/runs/{run}/results").content.decode("utf-8-sig"))))
    assert first[0]["order_number"] == rows[0]["order_number"]


def test_a_few_first(visitor: Visitor) -> None:
    """A canary places so many and says how to go on; the next run places the rest."""
    draft = _sent(visitor, "canary.csv", "\n".join([_HEADERS, _row("canarya"), _row("canaryb"), _row("canaryc")]))
    ended = visitor.ended(visitor.order(draft, limit=1))
    assert _headline(ended.text) == "1 of 3 orders is placed, 2 not sent yet"
    assert "Go on with the rest" in ended.text
    assert _headline(visitor.ended(visitor.order(draft)).text) == "All 2 orders are placed"


def test_the_samples_are_shown(visitor: Visitor) -> None:
    """The clean wave is ready as a whole, and everything in it is ordered after its run."""
    draft = visitor.upload(SAMPLES / "rolling-nightly.csv")
    visitor.ended(visitor.order(draft))
    assert _headline(visitor.review(draft).text) == "Everything in this sheet is ordered already"


def test_a_cell_is_emptied(visitor: Visitor) -> None:
    """What is to be blank can be made blank."""
    draft = _sent(visitor, "blank.csv", "\n".join([_HEADERS, _row("blanka"), _row("blankb")]))
    answer = visitor.post(f"/sheets/{draft}/mend", row=2, column=6, after="")
    assert answer.status_code == 200
    shown = visitor.review(draft).text
    assert _headline(shown) == "1 of 2 orders is ready"
    assert "→ blank" in shown


def test_a_row_is_left_out_and_taken_back(visitor: Visitor) -> None:
    """A total below the table, say: it is no row any more, until that is undone."""
    total = "," * 9 + "Total,2"
    draft = _sent(visitor, "total.csv", "\n".join([_HEADERS, _row("totala"), _row("totalb"), total]))
    assert "Leave this row out" in visitor.review(draft).text
    visitor.post(f"/sheets/{draft}/leave-out", row=4)
    shown = visitor.review(draft).text
    assert "2 rows" in shown
    assert "Row 4 is left out" in shown
    step = re.findall(r'name="step" value="([0-9a-f]+)"', shown)
    visitor.post(f"/sheets/{draft}/undo", step=step[0])
    assert "3 rows" in visitor.review(draft).text


def test_what_is_ordered_stays_as_it_was_ordered(visitor: Visitor) -> None:
    """Neither a mend nor an undo changes a placed row; what the undo is about elsewhere is undone."""
    rows = [
        _row("placed", item="Logitech M185 Wireles Mouse"),
        _row("open", item="Logitech M185 Wireles Mouse", quantity="0"),
    ]
    draft = _sent(visitor, "stays.csv", "\n".join([_HEADERS, *rows]))
    visitor.post(f"/sheets/{draft}/mend", column=10, before="Logitech M185 Wireles Mouse", after=TITLE)
    visitor.ended(visitor.order(draft))
    visitor.review(draft)
    for change in ({"row": 2, "column": 1, "after": "other@example.com"}, {"row": 2, "column": 11, "after": "9"}):
        assert visitor.post(f"/sheets/{draft}/mend", **change).status_code == 409
    assert visitor.post(f"/sheets/{draft}/leave-out", row=2).status_code == 409
    (step,) = set(re.findall(r'name="step" value="([0-9a-f]+)"', visitor.review(draft).text))
    visitor.post(f"/sheets/{draft}/undo", step=step)
    shown = visitor.review(draft, "?show=all").text
    assert "1 order was placed before" in shown
    assert shown.count("Logitech M185 Wireles Mouse") >= 1  # the open row's, again


def test_columns_that_are_not_used_are_named(visitor: Visitor) -> None:
    """Nobody believes that a start date counts where it does not."""
    header, row = f"{_HEADERS},Start date,Cost centre", f"{_row('dated')},2031-02-31,K1"
    shown = visitor.review(_sent(visitor, "dated.csv", f"{header}\n{row}\n")).text
    assert "Not used: Start date, Cost centre." in shown
    assert "Start dates mean nothing here" in shown


def test_the_same_slip_without_a_suggestion_is_mended_in_all_rows(visitor: Visitor) -> None:
    """Typed once, for every row that has it."""
    rows = [_row(name, quantity="lots") for name in ("slipa", "slipb", "slipc")]
    draft = _sent(visitor, "slips.csv", "\n".join([_HEADERS, *rows]))
    assert "Use it for all 3" in visitor.review(draft).text
    visitor.post(f"/sheets/{draft}/mend", column=11, before="lots", after="4")
    assert _headline(visitor.review(draft).text) == "All 3 orders are ready"


def test_a_mended_quantity_of_a_workbook_counts_in_its_formulas(visitor: Visitor) -> None:
    """It is a number among numbers; a phone number that is mended stays the text that was typed."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(_HEADERS.split(","))
    for name, quantity in (("counta", 1), ("countb", 1.5)):
        row: list[str | float] = [*_row(name).split(",")]
        row[3], row[10] = 12125550142, quantity
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    draft = _sent(visitor, "counts.xlsx", content.getvalue())
    visitor.post(f"/sheets/{draft}/mend", row=3, column=11, after="2")
    visitor.post(f"/sheets/{draft}/mend", row=3, column=4, after="12125550143")
    assert _headline(visitor.review(draft).text) == "All 2 orders are ready"
    corrected = load_workbook(io.BytesIO(visitor.client.get(f"/sheets/{draft}/file").content)).worksheets[0]
    assert [corrected["K3"].value, corrected["D3"].value, corrected["D2"].value] == [2, "12125550143", 12125550142]


def test_a_released_order_that_is_another_one_by_now(visitor: Visitor) -> None:
    """Its e-mail was mended after it was released: the sheet can still be looked at, and nothing else is released."""
    rows = [_row("goer"), _row("goer+work")]
    draft = _sent(visitor, "gone.csv", "\n".join([_HEADERS, *(row.replace("Goer+Work", "Goer") for row in rows)]))
    released = re.findall(r'name="order" value="([0-9a-f]{12})"', visitor.review(draft).text)
    for order in dict.fromkeys(released):
        visitor.post(f"/sheets/{draft}/release", order=order, note="two people")
    assert _headline(visitor.review(draft).text) == "All 2 orders are ready"
    visitor.post(f"/sheets/{draft}/mend", row=3, column=1, after="goer+home@example.com")
    shown = visitor.review(draft).text
    assert _headline(shown) == "1 of 2 orders is ready"
    assert shown.count("is sent on purpose") == 1


def test_whoever_came_by_the_link_is_not_asked_to_leave(visitor: Visitor) -> None:
    """The link works once, so that signing out would close the page to them: it is not offered."""
    for path in ("/", "/runs", "/waiting", "/runs/none"):
        assert "Sign out" not in visitor.get(path).text
