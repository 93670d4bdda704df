"""Where a ledger is: an address is read as it stands, and shown without what nobody may read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.places import SCHEME, LedgerUrl

_CANARY = "hunter2/p@ss:w%rd"


def test_an_address_is_read_as_it_stands() -> None:
    """Percent signs are taken away, and what comes after the question mark goes to the driver."""
    url = LedgerUrl.parse(
        "postgresql+psycopg://h%40r:hunter2%2Fp%40ss%3Aw%25rd@db.example.com:5433/my%20orders"
        "?sslmode=verify-full&options=-csearch_path%3Dteam_a"
    )
    assert (url.user, url.password, url.host, url.port, url.database) == (
        "h@r",
        _CANARY,
        "db.example.com",
        5433,
        "my orders",
    )
    assert url.query == (("sslmode", "verify-full"), ("options", "-csearch_path=team_a"))


def test_what_is_shown_is_the_same_place_without_its_secrets() -> None:
    """It can be read again, and leads to the same database; neither text holds a password, wherever it stood."""
    url = LedgerUrl(
        user="hr",
        password=_CANARY,
        host="::1",
        port=None,
        database="a/b",
        query=(("host", "/run/postgresql"), ("sslpassword", _CANARY), ("passfile", "/etc/pass")),
    )
    shown = LedgerUrl.parse(str(url))
    assert (shown.user, shown.host, shown.database) == ("hr", "::1", "a/b")
    assert shown.query == (("host", "/run/postgresql"), ("passfile", "/etc/pass"))
    assert shown.secrets == ()
    assert url.secrets == (_CANARY, _CANARY)
    for text in (str(url), repr(url), f"{url}"):
        assert "hunter2" not in text


def test_only_a_database_need_be_named() -> None:
    """The rest is the driver's own business: PGHOST, PGUSER, a service file."""
    url = LedgerUrl.parse("postgresql+psycopg:///orders")
    assert (url.user, url.password, url.host, url.port, url.database) == ("", "", "", None, "orders")
    assert str(url) == "postgresql+psycopg:///orders"


@given(
    st.builds(
        LedgerUrl,
        user=st.text(st.characters(codec="utf-8")),
        password=st.just(""),
        host=st.sampled_from(["", "db.example.com", "10.0.0.5", "::1"]),
        port=st.none() | st.integers(1, 65_535),
        database=st.text(st.characters(codec="utf-8"), min_size=1),
    )
)
def test_every_place_is_found_again_by_its_name(url: LedgerUrl) -> None:
    """Whatever characters its user and database have."""
    assert LedgerUrl.parse(str(url)) == url


@pytest.mark.parametrize("rest", [f"://me:{_CANARY}@h", f"://me:{_CANARY}@h:x/d", f"://me:{_CANARY} @h/d"])
def test_an_error_does_not_quote_the_address(rest: str) -> None:
    """Somebody may have typed the password in the wrong place."""
    with pytest.raises(ValueError, match=r".") as caught:
        LedgerUrl.parse(SCHEME + rest)
    assert "hunter2" not in str(caught.value)
