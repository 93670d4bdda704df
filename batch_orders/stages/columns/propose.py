"""Propose: a mapping file for a foreign sheet, guessed from its headers, its values and the catalog.

Each guess has a score from 0 to 100. What is sure stands in the file; what is not stands there commented out, with the
next best beside it: a person edits the file before it is used, and a low score is never applied by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pycountry

from batch_orders.likeness import CLEARLY, Titles
from batch_orders.models import NEEDED, RESULT_COLUMNS, SURE, Column, Guess, MappingFile, Proposal
from batch_orders.stages.columns.headers import (
    ADDRESS_PART,
    FIRST_LINE,
    ITEM_NAMES,
    LAST_NUMBER,
    LINES_AFTER,
    NEAR,
    known_column,
    likeness,
    names_item,
    normalised,
)
from batch_orders.stages.columns.lines import means_how_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from batch_orders.models import Sheet

# Below it a guess of an item or a title is not even worth a comment.
_WORTH_A_LOOK = 55
# A header that is known by the table, and one that stands beside another of the same column.
_KNOWN, _KNOWN_TWICE = 100, 80
# The best title must be better than the next by this much to be sure.
_CLEARLY = 5
_NOT_SURE = SURE - 1
# A header like "Number of monitors" without a column that says which.
_COUNTED = 75
_MOST_ALTERNATIVES = 3
_MOST_TRANSLATIONS = 200
# Distinct values that are looked at to tell what a column holds, and the share of them that must fit.
_SAMPLE = 50
_MOST_FIT = 0.8
_SOME_FIT = 0.5

_NO_OTHERS: tuple[tuple[str, int], ...] = ()
_ADDRESS = Column.SHIPPING_ADDRESS
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DIGITS = re.compile(r"[0-9]+")
_WORDS = re.compile(r"\w+")
_WORDS_BETWEEN = re.compile(r"\w[\s,]+\w")
_DATE = re.compile(r"[0-9]{1,4}[./-] ?[0-9]{1,2}[./-] ?[0-9]{1,4}")
# What a header has beside an item's name where it says how many.
_MANY_WORDS = tuple(
    map(normalised, ("number of", "no of", "qty", "quantity", "count", "anzahl", "menge", "quantité", "nombre de",
                     "cantidad", "quantidade", "ilość", "aantal", "how many"))
)  # fmt: skip


class _Held(NamedTuple):
    """What a column holds: its distinct values that are not blank, by first appearance."""

    header: str
    position: int
    values: tuple[str, ...]


@dataclass(slots=True)
class _Proposing:
    """The guesses as they are made: each header is given away once."""

    held: Sequence[_Held]
    titles: AbstractSet[str]
    likeness: Titles
    country: Callable[[str], str]
    guesses: list[Guess] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)

    @property
    def free(self) -> list[_Held]:
        """The columns that no sure guess has taken."""
        return [held for held in self.held if held.position not in self.taken]


def propose(sheet: Sheet, titles: Iterable[str], country: Callable[[str], str]) -> Proposal:
    """A mapping file for the sheet; `titles` are the catalog's, `country` gives the code that a text may mean ("")."""
    held = [
        _Held(header, position, tuple(filter(None, dict.fromkeys(text.strip() for text in sheet.frame[position]))))
        for position, header in enumerate(sheet.headers)
        if header.strip() and header.strip().casefold().removeprefix("bo_") not in RESULT_COLUMNS
    ]
    listed = frozenset(titles)
    proposing = _Proposing(held, listed, Titles(listed), country)
    _guess_address(proposing)
    items = _guess_items(proposing)
    _guess_columns(proposing, but=(Column.PRODUCT_TITLE, Column.QUANTITY) if items else ())
    if not items:
        _guess_one_each(proposing)
    translated = _guess_translations(proposing)
    rank = {column: number for number, column in enumerate(Column)}
    proposing.guesses.sort(key=lambda guess: rank[guess.column] if guess.column and guess.value is None else len(rank))
    left = tuple(one.header for one in proposing.free if not _is_guessed(one.header, proposing.guesses))
    return Proposal(guesses=tuple(proposing.guesses), unused=left, untranslated=translated)


def _is_guessed(header: str, guesses: Sequence[Guess]) -> bool:
    return any(header in (*guess.headers, guess.quantity) for guess in guesses)


# Columns --------------------------------------------------------------------------------------------------------


def _guess_address(proposing: _Proposing) -> None:
    """Parts of an address, joined as they stand."""
    whole = [one for one in proposing.held if known_column(one.header) is _ADDRESS]
    first = whole or [one for one in proposing.held if normalised(one.header) in FIRST_LINE]
    rest = [
        one
        for one in proposing.held
        if normalised(one.header) in ADDRESS_PART or any(normalised(one.header) in line for line in LINES_AFTER)
    ]
    rest = [one for one in rest if one not in first]
    if len(first) != 1 or not rest:
        return
    parts = sorted([*first, *rest], key=lambda one: one.position)
    numbered = all(any(character.isdigit() for character in one.header) for one in rest)
    proposing.taken |= {one.position for one in parts}
    proposing.guesses.append(
        Guess(
            column=_ADDRESS,
            headers=tuple(one.header for one in parts),
            separator=", " if numbered else " ",
            score=SURE + 5,
        )
    )


def _guess_columns(proposing: _Proposing, *, but: Sequence[Column]) -> None:
    """One header for each of our columns, the best pairs first."""
    done = {guess.column for guess in proposing.guesses if not guess.is_item}
    wanted = [column for column in Column if column not in done and column not in but]
    beside = {column for one in proposing.held if (column := known_column(one.header)) is not None}
    scores = {
        (column, one.position): _score(column, one, proposing.titles, beside)
        for column in wanted
        for one in proposing.free
    }
    known = Counter(column for (column, _), score in scores.items() if score == _KNOWN)
    for (column, position), score in scores.items():
        if score == _KNOWN and known[column] > 1:
            scores[column, position] = _KNOWN_TWICE
    by_position = {one.position: one for one in proposing.held}
    for (column, position), score in sorted(scores.items(), key=lambda item: -item[1]):
        if score < SURE or column in done or position in proposing.taken:
            continue
        done.add(column)
        proposing.taken.add(position)
        others = _others(column, scores, by_position, but=position)
        proposing.guesses.append(
            Guess(column=column, headers=(by_position[position].header,), score=score, alternatives=others)
        )
    for column in wanted:
        if column not in done:
            free = {key: score for key, score in scores.items() if key[1] not in proposing.taken}
            best = _others(column, free, by_position)
            if best or column in NEEDED:
                headers = (best[0][0],) if best else ()
                score = best[0][1] if best else 0
                proposing.guesses.append(Guess(column=column, headers=headers, score=score, alternatives=best[1:]))


def _others(
    column: Column,
    scores: Mapping[tuple[Column, int], int],
    by_position: Mapping[int, _Held],
    *,
    but: int | None = None,
) -> tuple[tuple[str, int], ...]:
    """The best headers for a column, that one apart, with their scores."""
    found = [
        (by_position[position].header, score)
        for (each, position), score in scores.items()
        if each is column and position != but and score >= NEAR
    ]
    return tuple(sorted(found, key=lambda pair: -pair[1])[:_MOST_ALTERNATIVES])


def _score(column: Column, held: _Held, titles: AbstractSet[str], beside: AbstractSet[Column]) -> int:
    """How likely a header is our column: by its name, by its words, and by what stands below it."""
    named = likeness(column, held.header, beside)
    if named in {0, _KNOWN}:
        return named
    if column in {Column.FIRSTNAME, Column.LASTNAME} and _share(held, _WORDS_BETWEEN.search) >= _SOME_FIT:
        return min(named, _NOT_SURE)  # whole names, it may be
    if column is Column.START_DATE and _share(held, _DATE.search) < _SOME_FIT:
        return 0
    if column is Column.SHIPPING_COUNTRY and named >= _WORTH_A_LOOK:
        return max(named, 92) if _share(held, _country) >= _MOST_FIT else min(named, _NOT_SURE)
    if column is Column.EMAIL:
        return max(named, 95) if _share(held, _EMAIL.fullmatch) >= _MOST_FIT else min(named, _NOT_SURE)
    if column is Column.PRODUCT_TITLE and _share(held, titles.__contains__) >= _SOME_FIT:
        return max(named, 95)
    return named


def _share(held: _Held, fits: Callable[[str], object]) -> float:
    """The share of a column's values that fit."""
    sample = held.values[:_SAMPLE]
    return sum(1 for value in sample if fits(value)) / len(sample) if sample else 0.0


def _guess_one_each(proposing: _Proposing) -> None:
    """A sheet without a column of quantities is likely to mean one of each: a person has to say so."""
    for number, guess in enumerate(proposing.guesses):
        if guess.column is Column.QUANTITY and guess.score < SURE and not guess.headers:
            proposing.guesses[number] = Guess(column=Column.QUANTITY, always="1", score=_WORTH_A_LOOK)


# Items ----------------------------------------------------------------------------------------------------------


def _guess_items(proposing: _Proposing) -> bool:
    """Columns that hold an item each. A sheet with a column of titles has its items there."""
    if any(known_column(one.header) is Column.PRODUCT_TITLE for one in proposing.free):
        return False
    found = [(one, score) for one in proposing.free if (score := _item_score(one, proposing)) >= _WORTH_A_LOOK]
    if not any(score >= SURE for _, score in found):
        return False
    for one, score in sorted(found, key=lambda pair: _says_how_many(pair[0])):
        is_another = known_column(one.header) is not None and score < SURE
        if is_another or one.position in proposing.taken:
            continue
        quantity = _quantity_of(one, proposing.free)
        title, others = "", _NO_OTHERS
        is_counted = bool(one.values) and quantity is None and all(map(means_how_many, one.values))
        if is_counted:
            title, title_score, others = _nearest_titles(one.header, proposing.likeness)
            score = min(score, title_score)  # noqa: PLW2901 - it is as sure as its weaker part
        proposing.guesses.append(
            Guess(
                headers=(one.header,),
                is_item=True,
                is_counted=is_counted,
                title=title,
                quantity=quantity.header if quantity else "",
                score=score,
                alternatives=others,
            )
        )
        proposing.taken |= {one.position} | ({quantity.position} if quantity else set())
    return True


def _item_score(held: _Held, proposing: _Proposing) -> int:
    """How likely a column holds items: by its header, or by titles (nearly) among its values."""
    titles = proposing.titles
    if held.header.strip() in titles or _share(held, titles.__contains__) >= _SOME_FIT:
        return 98
    if known_column(held.header) is not None:
        return 0
    if _says_how_many(held):
        # Of what is said by the column beside it, or by nothing but its header.
        return _COUNTED if names_item(held.header) and all(map(means_how_many, held.values)) else 0
    if normalised(LAST_NUMBER.sub("", held.header)) in ITEM_NAMES:
        return 92
    words = {normalised(word) for word in re.split(r"[\s_/-]+", held.header)}
    by_name = bool(words & ITEM_NAMES)
    if (
        _share(held, lambda value: _is_near(value, proposing.likeness)) >= _SOME_FIT
        and _share(held, means_how_many) < 1
    ):
        return 86 if by_name else 70
    return 75 if by_name else 0


def _says_how_many(held: _Held) -> bool:
    return any(word in normalised(held.header) for word in _MANY_WORDS)


def _is_near(value: str, titles: Titles) -> bool:
    return any(score >= SURE for _, score in titles.ranked(value, most=1))


def _quantity_of(item: _Held, free: Sequence[_Held]) -> _Held | None:
    """The column that says how many of the item: "Laptop qty", "No of laptops", or "Keyboards" beside "Keyboard"."""
    name = normalised(item.header)
    if item.values and all(map(means_how_many, item.values)):
        return None
    for one in free:
        other = normalised(one.header)
        counts = bool(one.values) and all(map(means_how_many, one.values))
        bare = other
        for word in _MANY_WORDS:
            bare = bare.replace(word, "")
        if one is not item and counts and bare in {name, f"{name}s"} and other != name:
            return one
    return None


# Values ---------------------------------------------------------------------------------------------------------


def _guess_translations(proposing: _Proposing) -> int:
    """Their words for titles and countries; gives the number of values beyond those that were looked at."""
    by_header = {one.header: one for one in proposing.held}
    sources: dict[Column, list[_Held]] = {Column.SHIPPING_COUNTRY: [], Column.PRODUCT_TITLE: []}
    for guess in proposing.guesses:
        column = Column.PRODUCT_TITLE if guess.is_item and not guess.title else guess.column
        if column in sources and guess.headers:
            sources[column].append(by_header[guess.headers[0]])
    beyond = 0
    for column, columns in sources.items():
        values = list(dict.fromkeys(value for one in columns for value in one.values))
        beyond += max(0, len(values) - _MOST_TRANSLATIONS)
        seen: set[str] = set()
        for value in values[:_MOST_TRANSLATIONS]:
            folded = MappingFile.folded(value)
            translation = None if folded in seen else _translation(proposing, column, value)
            seen.add(folded)
            if translation is not None:
                proposing.guesses.append(translation)
    return beyond


def _translation(proposing: _Proposing, column: Column, value: str) -> Guess | None:
    """What a value means; None where it needs no translation."""
    if column is Column.SHIPPING_COUNTRY:
        if pycountry.countries.get(alpha_2=value.upper()):
            return None
        code = _country(value)
        score = _KNOWN if code else _NOT_SURE
        return Guess(column=column, value=value, title=code or proposing.country(value), score=score)
    if value in proposing.titles or means_how_many(value):
        return None
    title, score, others = _nearest_titles(value, proposing.likeness)
    return Guess(column=column, value=value, title=title, score=score, alternatives=others)


def _country(value: str) -> str:
    """The code of a country that is written out, in English or as three letters; "" where it cannot be told."""
    try:
        return str(pycountry.countries.lookup(value.strip()).alpha_2)
    except LookupError:
        return ""


def _nearest_titles(text: str, titles: Titles) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    """The title that is most like a text, its score, and the next ones with theirs; no title where several tie.

    It is sure only where it is clearly the best, where every word and number of the text ("14", "5450") is in it as it
    is typed, and where the text is more than a word for a kind of thing ("Laptop").
    """
    ranked = titles.ranked(text, most=_MOST_ALTERNATIVES + 1)
    if not ranked:
        return "", 0, ()
    (best, score), *others = ranked
    gap = score - others[0][1] if others else score
    is_name = len(_WORDS.findall(text)) > 1 or _DIGITS.search(text) is not None
    if gap < _CLEARLY or not is_name or not _has_words(text, best):
        score = min(score, _NOT_SURE)
    # None stands above the best: its score may have been lowered.
    alternatives = tuple((title, min(other, score)) for title, other in others)
    if gap < CLEARLY and others:
        return "", score, ((best, score), *alternatives)[:_MOST_ALTERNATIVES]
    return best, score, alternatives


def _has_words(text: str, title: str) -> bool:
    return set(_WORDS.findall(MappingFile.folded(text))) <= set(_WORDS.findall(MappingFile.folded(title)))
