"""The simulated Device Hub, over real sockets: does it answer as the API's reference says?"""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from batch_orders.sandbox import Sandbox, SandboxOptions, running, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/refresh-token"
WAREHOUSES = "/api/v1/device-hub/warehouses"
INVENTORY = "/api/v1/device-hub/inventory"
PLACE_ORDER = "/api/v1/device-hub/place-order"

# httpx builds a new one for every call otherwise, which is most of a call's time, and then never uses it here.
UNUSED_TLS = ssl.create_default_context()

MACBOOK = 'Apple MacBook Pro 14" M4 16GB 512GB'
MOUSE = "Logitech M185 Wireless Mouse"
ONLY_THREE = 'Apple MacBook Pro 16" M4 Pro 48GB 1TB'
ONLY_TWO = 'Apple Studio Display 27" 5K'
SOLD_OUT = 'Dell XPS 13 9350 13.4" Core Ultra 7 32GB 1TB'
IN_ALL_THREE = "Logitech MX Master 3S Wireless Mouse"

REQUIRED_TEXTS = (
    "email",
    "firstname",
    "lastname",
    "shipping_address",
    "shipping_city",
    "shipping_state",
    "shipping_zip",
    "shipping_country",
    "phone_number",
)


def order(**changes: Any) -> dict[str, Any]:
    """A body that Device Hub takes, with these fields changed."""
    return {
        "items": [{"product_title": MOUSE, "quantity": 1}],
        "email": "ada.example@example.com",
        "firstname": "Ada",
        "lastname": "Example",
        "shipping_address": "1 Main Street",
        "shipping_city": "Springfield",
        "shipping_state": "IL",
        "shipping_zip": "62701",
        "shipping_country": "US",
        "phone_number": "+1 212 555 0142",
        "expedite_shipping": None,
        "is_signature_required": False,
    } | changes


def one(title: str, quantity: Any = 1) -> list[dict[str, Any]]:
    """The items of an order of one title."""
    return [{"product_title": title, "quantity": quantity}]


def log_in(sandbox: Sandbox) -> str:
    """A fresh token."""
    credentials = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    answer = httpx.post(sandbox.base_url + LOGIN, json=credentials, verify=UNUSED_TLS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def bearer(token: str) -> dict[str, str]:
    """The header of a call that is logged in."""
    return {"Authorization": f"Bearer {token}"}


def place(sandbox: Sandbox, token: str, body: Any) -> httpx.Response:
    """One order on a fresh connection, as the client sends them."""
    return httpx.post(sandbox.base_url + PLACE_ORDER, json=body, headers=bearer(token), verify=UNUSED_TLS)


def stock(sandbox: Sandbox, token: str, title: str) -> int:
    """How many pieces of a title all inventories list together; it has to be listed somewhere."""
    found = [
        product["quantity"]
        for warehouse in ("QebLm2p7", "Vk3tRw9x", "Zn8cHd4s")
        for product in products(sandbox, token, warehouse_id=warehouse)
        if product["title"] == title
    ]
    assert found
    return sum(found)


def products(sandbox: Sandbox, token: str, **query: str) -> list[dict[str, Any]]:
    """Every product that one warehouse's inventory lists."""
    answer = httpx.get(sandbox.base_url + INVENTORY, params=query, headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return [product for category in answer.json()["data"] for product in category["products"]]


def refused(answer: httpx.Response, status: int, code: str) -> list[dict[str, str]]:
    """The details of a refusal in the long shape, whose every part is looked at."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    details: list[dict[str, str]] = body["error"]["details"]
    assert all(detail.keys() == {"field", "message"} for detail in details)
    return details


@pytest.fixture(scope="module")
def hub() -> Iterator[Sandbox]:
    """A sandbox that tests share as long as they use up none of its stock that others count on."""
    with running(SandboxOptions(rate_limit=100_000)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def token(hub: Sandbox) -> str:
    """A token for the shared sandbox."""
    return log_in(hub)


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A sandbox of the test's own, without a rate limit that matters."""
    with running(SandboxOptions(rate_limit=100_000)) as sandbox:
        yield sandbox


class TestLogin:
    """Logging in, and staying so."""

    def test_token_is_a_jwt_of_four_hours(self, token: str) -> None:
        """The token says when it was issued, when it expires, and which one it is."""
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == pytest.approx(4 * 3600)
        assert abs(claims["iat"] - time.time()) < 120
        assert claims["jti"]

    def test_tokens_differ(self, hub: Sandbox, token: str) -> None:
        """No token is issued twice."""
        assert log_in(hub) != token

    @pytest.mark.parametrize("wrong", [{"client_id": "somebody@example.com"}, {"client_secret": "wrong é"}])
    def test_wrong_credentials(self, hub: Sandbox, wrong: dict[str, str]) -> None:
        """A wrong address or password is a 401 in the documented words."""
        credentials = {"client_id": hub.client_id, "client_secret": hub.client_secret} | wrong
        answer = httpx.post(hub.base_url + LOGIN, json=credentials)
        assert (answer.status_code, answer.json()) == (401, {"message": "Invalid email or password"})

    @pytest.mark.parametrize(
        ("body", "missing"),
        [
            ({}, "client_id, client_secret"),
            ({"client_id": "hr@example.com"}, "client_secret"),
            ({"client_id": 7, "client_secret": ""}, "client_id, client_secret"),
        ],
    )
    def test_missing_fields(self, hub: Sandbox, body: dict[str, Any], missing: str) -> None:
        """What is missing is named, with 400."""
        answer = httpx.post(hub.base_url + LOGIN, json=body)
        assert (answer.status_code, answer.json()) == (400, {"message": f"Missing required fields: {missing}"})

    def test_guessing_is_stopped(self, fresh: Sandbox) -> None:
        """After ten failures in a minute even the right password has to wait."""
        credentials = {"client_id": fresh.client_id, "client_secret": "guess"}
        failures = [httpx.post(fresh.base_url + LOGIN, json=credentials) for _ in range(10)]
        assert [answer.status_code for answer in failures] == [401] * 10
        right = credentials | {"client_secret": fresh.client_secret}
        answer = httpx.post(fresh.base_url + LOGIN, json=right)
        refused(answer, 429, "RATE_LIMIT_EXCEEDED")
        assert 50 <= int(answer.headers["Retry-After"]) <= 60

    def test_refresh(self, hub: Sandbox, token: str) -> None:
        """A refreshed token is a new one, and both hold."""
        answer = httpx.post(hub.base_url + REFRESH, json={"refresh_token": token})
        assert answer.status_code == 200
        assert answer.json().keys() == {"message", "token"}
        assert answer.json()["token"] != token
        for each in (answer.json()["token"], token):
            assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(each)).status_code == 200

    def test_refresh_needs_a_token(self, hub: Sandbox) -> None:
        """Without one it is a 400 that says so."""
        answer = httpx.post(hub.base_url + REFRESH, json={})
        assert (answer.status_code, answer.json()) == (400, {"message": "Missing required fields: refresh_token"})

    def test_refresh_of_an_unknown_token(self, hub: Sandbox, fresh: Sandbox) -> None:
        """Garbage, and a token of another sandbox, are refused with 401."""
        for unknown in ("garbage", "é", log_in(fresh)):
            answer = httpx.post(hub.base_url + REFRESH, json={"refresh_token": unknown})
            assert (answer.status_code, answer.json().keys()) == (401, {"message"})

    def test_expiry(self) -> None:
        """An expired token is a 401 TOKEN_EXPIRED and cannot be refreshed; a new login goes on."""
        with running(SandboxOptions(token_lifetime=0.4)) as sandbox:
            token = log_in(sandbox)
            first = httpx.get(sandbox.base_url + WAREHOUSES, headers=bearer(token))
            time.sleep(0.5)
            expired = place(sandbox, token, order())
            refresh = httpx.post(sandbox.base_url + REFRESH, json={"refresh_token": token})
            again = httpx.get(sandbox.base_url + WAREHOUSES, headers=bearer(log_in(sandbox)))
            assert sandbox.orders == []
        assert first.status_code == 200
        assert refused(expired, 401, "TOKEN_EXPIRED") == []
        assert (refresh.status_code, refresh.json().keys()) == (401, {"message"})
        assert again.status_code == 200

    @pytest.mark.parametrize("by_http", [True, False])
    def test_revoked(self, fresh: Sandbox, by_http: bool) -> None:
        """A revoked token is a 401, its refresh a 403, and a new login works."""
        token = log_in(fresh)
        if by_http:
            assert httpx.post(fresh.base_url + "/sandbox/revoke-tokens", json={}).status_code == 200
        else:
            fresh.revoke_tokens()
        assert httpx.get(fresh.base_url + WAREHOUSES, headers=bearer(token)).status_code == 401
        refresh = httpx.post(fresh.base_url + REFRESH, json={"refresh_token": token})
        assert (refresh.status_code, refresh.json().keys()) == (403, {"message"})
        assert httpx.get(fresh.base_url + WAREHOUSES, headers=bearer(log_in(fresh))).status_code == 200

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer garbage", "Basic aHI6", "Bearer a.b.c"])
    @pytest.mark.parametrize("call", [("GET", WAREHOUSES), ("GET", INVENTORY), ("POST", PLACE_ORDER)])
    def test_calls_need_a_token(self, hub: Sandbox, call: tuple[str, str], header: str | None) -> None:
        """Without a token that holds, every other call is a 401 in the short shape, whatever else is wrong."""
        method, path = call
        headers = {} if header is None else {"Authorization": header}
        answer = httpx.request(method, hub.base_url + path, headers=headers)
        assert (answer.status_code, answer.json().keys()) == (401, {"message"})

    def test_scheme_in_any_case(self, hub: Sandbox, token: str) -> None:
        """The scheme's name is not case-sensitive in HTTP."""
        answer = httpx.get(hub.base_url + WAREHOUSES, headers={"Authorization": f"bearer {token}"})
        assert answer.status_code == 200


class TestCatalog:
    """What there is to order, and how it ships."""

    def test_warehouses(self, hub: Sandbox, token: str) -> None:
        """Three warehouses in the documented shape; together they offer all three options, none of them all."""
        answer = httpx.get(hub.base_url + WAREHOUSES, headers=bearer(token))
        assert answer.status_code == 200
        body = answer.json()
        assert body.keys() == {"success", "status", "message", "data"}
        assert body["success"] is True
        assert body["data"].keys() == {"ware_houses"}
        listed = body["data"]["ware_houses"]
        assert [each.keys() for each in listed] == [{"warehouse_id", "name", "shipping_options"}] * 3
        offered = [set(each["shipping_options"]) for each in listed]
        assert set.union(*offered) == {"UPS Ground", "2nd Day Air", "Overnight"}
        assert all(len(options) < 3 for options in offered)

    def test_inventory(self, hub: Sandbox, token: str) -> None:
        """An inventory in the documented shape, whose totals are right."""
        answer = httpx.get(hub.base_url + INVENTORY, params={"warehouse_id": "QebLm2p7"}, headers=bearer(token))
        assert answer.status_code == 200
        body = answer.json()
        totals = {"total_categories", "total_products"}
        assert body.keys() == {"success", "message", "warehouse_id", "warehouse_name", "data"} | totals
        assert body["warehouse_id"] == "QebLm2p7"
        assert [category.keys() for category in body["data"]] == [{"category_name", "products"}] * 6
        listed = [product for category in body["data"] for product in category["products"]]
        assert (body["total_categories"], body["total_products"]) == (6, len(listed))
        for product in listed:
            assert product.keys() == {
                "company_sku",
                "title",
                "slug",
                "description",
                "quantity",
                "brand_name",
                "model_name",
                "product_image",
                "created_at",
                "updated_at",
            }
            assert product["product_image"].startswith("https://example.com/")
            assert type(product["quantity"]) is int

    def test_the_stock_is_worth_testing_with(self, hub: Sandbox, token: str) -> None:
        """Enough titles, plenty of most, and the awkward ones."""
        total: dict[str, int] = {}
        listings = 0
        slugs: dict[str, set[str]] = {}
        for warehouse in ("QebLm2p7", "Vk3tRw9x", "Zn8cHd4s"):
            listed = products(hub, token, warehouse_id=warehouse)
            assert len({product["title"] for product in listed}) == len(listed)
            listings += len(listed)
            for product in listed:
                total[product["title"]] = total.get(product["title"], 0) + product["quantity"]
                slugs.setdefault(product["slug"], set()).add(product["title"])
        assert len(total) >= 60
        assert listings > len(total)
        assert all(len(titles) == 1 for titles in slugs.values())
        assert [title for title, pieces in total.items() if pieces == 0] == [SOLD_OUT]
        assert {title for title, pieces in total.items() if 0 < pieces < 200} == {ONLY_TWO, ONLY_THREE}
        for awkward in ('27"', "– Français (AZERTY)", ", USB-C", " & "):
            assert any(awkward in title for title in total), awkward
        assert {MACBOOK, MACBOOK.replace("16GB", "32GB")} <= total.keys()

    def test_filters(self, hub: Sandbox, token: str) -> None:
        """`search` looks for text in titles, `category_name` for a category; both in any case, and both at once."""
        here = {"warehouse_id": "QebLm2p7"}
        searched = products(hub, token, **here, search="FRANÇAIS")
        assert [product["title"] for product in searched] == ["Logitech MX Keys – Français (AZERTY)"]
        category = products(hub, token, **here, category_name="keyboards & mice")
        assert searched[0] in category
        assert all(product["title"] != MACBOOK for product in category)
        assert products(hub, token, **here, category_name="Laptops", search="Français") == []

    def test_warehouse_is_needed(self, hub: Sandbox, token: str) -> None:
        """Without `warehouse_id` it is a 400 in the short shape."""
        answer = httpx.get(hub.base_url + INVENTORY, headers=bearer(token))
        assert (answer.status_code, answer.json()) == (400, {"message": "Missing required fields: warehouse_id"})

    def test_unknown_warehouse(self, hub: Sandbox, token: str) -> None:
        """An unknown one is a 404 in the long shape."""
        answer = httpx.get(hub.base_url + INVENTORY, params={"warehouse_id": "nowhere"}, headers=bearer(token))
        refused(answer, 404, "WAREHOUSE_NOT_FOUND")


class TestPlaceOrder:
    """Placing an order, and every way to be refused."""

    def test_answer(self, hub: Sandbox, token: str) -> None:
        """The documented answer: a number of digits, and each product with its price; the body is kept as it came."""
        items = [*one(MACBOOK, 2), *one(MOUSE)]
        answer = place(hub, token, order(items=items))
        assert answer.status_code == 200
        body = answer.json()
        assert body.keys() == {"message", "data"}
        assert body["data"].keys() == {"order_number", "products"}
        number = body["data"]["order_number"]
        assert number.isascii()
        assert number.isdigit()
        assert 10 <= len(number) <= 12
        assert [(line["name"], line["qty"]) for line in body["data"]["products"]] == [(MACBOOK, 2), (MOUSE, 1)]
        for line in body["data"]["products"]:
            assert line.keys() == {"name", "qty", "price", "image"}
            assert line["price"] > 0
            assert line["image"].startswith("https://")
        kept = hub.orders[-1]
        assert (kept.order_number, kept.body) == (number, order(items=items))

    def test_every_awkward_title_can_be_ordered(self, fresh: Sandbox) -> None:
        """Each title in stock is accepted exactly as the inventory writes it."""
        token = log_in(fresh)
        titles = {
            product["title"]
            for warehouse in ("QebLm2p7", "Vk3tRw9x", "Zn8cHd4s")
            for product in products(fresh, token, warehouse_id=warehouse)
        }
        for title in titles - {SOLD_OUT}:
            assert place(fresh, token, order(items=one(title))).status_code == 200, title

    @pytest.mark.parametrize(
        "title",
        [MOUSE.lower(), MOUSE + " ", MOUSE[:-1], "", MACBOOK.replace('"', "”"), "Logitech MX Keys – Francais (AZERTY)"],
    )
    def test_titles_match_exactly(self, hub: Sandbox, token: str, title: str) -> None:
        """Nearly the title is not the title."""
        (detail,) = refused(place(hub, token, order(items=one(title))), 422, "VALIDATION_ERROR")
        assert detail["field"] == "items[0].product_title"
        assert title in detail["message"]

    @pytest.mark.parametrize("field", ["items", *REQUIRED_TEXTS])
    def test_required_field_missing(self, hub: Sandbox, token: str, field: str) -> None:
        """Each required field is missed by name, and nothing is placed."""
        before = len(hub.orders)
        body = order()
        del body[field]
        (detail,) = refused(place(hub, token, body), 422, "VALIDATION_ERROR")
        assert detail == {"field": field, "message": f"{field} is required"}
        assert len(hub.orders) == before

    @pytest.mark.parametrize("field", ["product_title", "quantity"])
    def test_required_field_of_an_item_missing(self, hub: Sandbox, token: str, field: str) -> None:
        """So is each required field of each item; the item is counted."""
        items = one(MOUSE) + one(MACBOOK)
        del items[1][field]
        (detail,) = refused(place(hub, token, order(items=items)), 422, "VALIDATION_ERROR")
        assert detail == {"field": f"items[1].{field}", "message": f"{field} is required"}

    @pytest.mark.parametrize("field", ["expedite_shipping", "is_signature_required"])
    def test_optional_fields(self, hub: Sandbox, token: str, field: str) -> None:
        """The two optional fields may be left out."""
        body = order()
        del body[field]
        assert place(hub, token, body).status_code == 200

    @pytest.mark.parametrize("field", REQUIRED_TEXTS)
    @pytest.mark.parametrize("value", [None, 62701, ["a"]])
    def test_texts_are_texts(self, hub: Sandbox, token: str, field: str, value: Any) -> None:
        """Every text field has to be a JSON string."""
        details = refused(place(hub, token, order(**{field: value})), 422, "VALIDATION_ERROR")
        assert {"field": field, "message": f"{field} must be a string"} in details

    @pytest.mark.parametrize("field", REQUIRED_TEXTS)
    def test_empty_texts(self, hub: Sandbox, token: str, field: str) -> None:
        """Only state and postal code may be empty, for there are countries without."""
        answer = place(hub, token, order(**{field: ""}))
        if field in {"shipping_state", "shipping_zip"}:
            assert answer.status_code == 200
        else:
            (detail,) = refused(answer, 422, "VALIDATION_ERROR")
            assert detail["field"] == field

    @pytest.mark.parametrize("quantity", [0, -1, 1.0, 1.5, "1", True, None, [1]])
    def test_quantities_are_whole(self, hub: Sandbox, token: str, quantity: Any) -> None:
        """A quantity is a JSON integer of 1 or more."""
        (detail,) = refused(place(hub, token, order(items=one(MOUSE, quantity))), 422, "VALIDATION_ERROR")
        assert detail["field"] == "items[0].quantity"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"items": []}, "items"),
            ({"items": {"product_title": MOUSE, "quantity": 1}}, "items"),
            ({"items": [MOUSE]}, "items[0]"),
            ({"items": [*one(MOUSE), {"product_title": 7, "quantity": 1}]}, "items[1].product_title"),
            ({"email": "ada"}, "email"),
            ({"email": "ada@example"}, "email"),
            ({"email": "ada example@example.com"}, "email"),
            ({"shipping_country": "us"}, "shipping_country"),
            ({"shipping_country": "USA"}, "shipping_country"),
            ({"shipping_country": "UK"}, "shipping_country"),
            ({"shipping_country": "XX"}, "shipping_country"),
            ({"expedite_shipping": ""}, "expedite_shipping"),
            ({"expedite_shipping": "overnight"}, "expedite_shipping"),
            ({"expedite_shipping": 2}, "expedite_shipping"),
            ({"is_signature_required": "yes"}, "is_signature_required"),
            ({"is_signature_required": None}, "is_signature_required"),
            ({"is_signature_required": 1}, "is_signature_required"),
            ({"is_signature_required": True, "shipping_country": "GB"}, "is_signature_required"),
        ],
    )
    def test_wrong_values(self, hub: Sandbox, token: str, changes: dict[str, Any], field: str) -> None:
        """A value that breaks a documented rule is refused by the field's name."""
        details = refused(place(hub, token, order(**changes)), 422, "VALIDATION_ERROR")
        assert [detail["field"] for detail in details] == [field]

    @pytest.mark.parametrize(
        "changes",
        [
            {"is_signature_required": True},
            {"is_signature_required": True, "shipping_country": "CA"},
            {"shipping_country": "NA", "shipping_state": "", "shipping_zip": ""},
            {"expedite_shipping": "UPS Ground"},
            {"expedite_shipping": "2nd Day Air"},
            {"expedite_shipping": "Overnight"},
        ],
    )
    def test_right_values(self, hub: Sandbox, token: str, changes: dict[str, Any]) -> None:
        """What the documented rules allow is taken."""
        assert place(hub, token, order(**changes)).status_code == 200

    def test_all_complaints_at_once(self, hub: Sandbox, token: str) -> None:
        """Every field that is wrong is named in one answer."""
        details = refused(place(hub, token, {}), 422, "VALIDATION_ERROR")
        assert [detail["field"] for detail in details] == ["items", *REQUIRED_TEXTS]

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"email": "\xff"}',
            b'{"email": NaN}',
            b'{"email": "\\ud800"}',
            b"[" * 100_000,
            b'{"quantity": ' + b"9" * 5000 + b"}",
            b'{"email": "' + b"x" * 1_000_000 + b'"}',
        ],
        ids=["empty", "cut", "array", "null", "latin-1", "NaN", "half a pair", "deep", "long number", "too large"],
    )
    def test_malformed_body(self, hub: Sandbox, token: str, raw: bytes) -> None:
        """What is no JSON object is a 400 in the short shape."""
        headers = bearer(token) | {"Content-Type": "application/json"}
        answer = httpx.post(hub.base_url + PLACE_ORDER, content=raw, headers=headers)
        assert (answer.status_code, answer.json().keys()) == (400, {"message"})

    @pytest.mark.parametrize("path", [LOGIN, REFRESH, PLACE_ORDER, "/sandbox/discontinue", "/sandbox/revoke-tokens"])
    @pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
    def test_content_type_is_needed(self, hub: Sandbox, token: str, path: str, media_type: str | None) -> None:
        """A body not announced as JSON is a 400: another site's form cannot send anything here."""
        headers = bearer(token) | ({"Content-Type": media_type} if media_type else {})
        answer = httpx.post(hub.base_url + path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()) == (400, {"message": "Content-Type must be application/json"})

    def test_content_type_with_charset(self, hub: Sandbox, token: str) -> None:
        """Parameters and case of the content type do not matter."""
        headers = bearer(token) | {"Content-Type": "Application/JSON; charset=utf-8"}
        answer = httpx.post(hub.base_url + PLACE_ORDER, content=b"{}", headers=headers)
        assert answer.status_code == 422

    def test_numbers_never_repeat(self) -> None:
        """Order numbers go on counting up after a restart."""
        numbers = []
        for _ in range(2):
            with running(SandboxOptions(rate_limit=100_000)) as sandbox:
                token = log_in(sandbox)
                numbers += [place(sandbox, token, order()).json()["data"]["order_number"] for _ in range(20)]
        assert all(int(earlier) < int(later) for earlier, later in pairwise(numbers))


class TestStock:
    """What is ordered is taken from the stock, exactly."""

    def test_stock_goes_down(self, fresh: Sandbox) -> None:
        """The inventories list fewer afterwards, and when that changed."""
        token = log_in(fresh)
        before = stock(fresh, token, IN_ALL_THREE)
        assert place(fresh, token, order(items=one(IN_ALL_THREE, 6000))).status_code == 200
        assert stock(fresh, token, IN_ALL_THREE) == before - 6000
        (product,) = products(fresh, token, warehouse_id="QebLm2p7", search=IN_ALL_THREE)
        assert product["quantity"] == 0
        assert product["updated_at"] > product["created_at"]

    def test_everything_can_be_taken(self, fresh: Sandbox) -> None:
        """The stock of all warehouses counts together, to the last piece and no further."""
        token = log_in(fresh)
        total = stock(fresh, token, IN_ALL_THREE)
        (detail,) = refused(place(fresh, token, order(items=one(IN_ALL_THREE, total + 1))), 422, "INSUFFICIENT_STOCK")
        assert detail["field"] == "items[0].quantity"
        assert str(total) in detail["message"]
        assert place(fresh, token, order(items=one(IN_ALL_THREE, total))).status_code == 200
        assert stock(fresh, token, IN_ALL_THREE) == 0

    def test_nothing_is_taken_by_halves(self, fresh: Sandbox) -> None:
        """Where one item is short the others stay, and the message names the short one."""
        token = log_in(fresh)
        before = stock(fresh, token, MOUSE)
        answer = place(fresh, token, order(items=[*one(MOUSE, 5), *one(SOLD_OUT)]))
        (detail,) = refused(answer, 422, "INSUFFICIENT_STOCK")
        assert detail["field"] == "items[1].quantity"
        assert SOLD_OUT in answer.json()["error"]["message"]
        assert stock(fresh, token, MOUSE) == before
        assert fresh.orders == []

    def test_same_title_twice_counts_together(self, fresh: Sandbox) -> None:
        """Two lines of one title need the sum of both."""
        token = log_in(fresh)
        refused(place(fresh, token, order(items=one(ONLY_THREE, 2) * 2)), 422, "INSUFFICIENT_STOCK")
        assert stock(fresh, token, ONLY_THREE) == 3

    def test_last_pieces_under_concurrency(self, fresh: Sandbox) -> None:
        """Of many orders at once for the last three pieces exactly three are placed, under three numbers."""
        token = log_in(fresh)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: place(fresh, token, order(items=one(ONLY_THREE))), range(48)))
        taken = [answer.json()["data"]["order_number"] for answer in answers if answer.status_code == 200]
        assert sorted(taken) == sorted(each.order_number for each in fresh.orders)
        assert len(set(taken)) == 3
        assert {answer.status_code for answer in answers} == {200, 422}
        assert stock(fresh, token, ONLY_THREE) == 0

    def test_many_orders_at_once(self, fresh: Sandbox) -> None:
        """Hundreds of orders, each on a connection of its own, are all answered and all counted."""
        token = log_in(fresh)
        before = stock(fresh, token, MOUSE)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: place(fresh, token, order(items=one(MOUSE, 3))), range(300)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["data"]["order_number"] for answer in answers}) == 300
        assert stock(fresh, token, MOUSE) == before - 900


class TestPaceAndLatency:
    """How fast orders may come, and how long an answer takes."""

    def test_rate_limit(self) -> None:
        """Above the limit the answer is 429 with `Retry-After` and nothing is placed; a second later it goes on."""
        with running(SandboxOptions(rate_limit=2)) as sandbox:
            token = log_in(sandbox)
            with httpx.Client(base_url=sandbox.base_url, headers=bearer(token)) as client:
                started = time.monotonic()
                answers = [client.post(PLACE_ORDER, json=order()) for _ in range(4)]
                took = time.monotonic() - started
                placed = len(sandbox.orders)
                time.sleep(1.05)
                later = client.post(PLACE_ORDER, json=order())
        assert took < 1, "this machine is too slow for the test to say anything"
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert refused(answers[2], 429, "RATE_LIMIT_EXCEEDED") == []
        assert answers[2].headers["Retry-After"] == "1"
        assert placed == 2
        assert later.status_code == 200

    def test_only_orders_are_limited(self) -> None:
        """Reading the catalog, and orders without a valid token, do not use the limit up."""
        with running(SandboxOptions(rate_limit=1)) as sandbox:
            token = log_in(sandbox)
            for _ in range(3):
                assert httpx.get(sandbox.base_url + WAREHOUSES, headers=bearer(token)).status_code == 200
                assert place(sandbox, "garbage", order()).status_code == 401
            assert place(sandbox, token, order()).status_code == 200

    def test_latency_comes_after_placing(self) -> None:
        """An order whose answer nobody waits for is placed all the same; stopping does not wait for it either."""
        with running(SandboxOptions(latency=60)) as sandbox:
            token = log_in(sandbox)
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(sandbox.base_url + PLACE_ORDER, json=order(), headers=bearer(token), timeout=0.5)
            assert [each.body for each in sandbox.orders] == [order()]
            started = time.monotonic()
        assert time.monotonic() - started < 30

    def test_latency_does_not_hold_up_others(self) -> None:
        """Orders in flight at once are delayed side by side."""
        with running(SandboxOptions(latency=1.0, rate_limit=100)) as sandbox:
            token = log_in(sandbox)
            started = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: place(sandbox, token, order()), range(8)))
            took = time.monotonic() - started
        assert {answer.status_code for answer in answers} == {200}
        assert 1.0 <= took < 8.0


class TestDiscontinued:
    """A title can disappear while somebody holds yesterday's list."""

    @pytest.mark.parametrize("by_http", [True, False])
    def test_discontinue(self, fresh: Sandbox, by_http: bool) -> None:
        """It leaves every inventory and can no longer be ordered; a second time there is nothing to discontinue."""
        token = log_in(fresh)
        url, body = fresh.base_url + "/sandbox/discontinue", {"product_title": IN_ALL_THREE}
        if by_http:
            assert httpx.post(url, json=body).status_code == 200
            refused(httpx.post(url, json=body), 404, "PRODUCT_NOT_FOUND")
        else:
            fresh.discontinue(IN_ALL_THREE)
            with pytest.raises(ValueError, match="MX Master 3S"):
                fresh.discontinue(IN_ALL_THREE)
        for warehouse in ("QebLm2p7", "Vk3tRw9x", "Zn8cHd4s"):
            assert products(fresh, token, warehouse_id=warehouse, search=IN_ALL_THREE) == []
        refused(place(fresh, token, order(items=one(IN_ALL_THREE))), 422, "VALIDATION_ERROR")

    def test_from_the_start(self) -> None:
        """The option does the same before anybody looks."""
        with running(SandboxOptions(discontinued=(MACBOOK,))) as sandbox:
            token = log_in(sandbox)
            left = [product["title"] for product in products(sandbox, token, warehouse_id="QebLm2p7")]
            answer = place(sandbox, token, order(items=one(MACBOOK)))
        assert MACBOOK not in left
        assert MOUSE in left
        refused(answer, 422, "VALIDATION_ERROR")


class TestLooking:
    """What a person, or a test, sees of the orders."""

    def test_orders_as_json(self, fresh: Sandbox) -> None:
        """Every placed order with its number, its time and the body as it came, oldest first, without a login."""
        token = log_in(fresh)
        assert httpx.get(fresh.base_url + "/sandbox/orders").json() == []
        bodies = [order(firstname=name, unknown_field=1) for name in ("Ada", "Zoë")]
        numbers = [place(fresh, token, body).json()["data"]["order_number"] for body in bodies]
        listed = httpx.get(fresh.base_url + "/sandbox/orders").json()
        assert [each.keys() for each in listed] == [{"order_number", "placed_at", "body"}] * 2
        assert [(each["order_number"], each["body"]) for each in listed] == list(zip(numbers, bodies, strict=True))
        assert all(each["placed_at"].endswith("+00:00") for each in listed)

    def test_page_escapes_everything(self, fresh: Sandbox) -> None:
        """Nothing an order brings along becomes markup on the page."""
        token = log_in(fresh)
        nasty = "<script>alert('x')</script>\"&"
        body = order(firstname=nasty, lastname="$count", email="<b>@example.com", items=one(ONLY_TWO))
        assert place(fresh, token, body).status_code == 200
        answer = httpx.get(fresh.base_url + "/")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert "<b>" not in answer.text
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp; $count" in answer.text
        assert "1 × Apple Studio Display 27&quot; 5K" in answer.text
        assert fresh.orders[0].order_number in answer.text

    def test_page_says_what_it_is(self, fresh: Sandbox) -> None:
        """Even an empty page says that this is a simulation, and loads nothing from elsewhere."""
        text = httpx.get(fresh.base_url + "/").text
        assert "This is a simulation." in text
        assert "No orders yet" in text
        assert "http" not in text

    def test_page_stays_short(self, fresh: Sandbox) -> None:
        """After very many orders the page shows the newest and says so."""
        token = log_in(fresh)
        with httpx.Client(base_url=fresh.base_url, headers=bearer(token)) as client:
            for _ in range(201):
                assert client.post(PLACE_ORDER, json=order()).status_code == 200
        text = httpx.get(fresh.base_url + "/").text
        assert "201 orders placed; the newest 200 are shown" in text
        numbers = [each.order_number for each in fresh.orders]
        assert numbers[0] not in text
        assert text.index(numbers[-1]) < text.index(numbers[1])

    @pytest.mark.parametrize("path", ["/nowhere", "/docs", "/openapi.json", WAREHOUSES + "/"])
    def test_nothing_else(self, hub: Sandbox, path: str) -> None:
        """Any other path is a 404 in the short shape, and never a redirect."""
        answer = httpx.get(hub.base_url + path)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})

    def test_wrong_method(self, hub: Sandbox) -> None:
        """Another method is a 405."""
        answer = httpx.get(hub.base_url + PLACE_ORDER)
        assert (answer.status_code, answer.json()) == (405, {"message": "Method Not Allowed"})


class TestServer:
    """Who can reach it, and how it comes and goes."""

    @pytest.mark.parametrize("path", ["/", "/sandbox/orders", LOGIN])
    @pytest.mark.parametrize(
        "host", ["evil.example.com", "evil.example.com:80", "127.0.0.1.evil.example.com", "10.0.0.1"]
    )
    def test_other_host_names_are_refused(self, hub: Sandbox, path: str, host: str) -> None:
        """A web page that rebinds its name to this machine gets nothing."""
        assert httpx.get(hub.base_url + path, headers={"Host": host}).status_code == 400

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8080"])
    def test_own_host_names(self, hub: Sandbox, host: str) -> None:
        """This machine's own names are fine, with any port."""
        assert httpx.get(hub.base_url + "/", headers={"Host": host}).status_code == 200

    def test_a_bug_is_a_500(self, fresh: Sandbox) -> None:
        """Should the sandbox itself break, its answer has the long shape, and it goes on answering."""
        token = log_in(fresh)
        del fresh._state._shelves
        refused(place(fresh, token, order()), 500, "INTERNAL_SERVER_ERROR")
        assert httpx.get(fresh.base_url + WAREHOUSES, headers=bearer(token)).status_code == 200

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
    def test_loopback_hosts(self, host: str) -> None:
        """It runs on any loopback address, on any free port, and its URL leads there."""
        try:
            socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError:
            pytest.skip(f"this machine has no {host}")
        with running(SandboxOptions(host=host)) as sandbox:
            assert httpx.get(sandbox.base_url + "/").status_code == 200

    @pytest.mark.parametrize(
        "bad",
        [
            {"host": "0.0.0.0"},  # noqa: S104 -- exactly what must be refused
            {"host": "::"},
            {"host": "192.168.0.1"},
            {"host": "example.com"},
            {"host": ""},
            {"port": -1},
            {"port": 65536},
            {"rate_limit": 0},
            {"token_lifetime": 0},
            {"token_lifetime": float("nan")},
            {"latency": -1},
            {"latency": float("inf")},
            {"client_id": ""},
            {"discontinued": ("No such thing",)},
            {"faults": {"nonsense": 0.1}},
            {"faults": {"ok": 0.1}},
            {"faults": {"accept_reset": 0.1}},
            {"faults": {"500_after": 1.1}},
            {"faults": {"500_after": -0.1}},
            {"faults": {"500_after": float("nan")}},
            {"faults": {"500_after": 0.6, "500_before": 0.5}},
        ],
    )
    def test_options_that_make_no_sense(self, bad: dict[str, Any]) -> None:
        """They are refused at once, by name."""
        with pytest.raises(ValueError, match=next(iter(bad))):
            SandboxOptions(**bad)

    def test_default_options(self) -> None:
        """Without options it has the published login and any free port; the secret is in no repr."""
        with running() as sandbox:
            assert (sandbox.client_id, sandbox.client_secret) == ("hr@example.com", "sandbox-secret")
            assert "sandbox-secret" not in repr(sandbox) + repr(SandboxOptions())
            assert log_in(sandbox)

    def test_two_side_by_side(self, hub: Sandbox, fresh: Sandbox) -> None:
        """Two sandboxes share neither port nor logins nor orders."""
        assert hub.base_url != fresh.base_url
        assert httpx.get(fresh.base_url + WAREHOUSES, headers=bearer(log_in(hub))).status_code == 401
        assert fresh.orders == []

    def test_port_taken(self, hub: Sandbox) -> None:
        """A port in use is an OSError."""
        with pytest.raises(OSError, match=r"."), running(SandboxOptions(port=int(hub.base_url.rpartition(":")[2]))):
            pass

    def test_leaves_nothing_behind(self) -> None:
        """After the block nobody listens there, no thread is left, and the signals are as they were."""
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        threads = threading.active_count()
        with running() as sandbox, httpx.Client(base_url=sandbox.base_url) as client:
            assert client.get("/").status_code == 200  # a connection that is still open when the server stops
            assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
            assert sandbox.alive
            base_url = sandbox.base_url
        assert not sandbox.alive
        assert threading.active_count() == threads
        with pytest.raises(httpx.ConnectError):
            httpx.get(base_url)

    def test_stops_when_the_block_fails(self) -> None:
        """An error in the block comes through, and the server stops."""
        with pytest.raises(ZeroDivisionError), running() as sandbox:
            raise ZeroDivisionError
        assert not sandbox.alive

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serve_until_a_signal(self, number: signal.Signals) -> None:
        """In the foreground it announces the real port, logs nothing, and returns normally on a signal."""
        program = (
            "from batch_orders.sandbox import SandboxOptions, serve\n"
            "serve(SandboxOptions(), lambda sandbox: print(sandbox.base_url, flush=True))\n"
            "print('returned')\n"
        )
        command = [sys.executable, "-W", "error", "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                base_url = process.stdout.readline().strip()
                status = httpx.get(base_url + "/").status_code
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert not base_url.endswith(":0")
        assert (status, out, err, process.returncode) == (200, "returned\n", "", 0)

    def test_serve_gives_the_signals_back(self) -> None:
        """Afterwards the signals mean what they meant before."""
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        serve(SandboxOptions(), lambda _: signal.raise_signal(signal.SIGTERM))
        assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))

    def test_imports_nothing_of_the_rest(self) -> None:
        """It stands alone, running too; and importing it is quick because the heavy parts come with the first start."""
        program = (
            "import sys\n"
            "from batch_orders.sandbox import SandboxOptions, running\n"
            "print(sorted({'starlette', 'uvicorn', 'jwt', 'pycountry', 'asyncio'} & sys.modules.keys()))\n"
            "with running(SandboxOptions()):\n"
            "    pass\n"
            "ours = {name for name in sys.modules if name.split('.')[0] == 'batch_orders'}\n"
            "print(sorted(n for n in ours if n != 'batch_orders' and n.split('.')[1] != 'sandbox'))\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.stdout, done.stderr) == ("[]\n[]\n", "")
