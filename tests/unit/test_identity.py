"""Who an order is for, and what is in it: spellings that mean the same are the same."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders import identity
from batch_orders.characters import deceptive, narrow, visible
from batch_orders.models import Account, Contents, LineItem

_ACCOUNT = Account(id="an account", secret=b"0" * 32)

_CONTENTS = Contents(
    items=(LineItem("Dock", "1"), LineItem('Screen 27"', "2")),
    firstname="Ana",
    lastname="Müller",
    phone_number="+12125550142",
    shipping_address="1 Main St",
    shipping_city="New York",
    shipping_state="NY",
    shipping_zip="10001",
    shipping_country="US",
    expedite_shipping="",
    is_signature_required="no",
)


@pytest.mark.parametrize(
    "spelling",
    [
        "ana@example.com",
        " ANA@Example.COM ",
        "\u00a0ana@example.com\t",
    ],
)
def test_email_spellings(spelling: str) -> None:
    """Case and surrounding space do not make another employee."""
    assert identity.normalise_email(spelling) == "ana@example.com"


def test_email_domains_are_a_labels() -> None:
    """A domain with umlauts and its A-label are one."""
    assert identity.normalise_email("ana@BÜCHER.example") == identity.normalise_email("ana@xn--bcher-kva.example")


def test_two_domains_stay_two() -> None:
    """Folding its case would make straße.de strasse.de; as the Internet spells it, it is another domain."""
    domains = ("Straße.example", "xn--strae-oqa.example", "strasse.example")
    spelled, label, other = (identity.normalise_email(f"max@{domain}") for domain in domains)
    assert spelled == label != other


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("1", " 1.00 "), ("Desk", "desk"), ("É", "E\u0301"), ("New Desk", "new  desk"), ("\uff11", "1")],
)
def test_same_references(one: str, other: str) -> None:
    """Excel's 1.0 is 1, and case, space and composition do not matter."""
    assert identity.normalise_reference(one) == identity.normalise_reference(other)


@pytest.mark.parametrize(("one", "other"), [("1", "10"), ("1.5", "15"), ("", "0"), ("v1.0.1", "v1.0")])
def test_other_references(one: str, other: str) -> None:
    """References that a person would tell apart stay apart."""
    assert identity.normalise_reference(one) != identity.normalise_reference(other)


@given(st.text())
def test_normalising_is_stable_and_never_raises(text: str) -> None:
    """Normalising twice changes nothing, and composition or case of the input does not matter."""
    once = identity.normalise_email(text)
    assert identity.normalise_email(once) == once
    assert identity.normalise_text(unicodedata.normalize("NFD", text)) == identity.normalise_text(text)


_HIDDEN = st.sampled_from("\u00ad\u200b\u200c\u200d\u200e\u2060\ufeff\u061c\u202a\u202e\u2066\u2069\ufe0f\U000e0041")


@given(st.text(), st.data())
def test_what_nobody_sees_makes_no_other_employee(text: str, data: st.DataObject) -> None:
    """Wherever such a character stands in an address or a reference, and however many."""
    hidden = text
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(hidden)))
        hidden = hidden[:place] + data.draw(_HIDDEN) + hidden[place:]
    assert identity.normalise_email(hidden) == identity.normalise_email(text)
    assert identity.normalise_reference(hidden) == identity.normalise_reference(text)


@given(st.text())
def test_what_is_visible_is_stable_and_the_same_identity(text: str) -> None:
    """Taking invisible characters out twice changes nothing, and leaves nothing to complain of."""
    once = visible(text)
    assert visible(once) == once
    assert deceptive(once) == ""
    assert identity.normalise_email(once) == identity.normalise_email(text)
    assert identity.normalise_email(narrow(text)) == identity.normalise_email(text)


def test_key_tells_its_parts_apart() -> None:
    """No shifting of text between e-mail and reference, and no other account or secret, gives the same key."""
    keys = {
        identity.order_key(_ACCOUNT, "a", "bc"),
        identity.order_key(_ACCOUNT, "ab", "c"),
        identity.order_key(_ACCOUNT, 'a","b', "c"),
        identity.order_key(Account(id="other", secret=b"0" * 32), "a", "bc"),
        identity.order_key(Account(id="an account", secret=b"1" * 32), "a", "bc"),
    }
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)


@given(st.text(), st.text(), st.lists(st.tuples(st.text(), st.text())))
def test_keys_and_hashes_stay_what_ledgers_have(one: str, other: str, items: list[tuple[str, str]]) -> None:
    """To the bit: they are of JSON as Python's own encoder writes it, which ledgers have had from the first day."""
    message = json.dumps([_ACCOUNT.id, one, other], ensure_ascii=True)
    assert identity.order_key(_ACCOUNT, one, other) == hmac.new(b"0" * 32, message.encode(), "sha256").hexdigest()
    contents = dataclasses.replace(
        _CONTENTS, items=tuple(LineItem(*item) for item in items), lastname=one, expedite_shipping=other
    )
    canonical = {field.name: getattr(contents, field.name) for field in dataclasses.fields(contents)}
    squeezed = {name: identity.squeeze(text) for name, text in canonical.items() if name != "items"}
    squeezed["items"] = sorted([identity.squeeze(title), identity.squeeze(quantity)] for title, quantity in items)
    expected = hashlib.sha256(json.dumps(squeezed, sort_keys=True).encode()).hexdigest()
    assert identity.content_hash(contents) == expected


def test_content_hash_ignores_order_and_spacing() -> None:
    """Items in another order, or a title with the catalog's double space, are the same contents."""
    shuffled = dataclasses.replace(_CONTENTS, items=(LineItem('Screen  27"', "2"), LineItem("Dock", "1")))
    assert identity.content_hash(shuffled) == identity.content_hash(_CONTENTS)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Contents) if f.name != "items"])
def test_content_hash_sees_every_field(field: str) -> None:
    """Any other value is other contents."""
    assert identity.content_hash(dataclasses.replace(_CONTENTS, **{field: "x"})) != identity.content_hash(_CONTENTS)


def test_content_hash_sees_items() -> None:
    """Another quantity, another title or a title given twice is other contents."""
    for items in [
        (LineItem("Dock", "2"), LineItem('Screen 27"', "2")),
        (LineItem("Dock", "1"),),
        (LineItem("Dock", "1"), LineItem("Dock", "1"), LineItem('Screen 27"', "2")),
    ]:
        assert identity.content_hash(dataclasses.replace(_CONTENTS, items=items)) != identity.content_hash(_CONTENTS)


def test_secret_is_not_in_repr() -> None:
    """The ledger's secret shows nowhere."""
    assert "000" not in repr(_ACCOUNT)


@given(st.lists(st.text(), max_size=4))
def test_arrays_are_those_of_json(texts: list[str]) -> None:
    """The ledger's traces were written by `json.dumps`: what is written now must be the same to the letter."""
    assert identity._array(*texts) == json.dumps(texts)  # no caller can be given every text


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_text_is_normalised_as_any_other(text: str) -> None:
    """The short way for ASCII gives what the long way gives."""
    composed = unicodedata.normalize("NFC", text).strip().casefold()
    assert identity.normalise_text(text) == unicodedata.normalize("NFC", composed)
