"""What all routes share: the page's parts, who may see what, and how a page is rendered."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from batch_orders import __version__
from batch_orders.adapters.results_writer import render, results_path
from batch_orders.messages import page as words
from batch_orders.messages import sheets as sheet_words
from batch_orders.messages.forgetting import sheet_of
from batch_orders.messages.runs import count
from batch_orders.settings import is_on_this_machine
from batch_orders.web.people import LINK_NAME
from batch_orders.web.records import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Remembered, Report, RunRecord
    from batch_orders.web.access import Gatekeeping
    from batch_orders.web.drafts import Draft, Drafts
    from batch_orders.web.judging import Judge
    from batch_orders.web.live import LiveRuns
    from batch_orders.web.people import Person, UsersFile
    from batch_orders.web.records import HeldOrder, KeptRun, Records
    from batch_orders.web.sessions import LoginLimit, OneTimeLink, Session, Sessions
    from batch_orders.wiring import World

HERE = Path(__file__).parent
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody sent about an order, to be shown again where it was not taken.

    `wrong` is why, and `field` where: at the "note", the "number", the tick ("sure") or the buttons ("act").
    """

    order: str
    note: str = ""
    number: str = ""
    is_sure: bool = False
    wrong: str = ""
    field: str = ""

    def at(self, field: str) -> str:
        """What is wrong with this field; "" where nothing is."""
        return self.wrong if self.field == field else ""


NOTHING_TYPED = Typed(order="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the routes share. `users` is None where only the one-time `link` lets in."""

    world: World
    drafts: Drafts
    judge: Judge
    live: LiveRuns
    records: Records
    sessions: Sessions
    users: UsersFile | None
    link: OneTimeLink | None
    limit: LoginLimit
    keeping: Gatekeeping
    needs_approval: bool
    is_closing: Callable[[], bool]

    @property
    def place(self) -> tuple[str, str]:
        """Where orders go: what kind of place that is, and its host."""
        if self.world.is_sandbox:
            return "Sandbox", "nothing is really ordered"
        kind = "This machine" if is_on_this_machine(self.world.host) else "Production"
        return kind, urlsplit(self.world.host).netloc

    @property
    def host(self) -> str:
        """The host as a sentence has it."""
        return "the sandbox" if self.world.is_sandbox else self.place[1]

    async def in_ledger(self, ask: Callable[[Ledger], Any]) -> Any:  # noqa: ANN401 - whatever was asked
        """Ask the ledger something, in a thread: it may have to wait for a run that writes."""

        def asked() -> Any:  # noqa: ANN401 - as above
            with self.world.ledger() as ledger:
                return ask(ledger)

        return await run_sync(asked)

    def sees(self, person: Person, owner: str | None) -> bool:
        """Whether somebody may see what belongs to `owner` (None: to nobody here, as what the command line did)."""
        return person.sees_all or owner == person.name

    def who(self, name: str | None) -> str:
        """A person as others read of them; "" for nobody. Nobody of a team is “you” who once came in by the link."""
        return words.whoever_started() if name == LINK_NAME and self.users is not None else name or ""

    def draft(self, person: Person, draft_id: str, *, to_change: bool = False) -> Draft:
        """The draft, where this person may see it, or change it; HTTPException 404 or 403."""
        draft = self.drafts.find(draft_id)
        if draft is None or not self.sees(person, draft.owner):
            raise HTTPException(404, words.no_such_sheet())
        if to_change and not self.may_change(person, draft):
            is_own = draft.owner == person.name
            raise HTTPException(
                403, words.may_only_look() if is_own else words.not_theirs_to_change(self.who(draft.owner))
            )
        return draft

    def may_change(self, person: Person, draft: Draft) -> bool:
        """Whether this is their own sheet, and they do not only look by now."""
        return draft.owner == person.name and person.may_upload

    def runs_of(self, person: Person, ledger: Ledger) -> set[str] | None:
        """The runs of this person's sheets; None where they see all.

        The ledger knows whose a run was when the upload is gone, and the upload when the ledger has forgotten the run.
        """
        if person.sees_all:
            return None
        kept = {run_id for draft in self.drafts.all() if draft.owner == person.name for run_id in draft.runs}
        return kept | {run.run_id for run in ledger.runs() if owner_of(run) == person.name}

    async def kept_run(self, person: Person, run_id: str) -> KeptRun:
        """A run that this person may see; HTTPException 404."""

        def ask(ledger: Ledger) -> KeptRun | None:
            mine = self.runs_of(person, ledger)
            return self.records.run(ledger, run_id) if mine is None or run_id in mine else None

        found: KeptRun | None = await self.in_ledger(ask)
        if found is None:
            raise HTTPException(404, words.no_such_run())
        return found

    async def waiting(self, person: Person) -> tuple[tuple[Remembered, ...], tuple[HeldOrder, ...]]:
        """The orders that wait for somebody and that this person may see: by the ledger, and held by a run."""
        waiting, held, mine = await self.in_ledger(
            lambda ledger: (ledger.waiting(), self.records.held(ledger), self.runs_of(person, ledger))
        )
        if mine is None:
            return waiting, held
        return (
            tuple(order for order in waiting if order.run_id in mine),
            tuple(each for each in held if each.run.run_id in mine),
        )

    def asked(self, person: Person) -> tuple[Draft, ...]:
        """The sheets of others that wait for this person's yes."""
        if not (self.needs_approval and person.may_approve):
            return ()
        return tuple(d for d in self.drafts.all() if d.asked and d.approval is None and d.owner != person.name)

    async def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401 - what the template shows
        """A whole page, with what each of them shows around it; a page that knows how many orders wait says so."""
        session: Session | None = request.state.session
        around: dict[str, Any] = {"person": None, "csrf": "", "waiting": 0, "asked": 0}
        if session is not None:
            around = {"person": session.person, "csrf": session.csrf, "asked": len(self.asked(session.person))}
            if "waiting" not in values:
                around["waiting"] = sum(map(len, await self.waiting(session.person)))
        html = _ENVIRONMENT.get_template(template).render(
            page=self, request=request, words=words, version=__version__, **(around | values)
        )
        return HTMLResponse(html, status_code=status)

    def fragment(self, template: str, **values: Any) -> str:  # noqa: ANN401 - what the template shows
        """Part of a page."""
        return _ENVIRONMENT.get_template(template).render(page=self, words=words, **values)


def page_of(request: Request) -> Page:
    """The page's parts."""
    found: Page = request.app.state.page
    return found


def person_of(request: Request) -> Person:
    """Who asks; the gate has let them in."""
    session: Session = request.state.session
    return session.person


async def new_draft(page: Page, person: Person, run: RunRecord, report: Report, **chosen: Any) -> str:  # noqa: ANN401 - Draft's fields
    """A new sheet of a run's results; its id."""
    kind = report.mapped.sheet.kind
    content = await run_sync(render, kind.results, report)
    name = results_path(run.input, kind, None).name
    mapping = run.options.get("mapping") or ""
    draft = await run_sync(lambda: page.drafts.add(name, content, owner=person.name, mapping=mapping, **chosen))
    return draft.id


def when(moment: dt.datetime | float | None) -> str:
    """An instant as an HTML `time` element has it."""
    if moment is None:
        return ""
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.fromtimestamp(moment, dt.UTC)
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")


def when_text(moment: dt.datetime | float | None) -> str:
    """The same for whoever has no script that says it in their own time."""
    if moment is None:
        return "–"
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.fromtimestamp(moment, dt.UTC)
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


_ENVIRONMENT.filters |= {"when": when, "when_text": when_text, "on_page": words.on_page, "size": sheet_words.size}
_ENVIRONMENT.globals |= {"count": count, "sheet_of": sheet_of}
