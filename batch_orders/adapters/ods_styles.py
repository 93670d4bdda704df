"""What an OpenDocument spreadsheet's styles say of its values: zeros that a number's format adds, and hidden sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_orders.adapters.workbook_sheets import GENERAL

if TYPE_CHECKING:
    from collections.abc import Mapping

_OASIS: Final = "urn:oasis:names:tc:opendocument:xmlns"
TABLE, OFFICE, TEXT, STYLE, NUMBER = (
    f"{_OASIS}:{name}:1.0 " for name in ("table", "office", "text", "style", "datastyle")
)
_NUMBER_STYLE, _NUMBER, _LITERAL = f"{NUMBER}number-style", f"{NUMBER}number", f"{NUMBER}text"
_EMBEDDED, _CELL_STYLE, _TABLE_PROPERTIES = f"{NUMBER}embedded-text", f"{STYLE}style", f"{STYLE}table-properties"
# No number that a spreadsheet keeps exactly has more digits; no style has more ancestors.
_MOST_DIGITS, _MOST_PARENTS = 20, 10


class Styles:
    """Listens to styles.xml and content.xml, and remembers what their styles are good for, by name."""

    def __init__(self) -> None:
        self.hidden_tables: set[str] = set()
        self._zeros: dict[str, str] = {}
        self._data_styles: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._style = ""
        self._pattern = _Pattern("")

    def number_format(self, style: str | None) -> str:
        """The format of a number in a cell with this style, as Excel writes it: "00000", or "General"."""
        for _ in range(_MOST_PARENTS):
            if not style:
                break
            if style in self._data_styles:
                return self._zeros.get(self._data_styles[style], GENERAL)
            style = self._parents.get(style)
        return GENERAL

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """A tag begins."""
        if name == _CELL_STYLE:
            self._style = attributes.get(f"{STYLE}name", "")
            if data_style := attributes.get(f"{STYLE}data-style-name"):
                self._data_styles[self._style] = data_style
            if parent := attributes.get(f"{STYLE}parent-style-name"):
                self._parents[self._style] = parent
        elif name == _TABLE_PROPERTIES and attributes.get(f"{TABLE}display") == "false":
            self.hidden_tables.add(self._style)
        elif name == _NUMBER_STYLE:
            self._pattern = _Pattern(attributes.get(f"{STYLE}name", ""))
        elif name.startswith(NUMBER):
            self._pattern.start(name, attributes)

    def text(self, text: str) -> None:
        """Text within it."""
        self._pattern.text(text)

    def end(self, name: str) -> None:
        """A tag ends."""
        if name == _NUMBER_STYLE:
            if found := self._pattern.zeros():
                self._zeros[self._pattern.name] = found
        elif name.startswith(NUMBER):
            self._pattern.end()


class _Pattern:
    """One number style on its way: is it a row of zeros, perhaps with hyphens between them?"""

    def __init__(self, name: str) -> None:
        self.name = name
        self._digits = 0
        self._is_plain = True
        self._hyphens: list[int] = []
        self._inside = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._inside = name
        if name == _NUMBER:
            self._is_plain &= not self._digits and attributes.get(f"{NUMBER}decimal-places", "0") == "0"
            self._digits = min(int(attributes.get(f"{NUMBER}min-integer-digits", "0")), _MOST_DIGITS)
        elif name == _EMBEDDED:
            self._hyphens.append(int(attributes.get(f"{NUMBER}position", "0")))

    def text(self, text: str) -> None:
        if self._inside:
            self._is_plain &= text == "-" if self._inside == _EMBEDDED else not text.strip()

    def end(self) -> None:
        self._inside = ""

    def zeros(self) -> str:
        """As Excel writes it, "00000" or "00000-0000" (the places of hyphens count from the last digit); else ""."""
        if not self._is_plain or self._digits <= 1 or not all(0 < place < self._digits for place in self._hyphens):
            return ""
        zeros = "0" * self._digits
        for place in sorted(self._hyphens):
            zeros = f"{zeros[: self._digits - place]}-{zeros[self._digits - place :]}"
        return zeros
