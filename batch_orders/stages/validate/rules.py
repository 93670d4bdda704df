"""The rules on one value: what is wrong with it, how to mend it, and what was perhaps meant.

Each answers None where there is nothing to say. A blank cell is no value: what must not be blank is said elsewhere
(see rows.py and orders.py).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from batch_orders.likeness import CLEARLY
from batch_orders.messages import findings as messages
from batch_orders.messages.mappings import TITLE_TO_WRITE, title_to_write
from batch_orders.messages.template import EXAMPLE_EMAIL, example_left
from batch_orders.stages.validate.complaints import Complaint
from batch_orders.stages.validate.places import (
    STRICT,
    countries_meant,
    country_name,
    postal_rules,
    state_choices,
)
from batch_orders.stages.validate.texts import fold

if TYPE_CHECKING:
    from batch_orders.likeness import Titles
    from batch_orders.stages.validate.places import PostalRules
    from batch_orders.stages.validate.texts import Choices

# 4.9E+11: what is left of a long number in a narrow cell.
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
# 1.2125550142E+10 is the same, but nothing is lost: as many digits follow the point as the exponent says.
_ALL_DIGITS = re.compile(r"([0-9])[.,]([0-9]{4,14})E\+?0?([0-9]{1,2})", re.ASCII | re.IGNORECASE)
# 12125550142.0: what a number becomes on its way through some exports. A dialled number has no such end.
_FLOAT = re.compile(r"(\+?[0-9]{5,})\.0", re.ASCII)
_TOO_SHORT = {ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY}
# Behind ";" or "," phonenumbers takes a whole second number for an extension.
_LONGEST_EXTENSION = 6
# What stands for an extension; other letters in a number are somebody's words, or the keys of a telephone.
_EXTENSION_WORD = re.compile(r"\b(?:ext\w*|int|anexo|\u0434\u043e\u0431)\b|x(?=[ .]*[0-9])", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
# Some countries have local numbers of two digits, which in a sheet are a slip and nothing else.
_SHORTEST_LOCAL = 100_000
_SPACED_SIGN = re.compile(r" *([@.]) *")
# Of these characters the part before the @ may be, with single dots in between: any domain takes it, short as it is.
_PLAIN_LOCAL = re.compile(r"(?=.{1,64}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*", re.ASCII | re.IGNORECASE)
_SHORT_ADDRESS = 200
_MANY_DIGITS = re.compile(r"[0-9]{10,}", re.ASCII)
# "2 pcs", "x2", "2,0". But "1,000" and "1.000" are a thousand to some and one to others, and "-2" is a return.
_ONE_NUMBER = re.compile(r"[^0-9.,/%\u2013\u2212-]*0*([1-9][0-9]{0,8})(?:,00?)?[^0-9.,/%\u2013\u2212-]*")
# What is this much less like (of 100) than the best title is not meant.
_MUCH_FURTHER, _MOST_TITLES = 25, 3
_US_LONG_ZIP = re.compile(r"([0-9]{5}) ?([0-9]{4})", re.ASCII)


def email(value: str) -> Complaint | None:
    """An address by its form; whether anybody reads it is not asked."""
    if value.casefold() == EXAMPLE_EMAIL:
        return Complaint(example_left())
    reason = _why_no_address(value)
    if not value or not reason:
        return None
    # What mail programs put around an address, a comma for the dot, and spaces beside @ and dot. A space elsewhere
    # could stand for a dot, a hyphen or nothing: that is not guessed.
    bare = value.rpartition("<")[2].partition(">")[0].removeprefix("mailto:")
    mended = _SPACED_SIGN.sub(r"\1", bare.replace(",", ".")).rstrip(".; ")
    suggestions = () if _why_no_address(mended) else (mended,)
    return Complaint(messages.email(value, reason, suggestions), suggestions)


def _why_no_address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if len(text) <= _SHORT_ADDRESS and _PLAIN_LOCAL.fullmatch(local) and not _why_no_domain(domain):
        return ""  # what most addresses are, of the few domains of a company
    return _why_invalid(text)


@functools.lru_cache(maxsize=1_000)
def _why_no_domain(domain: str) -> str:
    return _why_invalid(f"a@{domain}")


def _why_invalid(text: str) -> str:
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        return str(error)
    return ""


def read_phone(text: str, country: str) -> tuple[str, Complaint | None]:
    """The number as E.164 ("+12125550142", with " ext. 7" where it has one), or the text as it is and why.

    `country` is where a number without + is at home; where that is unknown ("") such a number is neither read nor
    judged.
    """
    international = "+" in text or "\uff0b" in text
    if not text or not (country or international):
        return text, None
    number = _dialled(text)
    if _SCIENTIFIC.fullmatch(number):
        return text, Complaint(messages.phone_shortened(text))
    if not international and country not in phonenumbers.SUPPORTED_REGIONS:
        return text, Complaint(messages.phone_needs_plus(text, country_name(country)))
    try:
        parsed = phonenumbers.parse(number, country or None)
    except NumberParseException as error:
        return text, _unreadable_phone(text, country, error.error_type)
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible == ValidationResult.IS_POSSIBLE:
        plain, extension = phonenumbers.format_number(parsed, PhoneNumberFormat.E164), parsed.extension or ""
        if len(extension) > _LONGEST_EXTENSION:
            return text, Complaint(messages.phone_two_numbers(text))
        return f"{plain} ext. {extension}" if extension else plain, None
    if possible == ValidationResult.IS_POSSIBLE_LOCAL_ONLY and (parsed.national_number or 0) >= _SHORTEST_LOCAL:
        # Possible, if only within its own area. Which area is not guessed, so it stays as it is typed.
        return text, None
    return text, _impossible_phone(text, country, too_short=possible in _TOO_SHORT)


def _dialled(text: str) -> str:
    """The digits that a spreadsheet or an export has made a number of, where all of them are there."""
    shortened = _ALL_DIGITS.fullmatch(text)
    if shortened and len(shortened[2]) == int(shortened[3]):
        return shortened[1] + shortened[2]
    return _FLOAT.sub(r"\1", text) if _FLOAT.fullmatch(text) else text


def is_mended_phone(before: str, cleaned: str) -> bool:
    """Whether more was done to a phone number than to write it as such numbers are sent."""
    plain = " ".join(unicodedata.normalize("NFC", before).split())
    has_words = _LETTER.search(plain) and _LETTER.search(_EXTENSION_WORD.sub("", plain))
    return bool(has_words) or _dialled(cleaned) != cleaned or plain != " ".join(cleaned.split())


def _unreadable_phone(text: str, country: str, error: int) -> Complaint:
    if error == NumberParseException.INVALID_COUNTRY_CODE:
        return Complaint(messages.phone_unknown_country_code(text))
    if error in {NumberParseException.TOO_SHORT_NSN, NumberParseException.TOO_SHORT_AFTER_IDD}:
        return _impossible_phone(text, country, too_short=True)
    if error == NumberParseException.TOO_LONG:
        return _impossible_phone(text, country, too_short=False)
    return Complaint(messages.phone_not_a_number(text))


def _impossible_phone(text: str, country: str, *, too_short: bool) -> Complaint:
    # With + the number is no longer one of the row's country.
    where = country_name(country) if country and "+" not in text else ""
    if too_short:
        return Complaint(messages.phone_too_short(text, where))
    suggestions: tuple[str, ...] = ()
    if text.startswith("00"):
        # 00 is how much of the world dials abroad, but not all of it.
        read, problem = read_phone(f"+{text[2:]}", "")
        suggestions = () if problem else (read,)
    return Complaint(messages.phone_impossible(text, where, suggestions), suggestions)


def quantity(value: str) -> Complaint:
    """Why a value is no whole number from 1 to 999,999,999. It is asked about such values only."""
    plain = unicodedata.normalize("NFKC", value)
    if _MANY_DIGITS.fullmatch(plain):
        return Complaint(messages.quantity_too_large(value))
    meant = _ONE_NUMBER.fullmatch(plain)
    suggestions = (meant[1],) if meant else ()
    return Complaint(messages.quantity(value, suggestions), suggestions)


def boolean(value: str) -> Complaint:
    """A value that is neither yes nor no."""
    return Complaint(messages.boolean(value))


def country(value: str) -> Complaint:
    """A value that is no ISO 3166-1 alpha-2 code."""
    suggestions = countries_meant(value)
    return Complaint(messages.country(value, suggestions), suggestions)


def state(value: str, country: str) -> Complaint | None:
    """US and CA: an error where there is no such state. Elsewhere: a warning where the country has a list."""
    rules = postal_rules(country)
    if country in STRICT:
        if not value or value in rules.state_names:
            return None
        keys = tuple(rules.states[fold(name)] for name in state_choices(country).nearest(value))
        return Complaint(messages.state(value, country_name(country), keys), keys)
    if not value or not rules.states or fold(value) in rules.states:
        return None
    suggestions = state_choices(country).nearest(value)
    return Complaint.warning(messages.state_unusual(value, country_name(country), suggestions), suggestions)


def zip_code(value: str, country: str, state: str) -> Complaint | None:
    """US and CA: an error where it is malformed, nobody's, or another state's. Elsewhere: a warning on its form."""
    rules = postal_rules(country)
    if not value or rules.zip_pattern is None:
        return None
    if not _has_form(rules, value):
        suggestions = _mended_zip(rules, value, country)
        if country in STRICT:
            message = messages.zip_code(value, country_name(country), rules.zip_examples, suggestions)
            return Complaint(message, suggestions)
        told = messages.zip_unusual(value, country_name(country), rules.zip_examples, suggestions)
        return Complaint.warning(told, suggestions)
    if country not in STRICT:
        return None
    owners = _owners(rules, value)
    if not owners:
        return Complaint(messages.zip_nowhere(value, country_name(country)))
    if state in rules.zip_prefixes and state not in owners:
        names = [_state_name(rules, key) for key in owners]
        # Some codes cross a border between states, so this is worth a look and no more.
        return Complaint.warning(messages.zip_of_another_state(value, _state_name(rules, state), names))
    return None


def _has_form(rules: PostalRules, value: str) -> bool:
    # Some patterns know capital letters only ("SW1A 1AA"); a carrier reads both.
    return rules.zip_pattern is None or rules.zip_pattern.fullmatch(value.upper()) is not None


def _mended_zip(rules: PostalRules, value: str, country: str) -> tuple[str, ...]:
    """What a code was before a spreadsheet took it for a number, or with the hyphen that it lacks."""
    if country == "US" and (long := _US_LONG_ZIP.fullmatch(value)):
        return (f"{long[1]}-{long[2]}",)
    if not (value.isascii() and value.isdigit()):
        return ()
    padded = [value.zfill(len(value) + zeros) for zeros in (1, 2)]
    return tuple(text for text in padded if _has_form(rules, text) and (country != "US" or _owners(rules, text)))[:1]


def with_zeros_of_state(value: str, state: str) -> str:
    """A US postal code without its zeros in front (2139, or 21390001 with its +4) as the state's; else as it is."""
    rules = postal_rules("US")
    if not (value.isascii() and value.isdigit()) or _has_form(rules, value):
        return value
    padded = value.zfill(5) if len(value) in {3, 4} else value.zfill(9) if len(value) in {7, 8} else ""
    whole = padded if len(padded) <= 5 else f"{padded[:5]}-{padded[5:]}"  # noqa: PLR2004 - a ZIP code's digits
    return whole if whole and state in _owners(rules, whole) else value


def _owners(rules: PostalRules, value: str) -> list[str]:
    """The states whose postal codes begin like this one."""
    return [key for key, prefix in rules.zip_prefixes.items() if prefix.match(value)]


def _state_name(rules: PostalRules, key: str) -> str:
    return f"{rules.state_names[key]} ({key})"


def product_title(value: str, titles: Titles) -> Complaint:
    """A value that is none of the catalog's titles."""
    if value == TITLE_TO_WRITE:
        return Complaint(title_to_write())
    ranked = titles.ranked(value, most=_MOST_TITLES)
    near = [(title, score) for title, score in ranked if score >= ranked[0][1] - _MUCH_FURTHER]
    suggestions = tuple(title for title, _ in near)
    undecided = len(near) > 1 and near[0][1] - near[1][1] < CLEARLY
    return Complaint(messages.unknown_product(value, suggestions), suggestions, undecided=undecided)


def shipping_option(value: str, options: Choices, offered: tuple[str, ...]) -> Complaint:
    """A value that is none of the options that any warehouse offers."""
    suggestions = options.nearest(value)
    return Complaint(messages.shipping_option(value, offered, suggestions), suggestions)


def signature(value: str, country: str) -> Complaint | None:
    """A signature ("yes") can be asked for in US and CA only; in a country that is not known nothing is said."""
    if value != "yes" or not country or country in STRICT:
        return None
    return Complaint(messages.signature_not_available(country_name(country)), ("no",))
