"""What a mapping file says, looked up in the sheet's headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.messages import mappings
from batch_orders.models import Cell, Column, Finding, FindingCode, Remark, Severity
from batch_orders.stages.columns.headers import nearest_header, spelling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.models import ItemColumn, MappingFile, Sheet

# How near (of 100) a header must be to be suggested for one that the sheet lacks.
_NEAR = 75


class FoundItem(NamedTuple):
    """An item column, and where it and its quantity (None: there is none) stand in the sheet."""

    item: ItemColumn
    position: int
    quantity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The mapping file's columns by position; `spoken_for` are all that it names, the ignored ones included."""

    sources: Mapping[Column, tuple[int, ...]] = field(default_factory=dict)
    items: tuple[FoundItem, ...] = ()
    has_items: bool = False
    spoken_for: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


NOTHING_TOLD = Told()


def look_up(mapping: MappingFile, sheet: Sheet) -> Told:
    """Where the headers that the file names stand; a finding for each one that is not there, or there twice."""
    looking = _Looking(mapping, sheet)
    sources = {
        column: looking.positions(source.headers, column, f"columns.{column.value}")
        for column, source in mapping.columns.items()
    }
    items = tuple(looking.item(item, number) for number, item in enumerate(mapping.items, start=1))
    # What is only to be ignored may be absent: the same file serves the list of next month.
    ignored = {looking.places[spelling(header)][0] for header in mapping.ignore if spelling(header) in looking.places}
    return Told(
        sources=sources,
        items=tuple(item for item in items if item is not None),
        has_items=bool(mapping.items),
        spoken_for=frozenset({*looking.used, *ignored}),
        findings=tuple(looking.findings),
    )


class _Looking:
    """Looks headers up one by one, and remembers what it found and missed."""

    def __init__(self, mapping: MappingFile, sheet: Sheet) -> None:
        self._mapping = mapping
        self._sheet = sheet
        self.places: dict[str, list[int]] = {}
        for position, header in enumerate(sheet.headers):
            self.places.setdefault(spelling(header), []).append(position)
        self.used: set[int] = set()
        self.findings: list[Finding] = []

    def positions(self, headers: Sequence[str], column: Column, key: str) -> tuple[int, ...]:
        """Where these headers stand, in this order; those that are missing are left out, and told."""
        found = (self._position(header, column, key) for header in headers)
        return tuple(position for position in found if position is not None)

    def item(self, item: ItemColumn, number: int) -> FoundItem | None:
        """Where the item's column stands, and that of its quantity."""
        position = self._position(item.header, Column.PRODUCT_TITLE, f"items {number}, column")
        quantity = None
        if item.quantity:
            quantity = self._position(item.quantity, Column.QUANTITY, f"items {number}, quantity")
        return None if position is None else FoundItem(item, position, quantity)

    def _position(self, header: str, column: Column, key: str) -> int | None:
        found = self.places.get(spelling(header), [])
        exact = [position for position in found if self._sheet.headers[position].strip() == header.strip()]
        found = exact if len(exact) == 1 else found
        if len(found) == 1:
            self.used.add(found[0])
            return found[0]
        if found:
            self.used.update(found)
            cells = tuple(Cell(self._sheet.header_row, self._sheet.first_column + position) for position in found)
            message = mappings.header_twice(self._mapping.name, key, header, cells)
            self._tell(FindingCode.DUPLICATE_COLUMN, column, message, cells=cells)
            return None
        named = {spelling(each) for each in self._mapping.headers}
        others = [each for each in self._sheet.headers if spelling(each) not in named]
        near = nearest_header(header, others, cutoff=_NEAR)
        message = mappings.header_missing(self._mapping.name, key, header, near)
        self._tell(FindingCode.MISSING_COLUMN, column, message, suggestions=(near,) if near else ())
        return None

    def _tell(
        self,
        code: FindingCode,
        column: Column,
        message: str,
        *,
        cells: tuple[Cell, ...] = (),
        suggestions: tuple[str, ...] = (),
    ) -> None:
        self.findings.append(
            Finding(
                remark=Remark(
                    code=code, severity=Severity.ERROR, message=message, column=column, suggestions=suggestions
                ),
                rows=(self._sheet.header_row,) if cells else (),
                scattered=cells,
            )
        )
