"""Which of our columns a header means, by normalised name and the table of synonyms."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from batch_orders.models import Column
from batch_orders.stages.columns.synonyms import (
    ADDRESS_PARTS,
    BARE_WORDS,
    FIRST_BESIDE_LAST,
    FIRST_LINES,
    ITEM_WORDS,
    LAST_BESIDE_FIRST,
    LINES_ONE,
    NEXT_LINES,
    PLACES,
    PREFIXES,
    SYNONYMS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

# How near (of 100) an unknown header must be to one of our columns to be named for it.
NEAR = 70
# A header known by the table; one that is all but sure; the most that one gets which only contains a name of ours.
_SAME, _ALL_BUT_SAME, _CONTAINS = 100, 90, 84
# Letters that a name must have to be looked for within a longer word, as in a German compound.
_LONG_ENOUGH = 6
_MOST_WORDS = 12
_BY_CHANCE = 80
_BETWEEN_WORDS = re.compile(r"[\W_]+")
LAST_NUMBER = re.compile(r"[\s_#-]*[0-9]{1,2}\s*\Z")


def normalised(header: str) -> str:
    """Letters and digits only, without case and accents: "ZIP / postal-code" and "zip postal code" are one."""
    # Decomposed (NFKD), an accent is a character of its own, and no letter.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", header).casefold())
    return "".join(character for character in folded if character.isalnum())


_KNOWN: Mapping[str, Column] = {
    normalised(name): column for column, names in SYNONYMS.items() for name in (*names, column.value)
} | {
    normalised(f"{prefix} {name}"): column for column, names in PLACES.items() for name in names for prefix in PREFIXES
}
NAMES: Mapping[Column, Sequence[str]] = {
    column: [normalised(name) for name in (*names, column.value)] for column, names in SYNONYMS.items()
}


def _with_prefixes(names: Iterable[str]) -> frozenset[str]:
    return frozenset(normalised(f"{prefix}{name}") for name in names for prefix in ("", *PREFIXES))


FIRST_LINE = _with_prefixes(FIRST_LINES)
LINE_ONE = _with_prefixes(LINES_ONE)
LINES_AFTER = tuple(_with_prefixes(names) for names in NEXT_LINES)
ADDRESS_PART = _with_prefixes(ADDRESS_PARTS)
ITEM_NAMES = frozenset(map(normalised, ITEM_WORDS))
_BARE = frozenset(map(normalised, BARE_WORDS))


def known_column(header: str) -> Column | None:
    """Our column that a header means; None where it is the user's own."""
    return _KNOWN.get(normalised(header))


def recognise(headers: Iterable[str], also: Collection[str] = ()) -> int:
    """How many different columns of ours stand in a row of headers; each header that is in `also` counts as one."""
    columns: set[Column | str] = set()
    wanted = {spelling(header) for header in also}
    for header in headers:
        column = known_column(header)
        columns |= {spelling(header)} & wanted if column is None else {column}
    return len(columns)


def spelling(header: str) -> str:
    """What makes two headers the same; one that is all punctuation ("#") stands for itself."""
    return normalised(header) or header.strip()


def likeness(column: Column, header: str, beside: Collection[Column]) -> int:
    """How likely a header is our column by its name, of 100; `beside` are the columns that the sheet is known to have.

    A name of ours within a longer one ("Site country") counts as words: "count" is not in it.
    """
    known = known_column(header)
    if known is not None:
        return _SAME if known is column else 0
    name = normalised(header)
    if not name or name in _BARE or (column in {Column.PRODUCT_TITLE, Column.QUANTITY} and names_item(header)):
        return 0
    if column not in beside and _is_other_name(column, name, beside):
        return _ALL_BUT_SAME
    parts = _runs_of_words(header)
    contains = any(one in parts or (len(one) >= _LONG_ENOUGH and one in name) for one in NAMES[column])
    alike = max(_alike(name, one) for one in NAMES[column])
    return max(min(alike, _SAME - 1), _CONTAINS if contains else 0)


def names_item(header: str) -> bool:
    """Whether a header says what stands below it: "Monitor 1", "Laptop model"."""
    words = map(normalised, _BETWEEN_WORDS.split(header))
    return normalised(LAST_NUMBER.sub("", header)) in ITEM_NAMES or any(word in ITEM_NAMES for word in words)


def _alike(name: str, other: str) -> int:
    """How alike two names are by their letters; short words share most of them by chance ("Start", "State")."""
    alike = int(fuzz.ratio(name, other))
    is_short = max(len(name), len(other)) <= _LONG_ENOUGH
    return 0 if is_short and alike <= _BY_CHANCE and sorted(name) != sorted(other) else alike


def _is_other_name(column: Column, name: str, beside: Collection[Column]) -> bool:
    """Whether a bare "Name" can only be the last name, because the first name stands beside it; or the first."""
    if column is Column.LASTNAME:
        return Column.FIRSTNAME in beside and name in LAST_BESIDE_FIRST
    return column is Column.FIRSTNAME and Column.LASTNAME in beside and name in FIRST_BESIDE_LAST


def _runs_of_words(header: str) -> set[str]:
    """The header's words, and those that follow each other put together."""
    words = [normalised(word) for word in _BETWEEN_WORDS.split(header)][:_MOST_WORDS]
    return {"".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)}


def nearest_header(wanted: str, headers: Iterable[str], *, cutoff: float) -> str | None:
    """The header that is most like this one; None where none is near enough (of 100)."""
    scores = {header: fuzz.ratio(normalised(wanted), normalised(header)) for header in headers if header.strip()}
    best = max(scores, key=lambda header: scores[header], default=None)
    return best if best is not None and scores[best] >= cutoff else None
