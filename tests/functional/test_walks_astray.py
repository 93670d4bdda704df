"""Walks of people who go astray: a lost ledger, a renamed employee, advice followed at once. Nobody orders twice."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.hostile import HostileHub, Plan
from tests.person import (
    LAPTOP,
    MOUSE,
    advised,
    at_a_desk,
    mending,
    order,
    ordered_before,
    read,
    release_advised,
    row,
    save,
    statuses,
)


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    """The folder for them goes while the orders leave: all is told, and how to get the sheet after all."""
    folder = tmp_path / "out"
    folder.mkdir()
    with at_a_desk(tmp_path, HostileHub(on_first_byte=lambda: shutil.rmtree(folder, ignore_errors=True))) as desk:
        sheet = save(tmp_path / "hires.csv", [row("ana"), row("ben", MOUSE)])
        done = desk.program.json("submit", sheet, "--yes", "--output", folder / "r.csv", exit_code=1)
        assert [order["order_number"] for order in done["orders"]] == ["700001", "700002"]
        assert done["results"] is None
        assert "could not be written" in done["error"]["message"]
        hint = done["error"]["hint"]
        assert f"batch-orders results {done['run_id']}" in hint
        again = desk.program.json("results", done["run_id"], "--output", tmp_path / "r.csv", exit_code=0)
        assert statuses(Path(again["results"])) == [("ana", "ordered", "700001"), ("ben", "ordered", "700002")]


def test_results_of_a_lost_ledger_submitted_as_told(tmp_path: Path) -> None:
    """Exit 4 says "do what the messages in the results file say, then submit that file": it must not order again."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ana", MOUSE), row("ben")]))
        desk.type("init", "--new", "--ledger", "new.sqlite")
        with mending(results) as rows:
            rows[1]["Quantity"] = "one"
        _, held = desk.submit(results, "--ledger", "new.sqlite", exit_code=4)
        assert [number for _, _, number in statuses(held)] == ["700001", "700001", "700002"]
        with mending(held) as rows:
            rows[1]["Quantity"] = "1"
        _, held = desk.submit(held, "--ledger", "new.sqlite", exit_code=4)
        assert statuses(held) == [("ana", "held", "700001")] * 2 + [("ben", "held", "700002")]
        assert "`batch-orders ledger adopt hires.results-2.csv`" in read(held)[0]["order_message"]
        assert read(held)[0]["order_message"].count("700001") == 1
        assert len(desk.book) == 2


def test_a_row_without_its_email_keeps_its_order_number(tmp_path: Path) -> None:
    """An e-mail deleted by mistake must not take with it that the row was ordered: it may meet another ledger."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben", MOUSE)]))
        with mending(results) as rows:
            rows[0]["Email"] = ""
        _, again = desk.submit(results, exit_code=4)
        assert [(status, number) for _, status, number in statuses(again)] == [
            ("invalid", "700001"), ("already_ordered", "700002"),
        ]  # fmt: skip


def test_an_unknown_order_outlives_its_ledger(tmp_path: Path) -> None:
    """The results say `unknown`; a new ledger, before and after adopting them, must not send it by itself."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"ben@example.com": ["close_after_placing"]}))) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]), exit_code=5)
        new = ("--ledger", "new.sqlite")
        desk.type("init", "--new", *new)
        _, again = desk.submit(results, *new, exit_code=5)
        assert statuses(again) == [("ana", "held", "700001"), ("ben", "unknown", "")]
        _, again = desk.submit(again, *new, exit_code=5)
        desk.type("ledger", "adopt", results, *new)
        _, again = desk.submit(again, *new, exit_code=5)
        assert statuses(again) == [("ana", "already_ordered", "700001"), ("ben", "unknown", "")]
        waiting = desk.type("status", *new)
        desk.type(*advised(waiting, "settle", "--placed", about="ben@")[:3], "700002", *new)
        desk.submit(results, *new)
        desk.type("ledger", "verify", *new)
        assert desk.book == [order("ana"), order("ben")]


def test_adopting_rows_that_do_not_agree(tmp_path: Path) -> None:
    """A row added to an unknown order, one added to a placed one, a changed one: nothing is sent before a look."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"dora@example.com": ["reset_after_placing"]}))) as desk:
        wave = [row("ana"), row("ben", columns={"Last name": "B"}), row("dora", columns={"Last name": "D"})]
        sheet = save(tmp_path / "hires.csv", wave)
        _, results = desk.submit(sheet, exit_code=5)
        desk.type(*advised(desk.type("status"), "settle", "--placed", about="dora@")[:3], "700003")
        moved = {"Shipping address": "9 New Road", "Last name": "B"}
        _, changed = desk.submit(save(tmp_path / "moved.csv", [row("ben", columns=moved)]), exit_code=4)
        with mending(results) as rows:
            rows += [rows[0] | {"Product title": MOUSE, "order_status": "", "order_number": ""}]
            rows += [rows[2] | {"Product title": MOUSE, "order_status": "", "order_number": ""}]
        new = ("--ledger", "new.sqlite")
        desk.type("init", "--new", *new)
        text = desk.type("ledger", "adopt", changed, *new, exit_code=4)
        assert "do not agree on one order number" in text
        assert "unknown" in desk.type("status", *new)
        assert "3 orders entered" in desk.type("ledger", "adopt", results, *new)
        _, again = desk.submit(sheet, *new, exit_code=5)
        assert statuses(again) == [
            ("ana", "already_ordered", "700001"),
            ("ben", "already_ordered", "700002"),
            ("dora", "unknown", ""),
        ]
        _, again = desk.submit(results, *new, exit_code=5)
        assert statuses(again)[3][:2] == ("ana", "changed")
        assert len(desk.book) == 3


def test_held_rows_are_adopted_as_they_are_told_to_be(tmp_path: Path) -> None:
    """A lost ledger: the results are held, say `ledger adopt`, and doing that with those very results works."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]))
        new = ("--ledger", "new.sqlite")
        desk.type("init", "--new", *new)
        _, held = desk.submit(results, *new, exit_code=4)
        _, held = desk.submit(held, *new, exit_code=4)
        assert "2 orders entered" in desk.type("ledger", "adopt", held, *new)
        _, again = desk.submit(held, *new)
        assert statuses(again) == [("ana", "already_ordered", "700001"), ("ben", "already_ordered", "700002")]


def test_an_old_copy_sends_only_when_all_that_it_lacks_was_entered(tmp_path: Path) -> None:
    """Of two runs that a restored copy does not know, the results of one are no proof of the other."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "ana.csv", [row("ana")]))
        ledger = desk.folder / "data" / "batch-orders" / "ledger.sqlite"
        copy = shutil.copy(ledger, tmp_path / "backup")
        ben = save(tmp_path / "ben.csv", [row("ben"), row("bea", columns={"Last name": "B"})])
        cem = save(tmp_path / "cem.csv", [row("cem", columns={"Last name": "C"})])
        _, ben_results = desk.submit(ben)
        _, cem_results = desk.submit(cem)
        shutil.copy(copy, ledger)
        assert "sends nothing" in desk.type("ledger", "adopt", ben_results, exit_code=4)
        assert "high-water mark" in desk.type("submit", cem, "--yes", exit_code=2)
        assert "high-water mark" in desk.type("check", cem, exit_code=2), "what looks ready was ordered"
        assert "sends nothing" in desk.type("ledger", "adopt", ben_results, exit_code=4)  # once more is no more
        assert "1 order entered" in desk.type("ledger", "adopt", cem_results)
        _, again = desk.submit(cem)
        assert statuses(again) == [("cem", "already_ordered", "700004")]
        assert len(desk.book) == 4
        desk.type("ledger", "verify")


def test_adopting_what_is_known_makes_no_old_copy_new(tmp_path: Path) -> None:
    """Nothing new was told, so that the copy knows everything is for a person to say."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, ana = desk.submit(save(tmp_path / "ana.csv", [row("ana")]))
        ledger = desk.folder / "data" / "batch-orders" / "ledger.sqlite"
        copy = shutil.copy(ledger, tmp_path / "backup")
        ben = save(tmp_path / "ben.csv", [row("ben")])
        _, ben_results = desk.submit(ben)
        shutil.copy(copy, ledger)
        assert "sends nothing" in desk.type("ledger", "adopt", ana, exit_code=4)
        assert "high-water mark" in desk.type("submit", ben, "--yes", exit_code=2)
        desk.type("ledger", "adopt", ben_results)
        _, again = desk.submit(ben)
        assert statuses(again) == [("ben", "already_ordered", "700002")]
        shutil.copy(copy, ledger)
        assert "No results file was named" in desk.type("ledger", "adopt", exit_code=2)
        told = desk.type("submit", ben, "--yes", exit_code=2)
        assert "high-water mark" in desk.type("init", exit_code=2)
        desk.type(*advised(told, "--up-to-date"))
        desk.submit(save(tmp_path / "cem.csv", [row("cem", columns={"Last name": "C"})]))
        assert len(desk.book) == 3


def test_whoever_was_renamed_and_kept_is_recognised(tmp_path: Path) -> None:
    """Married, moved, `settle --keep`; then the same person under the new e-mail address too: held."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ana")]))
        married = {"Last name": "Married", "ZIP / postal code": "10002", "Phone number": "+1 212 555 0199"}
        text, _ = desk.submit(save(tmp_path / "moved.csv", [row("ana", columns=married)]), exit_code=4)
        desk.type(*advised(text, "settle", "--keep"))
        new = {"Email": "a.married@example.com", "First name": "Ana", **married}
        _, results = desk.submit(save(tmp_path / "new.csv", [row("ana", columns=new)]), exit_code=4)
        assert statuses(results) == [("a.married", "held", "")]
        assert len(desk.book) == 1


def test_an_unknown_row_of_another_ledger_is_compared_too(tmp_path: Path) -> None:
    """Its person under another e-mail address, and its title under another reference, wait for it."""
    with at_a_desk(tmp_path, HostileHub(Plan({"order": ["reset_after_placing"]}))) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana")]), exit_code=5)
        with mending(results) as rows:
            blank = {"order_status": "", "submitted_at": "", "run_id": "", "order_message": ""}
            rows += [rows[0] | blank | {"Email": "ana@home.example.com"}]
        new = ("--ledger", "new.sqlite")
        desk.type("init", "--new", *new)
        _, again = desk.submit(results, *new, exit_code=5)
        assert [status for _, status, _ in statuses(again)] == ["unknown", "held"]
        assert len(desk.book) == 1


def test_results_whose_columns_were_renamed(tmp_path: Path) -> None:
    """Two of our columns suffice to know that rows were ordered, or may have been."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]))
        rows = read(results)
        named = {"order_status": "Order Status", "order_number": "Order Number"}
        kept = [{named.get(name, name): text for name, text in each.items() if name != "run_id"} for each in rows]
        desk.type("init", "--new", "--ledger", "new.sqlite")
        _, held = desk.submit(save(tmp_path / "kept.csv", kept), "--ledger", "new.sqlite", exit_code=4)
        assert {each["bo_order_status"] for each in read(held)} == {"held"}
        assert "`batch-orders ledger adopt" in read(held)[0]["bo_order_message"]
        assert len(desk.book) == 2


def test_a_twin_is_placed_while_the_plan_waits(tmp_path: Path) -> None:
    """Another run takes the same person, under another e-mail address, in hand before this one does: held."""
    with at_a_desk(tmp_path, HostileHub(latency=0.2)) as desk:
        people = [row(name, columns={"Last name": name}) for name in ("ben", "cem", "dora")]
        first = save(tmp_path / "first.csv", [*people, row("ana")])
        twin = save(tmp_path / "twin.csv", [row("ana", columns={"Email": "ana@home.example.com"})])
        slow = desk.with_settings(rate="40/min")
        with slow.program.start("submit", first, "--yes") as process:
            while not desk.hub.count("order"):
                assert process.poll() is None
                time.sleep(0.01)
            _, results = desk.submit(twin, exit_code=4)
            process.communicate(timeout=60)
        assert process.returncode == 0
        assert statuses(results) == [("ana", "held", "")]
        assert [body["email"] for body in desk.book][-1] == "ana@example.com"


def test_a_renamed_employees_row_says_that_it_was_ordered(tmp_path: Path) -> None:
    """Married: another name and e-mail in the results row, which still carries the number of her order."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]))
        with mending(results) as rows:
            rows[0] |= {"Email": "ana.miller@example.com", "Last name": "Miller"}
        _, results = desk.submit(results, exit_code=4)
        assert statuses(results)[0][:2] == ("ana.miller", "held")
        assert desk.book == [order("ana"), order("ben")]
        desk.submit(results, *release_advised(read(results)[0]["order_message"]))
        assert desk.book[2:] == [order("ana", email="ana.miller@example.com", lastname="Miller")]


def test_results_as_the_orders_stand_now(tmp_path: Path) -> None:
    """`results RUN` after --keep, after --cancelled of an order that was placed earlier, after --release."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]))
        home = {"Email": "ben@home.example.com"}
        rows = [row("ana", columns={"Shipping address": "9 New Road"}), row("ben"), row("ben", LAPTOP, home)]
        text, results = desk.submit(save(tmp_path / "more.csv", rows), exit_code=4)
        run_id = read(results)[2]["run_id"]
        desk.type(*advised(text, "settle", "--keep"))
        desk.submit(results, *release_advised(read(results)[2]["order_message"]))
        (ben,) = [
            line.split()[0] for line in desk.type("status", read(results)[1]["run_id"]).splitlines() if " ben@e" in line
        ]
        desk.type("settle", ben, "--cancelled")
        desk.type("results", run_id, "--output", "now.csv", exit_code=6)
        assert statuses(tmp_path / "now.csv") == [
            ("ana", "already_ordered", "700001"), ("ben", "not_sent", ""), ("ben", "already_ordered", "700003"),
        ]  # fmt: skip


def test_what_results_say_of_a_verdict(tmp_path: Path) -> None:
    """Settled as not placed, or cancelled, is not "the run stopped before its turn", and was not submitted."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"ben@example.com": ["reset_after_body"]}))) as desk:
        _, results = desk.submit(save(tmp_path / "hires.csv", [row("ana"), row("ben")]), exit_code=5)
        desk.type(*advised(desk.type("status"), "settle", "--not-placed"))
        run_id = read(results)[0]["run_id"]
        desk.type("results", run_id, "--output", "now.csv", exit_code=6)
        ben = read(tmp_path / "now.csv")[1]
        assert ben["order_status"] == "not_sent"
        assert "stopped before its turn" not in ben["order_message"]
        assert ben["submitted_at"] == ""
        assert "planned  ben@example.com, sent" not in desk.type("status", run_id)


def test_checks_advice_can_be_followed(tmp_path: Path) -> None:
    """`check` says `settle ID --keep`; typed at once, it must work or say what comes first."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ana")]))
        moved = save(tmp_path / "moved.csv", [row("ana", columns={"Shipping address": "9 New Road"})])
        told = desk.type(*advised(desk.type("check", moved, exit_code=4), "settle", "--keep"), exit_code=2)
        assert "submit the sheet" in told.lower()


def test_a_rehires_warning_is_not_used_up(tmp_path: Path) -> None:
    """Neither by a run that was refused or declined, nor by a quiet one that says nothing."""
    with at_a_desk(tmp_path, HostileHub()) as desk:
        past = [ordered_before(row("ana"), "5001", days_ago=400)]
        desk.type("ledger", "adopt", save(tmp_path / "old.results.csv", past))
        sheet = save(tmp_path / "hires.csv", [row("ana"), row("ben")])
        desk.type("submit", sheet, "--yes", "--output", "no/such/place.csv", exit_code=2)
        assert "give the rows an order reference" in desk.type("submit", sheet, "--yes", "--quiet")


def test_a_number_that_is_its_own(tmp_path: Path) -> None:
    """Settling twice under the same number is not a quarrel with "another order"."""
    with at_a_desk(tmp_path, HostileHub(Plan(by_email={"ben@example.com": ["close_after_placing"]}))) as desk:
        desk.submit(save(tmp_path / "hires.csv", [row("ben")]), exit_code=5)
        verdict = advised(desk.type("status"), "settle", "--placed")[:3]
        desk.type(*verdict, "700001", "--note", "Kim found it")
        again = desk.type(*verdict, "700001", exit_code=2)
        assert "another order" not in again
        assert "The order is ordered" in again
