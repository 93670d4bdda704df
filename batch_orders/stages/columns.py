"""Map: header names → our columns, by normalised name and a table of synonyms. Pure."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import NEEDED, RESULT_COLUMNS, Cell, Column, Finding, FindingCode, Mapped, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_orders.models import Sheet

# English first, then German, French and Spanish. A word that could mean two things is in no list: "name" (and "nom",
# "nombre"), "number", "region" (EMEA), "amount" (a price), "firma" (signature or company), "estado" (state or status).
# A bare "reference" may be a line number: taken for ours, each row would be an order of its own, and a sheet that was
# ordered without it would be ordered again. "Address 1" is half an address where there is an "Address 2".
_SYNONYMS: dict[Column, tuple[str, ...]] = {
    Column.EMAIL: (
        "recipient email", "contact email", "email id",
        "email", "e-mail address", "email address", "work e-mail", "work email address", "employee email", "mail",
        "company email", "business email", "corporate email",
        "e-mail-adresse", "mailadresse", "courriel", "adresse e-mail", "adresse courriel", "correo",
        "correo electrónico",
    ),
    Column.FIRSTNAME: (
        "given names", "first names",
        "firstname", "given name", "forename", "employee first name", "recipient first name",
        "vorname", "prénom", "nombre de pila",
    ),
    Column.LASTNAME: (
        "lastname", "surname", "family name", "employee last name", "recipient last name",
        "nachname", "familienname", "nom de famille", "apellido", "apellidos",
    ),
    Column.PHONE_NUMBER: (
        "contact phone", "work phone", "mobile phone number", "telephone no", "cell number",
        "phone number", "phone", "telephone", "telephone number", "mobile", "mobile number", "mobile phone",
        "cell", "cell phone", "contact number", "tel", "phone no", "tel no",
        "telefon", "telefonnummer", "rufnummer", "handynummer", "téléphone", "numéro de téléphone", "teléfono",
        "número de teléfono",
    ),
    Column.SHIPPING_ADDRESS: (
        "mailing address", "postal address",
        "shipping address", "address", "street", "street address", "delivery address", "home address",
        "ship to address", "shipping street",
        "adresse", "straße", "straße und hausnummer", "anschrift", "lieferadresse", "rue",
        "adresse de livraison", "dirección", "calle", "dirección de envío",
    ),
    Column.SHIPPING_CITY: (
        "city town", "city or town",
        "shipping city", "city", "town", "delivery city", "ort", "stadt", "wohnort", "ville", "ciudad", "localidad",
    ),
    Column.SHIPPING_STATE: (
        "province state", "state region", "state province region",
        "shipping state", "state", "province", "state province", "state or province",
        "bundesland", "kanton", "provincia",
    ),
    Column.SHIPPING_ZIP: (
        "postal code zip", "postal zip code", "postal zip", "zip or postal code",
        "shipping zip", "zip", "zip code", "zip / postal code", "postal code", "postcode", "post code", "zip postcode",
        "plz", "postleitzahl", "code postal", "código postal", "cp",
    ),
    Column.SHIPPING_COUNTRY: (
        "country iso", "iso country code", "country code iso2", "country iso code",
        "shipping country", "country", "country code", "iso country", "iso2", "country iso2", "ship to country",
        "land", "länderkürzel", "pays", "país",
    ),
    Column.PRODUCT_TITLE: (
        "item title",
        "product title", "product", "product name", "item", "item name", "equipment", "device",
        "hardware", "produkt", "artikel", "produkttitel", "gerät", "produit", "article", "producto",
        "artículo",
    ),
    Column.QUANTITY: (
        "units", "pcs", "order quantity",
        "quantity", "qty", "count", "pieces", "no of items", "number of items", "item quantity",
        "menge", "anzahl", "stück", "quantité", "qté", "cantidad",
    ),
    Column.EXPEDITE_SHIPPING: (
        "ship method", "ship via", "expedited shipping", "shipping type",
        "expedite shipping", "shipping method", "shipping option", "shipping", "expedite", "delivery method",
        "shipping speed", "versandart", "versand", "mode de livraison", "mode d'expédition", "método de envío",
    ),
    Column.IS_SIGNATURE_REQUIRED: (
        "requires signature", "signature required y n", "signature required yes no", "signature on delivery",
        "is signature required", "signature required", "signature", "require signature", "delivery signature",
        "unterschrift", "unterschrift erforderlich", "signature requise", "firma requerida",
    ),
    Column.ORDER_REFERENCE: (
        "order reference", "order ref", "bestellreferenz", "référence de commande", "referencia de pedido",
    ),
    Column.START_DATE: (
        "start date", "starting date", "joining date", "join date", "hire date", "first day", "date of joining",
        "startdatum", "eintrittsdatum", "eintritt", "date de début", "date d'arrivée", "fecha de inicio",
    ),
}  # fmt: skip

# Where a parcel goes is named with or without one of these words in front.
_PREFIXES = ("shipping", "ship to", "delivery", "recipient")
_PLACES: dict[Column, tuple[str, ...]] = {
    Column.SHIPPING_ADDRESS: ("address", "street", "street address"),
    Column.SHIPPING_CITY: ("city", "town"),
    Column.SHIPPING_STATE: ("state", "province"),
    Column.SHIPPING_ZIP: ("zip", "zip code", "postal code", "postcode"),
    Column.SHIPPING_COUNTRY: ("country", "country code"),
}
# The address where it stands alone, and half of it where there is a second line.
_FIRST_LINES = ("address line 1", "address 1", "street 1", "street address 1", "street address line 1")

# How near (of 100) an unknown header must be to be suggested for a missing column.
_NEAR = 70
# Letters that a name must have to be looked for within a longer one.
_LONG_ENOUGH = 5


def _normalised(header: str) -> str:
    """Letters and digits only, without case and accents: "ZIP / postal-code" and "zip postal code" are one."""
    # Decomposed (NFKD), an accent is a character of its own, and no letter.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", header).casefold())
    return "".join(character for character in folded if character.isalnum())


_KNOWN: Mapping[str, Column] = {
    _normalised(name): column for column, names in _SYNONYMS.items() for name in (*names, column.value)
} | {
    _normalised(f"{prefix} {name}"): column
    for column, names in _PLACES.items()
    for name in names
    for prefix in _PREFIXES
}
_FIRST_LINE = {_normalised(f"{prefix}{name}") for name in _FIRST_LINES for prefix in ("", *_PREFIXES)}
_SECOND_LINE = {name.replace("1", "2") for name in _FIRST_LINE}


def known_column(header: str) -> Column | None:
    """Our column that a header means; None where it is the user's own."""
    return _KNOWN.get(_normalised(header))


def recognise(headers: Iterable[str]) -> int:
    """How many different columns of ours stand in a row of headers."""
    return len({column for column in map(known_column, headers) if column is not None})


def map_columns(sheet: Sheet) -> Mapped:
    """Where each of our columns stands in the sheet.

    SheetError, with every finding at once, where a needed column is missing or two headers mean the same one.
    """
    found: dict[Column, list[int]] = {}
    for position, header in enumerate(sheet.headers):
        column = known_column(header)
        if column is not None:
            found.setdefault(column, []).append(position)
    if Column.SHIPPING_ADDRESS not in found:
        found |= _first_line(sheet.headers)
    findings = [*_duplicates(sheet, found), *_missing(sheet, found)]
    if findings:
        raise SheetError(
            messages.columns_wrong(sheet.path), hint=messages.how_to_name_columns(), findings=tuple(findings)
        )
    results, prefix = _result_columns(sheet.headers)
    return Mapped(
        sheet=sheet,
        rows=range(len(sheet.row_numbers)),
        sources={column: tuple(positions) for column, positions in found.items()},
        results=results,
        prefix=prefix,
    )


def _first_line(headers: Sequence[str]) -> dict[Column, list[int]]:
    """The address in a column "Address line 1", where there is no line 2: half an address is never the whole."""
    names = [_normalised(header) for header in headers]
    lines = [position for position, name in enumerate(names) if name in _FIRST_LINE]
    return {Column.SHIPPING_ADDRESS: lines} if lines and not _SECOND_LINE.intersection(names) else {}


def _duplicates(sheet: Sheet, found: Mapping[Column, Sequence[int]]) -> Iterable[Finding]:
    for column, positions in found.items():
        if len(positions) > 1:
            cells = tuple(Cell(sheet.header_row, sheet.first_column + position) for position in positions)
            names = [f"{cell} (“{sheet.headers[position]}”)" for cell, position in zip(cells, positions, strict=True)]
            yield Finding(
                code=FindingCode.DUPLICATE_COLUMN,
                severity=Severity.ERROR,
                message=messages.duplicate_column(column, names),
                column=column,
                rows=(sheet.header_row,),
                cells=cells,
            )


def _missing(sheet: Sheet, found: Mapping[Column, Sequence[int]]) -> Iterable[Finding]:
    own = {header: _normalised(header) for header in sheet.headers if header.strip() and known_column(header) is None}
    for column in NEEDED:
        if column in found:
            continue
        names = [_normalised(name) for name in (*_SYNONYMS[column], column.value)]
        scores = {
            header: max((match[1] for match in process.extract(text, names, scorer=_nearness, limit=1)), default=0)
            for header, text in own.items()
        }
        near = sorted((h for h, score in scores.items() if score >= _NEAR), key=lambda h: -scores[h])
        yield Finding(
            code=FindingCode.MISSING_COLUMN,
            severity=Severity.ERROR,
            message=messages.missing_column(column, near[0] if near else None),
            column=column,
            suggestions=tuple(near[:1]),
        )


def _nearness(one: str, other: str, **_: object) -> float:
    """How alike two header names are, of 100: also where one is the beginning of a longer one, nearly."""
    shorter = min(len(one), len(other))
    part = 0.9 * fuzz.partial_ratio(one, other) if shorter >= _LONG_ENOUGH else 0.0
    return max(fuzz.ratio(one, other), part)


def _result_columns(headers: Sequence[str]) -> tuple[tuple[int, ...], str]:
    """The positions of our own five columns, and the prefix that they have, or get."""
    names = [header.strip().casefold() for header in headers]
    for prefix in ("", "bo_"):
        wanted = [prefix + name for name in RESULT_COLUMNS]
        if all(name in names for name in wanted):
            return tuple(names.index(name) for name in wanted), prefix
    return (), "bo_" if any(name in names for name in RESULT_COLUMNS) else ""
