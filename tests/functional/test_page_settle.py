"""To settle, where something is in the way: the page stays, with what was typed and why it was not taken."""

from __future__ import annotations

import csv
import html
import io
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.program import SAMPLES, Program
from tests.served import Visitor, serving
from tests.team import PASSWORD, team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _sheet(*names: str, **changes: str) -> bytes:
    """A CSV sheet with an order for each of these names."""
    with (SAMPLES / "new-hires.csv").open(encoding="utf-8-sig", newline="") as file:
        row = next(csv.DictReader(file))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    for number, name in enumerate(names):
        own = {"Email": f"{name}@example.com", "Last name": name.title(), "Phone number": f"+1 212 555 01{number:02}"}
        writer.writerow(row | own | changes)
    return out.getvalue().encode()


def _ordered(visitor: Visitor, content: bytes) -> str:
    """Upload and order everything that is ready; the run."""
    draft = str(visitor.send("hires.csv", content).headers["location"].removeprefix("/sheets/"))
    visitor.review(draft)
    run = visitor.order(draft)
    visitor.ended(run)
    return run


def _card(page: str, name: str) -> str:
    """What To settle shows of one order."""
    cards = [card for card in re.findall(r"<article.*?</article>", page, re.DOTALL) if f"{name}@example.com" in card]
    assert len(cards) == 1, page
    return str(cards[0])


def _id(card: str) -> str:
    found = re.search(r'action="/waiting/([0-9a-f]{12})/', card)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Whoever started a page whose Device Hub takes orders as they come."""
    with serving(Program(tmp_path_factory.mktemp("settle")), "--sandbox") as served:
        yield served.enter()


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """The same where no answer comes back: one order was found under the number taken1, the other one waits."""
    with serving(Program(tmp_path_factory.mktemp("unsure")), "--sandbox", "--fault", "close_after_placing=1") as served:
        visitor = served.enter()
        _ordered(visitor, _sheet("taken", "typed"))
        taken = _id(_card(visitor.get("/waiting").text, "taken"))
        visitor.post(f"/waiting/{taken}/settle", verdict="placed", number="taken1", sure="yes")
        yield visitor


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """The same where every order is refused."""
    with serving(Program(tmp_path_factory.mktemp("refused")), "--sandbox", "--fault", "422_plain=1") as served:
        yield served.enter()


@pytest.mark.parametrize(
    ("fields", "status", "field", "told"),
    [
        ({"verdict": "placed", "number": "", "sure": "yes"}, 400, "number", "Write the order number"),
        ({"verdict": "placed", "number": "two <words>", "sure": "yes"}, 400, "number", "in one word"),
        ({"verdict": "placed", "number": "taken1", "sure": "yes"}, 409, "number", "belongs to another order"),
        ({"verdict": "placed", "number": "free2"}, 400, "sure", "tick the box"),
        ({"verdict": "cancelled", "sure": "yes"}, 409, "act", "does not fit that"),
        ({"verdict": "keep", "sure": "yes"}, 409, "act", "nothing to keep"),
        ({"verdict": "nonsense", "sure": "yes"}, 400, "act", "no such verdict"),
    ],
)
def test_what_was_typed_stays(unsure: Visitor, fields: dict[str, str], status: int, field: str, told: str) -> None:
    """The order still waits, its card says at the field what is wrong, and note, number and tick are as they were."""
    order = _id(_card(unsure.get("/waiting").text, "typed"))
    answer = unsure.post(f"/waiting/{order}/settle", note="what I “found” <there>", **fields)
    assert answer.status_code == status
    card = html.unescape(_card(answer.text, "typed"))
    assert f'id="{field}-{order}-wrong" role="alert"' in card
    assert told in card
    assert 'value="what I “found” <there>"' in card
    assert f'value="{fields.get("number", "")}"' in card
    assert bool(re.search(r'name="sure" value="yes" required checked', card)) is ("sure" in fields)
    assert "1 order waits for a person" in answer.text


def test_a_cancelled_order_needs_a_word(visitor: Visitor) -> None:
    """It would be ordered again: the note says who cancelled it, on To settle and on the run's page."""
    run = _ordered(visitor, _sheet("cancelled", "other"))
    order = next(iter(re.findall(r"/waiting/([0-9a-f]{12})/settle", visitor.get(f"/runs/{run}").text)))
    back = f"/runs/{run}?show=ordered&at=1"
    answer = visitor.post(f"/waiting/{order}/settle", verdict="cancelled", sure="yes", note=" ", back=back)
    assert answer.status_code == 400
    assert "Write who said that it was cancelled" in answer.text
    _ordered(visitor, _sheet("cancelled", "third", Quantity="3"))
    changed = _id(_card(visitor.get("/waiting").text, "cancelled"))
    answer = visitor.post(f"/waiting/{changed}/settle", verdict="cancelled", sure="yes")
    assert answer.status_code == 400
    assert f'aria-describedby="note-{changed}-wrong"' in _card(answer.text, "cancelled")
    answer = visitor.post(f"/waiting/{changed}/settle", verdict="cancelled", sure="yes", note="the vendor, by mail")
    assert "the vendor cancelled it" in answer.text


def test_what_was_typed_stays_on_a_runs_page(visitor: Visitor) -> None:
    """There, too, it says at the field what is wrong; and afterwards one is where one was."""
    run = _ordered(visitor, _sheet("kept", "beside"))
    shown = visitor.get(f"/runs/{run}?show=ordered").text
    order, other = re.findall(r"/waiting/([0-9a-f]{12})/settle", shown)
    back = html.unescape(re.findall(r'name="back" value="([^"]*)"', shown)[0])
    wrongs: list[tuple[dict[str, str], int, str]] = [
        ({"note": " ", "sure": "yes"}, 400, f'aria-describedby="note-{order}-wrong"'),
        ({"note": "Jo, <today>"}, 400, f'aria-describedby="sure-{order}-wrong"'),
    ]
    for fields, status, mark in wrongs:
        answer = visitor.post(f"/waiting/{order}/settle", verdict="cancelled", back=back, **fields)
        assert answer.status_code == status
        assert mark in answer.text
        assert answer.text.count('<details class="quiet" open>') == 1
        assert "placed" in answer.text.partition("</h1>")[0]
        assert bool(re.search(r'name="sure" value="yes" required checked', answer.text)) is ("sure" in fields)
    assert 'value="Jo, &lt;today&gt;"' in answer.text
    settled = {"verdict": "cancelled", "back": back, "note": "Jo, <today>", "sure": "yes"}
    answer = visitor.post(f"/waiting/{order}/settle", **settled)
    assert str(answer.url).endswith(f"{back}&settled=cancelled")
    assert "the vendor cancelled it" in answer.text
    assert re.findall(r"/waiting/([0-9a-f]{12})/settle", answer.text) == [other]
    again = visitor.post(f"/waiting/{order}/settle", **settled)
    assert again.status_code == 409
    assert "Your note: “Jo, &lt;today&gt;”" in again.text


def test_an_order_that_waits_no_more(refused: Visitor) -> None:
    """A window that is older than what has become of the order says so, and keeps the note."""
    run = _ordered(refused, _sheet("gone"))
    order = _id(_card(refused.get("/waiting").text, "gone"))
    answer = refused.post(f"/waiting/{'0' * 12}/again", run_id=run, note="as it <is>")
    assert answer.status_code == 404
    assert "There is no such order here" in answer.text
    assert "Your note: “as it &lt;is&gt;”" in answer.text
    assert refused.post(f"/waiting/{order}/again", run_id=run, note="as it is").status_code == 200


def test_a_held_order_that_was_sent_meanwhile(visitor: Visitor) -> None:
    """Released in one window, and again in another one: the second is told, and makes no second sheet."""
    run = _ordered(visitor, _sheet("twin", "twin+work", "single").replace(b"Twin+Work", b"Twin"))
    order = _id(_card(visitor.get("/waiting").text, "twin"))
    first = visitor.post(f"/waiting/{order}/again", run_id=run, note="two people")
    draft = str(first.url).rpartition("/")[2].partition("?")[0]
    visitor.review(draft)
    visitor.ended(visitor.order(draft))
    before = visitor.get("/").text.count("/sheets/")
    answer = visitor.post(f"/waiting/{order}/again", run_id=run, note="two people")
    assert answer.status_code == 409
    assert "does not wait any more" in answer.text
    assert visitor.get("/").text.count("/sheets/") == before


def _plain(card: str) -> str:
    """What a card says to whoever does not open its details."""
    return re.sub(r"<details.*?</details>", "", card, flags=re.DOTALL)


def test_a_held_order_says_for_whom_and_what(visitor: Visitor) -> None:
    """Without its run's page: the person, the address and each item, as the sheet has them."""
    _ordered(visitor, _sheet("double", "double+work", "lone").replace(b"Double+Work", b"Double"))
    for name in ("double@", "double+work@"):
        (card,) = [each for each in re.findall(r"<article.*?</article>", visitor.get("/waiting").text, re.DOTALL)
                   if f'">{name}example.com' in each]  # fmt: skip
        told = html.unescape(re.sub(r"<[^>]*>", " ", card))
        assert re.search(r"For \s*Ana Double, .*, [A-Z]{2}\s", told), told
        assert re.search(r"Items \s*\d+ × \S", told), told


def test_refused_in_plain_words(refused: Visitor) -> None:
    """What Device Hub answered is told without its status; that, and its own words, are in the details."""
    _ordered(refused, _sheet("plainly"))
    card = _card(refused.get("/waiting").text, "plainly")
    assert "Device Hub said no" in _plain(card)
    assert not re.search(
        r"HTTP|Evidence|--|[a-z]+_[a-z]+\b(?![^<]*>)", re.sub(r"<form.*?</form>", "", _plain(card), flags=re.DOTALL)
    )
    assert "HTTP 422" in card
    assert "--" not in re.sub(r"<[^>]*>", "", card)


def test_each_time_is_one_that_a_browser_tells_in_its_own_zone(unsure: Visitor, refused: Visitor) -> None:
    """No instant stands in the text as the program writes it for itself."""
    for visitor in (unsure, refused):
        for path in ("/waiting", "/runs", "/"):
            page = visitor.get(path).text
            times = re.findall(r'<time datetime="[^"]+">([^<]*)</time>', page)
            assert times, path
            assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", time) for time in times)
            assert not re.search(r"\d\d:\d\d", re.sub(r"<time.*?</time>|<script.*?</script>", "", page)), path


def test_a_run_that_was_stopped_and_left_unknown_orders(unsure: Visitor) -> None:
    """The list of runs says both: what is to be settled, and that there is a rest to go on with."""
    draft = str(unsure.send("few.csv", _sheet("fewa", "fewb", "fewc")).headers["location"].removeprefix("/sheets/"))
    unsure.review(draft)
    unsure.ended(unsure.order(draft, limit=1))
    ended = re.findall(r'data-label="How it ended">([^<]*)<', unsure.get("/runs").text)
    assert ended[0] == "stopped early, and some orders are to be settled"
    assert ended[-1] == "some orders are to be settled"


def test_nobody_of_a_team_is_you(tmp_path: Path) -> None:
    """What was done before there were users, by whoever had the link, is said to be nobody's who reads it now."""
    users, ledger = tmp_path / "users.json", tmp_path / "orders.sqlite"
    program = Program(tmp_path, {"users_file": str(users)})
    arguments = ("--sandbox", "--ledger", str(ledger), "--fault", "close_after_placing=1")
    with serving(program, *arguments) as served:
        alone = served.enter()
        run = _ordered(alone, _sheet("before"))
        draft = str(alone.send("later.csv", _sheet("later")).headers["location"])
        alone.review(draft.removeprefix("/sheets/"))
        assert 'data-label="By">you<' in alone.get("/runs").text
        order = _id(_card(alone.get("/waiting").text, "before"))
        alone.post(f"/waiting/{order}/settle", verdict="not_placed", sure="yes", note="asked them")
        alone.ended(alone.order(alone.get(f"/runs/{run}").text.partition('href="/sheets/')[2][:32]))
        assert "asked them (you, on the page)" in _card(alone.get("/waiting").text, "before")
    team(tmp_path, ada="approver")
    with serving(program, *arguments) as served:
        ada = served.log_in("ada", PASSWORD)
        pages = [ada.get("/runs"), ada.get(f"/runs/{run}"), ada.get("/waiting"), ada.review(draft.rpartition("/")[2])]
        pages.append(ada.confirm(draft.rpartition("/")[2])[0])
        pages.append(ada.post(f"{draft}/mend", row=2, column=1, after="x"))
        for page in pages:
            text = re.sub(r"<[^>]*>", " ", page.text)
            assert not re.search(r"\b(?:by|from|By)\s+you\b|\(you, on|you’s", text), text
        assert 'data-label="By">whoever had the link<' in pages[0].text
        assert "asked them (whoever had the link, on the page)" in pages[2].text
        assert "uploaded by whoever had the link" in pages[4].text


def test_an_order_outlives_its_upload(tmp_path: Path) -> None:
    """When the uploaded sheet is removed after its days, its uploader sees and settles what waits; nobody else does."""
    users, ledger = team(tmp_path, ann="uploader", eve="uploader"), tmp_path / "orders.sqlite"
    program = Program(tmp_path, {"users_file": str(users.path)})
    arguments = ("--sandbox", "--ledger", str(ledger), "--fault", "close_after_placing=1")
    with serving(program, *arguments) as served:
        ann, eve = served.log_in("ann", PASSWORD), served.log_in("eve", PASSWORD)
        run = _ordered(ann, _sheet("old"))
        for upload in (tmp_path / "orders.sqlite.page" / "uploads").iterdir():
            shutil.rmtree(upload)
        assert "old@example.com" in ann.get(f"/runs/{run}").text
        order = _id(_card(ann.get("/waiting").text, "old"))
        assert "To settle (1)" in ann.get("/").text
        assert "old@example.com" not in eve.get("/waiting").text
        fields = {"verdict": "placed", "number": "found1", "sure": "yes"}
        assert eve.post(f"/waiting/{order}/settle", **fields).status_code == 404
        assert "counts as ordered" in ann.post(f"/waiting/{order}/settle", **fields).text
