"""Take our columns out of the sheet, and put right what can mean only one thing.

What a repair makes of a cell depends on that cell, on the order's country, and for titles and shipping options on the
catalog's own white space; never on whether the catalog has the title. So an order's contents stay comparable when a
title has left the catalog.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from batch_orders.characters import narrow
from batch_orders.messages import findings as messages
from batch_orders.models import Column, FindingCode, Severity
from batch_orders.stages.validate.complaints import Complaint, Values, finding
from batch_orders.stages.validate.dates import read_date
from batch_orders.stages.validate.places import COUNTRIES, STRICT, postal_rules
from batch_orders.stages.validate.rules import is_mended_phone, read_phone, with_zeros_of_state
from batch_orders.stages.validate.texts import clean, each, fold, squeeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batch_orders.models import Catalog, Finding, Mapped, Value

# What is made of each phone number that was read, in which country, and what is wrong with it.
Phones = dict[tuple[str, str], tuple[str, Complaint | None]]

_YES = ("yes", "y", "true", "1", "1.0", "ja", "oui", "sí", "si", "sim", "tak", "wahr", "vrai")
_NO = ("no", "n", "false", "0", "0.0", "nein", "non", "não", "nie", "falsch", "faux")
_BOOLEANS = {word: answer for answer, words in (("yes", _YES), ("no", _NO)) for word in words}

# One or two zeros are what an export adds; "1.000" is a thousand to many.
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0{1,2})?")
_FLOAT = re.compile(r"([0-9]+)\.0")
_CANADIAN = re.compile(r"([A-Z][0-9][A-Z])[ -]*([0-9][A-Z][0-9])")

# A number in another spelling, and another word for yes, are the same value: nothing was put right.
_WITHOUT_MENTION = {Column.PHONE_NUMBER, Column.IS_SIGNATURE_REQUIRED}


def take(mapped: Mapped) -> Values:
    """Our columns as the sheet has them; a column that it lacks is blank."""
    return {column: mapped.values(column) for column in Column}


def repair(raw: Values, catalog: Catalog, *, dates: bool = False) -> Values:
    """Everything that a cell alone decides. State, postal code and phone are finished once the country is known."""
    own: dict[Column, Callable[[str], str]] = {
        Column.EMAIL: _narrow,
        Column.FIRSTNAME: _single_spaced,
        Column.LASTNAME: _single_spaced,
        Column.SHIPPING_ADDRESS: _single_spaced,
        Column.SHIPPING_CITY: _single_spaced,
        Column.PHONE_NUMBER: _narrow,
        Column.SHIPPING_COUNTRY: _country,
        Column.SHIPPING_ZIP: _without_float,
        Column.QUANTITY: _quantity,
        Column.IS_SIGNATURE_REQUIRED: _boolean,
        Column.PRODUCT_TITLE: _as_listed(catalog.stock),
        Column.EXPEDITE_SHIPPING: _as_listed(catalog.shipping_options),
    } | ({Column.START_DATE: lambda text: read_date(text)[0]} if dates else {})
    return {column: each(own.get(column, clean), values) for column, values in raw.items()}


def repair_places(own: Values, countries: Sequence[str], phones: Phones) -> Values:
    """State, postal code and phone as the row's country ("" where unknown) writes them.

    Numbers that were not read before are added to `phones`.
    """
    for key in set(zip(own[Column.PHONE_NUMBER], countries, strict=True)) - phones.keys():
        phones[key] = read_phone(*key)
    mended = {
        Column.SHIPPING_STATE: _each_in(_state, own[Column.SHIPPING_STATE], countries),
        Column.SHIPPING_ZIP: _each_in(_zip, own[Column.SHIPPING_ZIP], countries),
        Column.PHONE_NUMBER: [phones[key][0] for key in zip(own[Column.PHONE_NUMBER], countries, strict=True)],
    }
    return own | mended


def restore_zips(mapped: Mapped, own: Values, states: Sequence[str], countries: Sequence[str]) -> Values:
    """US postal codes that a workbook holds as numbers get back the zeros in front, where they are the state's then.

    `states` are those of the rows' orders. Elsewhere, and where the state is another or not known, it stays an error
    with a suggestion: somebody may have typed a digit too few.
    """
    zips = list(own[Column.SHIPPING_ZIP])
    for line in _lines_with_number(mapped, Column.SHIPPING_ZIP):
        if countries[line] == "US":
            zips[line] = with_zeros_of_state(zips[line], states[line])
    return own | {Column.SHIPPING_ZIP: zips}


def repair_findings(mapped: Mapped, raw: Values, own: Values) -> Iterator[Finding]:
    """One finding for each cell that was put right; composing letters (NFC) is not worth one."""
    for column, sources in mapped.sources.items():
        if not sources or column in _WITHOUT_MENTION:
            continue
        for line, before, after in _changed(raw[column], own[column]):
            if after and unicodedata.normalize("NFC", before) != after:
                complaint = Complaint(messages.repaired(before, after), severity=Severity.REPAIR)
                yield finding(mapped, FindingCode.REPAIRED, column, [line], complaint)
    yield from _mended_phones(mapped, raw, own)
    yield from _zeros_of_the_format(mapped, raw)


def _mended_phones(mapped: Mapped, raw: Values, own: Values) -> Iterator[Finding]:
    """Phone numbers that were more than written in another way: a spreadsheet's number, or characters put right."""
    column = Column.PHONE_NUMBER
    mended = {before: is_mended_phone(before, _narrow(before)) for before in set(raw[column])}
    for line, before, after in _changed(raw[column], own[column]) if any(mended.values()) else ():
        if after and mended[before]:
            complaint = Complaint(messages.repaired(before, after), severity=Severity.REPAIR)
            yield finding(mapped, FindingCode.REPAIRED, column, [line], complaint)


def _changed(raw: list[str], own: list[str]) -> Iterator[tuple[int, str, str]]:
    """Where the two differ: the line, and what it was before and after."""
    if raw is own:
        return iter(())
    both = zip(raw, own, strict=True)
    return ((line, before, after) for line, (before, after) in enumerate(both) if before != after)


def _zeros_of_the_format(mapped: Mapped, raw: Values) -> Iterator[Finding]:
    """A ZIP code that is a number in the workbook, whose leading zeros only the cell's format shows."""
    for line in _lines_with_number(mapped, Column.SHIPPING_ZIP):
        text = raw[Column.SHIPPING_ZIP][line]
        if text.startswith("0"):
            message = messages.zeros_of_the_format(text)
            complaint = Complaint(message, severity=Severity.REPAIR)
            yield finding(mapped, FindingCode.REPAIRED, Column.SHIPPING_ZIP, [line], complaint)


def _lines_with_number(mapped: Mapped, column: Column) -> list[int]:
    """The lines for which the workbook holds a number in this column, not a text."""
    sources = mapped.sources.get(column, ())
    if len(sources) != 1:
        return []
    rows = {row for row, value in mapped.sheet.values.in_column(sources[0]) if _is_number(value)}
    return [line for line, row in enumerate(mapped.rows) if row in rows]


def _is_number(value: Value) -> bool:
    return isinstance(value.value, int | float) and not isinstance(value.value, bool)


def _each_in(function: Callable[[str, str], str], values: list[str], countries: Sequence[str]) -> list[str]:
    """The same for a function of a value and its country."""
    made = {key: function(*key) for key in set(zip(values, countries, strict=True))}
    changed = {key: new for key, new in made.items() if new != key[0]}
    return [changed.get(key, key[0]) for key in zip(values, countries, strict=True)] if changed else values


def _narrow(text: str) -> str:
    """Cleaned, with full-width digits and letters as the usual ones: in an address they may be meant."""
    return clean(narrow(text))


def _single_spaced(text: str) -> str:
    """Cleaned, with one space where there are several: nobody sees them, and two rows would seem to disagree."""
    text = clean(text)
    return squeeze(text) if "  " in text else text


def _country(text: str) -> str:
    text = _narrow(text)
    return text.upper() if text.upper() in COUNTRIES else text


def _without_float(text: str) -> str:
    text = _narrow(text)
    match = _FLOAT.fullmatch(text)
    return match[1] if match else text


def _quantity(text: str) -> str:
    text = _narrow(text)
    match = _WHOLE.fullmatch(text)
    return str(int(match[1])) if match else text


def _boolean(text: str) -> str:
    text = _narrow(text)
    return _BOOLEANS.get(text.casefold(), text)


def _as_listed(listed: Iterable[str]) -> Callable[[str], str]:
    """The repair of a text that is to be one of these, letter by letter, white space apart."""
    names = frozenset(listed)
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(squeeze(name), []).append(name)

    def as_listed(text: str) -> str:
        cleaned = clean(text)
        if text in names or cleaned in names:
            return text if text in names else cleaned
        same = spellings.get(squeeze(text), [])
        return same[0] if len(same) == 1 else cleaned

    return as_listed


def _state(text: str, country: str) -> str:
    if country not in STRICT or not text:
        return text
    return postal_rules(country).states.get(fold(text), text)


def _zip(text: str, country: str) -> str:
    match = _CANADIAN.fullmatch(text.upper()) if country == "CA" else None
    return f"{match[1]} {match[2]}" if match else text
