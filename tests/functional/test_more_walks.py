"""More walks: look-alikes, verdicts, interruptions, and files that come back in another shape.

As in test_walks.py, a person does as the program says, and the hostile server's order book is the oracle.
"""

from __future__ import annotations

import re
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import openpyxl

from tests.hostile import HostileHub, Plan
from tests.person import (
    BERLIN,
    LAPTOP,
    MONITOR,
    MOUSE,
    advised,
    at_a_desk,
    mending,
    order,
    read,
    release_advised,
    row,
    save,
    statuses,
)

if TYPE_CHECKING:
    from pathlib import Path

_TIME = "%Y-%m-%d %H:%M:%S"


def test_look_alikes_are_held_and_released(tmp_path: Path) -> None:
    """A private address and a work address, a mailbox with a +tag, two in one sheet: sent only where released."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben", MOUSE)]))
        home = {"Email": "ana@home.example.com", "ZIP / postal code": "10002"}  # the same phone
        tagged = {"Email": "ben+desk@example.com", "First name": "Benjamin"}
        twin = {"Email": "cem@home.example.com", "Phone number": "+1 212 555 0199"}  # the same ZIP
        namesake = {"Email": "ana.two@example.com", "Phone number": "+1 212 555 0123", "ZIP / postal code": "10003"}
        rows = [row("ana", MONITOR, home), row("ben", MONITOR, tagged), row("cem"), row("cem", LAPTOP, twin)]
        text, results = desk.submit(save(tmp_path / "more.xlsx", [*rows, row("ana", LAPTOP, namesake)]), exit_code=4)
        assert statuses(results) == [
            ("ana", "held", ""), ("ben+desk", "held", ""), ("cem", "held", ""), ("cem", "held", ""),
            ("ana.two", "ordered", "700003"),
        ]  # fmt: skip
        said = [each["order_message"] for each in read(results)]
        assert "ordered for as ana@example.com (order 700001)" in said[0]
        assert "ordered for as ben@example.com (order 700002)" in said[1]
        assert "the person of row 5, under another e-mail address" in said[2]
        assert "the person of row 4, under another e-mail address" in said[3]
        for message in said[:4]:
            assert message in text

        with mending(results) as mended:  # one Cem is enough; the monitors are right, says the person
            mended[3] |= dict.fromkeys(mended[3], "")
        _, results = desk.submit(results, *release_advised(said[0]), *release_advised(said[1]))
        assert [status for _, status, _ in statuses(results)] == ["ordered"] * 3 + ["", "already_ordered"]
        assert desk.book == [
            order("ana"),
            order("ben", (MOUSE, 1)),
            order("ana", email="ana.two@example.com", phone_number="+12125550123", shipping_zip="10003"),
            order("ana", (MONITOR, 1), email="ana@home.example.com", shipping_zip="10002"),
            order("ben", (MONITOR, 1), email="ben+desk@example.com", firstname="Benjamin"),
            order("cem"),
        ]


def test_what_a_nightly_run_held_is_found_by_its_id(tmp_path: Path) -> None:
    """`status RUN` names what needs a person, with the command's own words, until it is dealt with."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ana")]))
        home = {"Email": "ana@home.example.com", "ZIP / postal code": "10002"}  # the same phone
        rows = [row("ana", MONITOR, home), row("ben"), row("cem"), row("cem", MOUSE, pieces=0), row("ana", pieces=2)]
        sheet = save(tmp_path / "night.csv", rows)
        night = desk.program.json("submit", sheet, "--yes", "--quiet", exit_code=4)
        told = desk.type("status", night["run_id"])
        before, waiting = told.split("Waiting for a person:")
        assert "ben@example.com" in before
        assert "ben@example.com" not in waiting
        orders = {order["email"]: order for order in night["orders"]}
        for email, status in ((home["Email"], "held"), ("cem@example.com", "invalid"), ("ana@example.com", "changed")):
            assert f"  {orders[email]['order']}  {status}  {email}\n      {orders[email]['message']}" in waiting
        assert advised(waiting, "results") == ["results", night["run_id"]]
        listed = desk.program.json("status", night["run_id"], exit_code=0)["needs_a_person"]
        assert [each["status"] for each in listed] == ["held", "invalid", "changed"]
        held = listed[0]
        desk.submit(sheet, *release_advised(held["message"]), exit_code=4)
        listed = desk.program.json("status", night["run_id"], exit_code=0)["needs_a_person"]
        assert [each["status"] for each in listed] == ["invalid", "changed"]


def test_an_unknown_order_found_placed(tmp_path: Path) -> None:
    """`status` says what is known and what to type; what does not fit is refused; the number closes the case."""
    faults = {"ben@example.com": ["close_after_placing"], "cem@example.com": ["422_coded"]}
    with at_a_desk(tmp_path, HostileHub(Plan(by_email=faults))) as desk:
        rows = [row("ana"), row("ben", columns=BERLIN), row("ben", MOUSE, pieces=3), row("cem")]
        for once in ("Phone number", "City", "State / province", "ZIP / postal code", "Country"):
            rows[2][once] = ""
        text, results = desk.submit(save(tmp_path / "hires.csv", rows), exit_code=5)
        german = {"phone_number": "+493023125105", "shipping_city": "Berlin", "shipping_zip": "10115"}
        placed = [
            order("ana"),
            order("ben", (MOUSE, 3), (LAPTOP, 1), shipping_state="", shipping_country="DE", **german),
        ]
        assert desk.book == placed

        waiting = desk.type(*advised(text, "status"))
        about_ben = waiting[waiting.index("ben@example.com") :].partition("Runs, newest first")[0]
        (sent,) = re.findall(r"sent ([-0-9]+ [0-9:]+) UTC", about_ben.splitlines()[0])
        assert abs(datetime.strptime(sent, _TIME).replace(tzinfo=UTC).timestamp() - desk.hub.placed[1].at) < 60
        assert f"3 × {MOUSE}, 1 × {LAPTOP}" in about_ben
        assert "Error" not in about_ben  # the names of exceptions are for --json
        assert re.search(r"[A-Z]\w+Error", str(desk.program.json("status", exit_code=0)["waiting"]))
        assert "to Ben Sample, 1 Main Street, Berlin, 10115, DE" in about_ben
        assert re.search(rf"• {sent[:10]} [0-9:]+ UTC: \w+", about_ben)
        verdict = advised(about_ben, "settle", "--placed")
        assert verdict == [*verdict[:2], "--placed", "NUMBER"]
        assert advised(about_ben, "settle", "--not-placed") == [*verdict[:2], "--not-placed"]

        taken = desk.type(*verdict[:3], "700001", exit_code=2)
        assert "700001 belongs to another order" in taken
        for wrong in ("--cancelled", "--keep"):
            desk.type(*verdict[:2], wrong, exit_code=2)
        refused = desk.type(*verdict[:2], "--cancelled", exit_code=2)
        assert "is unknown (sent, and no proof either way); --cancelled does not fit that" in refused
        assert "--placed NUMBER" in refused
        (cem,) = re.findall(r"([0-9a-f]{12})  rejected", waiting)
        desk.type("settle", cem, "--not-placed", exit_code=2)
        assert desk.type("status") == waiting

        settled = desk.type(*verdict[:3], "700002", "--note", "found it on their page")
        assert "counts as ordered, under the number 700002" in settled
        desk.type("results", read(results)[0]["run_id"], "--output", "settled.csv", exit_code=4)
        assert statuses(tmp_path / "settled.csv") == [
            ("ana", "ordered", "700001"), *[("ben", "ordered", "700002")] * 2, ("cem", "rejected", ""),
        ]  # fmt: skip
        _, results = desk.submit(results, exit_code=4)
        assert statuses(results)[1:3] == [("ben", "already_ordered", "700002")] * 2
        assert desk.book == placed


def test_a_verdict_that_was_a_mistake(tmp_path: Path) -> None:
    """What refuses it says that the order would go out again, and how to take it back; then nothing is sent twice."""
    faults = {"ben@example.com": ["close_after_placing"]}
    with at_a_desk(tmp_path, HostileHub(Plan(by_email=faults))) as desk:
        sheet = save(tmp_path / "hires.csv", [row("ana"), row("ben")])
        text, _ = desk.submit(sheet, exit_code=5)
        ben = advised(desk.type(*advised(text, "status")), "settle", "--placed")[1]
        told = desk.type("settle", ben, "--not-placed")
        assert "its sheet, hires.csv, WILL SEND IT AGAIN" in told
        assert "put it into the inbox again" in told
        assert advised(told, "settle") == ["settle", ben, "--placed", "NUMBER"]
        (again,) = desk.program.json("status", exit_code=0)["to_send_again"]
        assert (again["order"], again["email"], again["input"]) == (ben, "ben@example.com", str(sheet))
        listed = desk.type("status").partition("sent AGAIN by the next run")[2].partition("Runs, newest first")[0]
        assert f"{ben}  planned  ben@example.com" in listed
        assert "from the sheet hires.csv" in listed
        refused = desk.type("settle", ben, "--cancelled", exit_code=2)
        assert "SENDS IT AGAIN" in refused
        assert "--placed NUMBER" in refused
        desk.type("settle", ben, "--placed", "700020")  # a slip
        told = desk.type("settle", ben, "--placed", "700002")
        assert "counts as ordered, under the number 700002" in told
        assert desk.program.json("status", exit_code=0)["to_send_again"] == []
        _, results = desk.submit(sheet)
        assert statuses(results) == [("ana", "already_ordered", "700001"), ("ben", "already_ordered", "700002")]
        assert desk.book == [order("ana"), order("ben")]
        desk.type("ledger", "verify")


def test_a_rejection_that_was_a_mistake(tmp_path: Path) -> None:
    """The vendor has mended it on their side: `--retry-rejected` sends the same row again."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"ben@example.com": ["404_coded"]}))) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]), exit_code=4)
        assert statuses(results)[1] == ("ben", "rejected", "")
        assert "No such product" in read(results)[1]["order_message"]
        assert read(results)[1]["order_message"].count("It is sent again once the row is changed") == 1
        assert "or with --retry-rejected" in desk.type("status")
        _, results = desk.submit(results, "--retry-rejected")
        assert statuses(results) == [("ana", "already_ordered", "700001"), ("ben", "ordered", "700002")]
        assert desk.book == [order("ana"), order("ben")]


def test_an_interrupted_wave_goes_on(tmp_path: Path) -> None:
    """Ctrl+C in the middle: the results say which went; the same command orders the others, and none twice."""
    names = ["ana", "ben", "cem", "dov", "eve", "fay", "gia", "hal"]
    with at_a_desk(tmp_path, HostileHub(), rate="2/s") as desk:
        sheet = save(tmp_path / "wave.xlsx", [row(name) for name in names])
        with desk.program.start("submit", sheet, "--yes") as process:
            ends_at = time.monotonic() + 60
            while len(desk.hub.placed) < 2 and time.monotonic() < ends_at:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            text = "".join(process.communicate(timeout=60))
        assert process.returncode == 6
        assert "Run the same command again" in text
        gone = len(desk.hub.placed)
        assert 2 <= gone < len(names)
        numbers = [f"{700_001 + number}" for number in range(len(names))]
        assert statuses(tmp_path / "wave.results.xlsx") == [
            (name, *(("ordered", number) if position < gone else ("not_sent", "")))
            for position, (name, number) in enumerate(zip(names, numbers, strict=True))
        ]

        _, results = desk.with_settings(rate="100/s").submit(sheet)
        assert statuses(results) == [
            (name, "already_ordered" if position < gone else "ordered", number)
            for position, (name, number) in enumerate(zip(names, numbers, strict=True))
        ]
        assert desk.book == [order(name) for name in names]


def test_a_title_leaves_the_catalog_after_the_canary(tmp_path: Path) -> None:
    """What went stays ordered; who was to get the title is told, and gets another one after mending."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        sheet = save(tmp_path / "wave.csv", [row("ana", MOUSE), row("ben", MOUSE), row("cem")])
        _, results = desk.submit(sheet, "--limit", "1", exit_code=6)
        assert [status for _, status, _ in statuses(results)] == ["ordered", "not_sent", "not_sent"]
        desk.hub.titles = (MONITOR, LAPTOP)
        text, results = desk.submit(sheet, exit_code=4)
        assert [status for _, status, _ in statuses(results)] == ["already_ordered", "invalid", "ordered"]
        assert f"J3 Product title: ‘{MOUSE}’ is not a title of Device Hub's catalog" in text
        assert "J2" not in text
        with mending(results) as rows:
            rows[1]["Product title"] = MONITOR
        desk.submit(results)
        assert desk.book == [order("ana", (MOUSE, 1)), order("cem"), order("ben", (MONITOR, 1))]


def test_results_in_another_shape_order_nothing_twice(tmp_path: Path) -> None:
    """Sorted, renamed, with semicolons, columns moved and added, re-typed, cut down, or as a workbook: all ordered."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        boston = {"City": "Boston", "State / province": "MA", "ZIP / postal code": "02139"}
        rows = [row("ana"), row("ana", MOUSE, {"Phone number": ""}), row("ben", columns=boston), row("cem", MONITOR)]
        _, results = desk.submit(save(tmp_path / "wave.csv", rows))
        placed = desk.book
        boston_body = {"shipping_city": "Boston", "shipping_state": "MA", "shipping_zip": "02139"}
        assert placed == [
            order("ana", (MOUSE, 1), (LAPTOP, 1)), order("ben", **boston_body), order("cem", (MONITOR, 1)),
        ]  # fmt: skip

        moved = [{"Manager": "Kim; or Lee", **dict(reversed(each.items()))} for each in reversed(read(results))]
        moved[-1]["Email"] = " Ana@Example.com"
        resaved = save(tmp_path / "Sent to Kim (final).csv", moved, delimiter=";")
        _, results = desk.submit(resaved)
        assert results.name == "Sent to Kim (final).results.csv"

        workbook = openpyxl.Workbook()
        sheet = workbook.worksheets[0]
        sheet.append(list(moved[0]))
        for each in moved[:2]:  # only Cem and Ben, whose ZIP has lost its zero and gets it back
            sheet.append([int(text) if text.isdecimal() else text for text in each.values()])
        workbook.save(tmp_path / "filtered.xlsx")
        _, results = desk.submit(tmp_path / "filtered.xlsx")
        assert statuses(results) == [("cem", "already_ordered", "700003"), ("ben", "already_ordered", "700002")]
        assert desk.book == placed
