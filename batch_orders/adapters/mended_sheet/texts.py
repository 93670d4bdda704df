"""What a cell can hold of a text, and how a workbook writes what XML cannot."""

from __future__ import annotations

import re
from typing import Final

from batch_orders.adapters.results_style import xlsx_text

# What Excel lets a cell hold, counted as it counts: a character beyond U+FFFF counts as two.
_MOST_CHARACTERS: Final = 32_767
# An underscore that would be read as the beginning of an escaped character.
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9a-fA-F]{4}_)")
# What XML forbids, or (a carriage return) reads as something else; half a surrogate pair is no character at all.
_TO_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def held(text: str) -> str:
    """What a mended cell holds of a text, in whatever kind of file.

    That is the text, but for line ends, which become LF, and for what XML forbids (control characters, half a surrogate
    pair), which becomes U+FFFD. ValueError where it is longer than a cell of Excel's can be.
    """
    if len(text.encode("utf-16-le", "surrogatepass")) > 2 * _MOST_CHARACTERS:
        raise ValueError("a text that is longer than a cell can hold")
    return xlsx_text(text)


def as_written(text: str) -> str:
    """A text as it stands in a workbook's cell (ECMA-376, ST_Xstring), so that a reader gets every character of it."""
    text = _LOOKS_ESCAPED.sub("_x005F_", text)
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
