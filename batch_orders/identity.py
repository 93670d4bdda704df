"""Who an order is for, and what is in it: the two questions on which "sent at most once" stands.

The key says *which* order (account, employee, order reference); the content hash says *what* it holds. Names,
addresses, items, file, row and run are not in the key, so mending or renaming a sheet never orders twice.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import re
import unicodedata
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

import idna

from batch_orders.characters import narrow, without_invisible
from batch_orders.models import Contents

if TYPE_CHECKING:
    from batch_orders.models import Account

# The fields of an order's contents in the order of their names, around its items; and all of them as a JSON object, to
# the letter as `json.dumps(…, sort_keys=True)` writes it.
_FIELDS = sorted(field.name for field in dataclasses.fields(Contents))
_BEFORE, _AFTER = _FIELDS[: _FIELDS.index("items")], _FIELDS[_FIELDS.index("items") + 1 :]
_CANONICAL = "{" + ", ".join(f'"{name}": %s' for name in _FIELDS) + "}"
_WHOLE_NUMBER = re.compile(r"([0-9]+)\.0+\Z")


def normalise_text(text: str) -> str:
    """Trim, compose (NFC) and fold case: two spellings that a person would call the same become equal.

    Characters that nobody sees do not count.
    """
    if text.isascii() and text.isprintable():
        return text.strip().casefold()
    # Folding can undo the composition (and the other way round), so compose on both sides of it.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", without_invisible(text)).strip().casefold())


def normalise_email(text: str) -> str:
    """The e-mail address as an identity: case and surrounding space do not matter, the domain is an A-label.

    Never raises: text that is no address still identifies the row's employee as well as it can.
    """
    text = narrow(text)
    local, at, domain = text.rpartition("@")
    if not at or not domain.strip():
        return normalise_text(text)
    return f"{normalise_text(local)}@{_a_label(domain)}"


@functools.lru_cache(maxsize=1_000)
def _a_label(domain: str) -> str:
    """The domain as the Internet spells it. Folding its case first would make straße.de strasse.de, another domain."""
    composed = unicodedata.normalize("NFC", without_invisible(domain)).strip()
    try:
        return idna.encode(composed, uts46=True).decode("ascii").lower()
    except idna.IDNAError:  # what is no domain name is validation's to say; as an identity the text itself will do
        return normalise_text(domain)


def normalise_reference(text: str) -> str:
    """An order reference as an identity: Excel's `1.0` is `1`; double spaces and full-width digits do not matter."""
    squeezed = " ".join(unicodedata.normalize("NFKC", text).split())
    return _WHOLE_NUMBER.sub(r"\1", normalise_text(squeezed))


def order_key(account: Account, employee: str, reference: str) -> str:
    """The identity of an order: 64 hexadecimal digits that tell nothing without the ledger's secret.

    `employee` and `reference` are normalised (see above).
    """
    # A JSON array cannot be confused by separators inside the parts.
    message = _array(account.id, employee, reference)
    return hmac.digest(account.secret, message.encode(), "sha256").hex()


def full_name(contents: Contents) -> str:
    """First and last name, for telling people apart; "" where either is blank."""
    return name_of_person(contents.firstname, contents.lastname)


def employee_trace(employee: str) -> str:
    """What all orders for one (normalised) e-mail address have in common."""
    return f"employee:{employee}"


def traces(employee: str, contents: Contents) -> tuple[str, ...]:
    """What two orders have in common that are likely for one person: name and postal code, name and phone, mailbox.

    A phone alone is none: a household or an office shares it. The mailbox is the address without its +tag.
    """
    person = traces_of_person(contents.firstname, contents.lastname, contents.phone_number, contents.shipping_zip)
    address = mailbox(employee)
    return (*person, f"mailbox:{address}") if address else person


def mailbox(employee: str) -> str:
    """The (normalised) e-mail address without its +tag; "" where nothing else is in front of the @."""
    local, _, domain = employee.rpartition("@")
    bare = local.partition("+")[0]
    if bare == local:
        return employee if local else ""
    return f"{bare}@{domain}" if bare else ""


def traces_of_person(firstname: str, lastname: str, phone: str, postal_code: str) -> tuple[str, ...]:
    """The traces that a name leaves; none where it is blank."""
    name = name_of_person(firstname, lastname)
    parts = {"zip": "".join(normalise_text(postal_code).split()), "phone": "".join(normalise_text(phone).split())}
    return tuple(_array(kind, name, part) for kind, part in parts.items() if name and part)


def name_of_person(firstname: str, lastname: str) -> str:
    """First and last name as an identity; "" where either is blank."""
    first, last = (" ".join(normalise_text(part).split()) for part in (firstname, lastname))
    return _array(first, last) if first and last else ""


def _array(*texts: str) -> str:
    """Texts as a JSON array, to the letter as `json.dumps` writes it, which first builds an encoder each time."""
    return f"[{', '.join(map(encode_basestring_ascii, texts))}]"


def content_hash(contents: Contents) -> str:
    """What an order holds, as 64 hexadecimal digits.

    Runs of white space count as one, so that a title repaired to the catalog's own spacing stays the same order
    when the title has left the catalog.
    """
    items = sorted([squeeze(item.product_title), squeeze(item.quantity)] for item in contents.items)
    before, after = (
        [encode_basestring_ascii(squeeze(getattr(contents, name))) for name in names] for names in (_BEFORE, _AFTER)
    )
    listed = f"[{', '.join([_array(*item) for item in items])}]"
    return hashlib.sha256((_CANONICAL % (*before, listed, *after)).encode()).hexdigest()


def squeeze(text: str) -> str:
    """The text composed, with every run of white space as one plain space."""
    return " ".join(unicodedata.normalize("NFC", text).split())
