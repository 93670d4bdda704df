"""Rows → lines: what is joined, constant or translated, and the items of a row that holds several."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.messages import mappings
from batch_orders.models import Column, Finding, FindingCode, MappingFile, Remark, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_orders.models import ColumnSource, Sheet
    from batch_orders.stages.columns.told import FoundItem

# What says in an item column that there is none. (A cell that is blank says so too.)
_NONE = frozenset(
    ("0", "0.0", "no", "n", "none", "false", "-", "–", "—", "nein", "keine", "keiner", "keines", "kein", "falsch",
     "non", "aucun", "aucune", "faux", "ninguno", "ninguna", "não", "nao", "nenhum", "nenhuma", "nie",
     "brak", "nee", "geen")
)  # fmt: skip
# Texts that order nothing are named one by one up to this many.
_MOST_NOTES = 10
# What says in a column of quantities that there is one.
_ONE = frozenset(("yes", "y", "x", "true", "✓", "✔", "ja", "oui", "sí", "si", "sim", "tak", "wahr", "vrai"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The parts of models.Mapped that this module makes."""

    rows: Sequence[int]
    sources: Mapping[Column, tuple[int, ...]]
    texts: Mapping[Column, Sequence[str]]
    places: Mapping[Column, Sequence[tuple[int, ...]]]
    findings: tuple[Finding, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())


def make(
    sheet: Sheet,
    sources: Mapping[Column, tuple[int, ...]],
    mapping: MappingFile | None,
    items: Sequence[FoundItem],
    *,
    joins: Mapping[Column, ColumnSource],
) -> Lines:
    """The sheet's lines. `joins` are the columns that are joined without being told to: each joint is a finding."""
    told = mapping.columns if mapping else {}
    values = mapping.values if mapping else {}
    texts: dict[Column, list[str]] = {}
    findings: list[Finding] = []
    for column, positions in sources.items():
        source = told.get(column) or joins.get(column)
        if source is not None and not positions:
            texts[column] = [source.always] * len(sheet.row_numbers)
        elif source is not None and len(positions) > 1:
            texts[column] = _joined(sheet, positions, source.separator)
            if column in joins:
                findings += _joints(sheet, column, positions, texts[column])
        if column in values:
            texts[column] = _translated(texts.get(column) or sheet.frame[positions[0]].tolist(), values[column])
    rows: Sequence[int] = range(len(sheet.row_numbers))
    if not items:
        return Lines(rows=rows, sources=sources, texts=texts, places={}, findings=tuple(findings))
    found = _Items(sheet, items, values)
    rows = found.rows
    return Lines(
        rows=rows,
        sources=dict(sources) | found.sources(),
        texts={column: [text[row] for row in rows] for column, text in texts.items()} | found.texts(),
        places=found.places(),
        findings=(*findings, *found.findings),
        notes=tuple(found.notes()),
    )


def _joined(sheet: Sheet, positions: Sequence[int], separator: str) -> list[str]:
    parts = [[text.strip() for text in sheet.frame[position]] for position in positions]
    return [separator.join(filter(None, texts)) for texts in zip(*parts, strict=True)]


def _joints(sheet: Sheet, column: Column, positions: Sequence[int], texts: Sequence[str]) -> Iterable[Finding]:
    """A finding for each row whose value was put together from several cells."""
    columns = [sheet.frame[position].tolist() for position in positions]
    for row, text in enumerate(texts):
        filled = [position for position, cells in zip(positions, columns, strict=True) if cells[row].strip()]
        if len(filled) > 1:
            cells = tuple(sheet.cell(row, position) for position in filled)
            yield Finding(
                remark=Remark(
                    code=FindingCode.REPAIRED,
                    severity=Severity.REPAIR,
                    message=mappings.joined(cells, text),
                    column=column,
                ),
                rows=(sheet.row_numbers[row],),
                scattered=cells,
            )


def _translated(texts: Sequence[str], values: Mapping[str, str]) -> list[str]:
    known = {text: values.get(MappingFile.folded(text), text) for text in set(texts)}
    return [known[text] for text in texts]


class _Item(NamedTuple):
    """One item of a row: what it is, how many, and the columns (positions) that say so."""

    title: str
    quantity: str
    title_from: tuple[int, ...]
    quantity_from: tuple[int, ...]


@dataclass(slots=True)
class _Nothing:
    """A text that a translation makes into nothing: in how many cells it stands, and in which columns (in order)."""

    text: str
    cells: int = 0
    columns: dict[str, None] = field(default_factory=dict)


class _Items:
    """A line for each item of each row; a row without any has one blank line, so that it is not lost."""

    def __init__(self, sheet: Sheet, found: Sequence[FoundItem], values: Mapping[Column, Mapping[str, str]]) -> None:
        self._sheet = sheet
        self._found = found
        self._cells = [_ItemCells(sheet, one, values) for one in found]
        columns = [one.items() for one in self._cells]
        nothing = _Item("", "1", tuple(one.position for one in found), ())
        self.rows: list[int] = []
        self._items: list[_Item] = []
        self.findings: list[Finding] = []
        for row, every in enumerate(zip(*columns, strict=True)):
            items = [item for item in every if item is not None]
            summed = self._summed(row, items) if len(items) > 1 else items
            self._items += summed or [nothing]
            self.rows += [row] * max(len(summed), 1)

    def sources(self) -> dict[Column, tuple[int, ...]]:
        """All columns that titles and quantities come from."""
        counted = (one.position if one.item.title else one.quantity for one in self._found)
        return {
            Column.PRODUCT_TITLE: tuple(one.position for one in self._found),
            Column.QUANTITY: tuple(dict.fromkeys(position for position in counted if position is not None)),
        }

    def texts(self) -> dict[Column, list[str]]:
        """Titles and quantities by line."""
        return {
            Column.PRODUCT_TITLE: [item.title for item in self._items],
            Column.QUANTITY: [item.quantity for item in self._items],
        }

    def places(self) -> dict[Column, list[tuple[int, ...]]]:
        """Where they come from, by line."""
        return {
            Column.PRODUCT_TITLE: [item.title_from for item in self._items],
            Column.QUANTITY: [item.quantity_from for item in self._items],
        }

    def notes(self) -> Iterable[str]:
        """A sentence for each text that orders nothing because the mapping file says so: the most frequent first."""
        texts: dict[str, _Nothing] = {}
        for cells in self._cells:
            for (text, position), count in cells.made_nothing.items():
                known = texts.setdefault(MappingFile.folded(text), _Nothing(text.strip()))
                known.cells += count
                known.columns.setdefault(self._sheet.headers[position])
        ranked = sorted(texts.values(), key=lambda nothing: -nothing.cells)
        for nothing in ranked[:_MOST_NOTES]:
            yield mappings.orders_nothing(nothing.text, nothing.cells, tuple(nothing.columns))
        if ranked[_MOST_NOTES:]:
            yield mappings.more_order_nothing(len(ranked) - _MOST_NOTES)

    def _summed(self, row: int, items: Sequence[_Item]) -> list[_Item]:
        """The row's items with those of one title added up, as far as their quantities can be."""
        groups: dict[str, list[_Item]] = {}
        for number, item in enumerate(items):
            countable = item.title and item.quantity.strip().isdecimal()
            groups.setdefault(" ".join(item.title.split()) if countable else f"\0{number}", []).append(item)
        return [self._sum(row, group) if len(group) > 1 else group[0] for group in groups.values()]

    def _sum(self, row: int, group: Sequence[_Item]) -> _Item:
        total = sum(int(item.quantity) for item in group)
        title_from = tuple(dict.fromkeys(chain.from_iterable(item.title_from for item in group)))
        quantity_from = tuple(dict.fromkeys(chain.from_iterable(item.quantity_from for item in group)))
        cells = tuple(self._sheet.cell(row, position) for position in title_from)
        self.findings.append(
            Finding(
                remark=Remark(
                    code=FindingCode.REPAIRED,
                    severity=Severity.REPAIR,
                    message=mappings.summed(cells, group[0].title, total),
                    column=Column.PRODUCT_TITLE,
                ),
                rows=(self._sheet.row_numbers[row],),
                scattered=cells,
            )
        )
        return _Item(group[0].title, str(total), title_from, quantity_from)


class _ItemCells:
    """One item column: what each of its cells says, worked out once for each distinct one."""

    def __init__(self, sheet: Sheet, found: FoundItem, values: Mapping[Column, Mapping[str, str]]) -> None:
        self._sheet = sheet
        self._found = found
        self._titles = dict(values.get(Column.PRODUCT_TITLE, {})) | dict(found.item.values)
        self._quantities = values.get(Column.QUANTITY, {})
        # By text and the column (position) that it stands in.
        self.made_nothing: Counter[tuple[str, int]] = Counter()

    def items(self) -> list[_Item | None]:
        """The item of each row, or None."""
        own: list[str] = self._sheet.frame[self._found.position].tolist()
        quantities: list[str] = own
        if self._found.quantity is not None:
            quantities = self._sheet.frame[self._found.quantity].tolist()
        known: dict[tuple[str, str], _Item | None] = {}
        for key in set(zip(own, quantities, strict=True)):
            known[key] = self._counted(key[0]) if self._found.item.title else self._named(*key)
        keys = list(zip(own, quantities, strict=True))
        nothing = {key: self._made_nothing(*key) for key, item in known.items() if item is None}
        self.made_nothing.update(filter(None, map(nothing.get, keys)))
        return [known[key] for key in keys]

    def _made_nothing(self, own: str, quantity: str) -> tuple[str, int] | None:
        """The text, and where it stands, of which the mapping file and not the cell says that there is none."""
        found = self._found
        told = [(own, found.position, self._quantities if found.item.title else self._titles)]
        if found.quantity is not None:
            told.append((quantity, found.quantity, self._quantities))
        for text, position, translations in told:
            folded = MappingFile.folded(text)
            if folded and folded not in _NONE and MappingFile.folded(translations.get(folded, text)) in {"", *_NONE}:
                return text, position
        return None

    def _counted(self, text: str) -> _Item | None:
        """The column has its title, and the cell says how many."""
        quantity = self._quantity(text)
        position = (self._found.position,)
        return _Item(self._found.item.title, quantity, position, position) if quantity else None

    def _named(self, text: str, quantity: str) -> _Item | None:
        """The cell has the title; how many says the column beside it, if there is one."""
        title = self._title(text)
        if self._found.quantity is None:
            return _Item(title, "1", (self._found.position,), ()) if title else None
        many = self._quantity(quantity)
        said_none = bool(quantity.strip()) and not many
        if said_none or not (title or many):
            return None
        return _Item(title, many, (self._found.position,), (self._found.quantity,))

    def _title(self, text: str) -> str:
        folded = MappingFile.folded(text)
        if folded in self._titles:
            return self._titles[folded]
        return "" if folded in _NONE else text.strip()

    def _quantity(self, text: str) -> str:
        """How many; "" for none."""
        folded = MappingFile.folded(text)
        text = self._quantities.get(folded, text)
        folded = MappingFile.folded(text)
        if folded in _NONE:
            return ""
        return "1" if folded in _ONE else _whole(text.strip())


def means_how_many(text: str) -> bool:
    """Whether a cell says how many (or none) rather than what."""
    folded = MappingFile.folded(text)
    return folded in _NONE or folded in _ONE or _whole(folded).isdecimal()


def _whole(text: str) -> str:
    """The text without the ".0" that an export adds; anything else that is no whole number is left to be judged."""
    return text[:-2] if text.endswith(".0") and text[:-2].isdecimal() else text
