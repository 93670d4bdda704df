"""Which of our columns a header means, by normalised name and the table of synonyms."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from batch_orders.stages.columns.synonyms import (
    ADDRESS_PARTS,
    FIRST_LINES,
    LINES_ONE,
    NEXT_LINES,
    PLACES,
    PREFIXES,
    SYNONYMS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from batch_orders.models import Column

# Letters that a name must have to be looked for within a longer one.
_LONG_ENOUGH = 5


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


def nearness(one: str, other: str, **_: object) -> float:
    """How alike two header names are, of 100: also where one is the beginning of a longer one, nearly."""
    shorter = min(len(one), len(other))
    part = 0.9 * fuzz.partial_ratio(one, other) if shorter >= _LONG_ENOUGH else 0.0
    return max(fuzz.ratio(one, other), part)


def nearest_header(wanted: str, headers: Iterable[str], *, cutoff: float) -> str | None:
    """The header that is most like this one; None where none is near enough (of 100)."""
    scores = {header: fuzz.ratio(normalised(wanted), normalised(header)) for header in headers if header.strip()}
    best = max(scores, key=lambda header: scores[header], default=None)
    return best if best is not None and scores[best] >= cutoff else None
