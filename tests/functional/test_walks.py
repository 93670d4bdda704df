"""Walks: what a person does over days and months, and what Device Hub's order book holds in the end.

Each test does what the person does, at the real command line: fills in a sheet, submits it, reads what it says, does
as it is told, mends the results file, submits that. The order book of the hostile server must then be what somebody
careful would have ordered by hand, to the letter.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import openpyxl

from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID
from tests.person import (
    BERLIN,
    LAPTOP,
    LONDON,
    MONITOR,
    MOUSE,
    advised,
    at_a_desk,
    marks,
    mending,
    order,
    ordered_before,
    read,
    release_advised,
    row,
    save,
    statuses,
)

if TYPE_CHECKING:
    from pathlib import Path


# Twenty rows, each with one wrong cell: for whom, where, what it says, what is right, and what else the row says.
_WRONG: list[tuple[str, str, str, str, dict[str, str]]] = [
    ("amy", "Email", "amy.example.com", "amy@example.com", {}),
    ("bea", "Email", "", "bea@example.com", {}),
    ("cal", "First name", "", "Cal", {}),
    ("dov", "Last name", "", "Sample", {}),
    ("eli", "Phone number", "12", "+1 212 555 0142", {}),
    ("fay", "Phone number", "1.2E+10", "+1 212 555 0142", {}),
    ("gia", "Shipping address", "", "1 Main Street", {}),
    ("hal", "City", "", "New York", {}),
    ("ike", "Country", "Germany", "DE", BERLIN),
    ("jon", "Country", "UK", "GB", LONDON),
    ("kay", "State / province", "Nwe York", "NY", {}),
    ("lee", "State / province", "", "NY", {}),
    ("mia", "ZIP / postal code", "1001", "10001", {}),
    ("ned", "ZIP / postal code", "", "10001", {}),
    ("ola", "Product title", "MacBook Pro 14 M4 24GB", LAPTOP, {}),
    ("pia", "Product title", "", LAPTOP, {}),
    ("quy", "Quantity", "0", "1", {}),
    ("ray", "Quantity", "1.5", "1", {}),
    ("sam", "Shipping method", "Express", "Overnight", {}),
    ("tia", "Signature required", "maybe", "yes", {}),
]


def test_a_wave_with_20_wrong_rows(tmp_path: Path) -> None:
    """The others are ordered at once; the 20 cells are marked, mended in the results, and each order placed once."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        rows = [row("uma"), row("uma", MONITOR, pieces=2)]
        rows += [row(name, columns=others | {column: wrong}) for name, column, wrong, _, others in _WRONG]
        rows += [row("ray", MONITOR, pieces=2), row("amy", MOUSE), row("vic", MOUSE, BERLIN), row("wes")]
        _, results = desk.submit(save(tmp_path / "wave.xlsx", rows), exit_code=4)

        at_once = [
            order("uma", (MONITOR, 2), (LAPTOP, 1)),
            order(
                "vic",
                (MOUSE, 1),
                phone_number="+493023125105",
                shipping_city="Berlin",
                shipping_state="",
                shipping_zip="10115",
                shipping_country="DE",
            ),
            order("wes"),
        ]
        assert desk.book == at_once
        assert [status for _, status, _ in statuses(results)] == [
            *["ordered"] * 2, *["invalid"] * 20, "held", "held", "ordered", "ordered",
        ]  # fmt: skip
        comments = marks(results)
        assert set(comments) == {(number + 2, column) for number, (_, column, *_) in enumerate(_WRONG)}
        for number, column, right in [(10, "Country", "DE"), (11, "Country", "GB"), (16, "Product title", LAPTOP)]:
            assert f"Suggestion: {right}" in comments[number, column]

        with mending(results) as mended:
            for number, (_, column, _, right, _) in enumerate(_WRONG):
                mended[number + 2][column] = right
        text, last = desk.submit(results)

        german = {"phone_number": "+493023125105", "shipping_city": "Berlin", "shipping_zip": "10115"}
        british = {"phone_number": "+442079460102", "shipping_city": "London", "shipping_zip": "SW1A 1AA"}
        assert desk.book[3:] == [
            order("amy", (MOUSE, 1), (LAPTOP, 1)),
            *[order(name) for name in ("bea", "cal", "dov", "eli", "fay", "gia", "hal")],
            order("ike", shipping_state="", shipping_country="DE", **german),
            order("jon", shipping_state="", shipping_country="GB", **british),
            *[order(name) for name in ("kay", "lee", "mia", "ned", "ola", "pia", "quy")],
            order("ray", (MONITOR, 2), (LAPTOP, 1)),
            order("sam", expedite_shipping="Overnight"),
            order("tia", is_signature_required=True),
        ]
        assert "Nothing: every row of the sheet is taken care of." in text
        numbers = {call.email.partition("@")[0]: call.order_number for call in desk.hub.placed}
        assert [(name, number) for name, _, number in statuses(last)] == [
            (name, numbers[name]) for name in ["uma", "uma", *[name for name, *_ in _WRONG], "ray", "amy", "vic", "wes"]
        ]


def test_a_rejected_address_mended(tmp_path: Path) -> None:
    """Device Hub's reason is in the row; unchanged it is not sent again; with the right ZIP it is ordered."""
    plan = Plan(by_email={"ben@example.com": ["422_coded"]})
    with at_a_desk(tmp_path, HostileHub(plan)) as desk:
        sheet = save(tmp_path / "hires.csv", [row("ana"), row("ben", columns={"ZIP / postal code": "10199"})])
        _, results = desk.submit(sheet, exit_code=4)
        assert statuses(results) == [("ana", "ordered", "700001"), ("ben", "rejected", "")]
        assert "shipping_zip: is not a ZIP code" in read(results)[1]["order_message"]

        again, _ = desk.submit(results, exit_code=4)
        assert "sent again once the row is changed, or with --retry-rejected" in again
        assert desk.hub.count("order") == 2

        with mending(results) as rows:
            rows[1]["ZIP / postal code"] = "10001"
        _, last = desk.submit(results)
        assert statuses(last) == [("ana", "already_ordered", "700001"), ("ben", "ordered", "700002")]
        assert desk.book == [order("ana"), order("ben")]


def test_an_unknown_order_found_not_placed(tmp_path: Path) -> None:
    """Nothing is sent again before the verdict; the command that `status` names brings the order about, once."""
    plan = Plan(by_email={"ben@example.com": ["reset_after_body"]})
    with at_a_desk(tmp_path, HostileHub(plan)) as desk:
        text, results = desk.submit(save(tmp_path / "hires.xlsx", [row("ana"), row("ben"), row("cem")]), exit_code=5)
        assert statuses(results) == [("ana", "ordered", "700001"), ("ben", "unknown", ""), ("cem", "ordered", "700002")]
        waiting = desk.type(*advised(text, "status"))
        desk.submit(results, exit_code=5)
        assert desk.hub.count("order") == 3

        verdict = advised(waiting, "settle", "--not-placed", about="ben@example.com")
        told = desk.type(*verdict, "--note", "Kim at Device Hub looked it up")
        assert "the next run with its sheet, hires.xlsx, WILL SEND IT AGAIN" in told
        _, last = desk.submit(results)
        assert statuses(last)[1] == ("ben", "ordered", "700003")
        assert desk.book == [order("ana"), order("cem"), order("ben")]


def test_a_cancelled_order(tmp_path: Path) -> None:
    """The vendor cancelled one of two; `status RUN` has its id; the same sheet orders it again, once."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben"), row("ben", MOUSE)]))
        of_run = desk.type("status", read(results)[0]["run_id"])
        (line,) = [line for line in of_run.splitlines() if "ordered 700002" in line]
        assert "ben@example.com" in line
        said = desk.type("settle", line.split()[0], "--cancelled", "--note", "out of stock until spring")
        assert "the next run with its sheet, hires.csv, WILL ORDER IT AGAIN" in said
        for status in ("ordered", "already_ordered"):
            _, results = desk.submit(results)
            assert statuses(results) == [
                ("ana", "already_ordered", "700001"), ("ben", status, "700003"), ("ben", status, "700003"),
            ]  # fmt: skip
        assert desk.book == [order("ana"), *[order("ben", (MOUSE, 1), (LAPTOP, 1))] * 2]


def test_a_changed_order_and_the_right_sheet(tmp_path: Path) -> None:
    """What is named is what differs, and said to be no more; the sheet with what was ordered clears it, as told."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        right = save(tmp_path / "hires.csv", [row("ana"), row("ana", MOUSE)])
        desk.submit(right)
        wrong = save(tmp_path / "wrong.csv", [row("ana"), row("ana", MOUSE, pieces=2)])
        _, results = desk.submit(wrong, exit_code=4)
        differs = f"Only this differs – ordered then: 1 × {MOUSE}; in the sheet now: 2 × {MOUSE}."
        assert differs in read(results)[0]["order_message"]
        waiting = desk.type("status")
        assert differs in waiting
        assert "or submit a sheet with what was ordered" in waiting
        desk.submit(right)
        assert "Waiting for a person" not in desk.type("status")
        assert desk.book == [order("ana", (MOUSE, 1), (LAPTOP, 1))]


def test_a_changed_address_kept(tmp_path: Path) -> None:
    """Nothing is sent for it; the command in the message accepts it; what is additional goes under a reference."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.xlsx", [row("ana"), row("ben")]))
        with mending(results) as rows:
            rows[0]["Shipping address"] = "9 New Road"
            rows.append(row("ben", MONITOR))
        _, results = desk.submit(results, exit_code=4)
        assert statuses(results) == [("ana", "changed", "700001"), *[("ben", "changed", "700002")] * 2]
        ana, ben = (read(results)[number]["order_message"] for number in (0, 2))
        assert "Shipping address was 1 Main Street, now 9 New Road" in ana
        assert f"in the sheet now: 1 × {MONITOR}" in ben
        assert "put an order reference on the additional rows only" in ben
        assert "Device Hub still has the old Shipping address for order 700001: have it corrected there" in ana
        assert "reference" not in ana
        waiting = desk.type("status")
        assert "  changed 700001  ana@example.com" in waiting
        assert "Ordered." not in waiting

        desk.type(*advised(ana, "settle", "--keep"))
        with mending(results) as rows:
            rows[2]["Order reference"] = "monitor"
        _, results = desk.submit(results)
        assert statuses(results) == [
            ("ana", "already_ordered", "700001"), ("ben", "already_ordered", "700002"), ("ben", "ordered", "700003"),
        ]  # fmt: skip
        assert desk.book == [order("ana"), order("ben"), order("ben", (MONITOR, 1))]
        assert "Waiting for a person" not in desk.type("status")


def test_one_more_of_what_was_ordered(tmp_path: Path) -> None:
    """A quantity that has grown: what the message says to write in which row orders just the difference."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.xlsx", [row("ana", MONITOR)]))
        with mending(results) as rows:
            rows[0]["Quantity"] = "2"
        _, results = desk.submit(results, exit_code=4)
        told = read(results)[0]["order_message"]
        assert (
            "To order 1 more: set this row back to 1 and add a row with the quantity 1 and an order reference." in told
        )
        with mending(results) as rows:
            rows[0]["Quantity"] = "1"
            rows.append(row("ana", MONITOR, {"Order reference": "second"}))
        _, results = desk.submit(results, exit_code=4)
        held = read(results)[1]["order_message"]
        _, results = desk.submit(results, *release_advised(held))
        assert statuses(results) == [("ana", "already_ordered", "700001"), ("ana", "ordered", "700002")]
        assert desk.book == [order("ana", (MONITOR, 1))] * 2


def test_what_was_ordered_is_not_mended_in_the_sheet(tmp_path: Path) -> None:
    """A ZIP that fits another state: `check` says to mend it, the results that the vendor has to."""
    sheet = save(tmp_path / "hires.csv", [row("ana", columns={"ZIP / postal code": "94107"})])
    with at_a_desk(tmp_path, HostileHub()) as desk:
        assert "mend the one that is wrong" in desk.type("check", sheet)
        text, results = desk.submit(sheet)
        for told in (text, read(results)[0]["order_message"]):
            assert "have the address of order 700001 corrected by the vendor: mending the sheet does not" in told
            assert "mend the one that is wrong" not in told


def test_a_merged_note_is_told_once(tmp_path: Path) -> None:
    """Cells merged down a column of the person's own: one finding, in one row's message, at the first cell."""
    people = [row(name) | {"Notes": "wave 3" if name == "ana" else ""} for name in ("ana", "ben", "cem")]
    sheet = save(tmp_path / "hires.xlsx", people)
    workbook = openpyxl.load_workbook(sheet)
    workbook.worksheets[0].merge_cells("O2:O4")
    workbook.save(sheet)
    with at_a_desk(tmp_path, HostileHub()) as desk:
        text, results = desk.submit(sheet)
        assert text.count("O2:O4 are merged") == 1
        assert ["merged" in told["order_message"] for told in read(results)] == [True, False, False]
        assert [place for place, comment in marks(results).items() if "merged" in comment] == [(0, "Notes")]


def test_a_second_monitor_three_months_later(tmp_path: Path) -> None:
    """With a reference it is simply ordered; after one month it is held and released; without one it is `changed`."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        first = [row("ana", MONITOR), row("ben", MONITOR)]
        past = [ordered_before(first[0], "5001", days_ago=100), ordered_before(first[1], "5002", days_ago=30)]
        desk.type("ledger", "adopt", save(tmp_path / "summer.results.csv", past))
        second = [row(name, MONITOR, {"Order reference": "second monitor"}) for name in ("ana", "ben")]
        _, results = desk.submit(save(tmp_path / "autumn.csv", [*first, *second]), exit_code=4)
        assert statuses(results) == [
            ("ana", "already_ordered", "5001"), ("ben", "already_ordered", "5002"),
            ("ana", "ordered", "700001"), ("ben", "held", ""),
        ]  # fmt: skip
        why = read(results)[3]["order_message"]
        assert "(order 5002)" in why

        _, results = desk.submit(results, *release_advised(why))
        assert statuses(results)[2:] == [("ana", "already_ordered", "700001"), ("ben", "ordered", "700002")]

        _, results = desk.submit(save(tmp_path / "again.csv", [row("ana", MONITOR, pieces=2)]), exit_code=4)
        assert statuses(results) == [("ana", "changed", "5001")]
        assert desk.book == [order("ana", (MONITOR, 1)), order("ben", (MONITOR, 1))]


def test_a_rehire(tmp_path: Path) -> None:
    """The row was ordered long ago, which is said; with an order reference it is ordered again."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        first = [row("ana"), row("ben", MOUSE, BERLIN)]
        past = [ordered_before(first[0], "5001", days_ago=400), ordered_before(first[1], "5002", days_ago=150)]
        desk.type("ledger", "adopt", save(tmp_path / "last-year.results.xlsx", past))
        text, results = desk.submit(save(tmp_path / "hires.xlsx", first))
        assert statuses(results) == [("ana", "already_ordered", "5001"), ("ben", "already_ordered", "5002")]
        assert "! row 2: This was ordered on " in text
        assert "! row 3" not in text
        assert "give the rows an order reference" in read(results)[0]["order_message"]
        assert "reference" not in read(results)[1]["order_message"]

        with mending(results) as rows:
            rows[0]["Order reference"] = "rehired"
        _, results = desk.submit(results)
        assert statuses(results) == [("ana", "ordered", "700001"), ("ben", "already_ordered", "5002")]
        assert desk.book == [order("ana")]


def test_five_hires_on_a_managers_email(tmp_path: Path) -> None:
    """One address for five people is a conflict that suggests references; with them each is ordered for, once."""
    names = ("ana", "ben", "cem", "dov", "eve")
    rows = [
        row(name, title, {"Email": "kim@example.com", "Shipping address": f"{number} Main Street"})
        for number, name in enumerate(names, 1)
        for title in (LAPTOP, MONITOR)
    ]
    without = [{column: text for column, text in row.items() if column != "Order reference"} for row in rows]
    with at_a_desk(tmp_path, HostileHub()) as desk:
        text, results = desk.submit(save(tmp_path / "team.xlsx", without), exit_code=3)
        assert statuses(results) == [("kim", "invalid", "")] * 10
        assert "give each of them a reference of their own in the column “Order reference”" in text
        assert "‘ana’, ‘ben’, ‘cem’, ‘dov’ and ‘eve’" in text
        assert desk.hub.count("order") == 0

        with mending(results) as mended:
            for each in mended:
                each["Order reference"] = each["First name"].lower()
        _, results = desk.submit(results)
        assert statuses(results) == [("kim", "ordered", f"{700_001 + number // 2}") for number in range(10)]
        assert desk.book == [
            order(name, (MONITOR, 1), (LAPTOP, 1), email="kim@example.com", shipping_address=f"{number} Main Street")
            for number, name in enumerate(names, 1)
        ]


def test_a_new_hr_admins_login(tmp_path: Path) -> None:
    """Another client id is refused until it is added, and then orders nothing twice."""
    admin = "new.admin@example.com"
    with at_a_desk(tmp_path, HostileHub(client_ids=(CLIENT_ID, admin))) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]))
        with mending(results) as rows:
            rows.append(row("cem"))
        successor = desk.with_settings(client_id=admin)
        refused = successor.type("submit", results, "--yes", exit_code=2)
        assert desk.hub.count("login") == 1
        successor.type(*advised(refused, "init"))
        _, results = successor.submit(results)
        assert [status for _, status, _ in statuses(results)] == ["already_ordered", "already_ordered", "ordered"]
        assert desk.book == [order("ana"), order("ben"), order("cem")]


def test_a_moved_host(tmp_path: Path) -> None:
    """Device Hub has another address now: after `init --add-login` only the new hire is ordered there."""
    log = tmp_path / "book"
    with at_a_desk(tmp_path, HostileHub(log=log)) as desk:
        _, results = desk.submit(save(tmp_path / "hires.xlsx", [row("ana"), row("ben")]))
        with mending(results) as rows:
            rows.insert(1, row("cem"))
    with HostileHub(log=log) as elsewhere:
        there = desk.with_settings(elsewhere)
        refused = there.type("submit", results, "--yes", exit_code=2)
        assert elsewhere.count("connections") == 0
        there.type(*advised(refused, "init"))
        _, results = there.submit(results)
        assert statuses(results) == [
            ("ana", "already_ordered", "700001"), ("cem", "ordered", "700003"), ("ben", "already_ordered", "700002"),
        ]  # fmt: skip
        assert [*desk.book, *there.book] == [order("ana"), order("ben"), order("cem")]


def test_a_lost_ledger_adopted_from_results(tmp_path: Path) -> None:
    """Told step by step what to do; what was ordered stays ordered, and the mended row and the new one go."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"dov@example.com": ["422_plain"]}))) as desk:
        rows = [row("ana"), row("ana", MOUSE), row("ben", columns={"Quantity": "one"}), row("cem"), row("dov")]
        _, results = desk.submit(save(tmp_path / "hires.xlsx", rows), exit_code=4)
        shutil.rmtree(tmp_path / "data")

        told = desk.type("submit", results, "--yes", exit_code=2)
        told = desk.type(*advised(told, "init"), exit_code=2)
        desk.type(*advised(told, "init", "--new"))
        told, held = desk.submit(results, exit_code=4)
        assert statuses(held)[0][1] == statuses(held)[3][1] == "held"
        # The rejected one was never placed: with a new ledger it is simply tried again.
        assert desk.book == [order("ana", (MOUSE, 1), (LAPTOP, 1)), order("cem"), order("dov")]
        adopted = desk.type(*advised(told, "ledger", "adopt")[:2], results)
        assert adopted.startswith("2 orders entered, 0 known already, 0 left alone.")

        with mending(results) as rows:
            rows[2]["Quantity"] = "1"
            rows.append(row("eve"))
        _, last = desk.submit(results)
        assert [status for _, status, _ in statuses(last)] == [
            "already_ordered", "already_ordered", "ordered", "already_ordered", "already_ordered", "ordered",
        ]  # fmt: skip
        assert desk.book[3:] == [order("ben"), order("eve")]


def test_a_lost_ledger_is_told_from_one_that_never_was(tmp_path: Path) -> None:
    """Whatever is tried first says that it is gone, what to try before a new one, and what to do with that."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        sheet = save(tmp_path / "hires.csv", [row("ana")])
        _, results = desk.submit(sheet)
        (tmp_path / "inbox").mkdir()
        shutil.copy(sheet, tmp_path / "inbox")
        ledger = desk.folder / "data" / "batch-orders" / "ledger.sqlite"
        backup = ledger.rename(tmp_path / "backup")
        for command in (("submit", sheet, "--yes"), ("check", sheet), ("inbox", "inbox"), ("status",)):
            told = desk.type(*command, exit_code=2)
            assert "There was a ledger at" in told
            assert told.index("backup") < told.index("init --new") < told.index("ledger adopt RESULTS…")
        assert (tmp_path / "inbox" / "hires.csv").exists()
        for damage in (b"", b"no ledger"):
            ledger.write_bytes(damage)
            damaged = desk.type("submit", sheet, "--yes", exit_code=2)
            assert "restore it from the last backup" in damaged
            assert "init" not in damaged
        shutil.copy(backup, ledger)
        assert statuses(desk.submit(sheet)[1]) == [("ana", "already_ordered", "700001")]
        ledger.unlink()
        assert "There was a ledger here before" in desk.type(*advised(told, "init", "--new"))
        desk.type(*advised(told, "ledger", "adopt")[:2], results)
        assert statuses(desk.submit(sheet)[1]) == [("ana", "already_ordered", "700001")]
        assert len(desk.book) == 1


def test_why_rows_are_held(tmp_path: Path) -> None:
    """The summary names the reasons that apply, and no others; what is held is no error on the console either."""
    sheet = save(tmp_path / "hires.csv", [row("ana"), row("ana", MOUSE, pieces=0), row("ben")])
    twice = save(tmp_path / "twice.csv", [row("cem"), row("cem", columns={"Order reference": "2"})])
    with at_a_desk(tmp_path, HostileHub()) as desk:
        broken, alike = (desk.type("check", path, exit_code=code) for path, code in ((sheet, 4), (twice, 4)))
    assert "another row of the order is not" in broken
    assert "looks like something" not in broken
    assert "another row of the order is not" not in alike
    assert "looks like something ordered already, or twice in the sheet" in alike
    assert "‖ row 2: " in alike
    assert "✕" not in alike
