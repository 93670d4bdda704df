"""What text means to a person: white space that does not show, spellings that are the same, and near misses."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

from batch_orders.characters import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What word processors put around a value; a quotation mark within it is part of it.
_QUOTES = "\u2018-\u201f\u00ab\u00bb\u2039\u203a"
_IN_QUOTES = re.compile(f"[{_QUOTES}]([^{_QUOTES}]*)[{_QUOTES}]")
_SPACE = r"[\s\x00-\x1f\x7f-\x9f]"
# A run of white space with anything but plain spaces in it: no-break spaces, tabs, line breaks, control characters.
_ODD_RUN = re.compile(rf" *(?! ){_SPACE}{_SPACE}*")

_MOST_SUGGESTIONS = 3


def clean(text: str) -> str:
    """Composed (NFC) and trimmed, without typographic quotes around it all and without invisible characters.

    Line breaks, tabs and no-break spaces inside become one plain space. Plain spaces inside stay as they are: a title
    may well have two.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    composed = unicodedata.normalize("NFC", visible(text))
    spaced = _ODD_RUN.sub(" ", composed).strip()
    quoted = _IN_QUOTES.fullmatch(spaced)
    return quoted[1].strip() if quoted else spaced


def squeeze(text: str) -> str:
    """The text with every run of white space as one plain space, composed: equal for what looks equal."""
    return " ".join(clean(text).split())


def fold(text: str) -> str:
    """Letters and digits only, without case and accents: "Québec" and "QUEBEC" are one."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and ").casefold())
    return "".join(filter(str.isalnum, decomposed))


def each(function: Callable[[str], str], values: list[str]) -> list[str]:
    """The function of each value, worked out once per distinct one; the same list where it changes none of them."""
    made = {value: function(value) for value in set(values)}
    changed = {value: new for value, new in made.items() if new != value}
    return [changed.get(value, value) for value in values] if changed else values


class Choices:
    """Texts to choose from, by their spelling; made once, asked often."""

    def __init__(self, choices: Iterable[str], *, cutoff: float) -> None:
        """`cutoff` is from 0 to 100, the score of equal texts: what is further away is not suggested."""
        self._cutoff = cutoff
        self._spelled = {choice: squeeze(choice).casefold() for choice in sorted(choices)}

    def nearest(self, text: str) -> tuple[str, ...]:
        """The (at most three) choices nearest to a text, best first; those that differ only in case stand alone."""
        wanted = squeeze(text).casefold()
        same = [choice for choice, spelling in self._spelled.items() if spelling == wanted]
        if same:
            return tuple(same[:_MOST_SUGGESTIONS])
        found = process.extract(
            wanted, self._spelled, scorer=fuzz.WRatio, score_cutoff=self._cutoff, limit=_MOST_SUGGESTIONS
        )
        return tuple(choice for _, _, choice in found)
