"""Matching a foreign sheet's columns: guesses to look at, a mapping file made of what was chosen, and its memory.

What is chosen becomes the same mapping file that `batch-orders map` proposes, so that a sheet is read here as on the
command line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync

from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.adapters.private_files import replace_private
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages import page as words
from batch_orders.messages.mappings import join_line, toml_list, toml_text
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import NEEDED, Column, ColumnSource, MappingFile
from batch_orders.stages.columns import known_column
from batch_orders.stages.columns.propose import propose
from batch_orders.stages.validate.places import effective_country
from batch_orders.web.judging import request_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from batch_orders.models import Guess, Sheet
    from batch_orders.web.drafts import Draft
    from batch_orders.web.page import Page

# An address may stand in so many columns.
ADDRESS_PARTS = 3
_SAMPLES = 3
_LONGEST_SAMPLE = 40
# From this score on a guess is put forward; a person looks at every one of them.
_WORTH_SHOWING = 50
_MOST_REMEMBERED = 200
_COLUMNS = tuple(column for column in Column if column is not Column.START_DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One of our columns: which headers it is made of, or what it always is, and how sure that is (0 to 100)."""

    column: Column
    label: str
    is_needed: bool
    headers: tuple[str, ...] = ()
    always: str = ""
    score: int = 100

    @property
    def parts(self) -> range:
        """How many headers may be chosen."""
        return range(ADDRESS_PARTS if self.column is Column.SHIPPING_ADDRESS else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMatch:
    """A header whose cells hold an item each, or say how many of `title`."""

    header: str
    title: str = ""
    kind: str = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Everything that the matching page shows; `samples` are what stands first below each header."""

    name: str
    headers: tuple[str, ...]
    samples: Mapping[str, str]
    matches: tuple[Match, ...]
    items: tuple[ItemMatch, ...]
    ignored: tuple[str, ...]
    titles: tuple[str, ...]


async def template_of(page: Page) -> tuple[bytes, date]:
    """A workbook with today's titles, and the day."""
    from batch_orders.adapters import template_xlsx  # noqa: PLC0415 - openpyxl is costly

    catalog, today = await page.judge.catalog(), datetime.now(UTC).date()
    return await run_sync(template_xlsx.render_template, catalog, today), today


async def matching(page: Page, draft: Draft) -> Matching:
    """What was chosen before, or else guesses; SheetError where the file cannot be read at all."""
    sheet = await run_sync(_foreign, page, draft)
    catalog = await page.judge.catalog()
    proposal = await run_sync(propose, sheet, catalog.stock, effective_country)
    headers = tuple(dict.fromkeys(header for header in sheet.headers if header.strip()))
    chosen = parse_mapping("", draft.mapping) if draft.mapping else None
    guesses = proposal.guesses
    return Matching(
        name=draft.name,
        headers=headers,
        samples={header: _sample(sheet, header) for header in headers},
        matches=tuple(_match(column, headers, guesses, chosen) for column in _COLUMNS),
        items=tuple(_item(header, guesses, chosen) for header in headers),
        ignored=chosen.ignore if chosen else (),
        titles=tuple(sorted(catalog.stock)),
    )


def mapping_text(view: Matching, form: Mapping[str, str]) -> str:
    """The mapping file that a filled-in form stands for; UsageError where a needed column was left open."""
    lines, items = ["[columns]"], _item_lines(view, form)
    missing = []
    for match in view.matches:
        name = match.column.value
        parts = [form.get(f"{name}.{part}", "") for part in match.parts]
        headers = list(dict.fromkeys(header for header in parts if header in view.headers))
        always = form.get(f"{name}.always", "").strip()
        if items and match.column in {Column.PRODUCT_TITLE, Column.QUANTITY}:
            continue
        if len(headers) > 1:
            lines.append(join_line(match.column, headers))
        elif headers:
            lines.append(f"{name} = {toml_text(headers[0])}")
        elif always:
            lines.append(f"{name} = {{ always = {toml_text(always)} }}")
        elif match.is_needed:
            missing.append(f"“{match.label}”")
    if missing:
        raise UsageError(words.columns_left_open(missing))
    ignored = [header for number, header in enumerate(view.headers) if form.get(f"ignore.{number}")]
    top = [f"ignore = {toml_list(ignored)}"] if ignored else []
    return "\n".join([*top, *lines, *items]) + "\n"


def _item_lines(view: Matching, form: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for number, item in enumerate(view.items):
        kind, title = form.get(f"item.{number}", "no"), form.get(f"item.{number}.title", "").strip()
        if kind == "title":
            lines += ["[[items]]", f"column = {toml_text(item.header)}"]
        elif kind == "count":
            if not title:
                raise UsageError(words.item_without_title(item.header))
            lines += ["[[items]]", f"column = {toml_text(item.header)}", f"title = {toml_text(title)}"]
    return lines


def remember(page: Page, draft: Draft, view: Matching, text: str) -> None:
    """Keep what was chosen for this person's sheets with these very headers."""
    path, key = _memory(page), _key(draft.owner, view.headers)
    known = _recalled(path)
    known.pop(key, None)
    known[key] = text
    while len(known) > _MOST_REMEMBERED:
        del known[next(iter(known))]
    replace_private(path, json.dumps(known).encode())


def remembered(page: Page, draft: Draft) -> str:
    """What this person chose for a sheet with the same headers; "" where there was none."""
    known = _recalled(_memory(page))
    if not known:
        return ""
    sheet = _foreign(page, draft)
    return known.get(_key(draft.owner, tuple(dict.fromkeys(header for header in sheet.headers if header.strip()))), "")


def reads_alike(page: Page, draft: Draft, text: str) -> bool:
    """Whether the same cells of the file are read with this mapping as with the draft's, so that mends still fit."""
    content, world = page.drafts.content(draft), page.world

    def read(mapping: str) -> tuple[object, ...]:
        raw = dataclasses.replace(draft, mapping=mapping, steps=())
        sheet = request_for(raw, content, world).read(world.settings.limits)
        return sheet.sheet_name, sheet.header_row, sheet.first_column, len(sheet.headers), sheet.row_numbers

    try:
        return read(draft.mapping) == read(text)
    except SheetError:
        return False


def _foreign(page: Page, draft: Draft) -> Sheet:
    return read_sheet(
        Path(draft.name),
        sheet_name=draft.sheet_name,
        encoding=draft.encoding,
        foreign=True,
        limits=page.world.settings.limits,
        content=page.drafts.content(draft),
    )


def _match(column: Column, headers: Sequence[str], guesses: Sequence[Guess], chosen: MappingFile | None) -> Match:
    blank = Match(column=column, label=COLUMN_NAMES[column], is_needed=column in NEEDED)
    if chosen is not None:
        source = chosen.columns.get(column, ColumnSource())
        return dataclasses.replace(blank, headers=source.headers, always=source.always)
    own = [header for header in headers if known_column(header) is column]
    if len(own) == 1:
        return dataclasses.replace(blank, headers=(own[0],))
    for guess in guesses:
        is_it = guess.column is column and not guess.is_item and guess.value is None
        if is_it and guess.headers and guess.score >= _WORTH_SHOWING:
            return dataclasses.replace(blank, headers=guess.headers[:ADDRESS_PARTS], score=guess.score)
    return blank


def _item(header: str, guesses: Sequence[Guess], chosen: MappingFile | None) -> ItemMatch:
    if chosen is not None:
        found = next((item for item in chosen.items if item.header == header), None)
        kind = "no" if found is None else "count" if found.title else "title"
        return ItemMatch(header=header, title=found.title if found else "", kind=kind)
    guess = next((g for g in guesses if g.is_item and g.headers == (header,)), None)
    if guess is None:
        return ItemMatch(header=header)
    return ItemMatch(header=header, title=guess.title, kind="count" if guess.title or guess.is_counted else "title")


def _sample(sheet: Sheet, header: str) -> str:
    texts = dict.fromkeys(str(text).strip() for text in sheet.frame[sheet.headers.index(header)])
    shown = [text if len(text) <= _LONGEST_SAMPLE else f"{text[:_LONGEST_SAMPLE]}…" for text in texts if text]
    return ", ".join(shown[:_SAMPLES])


def _memory(page: Page) -> Path:
    return page.drafts.folder / "columns.json"


def _recalled(path: Path) -> dict[str, str]:
    try:
        found: Any = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(text) for key, text in found.items()} if isinstance(found, dict) else {}


def _key(owner: str, headers: Sequence[str]) -> str:
    """Each person's own: what one matched must not decide where another one's orders go."""
    return hashlib.sha256(json.dumps([owner, *headers]).encode()).hexdigest()
