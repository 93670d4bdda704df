"""A judged sheet as a person looks at it: sentences, facts, the rows that need work, and quick mends. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from batch_orders.adapters.results_layout import findings_by_cell
from batch_orders.messages import page as words
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.messages.runs import count
from batch_orders.models import Cell, Column, FindingCode, RowStatus, Severity, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_orders.models import Catalog, Finding, Mapped, Plan, Report
    from batch_orders.web.drafts import Draft

_Thing = TypeVar("_Thing")

# Rows, orders, runs or sheets.
LINES_A_PAGE = 50
_MOST_SUGGESTED = 3
_MOST_GROUPS = 40
_MOST_COLUMNS = 2
_NEEDS_WORK = {RowStatus.INVALID, RowStatus.CHANGED, RowStatus.REJECTED, RowStatus.UNKNOWN}
_DONE = {RowStatus.ALREADY_ORDERED, RowStatus.ORDERED}
_SIGN_OF = {Severity.ERROR: "✕", Severity.WARNING: "!", Severity.REPAIR: "✓"}
_RELEASABLE = {FindingCode.NEAR_DUPLICATE, FindingCode.REPEAT_ITEM}
# Their suggestions are no values for the cell.
_NOT_FOR_THE_CELL = {FindingCode.CONFLICT}
# Beside the person, where no column has a finding.
_USUAL = (Column.PRODUCT_TITLE, Column.QUANTITY, Column.SHIPPING_COUNTRY)
_CHOICES = {Column.PRODUCT_TITLE: "titles", Column.EXPEDITE_SHIPPING: "shipping-options"}
_YES_OR_NO = {FindingCode.SIGNATURE_NOT_AVAILABLE: ("no",), FindingCode.BOOLEAN: ("yes", "no")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One of the four figures above the work."""

    label: str
    figure: str
    beside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding as its cell says it."""

    severity: str
    sign: str
    text: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCell:
    """A cell of the grid.

    `severity` is that of its worst finding ("" without one), `choices` the name of a list to pick from; a plain one
    stands in the grid a second time, with its findings.
    """

    name: str
    row: int
    column: int
    header: str
    text: str
    severity: str = ""
    told: tuple[Told, ...] = ()
    choices: str = ""
    is_mended: bool = False
    is_plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """A row of the grid.

    `release` is the order's id where it is held and may be sent on purpose; `beside` are the cells with findings, where
    these stand together and not in columns of their own.
    """

    number: int
    status: str
    name: str
    sign: str
    cells: tuple[GridCell, ...]
    told: tuple[Told, ...] = ()
    release: str = ""
    may_leave_out: bool = False
    beside: tuple[GridCell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter with the number of its rows."""

    name: str
    label: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The same problem in several cells of a column, with the mends to choose from."""

    value: str
    message: str
    rows: int
    column: int
    header: str
    suggestions: tuple[str, ...]
    choices: str = ""

    @property
    def where(self) -> str:
        """How many rows, of which column."""
        return f"{count(self.rows, 'row')} · column {self.header}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything that the review page shows."""

    headline: str
    meaning: str
    ready: int
    orders: int
    items: int
    countries: int
    waiting: int
    facts: tuple[Fact, ...]
    chips: tuple[Chip, ...]
    show: str
    headers: tuple[str, ...]
    is_stacked: bool
    rows: tuple[GridRow, ...]
    page: int
    pages: int
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    titles: tuple[tuple[str, int, int], ...]
    places: tuple[tuple[str, int], ...]
    shipping: tuple[tuple[str, int], ...]
    every_column: bool
    unused: tuple[str, ...] = ()
    ignores_dates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a person asked to see: which rows, which page of them, every column or those with findings.

    `ignores_dates` says that start dates mean nothing here.
    """

    show: str = ""
    page: int = 1
    every_column: bool = False
    ignores_dates: bool = False


def paged(things: Sequence[_Thing], at: int) -> tuple[Sequence[_Thing], int, int]:
    """What stands on page `at` (the nearest that there is), which page that is, and how many there are."""
    pages = max(1, -(-len(things) // LINES_A_PAGE))
    at = min(max(at, 1), pages)
    return things[(at - 1) * LINES_A_PAGE : at * LINES_A_PAGE], at, pages


def review(draft: Draft, report: Report, plan: Plan, catalog: Catalog, look: Look) -> Review:
    """The whole view of a judged sheet."""
    grid = _Grid(draft, report, plan)
    chips = grid.chips()
    show = look.show if any(chip.name == look.show for chip in chips) else chips[0].name
    rows = grid.rows_of(show)
    shown, page, pages = paged(rows, look.page)
    columns, is_stacked = grid.columns(rows, every=look.every_column)
    statuses = Counter(order.status for order in report.orders)
    ready, done = len(plan.to_send), sum(statuses[status] for status in _DONE)
    unsettled = statuses[RowStatus.UNKNOWN]
    dated = statuses[RowStatus.WAITING]
    waiting = len(report.orders) - ready - done - unsettled - dated
    totals = _Totals(plan, catalog)
    return Review(
        headline=words.ready_headline(ready, len(report.orders), done=done, asides=bool(plan.loose_lines)),
        meaning=words.what_it_means(ready=ready, waiting=waiting, done=done, unsettled=unsettled, dated=dated),
        ready=ready,
        orders=len(report.orders),
        items=totals.items,
        countries=len(totals.places),
        waiting=waiting,
        facts=totals.facts(ready, len(report.orders) - done, report.findings),
        chips=chips,
        show=show,
        headers=tuple(report.mapped.sheet.headers[column] for column in columns),
        is_stacked=is_stacked,
        rows=tuple(grid.row(row, columns, is_stacked=is_stacked) for row in shown),
        page=page,
        pages=pages,
        groups=grid.groups(),
        notes=tuple(map(words.on_page, plan.notes)),
        titles=tuple((title, pieces, catalog.stock.get(title, 0)) for title, pieces in totals.titles.most_common()),
        places=tuple(totals.places.most_common()),
        shipping=tuple(totals.shipping.most_common()),
        every_column=look.every_column,
        unused=grid.unused(ignores_dates=look.ignores_dates),
        ignores_dates=look.ignores_dates and grid.has_dates,
    )


class _Totals:
    """What would be ordered, summed up."""

    def __init__(self, plan: Plan, catalog: Catalog) -> None:
        self.titles: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.shipping: Counter[str] = Counter()
        self.signatures = 0
        self._stock = catalog.stock
        for decision in plan.to_send:
            contents = decision.order.contents
            for item in contents.items:
                self.titles[item.product_title] += int(item.quantity)
            self.places[contents.shipping_country] += 1
            self.shipping[contents.expedite_shipping or "No method chosen"] += 1
            self.signatures += contents.is_signature_required == "yes"
        self.items = self.titles.total()

    def facts(self, ready: int, orders: int, findings: Sequence[Finding]) -> tuple[Fact, ...]:
        """The four figures."""
        short = [f for f in findings if f.code is FindingCode.OUT_OF_STOCK]
        missing = {title: asked - self._stock.get(title, 0) for title, asked in self.titles.items()}
        too_few = ", ".join(f"{title}, {number} too few" for title, number in missing.items() if number > 0)
        return (
            Fact(label="Orders ready", figure=f"{ready:,}", beside=f"of {orders:,}"),
            Fact(label="Items", figure=f"{self.items:,}", beside=count(len(self.titles), "title")),
            Fact(
                label="Countries",
                figure=f"{len(self.places):,}",
                beside=f"{self.signatures:,} with signature" if self.signatures else "no signatures",
            ),
            Fact(label="Stock", figure=f"{len(short)} short" if short else "Enough", beside=too_few),
        )


class _Grid:
    """The sheet's rows with what is said of each cell."""

    def __init__(self, draft: Draft, report: Report, plan: Plan) -> None:
        self._report = report
        self._mapped: Mapped = report.mapped
        self._sheet = report.mapped.sheet
        self._mended = draft.cells
        self._ours = self._mapped.column_at()
        self._by_cell = findings_by_cell(report)
        self._placeless: dict[int, list[Finding]] = defaultdict(list)
        for finding in report.findings:
            if not finding.cells:
                for number in finding.rows:
                    self._placeless[number].append(finding)
        self._release = self._releasable(plan)
        self._severities = {number: set[Severity]() for number in self._sheet.row_numbers}
        for cell, findings in self._by_cell.items():
            self._severities[cell.row] |= {finding.severity for finding in findings}
        for number, findings in self._placeless.items():
            self._severities[number] |= {finding.severity for finding in findings}

    def _releasable(self, plan: Plan) -> dict[int, str]:
        """By row number, the order's id, where nothing but a guard holds it."""
        numbers = self._sheet.row_numbers
        guarded = {number for f in plan.findings if f.code in _RELEASABLE for number in f.rows}
        return {
            numbers[row]: order_id(order.key)
            for order in self._report.orders
            if order.key and order.status is RowStatus.HELD
            for row in order.rows
            if numbers[row] in guarded and all(self._report.rows[each].status is RowStatus.HELD for each in order.rows)
        }

    def chips(self) -> tuple[Chip, ...]:
        """The filters that have rows, the first one being what is opened first."""
        named = (
            ("work", "Needs work"),
            ("held", "Held"),
            ("warnings", "Warnings"),
            ("repairs", "Put right"),
            ("dated", "Wait for their date"),
            ("done", "Ordered"),
        )
        chips = [Chip(name=name, label=label, rows=len(self.rows_of(name))) for name, label in named]
        every = Chip(name="all", label="All rows", rows=len(self._sheet.row_numbers))
        return (*(chip for chip in chips if chip.rows), every)

    def rows_of(self, show: str) -> list[int]:
        """The positions of the rows that a filter shows."""
        return [row for row in range(len(self._report.rows)) if self._is_shown(row, show)]

    def _is_shown(self, row: int, show: str) -> bool:
        number, status = self._sheet.row_numbers[row], self._report.rows[row].status
        match show:
            case "work":
                return status in _NEEDS_WORK or (status is RowStatus.HELD and number in self._release)
            case "held":
                return status is RowStatus.HELD
            case "warnings":
                return Severity.WARNING in self._severities[number]
            case "repairs":
                return Severity.REPAIR in self._severities[number]
            case "dated":
                return status is RowStatus.WAITING
            case "done":
                return status in _DONE
            case _:
                return True

    @property
    def has_dates(self) -> bool:
        """Whether somebody wrote start dates."""
        return any(self._mapped.values(Column.START_DATE))

    def unused(self, *, ignores_dates: bool) -> tuple[str, ...]:
        """The headers of columns that hold something and are not ordered by."""
        used = {position for sources in self._mapped.sources.values() for position in sources}
        if ignores_dates:
            used -= set(self._mapped.sources.get(Column.START_DATE, ()))
        used |= set(self._mapped.results)
        return tuple(
            header
            for position, header in enumerate(self._sheet.headers)
            if header.strip() and position not in used and any(self._sheet.frame[position])
        )

    def columns(self, rows: Sequence[int], *, every: bool) -> tuple[list[int], bool]:
        """Which of the sheet's columns (positions) are shown: the person, then those with findings in these rows.

        Where these are so many that the last ones would stand beyond the edge, each row has its own findings in one
        place instead, and the second value is true.
        """
        ours = set(self._mapped.results)
        kept = [position for position in range(len(self._sheet.headers)) if position not in ours]
        if every:
            return kept, False
        numbers = {self._sheet.row_numbers[row] for row in rows}
        first = self._sheet.first_column
        found = {cell.column - first for cell in self._by_cell if cell.row in numbers}
        person = list(self._mapped.sources.get(Column.EMAIL, ()))[:1]
        shown = [position for position in kept if position in found and position not in person]
        usual = [position for column in _USUAL for position in self._mapped.sources.get(column, ())[:1]]
        more = [position for position in usual if position not in shown and position not in person]
        if len(shown) > _MOST_COLUMNS:
            return [*person, *usual[:1]], True
        return [*person, *shown, *more[: max(0, len(_USUAL) - 2 * len(shown))]], False

    def row(self, row: int, columns: Sequence[int], *, is_stacked: bool) -> GridRow:
        """One row of the grid."""
        number, result = self._sheet.row_numbers[row], self._report.rows[row]
        told = [_told(finding) for finding in self._placeless.get(number, ())]
        if result.status not in {RowStatus.INVALID, RowStatus.READY} and not told:
            told.append(Told(severity="", sign="", text=words.on_page(result.message)))
        if result.order_number:
            told.insert(0, Told(severity="", sign="", text=f"Order {result.order_number}"))
        return GridRow(
            number=number,
            status=result.status.value,
            name=words.NAMES[result.status],
            sign=words.SIGNS[result.status],
            cells=tuple(self._cell(row, position, is_plain=is_stacked) for position in columns),
            told=tuple(dict.fromkeys(told)),
            release=self._release.get(number, ""),
            may_leave_out=result.status in {RowStatus.INVALID, RowStatus.HELD, RowStatus.REJECTED},
            beside=tuple(self._with_findings(row)) if is_stacked else (),
        )

    def _with_findings(self, row: int) -> Iterable[GridCell]:
        """The row's cells that have any."""
        for position in range(len(self._sheet.headers)):
            if self._sheet.cell(row, position) in self._by_cell:
                yield self._cell(row, position)

    def _cell(self, row: int, position: int, *, is_plain: bool = False) -> GridCell:
        """A cell; a plain one stands elsewhere with its findings, and says here only what is in it."""
        cell = self._sheet.cell(row, position)
        found = self._by_cell.get(cell, ())
        is_plain, findings = (bool(found), ()) if is_plain else (False, found)
        is_plain = is_plain or self._report.rows[row].status in _DONE
        ours = self._ours.get(cell.column)
        return GridCell(
            name=str(cell),
            row=cell.row,
            column=cell.column,
            header=self._sheet.headers[position],
            text=str(self._sheet.frame.iat[row, position]),
            severity=findings[0].severity.value if findings else "",
            told=tuple(dict.fromkeys(map(_told, findings))),
            choices=_CHOICES.get(ours, "") if ours else "",
            is_mended=cell in self._mended,
            is_plain=is_plain,
        )

    def groups(self) -> tuple[Group, ...]:
        """The problems that one mend solves in all their rows, the most frequent first."""
        alike: dict[tuple[int, str, FindingCode, tuple[str, ...]], list[Finding]] = defaultdict(list)
        for cell, findings in self._by_cell.items():
            for finding in findings:
                mends = finding.suggestions or _YES_OR_NO.get(finding.code, ())
                if finding.severity is Severity.ERROR and finding.code not in _NOT_FOR_THE_CELL:
                    text = self._sheet.text(cell)
                    alike[cell.column, text, finding.code, mends[:_MOST_SUGGESTED]].append(finding)
        groups = [
            Group(
                value=text,
                message=_first_sentence(words.on_page(found[0].told)),
                rows=len(found),
                column=column,
                header=self._header(column),
                suggestions=mends,
                choices=_CHOICES.get(self._ours.get(column, Column.EMAIL), ""),
            )
            for (column, text, _, mends), found in alike.items()
            if mends or (len(found) > 1 and text.strip())
        ]
        return tuple(sorted(groups, key=lambda group: -group.rows)[:_MOST_GROUPS])

    def _header(self, column: int) -> str:
        ours = self._ours.get(column)
        return self._sheet.headers[column - self._sheet.first_column] or (COLUMN_NAMES[ours] if ours else "")


def ordered_rows(report: Report) -> frozenset[int]:
    """The numbers of the rows that are placed: they stay as they were ordered."""
    numbers = report.mapped.sheet.row_numbers
    return frozenset(n for n, row in zip(numbers, report.rows, strict=True) if row.status in _DONE)


def alike(report: Report, column: int, value: str) -> Mapping[Cell, str]:
    """The cells of a column that hold this very text and have an error, each with the text."""
    sheet = report.mapped.sheet
    return {
        cell: value
        for cell, findings in findings_by_cell(report).items()
        if cell.column == column and findings[0].severity is Severity.ERROR and sheet.text(cell) == value
    }


def _told(finding: Finding) -> Told:
    mends = () if finding.code in _NOT_FOR_THE_CELL else finding.suggestions or _YES_OR_NO.get(finding.code, ())
    return Told(
        severity=finding.severity.value,
        sign="‖" if finding.code in _RELEASABLE else _SIGN_OF[finding.severity],
        text=words.on_page(finding.told),
        suggestions=mends[:_MOST_SUGGESTED] if finding.severity is Severity.ERROR else (),
    )


def _first_sentence(text: str) -> str:
    """A message without its advice: that is what the buttons below it are."""
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]
