"""The page under attack by colleagues: others' sheets and runs, approval that is got around, orders placed twice."""

from __future__ import annotations

import csv
import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from batch_orders.web.people import Role, UsersFile
from tests.program import Program, RunningHub, sandbox
from tests.served import Served, Visitor, serving
from tests.team import PASSWORD, drafts_in, every_route, filled, orders_in, team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTES = every_route()
FAST = {"rate": "50/s", "concurrency": "4"}
HEADERS = [
    "email", "firstname", "lastname", "phone_number", "shipping_address", "shipping_city", "shipping_state",
    "shipping_zip", "shipping_country", "product_title", "quantity", "expedite_shipping", "is_signature_required",
    "order_reference",
]  # fmt: skip
TITLE = 'Apple MacBook Pro 14" M4 16GB 512GB'
FIELDS = {"row": "2", "column": "2", "after": "Mallory", "fingerprint": "0" * 64, "sure": "yes", "verdict": "cancelled"}


def sheet_of(*names: str, title: str = TITLE, quantity: int = 1, **fields: str) -> bytes:
    """A CSV sheet with an order for each of these names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADERS)
    for number, name in enumerate(names):
        row = {"email": f"{name}@example.com", "firstname": name.title(), "lastname": f"Of{name}"}
        row |= {
            "phone_number": f"+1 212 555 {1000 + crc32(name.encode()) % 9000}",
            "shipping_address": f"{number + 1} {name} St",
        }
        row |= {"shipping_city": "New York", "shipping_state": "NY", "shipping_zip": "10001", "shipping_country": "US"}
        row |= {"product_title": title, "quantity": str(quantity)} | fields
        writer.writerow([row.get(header, "") for header in HEADERS])
    return out.getvalue().encode()


def upload(visitor: Visitor, content: bytes, name: str = "hires.csv") -> str:
    """Upload a sheet and wait until it was looked through; its id."""
    answer = visitor.send(name, content)
    assert answer.status_code == 303, answer.text
    draft = str(answer.headers["location"].removeprefix("/sheets/"))
    visitor.review(draft)
    return draft


def attempt(visitor: Visitor, draft: str, fingerprint: str, **fields: str) -> tuple[int, str]:
    """Try to order with this fingerprint: the status, and the run's id where one began."""
    form = {"fingerprint": fingerprint, "sure": "yes"} | fields
    answer = visitor.post(f"/sheets/{draft}/order", follow=False, **form)
    location = answer.headers.get("location", "")
    return answer.status_code, location.removeprefix("/runs/") if location.startswith("/runs/") else ""


class Office:
    """A page of a team with a Device Hub of its own."""

    def __init__(self, page: Served, hub: RunningHub, ledger: Path) -> None:
        self.page, self.hub, self.ledger = page, hub, ledger
        self.people: dict[str, Visitor] = {}

    def __getattr__(self, name: str) -> Visitor:
        """Somebody, logged in."""
        if name not in self.people:
            self.people[name] = self.page.log_in(name, PASSWORD)
        return self.people[name]

    def placed(self, *names: str) -> list[str]:
        """The mail addresses of orders at Device Hub, of these people."""
        found = [order["body"]["email"] for order in self.hub.orders]
        return sorted(mail for mail in found if mail.partition("@")[0] in names)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One simulated Device Hub for the whole module."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


def office(folder: Path, hub: RunningHub, **settings: str) -> Iterator[Office]:
    """A page in front of that Device Hub, with a ledger of its own."""
    roles = {"ann": "uploader", "eve": "uploader", "bob": "approver", "pat": "approver", "vic": "viewer"}
    users, ledger = team(folder, **roles), folder / "ledger.sqlite"
    program = Program(folder, hub.login | FAST | {"ledger": str(ledger), "users_file": str(users.path)} | settings)
    assert program.run("init", "--new").returncode == 0
    with serving(program) as page:
        yield Office(page, hub, ledger)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory, hub: RunningHub) -> Iterator[Office]:
    """A page where everybody orders their own sheets."""
    yield from office(tmp_path_factory.mktemp("free"), hub)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, hub: RunningHub) -> Iterator[Office]:
    """A page where a second person has to approve."""
    yield from office(tmp_path_factory.mktemp("strict"), hub, approval="required")


# Others' sheets and runs ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anns(free: Office) -> dict[str, str]:
    """A sheet of ann's, its run, and an order of it."""
    draft = upload(free.ann, sheet_of("mine", "held", "held2", phone_number="+1 212 555 0188"), "secret-hires.csv")
    fields = {"row": 2, "column": 4, "after": "+1 212 555 0123"}
    free.ann.post(f"/sheets/{draft}/mend", **fields)
    run = free.ann.order(draft)
    page = free.ann.ended(run)
    found = re.search(r"/waiting/([0-9a-f]{12})/settle", page.text)
    assert found, page.text
    return {"draft_id": draft, "run_id": run, "order": found[1]}


def test_another_uploaders_things(free: Office, anns: dict[str, str]) -> None:
    """Whoever guesses their ids finds nothing there: 404 for every look and every change, and nothing is changed."""
    drafts, orders = drafts_in(free.ledger), orders_in(free.ledger)
    for method, path in ROUTES:
        if "{" in path:
            for address in filled(path, **anns):
                data = FIELDS | {"csrf": free.eve.csrf, "run_id": anns["run_id"], "order": anns["order"], "step": "x"}
                options: dict[str, Any] = {"data": data} if method == "POST" else {}
                answer = free.eve.client.request(method, address, **options)
                assert answer.status_code == 404, (method, address)
                assert "secret-hires" not in answer.text
    assert (drafts_in(free.ledger), orders_in(free.ledger)) == (drafts, orders)
    for page in ("/", "/runs", "/waiting"):
        shown = free.eve.get(page).text
        assert not any(each in shown for each in ("secret-hires", "mine@", anns["run_id"], anns["draft_id"]))
    assert "To settle (" not in free.eve.get("/").text


def test_everybody_of_a_team_can_leave(free: Office) -> None:
    """They come in again by their password."""
    for someone in (free.ann, free.bob, free.vic):
        assert "Sign out" in someone.get("/").text


def test_a_viewer_changes_nothing(free: Office, anns: dict[str, str]) -> None:
    """A viewer looks at every run and sheet, and whatever they send is refused."""
    drafts, orders = drafts_in(free.ledger), orders_in(free.ledger)
    for path in ("/runs", "/waiting", *(f"/runs/{anns['run_id']}{end}" for end in ("", "/results", "/sheet"))):
        assert free.vic.get(path).status_code == 200, path
    assert "secret-hires" in free.vic.get("/runs").text
    assert "mine@example.com" in free.vic.get(f"/runs/{anns['run_id']}").text
    assert 'action="/waiting' not in free.vic.get("/waiting").text + free.vic.get(f"/runs/{anns['run_id']}").text
    for method, path in ROUTES:
        if method == "POST" and path not in {"/login", "/logout"}:
            for address in filled(path, **anns):
                data = FIELDS | {"csrf": free.vic.csrf, "run_id": anns["run_id"], "order": anns["order"], "step": "x"}
                options: dict[str, Any] = {"files": {"file": ("a.csv", b"x")}} if path == "/sheets" else {}
                answer = free.vic.client.post(address, data=data, **options)
                assert answer.status_code == 403, address
    assert (drafts_in(free.ledger), orders_in(free.ledger)) == (drafts, orders)


def test_an_approver_does_not_mend_others_sheets(free: Office, anns: dict[str, str]) -> None:
    """They see it and cannot change it; and where nothing is to be approved, they can neither approve nor order it."""
    before = drafts_in(free.ledger)
    assert free.bob.get(f"/sheets/{anns['draft_id']}").status_code == 200
    for act in ("mend", "undo", "release", "choose", "columns", "ask", "approve", "order"):
        fields = FIELDS | {"step": "x", "order": anns["order"]}
        assert free.bob.post(f"/sheets/{anns['draft_id']}/{act}", **fields).status_code == 403, act
    assert free.bob.get(f"/sheets/{anns['draft_id']}/columns").status_code == 403
    assert drafts_in(free.ledger) == before


def test_a_colleagues_order_is_not_theirs_to_cancel(free: Office) -> None:
    """Whose sheet has an order that a colleague placed sees its number, and is not asked whether it was cancelled."""
    shared = upload(free.ann, sheet_of("shared"))
    free.ann.ended(free.ann.order(shared))
    for someone, theirs in ((free.eve, 1), (free.ann, 2), (free.bob, 2)):
        name = f"new{theirs}{len(free.hub.orders)}"
        page = someone.ended(someone.order(upload(someone, sheet_of("shared", name)))).text
        assert "already ordered" in page
        assert len(re.findall(r"/waiting/[0-9a-f]{12}/settle", page)) == theirs


def test_columns_that_somebody_else_matched(free: Office) -> None:
    """Where one person's orders go is not decided by what another one matched in a sheet with the same headers."""
    mapped = sheet_of("poison").replace(b"shipping_address", b"Where to").replace(b"email,", b"Post box,")
    eves = upload(free.eve, mapped)
    view = free.eve.get(f"/sheets/{eves}/columns")
    assert view.status_code == 200
    form = {f"{header}.0": header for header in HEADERS} | {"email.0": "Post box", "shipping_address.0": ""}
    form |= {"shipping_address.always": "1 Mallory Lane", "order_reference.0": ""}
    answer = free.eve.post(f"/sheets/{eves}/columns", follow=False, **form)
    assert answer.headers.get("location") == f"/sheets/{eves}", answer.text
    own = free.eve.review(upload(free.eve, mapped))
    assert "as somebody matched them" in own.text, "their own is remembered"
    anns = upload(free.ann, mapped)
    assert "as somebody matched them" not in free.ann.review(anns).text
    assert free.bob.review(anns).status_code == 200
    assert not any(draft["mapping"] for draft in drafts_in(free.ledger) if draft["id"] == anns)


# Ordering -------------------------------------------------------------------------------------------------------


def test_orders_that_nobody_is_sure_of(free: Office) -> None:
    """Without the tick, or with another fingerprint than the sheet has now, nothing is sent."""
    draft = upload(free.ann, sheet_of("unsure"))
    _, fingerprint = free.ann.confirm(draft)
    for sure in ("", None):
        form = {"fingerprint": fingerprint} | ({} if sure is None else {"sure": sure})
        assert free.ann.post(f"/sheets/{draft}/order", **form).status_code == 400
    free.ann.post(f"/sheets/{draft}/mend", row=2, column=2, after="Other")
    assert attempt(free.ann, draft, "")[0] == 400
    for stale in (fingerprint, "0" * 64, fingerprint.upper()):
        status, run = attempt(free.ann, draft, stale)
        assert status == 303
        assert "is not what you confirmed" in free.ann.ended(run).text
    assert free.placed("unsure") == []


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "1.5", "1e9", "²", "9" * 30, "0x1", "1 000", "1,000", "+1", "all"])
def test_limits_that_are_none(free: Office, limit: str) -> None:
    """A number of orders that makes no sense is refused: it never means "all of them"."""
    draft = upload(free.ann, sheet_of("limited", "limited2"))
    _, fingerprint = free.ann.confirm(draft)
    assert attempt(free.ann, draft, fingerprint, limit=limit) == (400, "")
    assert free.placed("limited", "limited2") == []


def test_a_limit(free: Office) -> None:
    """So many orders are placed and no more; the same confirmation again places nothing, since it says "all"."""
    draft = upload(free.ann, sheet_of("few", "few2", "few3"))
    _, fingerprint = free.ann.confirm(draft)
    _, run = attempt(free.ann, draft, fingerprint, limit=" 1 ")
    free.ann.ended(run)
    assert len(free.placed("few", "few2", "few3")) == 1
    _, run = attempt(free.ann, draft, fingerprint, limit="1")
    assert "is not what you confirmed" in free.ann.ended(run).text
    assert len(free.placed("few", "few2", "few3")) == 1


def test_ordering_twice_at_once(free: Office) -> None:
    """A double click, two windows and the same sheet uploaded twice place every order once."""
    names = [f"twice{number}" for number in range(8)]
    drafts = [upload(free.ann, sheet_of(*names)) for _ in range(2)]
    fingerprints = [free.ann.confirm(draft)[1] for draft in drafts]
    tries = [*zip(drafts, fingerprints, strict=True)] * 4
    with ThreadPoolExecutor(8) as threads:
        ended = list(threads.map(lambda each: attempt(free.ann, *each), tries))
    assert {status for status, _ in ended} == {303}
    runs = {run for _, run in ended}
    for run in runs:
        free.ann.ended(run)
    assert free.placed(*names) == sorted(f"{name}@example.com" for name in names)
    for draft, fingerprint in zip(drafts, fingerprints, strict=True):
        _, run = attempt(free.ann, draft, fingerprint)
        if run:
            free.ann.ended(run)
        assert free.ann.client.get(f"/sheets/{draft}/confirm").headers["location"] == f"/sheets/{draft}"
    assert len(free.placed(*names)) == len(names)


# Approval -------------------------------------------------------------------------------------------------------


def approved(strict: Office, content: bytes, name: str = "hires.csv") -> tuple[str, str]:
    """A sheet of ann's that bob has approved: its id, and what it was approved as."""
    draft = upload(strict.ann, content, name)
    strict.ann.post(f"/sheets/{draft}/ask")
    _, fingerprint = strict.bob.confirm(draft)
    assert strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint).status_code == 200
    return draft, fingerprint


def test_nobody_approves_their_own(strict: Office) -> None:
    """Neither an uploader nor an approver, nor a viewer; and without approval nobody orders, the approver included."""
    for name in ("ann", "bob"):
        person = getattr(strict, name)
        draft = upload(person, sheet_of(f"own{name}"))
        page, _ = person.confirm(draft)
        assert f"/sheets/{draft}/approve" not in page.text
        assert f"/sheets/{draft}/order" not in page.text
        fingerprint = strict.pat.confirm(draft)[1]
        for someone in (strict.ann, strict.vic, person):
            answer = someone.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
            assert answer.status_code == 403 or (someone is strict.ann and answer.status_code == 404)
        for someone in (person, strict.pat):
            assert attempt(someone, draft, fingerprint)[0] == 403
        strict.pat.post(f"/sheets/{draft}/approve", fingerprint="f" * 64)
        for forged in ("f" * 64, fingerprint):
            status, run = attempt(person, draft, forged)
            if run:
                assert "is not what you confirmed" in person.ended(run).text
            else:
                assert status == 403
    assert strict.placed("ownann", "ownbob") == []


def test_whoever_only_looks_by_now(strict: Office) -> None:
    """An uploader who became a viewer sees their sheets, and is offered nothing that would be refused."""
    users = UsersFile(strict.ledger.with_name("users.json"))
    users.add("gus", Role.UPLOADER, PASSWORD)
    draft = upload(strict.gus, sheet_of("viewed"))
    foreign = upload(strict.gus, sheet_of("foreign").replace(b"email,", b"Post box,"))
    assert f"/sheets/{draft}/ask" in strict.gus.confirm(draft)[0].text
    assert f"/sheets/{foreign}/columns" in strict.gus.review(foreign).text
    users.set_role("gus", Role.VIEWER)
    gus = strict.page.log_in("gus", PASSWORD)
    pages = [gus.confirm(draft)[0], gus.review(draft), gus.review(foreign)]
    assert [page.status_code for page in pages] == [200, 200, 200]
    assert not any(re.search(r'(?:action|href)="/sheets/\w+/(?!confirm|file)', page.text) for page in pages)
    answer = gus.post(f"/sheets/{draft}/ask")
    assert (answer.status_code, "You may look at everything here" in answer.text) == (403, True)


def test_an_approved_sheet_is_ordered(strict: Office) -> None:
    """With approval it goes: so the refusals of the other tests are not those of a page that orders nothing."""
    draft, fingerprint = approved(strict, sheet_of("approved"))
    status, run = attempt(strict.ann, draft, fingerprint)
    assert status == 303
    assert "approved by bob" in strict.ann.ended(run).text
    assert strict.placed("approved") == ["approved@example.com"]


HELD = (
    sheet_of("twin", "twin2", firstname="Same", lastname="Person", phone_number="+1 212 555 0177")
    + sheet_of("single").split(b"\r\n", 1)[1]
)


@pytest.mark.parametrize("change", ["mend", "group", "undo", "release", "columns", "choose", "ask"])
def test_approval_is_void_after_a_change(strict: Office, change: str) -> None:
    """What was approved and then changed is not ordered, as it was nor as it is."""
    content = HELD.replace(b"single", f"single{change}".encode()).replace(b"twin", f"twin{change}".encode())
    draft = upload(strict.ann, content)
    if change == "undo":
        strict.ann.post(f"/sheets/{draft}/mend", row=4, column=2, after="Before")
    _, fingerprint = strict.bob.confirm(draft)
    strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
    stored = next(each for each in drafts_in(strict.ledger) if each["id"] == draft)
    assert stored["approval"]["fingerprint"] == fingerprint
    fields: dict[str, dict[str, object]] = {
        "mend": {"row": 4, "column": 5, "after": "9 Mallory Lane"},
        "group": {"row": 4, "column": 11, "after": "3"},
        "undo": {"step": stored["steps"][0]["id"] if stored["steps"] else ""},
        "release": {"order": _held(strict.ann.review(draft, "?show=held").text), "note": "they are two"},
        "columns": {f"{header}.0": header for header in HEADERS} | {"lastname.0": "firstname"},
        "choose": {"encoding": "cp1252"},
        "ask": {},
    }
    act = {"group": "mend"}.get(change, change)
    answer = strict.ann.post(f"/sheets/{draft}/{act}", follow=False, **fields[change])
    assert answer.status_code == 303, answer.text
    page, now = strict.pat.confirm(draft)
    if change not in {"choose", "ask"}:  # the text reads the same, and nothing else of it would be ordered
        assert now != fingerprint
        assert "has to be approved anew" in page.text
        status, run = attempt(strict.ann, draft, fingerprint)
        assert status == 303
        assert "is not what you confirmed" in strict.ann.ended(run).text
        assert attempt(strict.ann, draft, now)[0] == 403
        assert strict.placed(f"single{change}", f"twin{change}", f"twin{change}2") == []
    elif change == "ask":
        assert attempt(strict.ann, draft, fingerprint)[0] == 403


def _held(page: str) -> str:
    found = re.search(r'name="order" value="([0-9a-f]{12})"', page)
    return found[1] if found else ""


def _shown_version(page: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found, page
    return found[1]


def _decline(visitor: Visitor, draft: str, why: str) -> int:
    """Decline a sheet as somebody does who looks at it now; the answer's status."""
    version = _shown_version(visitor.confirm(draft)[0].text)
    return visitor.post(f"/sheets/{draft}/decline", follow=False, version=version, note=why).status_code


def _stored(strict: Office, draft: str) -> dict[str, Any]:
    return next(each for each in drafts_in(strict.ledger) if each["id"] == draft)


def test_a_declined_sheet_is_mended_and_approved(strict: Office) -> None:
    """The uploader reads why, mends it and asks again; the run keeps who approved and who declined before."""
    draft = upload(strict.ann, sheet_of("declined"), "declined.csv")
    strict.ann.post(f"/sheets/{draft}/ask")
    assert "declined.csv" in strict.pat.get("/runs").text
    fingerprint = strict.pat.confirm(draft)[1]
    assert _decline(strict.pat, draft, " wrong <b>laptop</b> ") == 303
    assert "declined.csv" not in strict.pat.get("/runs").text
    for page in (f"/sheets/{draft}", f"/sheets/{draft}/confirm"):
        assert "pat did not approve it: “wrong &lt;b&gt;laptop&lt;/b&gt;”" in strict.ann.get(page).text
    assert "Declined by pat" in strict.ann.get("/").text
    assert attempt(strict.ann, draft, fingerprint)[0] == 403

    assert f"/sheets/{draft}/approve" not in strict.bob.confirm(draft)[0].text
    answer = strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
    assert (answer.status_code, "pat declined it" in answer.text) == (409, True)

    strict.ann.post(f"/sheets/{draft}/mend", row=2, column=2, after="Mended")
    strict.ann.post(f"/sheets/{draft}/ask")
    assert "pat did not approve it" not in strict.ann.review(draft).text
    assert "wrong &lt;b&gt;laptop" in strict.ann.review(draft).text, "what was said is kept"
    _, fingerprint = strict.bob.confirm(draft)
    strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
    _, run = attempt(strict.ann, draft, fingerprint)
    assert "approved by bob, declined before by pat" in strict.ann.ended(run).text
    assert [(each["what"], each["by"]) for each in _stored(strict, draft)["said"]] == [
        ("asked", "ann"), ("declined", "pat"), ("asked", "ann"), ("approved", "bob"),
    ]  # fmt: skip
    assert strict.placed("declined") == ["declined@example.com"]


def test_an_approval_is_taken_back(strict: Office) -> None:
    """Whoever declines what somebody has approved already makes that approval worthless."""
    draft, fingerprint = approved(strict, sheet_of("takenback"))
    assert _decline(strict.pat, draft, "not this quarter") == 303
    assert attempt(strict.ann, draft, fingerprint)[0] == 403
    assert "It has to be approved anew" not in strict.ann.confirm(draft)[0].text
    assert strict.placed("takenback") == []


def test_nobody_else_declines(strict: Office, free: Office) -> None:
    """Neither the uploader, nor a viewer or a colleague, nor anybody where no approval is needed."""
    draft = upload(strict.ann, sheet_of("mydecline"))
    strict.ann.post(f"/sheets/{draft}/ask")
    before = _stored(strict, draft)
    for someone, status in ((strict.ann, 403), (strict.vic, 403), (strict.eve, 404)):
        fields = {"version": before["version"], "note": "no"}
        assert someone.post(f"/sheets/{draft}/decline", follow=False, **fields).status_code == status
    own = upload(strict.bob, sheet_of("bobsown"))
    assert strict.bob.post(f"/sheets/{own}/decline", version=0, note="no").status_code == 403
    assert _stored(strict, draft) == before
    unasked = upload(free.ann, sheet_of("freedecline"))
    assert free.bob.post(f"/sheets/{unasked}/decline", version=0, note="no").status_code == 403
    assert "/decline" not in free.bob.confirm(unasked)[0].text


def test_a_decline_says_why(strict: Office) -> None:
    """Without a word it is not taken: the page is shown again, with the message at the field."""
    draft = upload(strict.ann, sheet_of("wordless"))
    strict.ann.post(f"/sheets/{draft}/ask")
    version = _shown_version(strict.bob.confirm(draft)[0].text)
    answer = strict.bob.post(f"/sheets/{draft}/decline", version=version, note="  ")
    assert answer.status_code == 400
    assert 'aria-describedby="why-wrong"' in answer.text
    assert f"/sheets/{draft}/approve" in answer.text
    assert _stored(strict, draft)["asked"]


@pytest.mark.parametrize("meanwhile", ["mend", "approve", "ask"])
def test_a_decline_of_what_is_another_sheet_by_now(strict: Office, meanwhile: str) -> None:
    """Mended, approved or asked for anew since it was looked at: the word is kept on the page, and nothing declined."""
    draft = upload(strict.ann, sheet_of(f"late{meanwhile}"))
    strict.ann.post(f"/sheets/{draft}/ask")
    page, fingerprint = strict.pat.confirm(draft)
    version = _shown_version(page.text)
    if meanwhile == "mend":
        strict.ann.post(f"/sheets/{draft}/mend", row=2, column=2, after="Other")
    elif meanwhile == "approve":
        strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
    else:
        strict.ann.post(f"/sheets/{draft}/ask")
    answer = strict.pat.post(f"/sheets/{draft}/decline", version=version, note="too <dear>")
    assert answer.status_code == 409
    assert 'value="too &lt;dear&gt;"' in answer.text
    assert "has changed since you looked at it" in answer.text
    assert [each["what"] for each in _stored(strict, draft)["said"]].count("declined") == 0
    version = _shown_version(answer.text)
    assert strict.pat.post(f"/sheets/{draft}/decline", follow=False, version=version, note="no").status_code == 303


def test_yes_and_no_at_once(strict: Office) -> None:
    """Whichever comes first, the sheet is approved or declined and never both, and only the approved is ordered."""
    for number in range(6):
        draft = upload(strict.ann, sheet_of(f"both{number}"))
        strict.ann.post(f"/sheets/{draft}/ask")
        _, fingerprint = strict.bob.confirm(draft)
        version = _shown_version(strict.pat.confirm(draft)[0].text)

        def approve(draft: str = draft, fingerprint: str = fingerprint) -> int:
            return strict.bob.post(f"/sheets/{draft}/approve", follow=False, fingerprint=fingerprint).status_code

        def decline(draft: str = draft, version: str = version) -> int:
            fields = {"version": version, "note": "no"}
            return strict.pat.post(f"/sheets/{draft}/decline", follow=False, **fields).status_code

        with ThreadPoolExecutor(2) as threads:
            acts = [threads.submit(act) for act in ((approve, decline) if number % 2 else (decline, approve))]
            statuses = sorted(act.result() for act in acts)
        assert statuses == [303, 409]
        stored = _stored(strict, draft)
        is_declined = stored["said"][-1]["what"] == "declined"
        assert is_declined is (stored["approval"] is None)
        status, run = attempt(strict.ann, draft, fingerprint)
        assert status == (403 if is_declined else 303)
        if run:
            strict.ann.ended(run)
        assert len(strict.placed(f"both{number}")) == (0 if is_declined else 1)


def test_declined_while_it_is_ordered(strict: Office) -> None:
    """At the same moment: either the orders go and the decline is refused, or it is declined and nothing goes."""
    for number in range(6):
        draft, fingerprint = approved(strict, sheet_of(f"stop{number}"))
        version = _shown_version(strict.pat.confirm(draft)[0].text)

        def order(draft: str = draft, fingerprint: str = fingerprint) -> str:
            return attempt(strict.ann, draft, fingerprint)[1]

        def decline(draft: str = draft, version: str = version) -> int:
            fields = {"version": version, "note": "no"}
            return strict.pat.post(f"/sheets/{draft}/decline", follow=False, **fields).status_code

        with ThreadPoolExecutor(2) as threads:
            run = threads.submit(order)
            declined = threads.submit(decline).result()
        if run.result():
            strict.ann.ended(run.result())
        assert (declined == 303) is (run.result() == "")
        assert len(strict.placed(f"stop{number}")) == (0 if declined == 303 else 1)


def test_a_sheet_that_reads_otherwise(strict: Office) -> None:
    """Approval of a file as it reads in one encoding is none of it as it reads in another."""
    content = sheet_of("encoded", lastname="Müller-ß").decode().encode("cp1252")
    draft = upload(strict.ann, content)
    strict.ann.post(f"/sheets/{draft}/choose", encoding="cp1252")
    _, fingerprint = strict.bob.confirm(draft)
    assert fingerprint
    strict.bob.post(f"/sheets/{draft}/approve", fingerprint=fingerprint)
    strict.ann.post(f"/sheets/{draft}/choose", encoding="cp437")
    page, now = strict.pat.confirm(draft)
    if now:
        assert now != fingerprint
        assert "has to be approved anew" in page.text
    status, run = attempt(strict.ann, draft, fingerprint)
    if run:
        assert "is not what you confirmed" in strict.ann.ended(run).text
    assert strict.placed("encoded") == [], status


def test_changes_while_it_is_ordered(strict: Office) -> None:
    """Whoever mends and orders at the same moment gets what was approved, or nothing: never the mended sheet."""
    for number in range(4):
        name = f"race{number}"
        draft, fingerprint = approved(strict, sheet_of(name))

        def mend(draft: str = draft) -> None:
            fields = {"csrf": strict.ann.csrf, "row": "2", "column": "5", "after": "9 Mallory Lane"}
            strict.ann.client.post(f"/sheets/{draft}/mend", data=fields)

        def order(draft: str = draft, fingerprint: str = fingerprint) -> str:
            return attempt(strict.ann, draft, fingerprint)[1]

        with ThreadPoolExecutor(2) as threads:
            acts = [threads.submit(mend), threads.submit(order)]
            if number % 2:
                acts.reverse()
        run = next(act.result() for act in acts if act.result() is not None)
        if run:
            strict.ann.ended(run)
    sent = [o["body"] for o in strict.hub.orders if o["body"]["email"].startswith("race")]
    assert not any("Mallory" in body["shipping_address"] for body in sent)
    assert len(sent) == len({body["email"] for body in sent})


def test_stock_that_ran_short_after_approval(strict: Office) -> None:
    """One piece too few of a product makes the approval void, and a product that is gone is not ordered."""
    title = "Logitech MX Master 3S Wireless Mouse"
    page, _ = strict.bob.confirm(upload(strict.bob, sheet_of("counts", title=title)))
    found = re.search(rf"{title}</td><td class=\"number\">1</td><td class=\"number\">(\d+)", page.text)
    assert found
    draft, fingerprint = approved(strict, sheet_of("short", title=title, quantity=int(found[1])))
    other, asked = approved(strict, sheet_of("first", title=title))
    strict.ann.ended(attempt(strict.ann, other, asked)[1])
    _, run = attempt(strict.ann, draft, fingerprint)
    assert "is not what you confirmed" in strict.ann.ended(run).text
    strict.hub.discontinue(title)
    _, run = attempt(strict.ann, draft, fingerprint)
    strict.ann.ended(run)
    assert strict.placed("first", "short") == ["first@example.com"]


def test_an_approved_sheet_taken_up_again(strict: Office) -> None:
    """What is made of a run, or of one of its orders, is a new sheet that nobody has approved yet."""
    draft, fingerprint = approved(strict, sheet_of("again", "again2"))
    _, run = attempt(strict.ann, draft, fingerprint, limit="1")
    strict.ann.ended(run)
    page, rest = strict.pat.confirm(draft)
    assert "or what is ordered already. It has to be approved anew" in page.text
    assert attempt(strict.ann, draft, rest)[0] == 403
    taken = strict.bob.post(f"/runs/{run}/again", follow=False).headers["location"].removeprefix("/sheets/")
    assert taken != draft
    strict.bob.review(taken)
    _, theirs = strict.pat.confirm(taken)
    assert strict.bob.post(f"/sheets/{taken}/approve", fingerprint=theirs).status_code == 403
    assert attempt(strict.bob, taken, theirs)[0] == 403
    assert len(strict.placed("again", "again2")) == 1


def test_a_stream_that_outlives_its_session(free: Office) -> None:
    """Whoever logs out while they watch a run is told no more of it."""
    draft = upload(free.eve, sheet_of(*(f"watched{number}" for number in range(60))))
    watcher = free.page.log_in("eve", PASSWORD)
    run = free.eve.order(draft)
    free.eve.post(f"/runs/{run}/pause")
    with watcher.client.stream("GET", f"/runs/{run}/events") as stream:
        assert stream.headers["content-security-policy"]
        assert stream.headers["cache-control"] == "no-store"
        lines = stream.iter_lines()
        assert next(lines).startswith("data: ")
        token = watcher.client.cookies["session"]
        free.page.visitor().client.post("/logout", data={"csrf": watcher.csrf}, headers={"cookie": f"session={token}"})
        began = time.monotonic()
        assert "event: ended" in list(lines)
        assert time.monotonic() - began < 20
        assert "data-events" in free.eve.get(f"/runs/{run}").text, "and the run goes on"
    free.eve.post(f"/runs/{run}/stop")
    free.eve.ended(run)
