"""The settings: where they come from, what each may be, and what is said of a wrong one."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import traceback
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from batch_orders.errors import SettingsError
from batch_orders.models import Limits
from batch_orders.places import LedgerUrl
from batch_orders.settings import Rate, Settings, load_settings, parse_duration, parse_rate, read_place

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "batch-orders.toml"
CANARY = "hunter2-CANARY"


def load(
    folder: Path,
    *,
    flags: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: str | bytes | None = None,
    toml: str | bytes | None = None,
    config: Path | None = None,
    sandbox: bool = False,
) -> Settings:
    """Load the settings from these places."""
    for name, text in ((".env", dotenv), ("batch-orders.toml", toml)):
        if text is not None:
            (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return load_settings(flags=flags or {}, config=config, environ=env or {}, folder=folder, sandbox=sandbox)


def refused(folder: Path, **places: Any) -> str:
    """The whole text of the SettingsError; nothing secret is in it, nor in what travels with it."""
    with pytest.raises(SettingsError) as caught:
        load(folder, **places)
    error = caught.value
    assert error.exit_code == 2
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    text = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(error)
    assert CANARY not in text
    return error.message


def variable(name: str) -> str:
    """The setting's environment variable."""
    return f"BATCH_ORDERS_{name.upper()}"


# Defaults ----------------------------------------------------------------------------------------------------------


def test_defaults(tmp_path: Path) -> None:
    """With nothing set, the settings are the contract's defaults."""
    settings = load(tmp_path)
    ledger = settings.model_dump().pop("ledger")
    assert ledger.name == "ledger.sqlite"
    assert ledger.parent.name == "batch-orders"
    assert ledger.is_absolute()
    assert settings.users_file == ledger.with_name("users.json")
    assert settings.model_dump(exclude={"ledger", "users_file"}) == {
        "base_url": None,
        "client_id": None,
        "client_secret": None,
        "rate": {"orders": 2, "window": 1.0},
        "concurrency": 4,
        "timeout": 30.0,
        "patience": 60.0,
        "max_orders": 500,
        "repeat_days": 90,
        "order_ahead": None,
        "shipping_days": {"overnight": 1, "2nd day air": 2},
        "idempotency_header": None,
        "server_errors": "unknown",
        "proxy": None,
        "ca_file": None,
        "log_file": None,
        "max_file_size": 20_000_000,
        "max_unpacked_size": 200_000_000,
        "max_columns": 200,
        "max_rows": 250_000,
        "approval": "off",
        "keep_uploads": 2_592_000.0,
        "page_url": None,
        "page_proxy": None,
        "notify": None,
        "notify_when": "attention",
        "notify_details": False,
        "queue": False,
        "ping_url": None,
        "metrics_file": None,
    }
    assert settings.limits == Limits()


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nobody changes a setting after it was read."""
    settings = load(tmp_path)
    with pytest.raises(ValidationError):
        settings.concurrency = 5
    with pytest.raises(FrozenInstanceError):
        settings.rate.orders = 5  # type: ignore[misc] # that it cannot be done is the point


def test_every_default_is_a_value_that_reading_accepts() -> None:
    """A default given explicitly stays what it is."""
    defaults = Settings()
    assert Settings.model_validate(dict(defaults)) == defaults


def test_unknown_setting_is_refused_by_the_model() -> None:
    """Settings made in code cannot be misspelt either."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"rat": "2/s"})


# Precedence --------------------------------------------------------------------------------------------------------

PLACES = ("flags", "env", "dotenv", "toml")


def in_place(place: str, value: int) -> dict[str, Any]:
    """`concurrency` set to this value in this place."""
    places: dict[str, dict[str, Any]] = {
        "flags": {"flags": {"concurrency": value}},
        "env": {"env": {"BATCH_ORDERS_CONCURRENCY": str(value)}},
        "dotenv": {"dotenv": f"BATCH_ORDERS_CONCURRENCY={value}\n"},
        "toml": {"toml": f"concurrency = {value}\n"},
    }
    return places[place]


@pytest.mark.parametrize("place", PLACES)
def test_each_place_counts(tmp_path: Path, place: str) -> None:
    """A setting can stand in any of the four places."""
    assert load(tmp_path, **in_place(place, 7)).concurrency == 7


@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(PLACES, 2)))
def test_precedence(tmp_path: Path, stronger: str, weaker: str) -> None:
    """Of any two places the contract's stronger one wins, and a broken value in the weaker one is not read."""
    assert load(tmp_path, **in_place(stronger, 7), **in_place(weaker, 9)).concurrency == 7
    assert load(tmp_path, **in_place(stronger, 7), **in_place(weaker, 9000)).concurrency == 7


def test_places_add_up(tmp_path: Path) -> None:
    """Each place may give other settings."""
    settings = load(
        tmp_path,
        flags={"rate": "3/s", "timeout": None},
        env={"BATCH_ORDERS_TIMEOUT": "31"},
        dotenv="BATCH_ORDERS_PATIENCE=61\n",
        toml="max_orders = 501\n",
    )
    assert (settings.rate.orders, settings.timeout, settings.patience, settings.max_orders) == (3, 31, 61, 501)


def test_a_shared_ledger(tmp_path: Path) -> None:
    """From every place it is the same database; its password is not shown with the settings, nor taken from a flag."""
    url = f"postgresql+psycopg://hr:{CANARY}@db.example.com/orders"
    places: list[dict[str, Any]] = [{"env": {variable("ledger"): f" {url} "}}, {"toml": f'ledger = "{url}"'}]
    for place in places:
        settings = load(tmp_path, **place)
        assert settings.require_ledger() == LedgerUrl.parse(url)
        assert CANARY not in repr(settings) + str(settings.ledger)
    message = refused(tmp_path, flags={"ledger": url})
    assert message.startswith("--ledger holds a password")
    without = url.replace(f":{CANARY}", "")
    assert load(tmp_path, flags={"ledger": without}).ledger == LedgerUrl.parse(without)
    assert load(tmp_path, env={variable("ledger"): url}, sandbox=True).ledger is None


@pytest.mark.parametrize("place", ["", " ", "/", "sqlite:///x", f"postgresql://me:{CANARY}@h/d"])
def test_a_place_of_a_flag_of_its_own(tmp_path: Path, place: str) -> None:
    """It is read as the setting is, and named by its flag where it is wrong."""
    with pytest.raises(SettingsError, match=r"^--to ") as caught:
        read_place("--to", place, folder=tmp_path)
    assert CANARY not in caught.value.message
    assert read_place("--to", "new.sqlite", folder=tmp_path) == tmp_path / "new.sqlite"


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_blank_counts_as_not_set(tmp_path: Path, blank: str) -> None:
    """A blank variable, or a blank text in a file, leaves the word to the next place."""
    places: dict[str, Any] = {"dotenv": f'BATCH_ORDERS_RATE="{blank}"\n', "toml": 'rate = "3/s"\nledger = ""\n'}
    settings = load(tmp_path, env={"BATCH_ORDERS_RATE": blank}, **places)
    assert settings.rate == Rate(orders=3, window=1.0)
    assert settings.ledger == Settings().ledger


@pytest.mark.parametrize("name", ["ledger", "rate", "log_file"])
def test_blank_flag_is_an_error(tmp_path: Path, name: str) -> None:
    """A script's empty variable must not quietly choose another ledger."""
    assert refused(tmp_path, flags={name: ""}) == f"--{name.replace('_', '-')} is blank."


def test_config_replaces_the_file_in_the_folder(tmp_path: Path) -> None:
    """--config names the one file that is read; a relative one stands in the working folder."""
    (tmp_path / "other.toml").write_text('rate = "5/s"\n')
    for config in (tmp_path / "other.toml", Path("other.toml")):
        settings = load(tmp_path, toml='rate = "9/s"\nconcurrency = 9\n', config=config)
        assert (settings.rate.orders, settings.concurrency) == (5, 4)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_config_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A settings file that was asked for has to exist."""
    config = tmp_path / name
    assert refused(tmp_path, config=config) == f"There is no settings file {config}, which --config names."


def test_braces_in_the_config_path(tmp_path: Path) -> None:
    """A path is shown as it is."""
    config = tmp_path / "{name}.toml"
    config.write_text("rate = 2\n")
    assert f"rate in {config} is not" in refused(tmp_path, config=config)


# Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_files_of_other_editors(tmp_path: Path, mark: bytes, end: bytes) -> None:
    """A byte order mark and Windows line ends do not matter."""
    settings = load(
        tmp_path,
        dotenv=mark + b"BATCH_ORDERS_CONCURRENCY=7" + end + b"BATCH_ORDERS_TIMEOUT='1 min'" + end,
        toml=mark + b'rate = "7/min"' + end + b"patience = 7" + end,
    )
    assert (settings.concurrency, settings.timeout, str(settings.rate), settings.patience) == (7, 60, "7/min", 7)


def test_dotenv_is_not_expanded(tmp_path: Path) -> None:
    """A secret with a dollar sign stays what it is; comments and `export` are understood."""
    settings = load(
        tmp_path,
        env={"HOME": "x"},
        dotenv="# mine\nexport BATCH_ORDERS_CLIENT_SECRET='a${HOME}b$c'\nBATCH_ORDERS_RATE=3/s # slow\n",
    )
    assert settings.client_secret == SecretStr("a${HOME}b$c")
    assert settings.rate.orders == 3


def test_dotenv_of_other_programs(tmp_path: Path) -> None:
    """Names without the prefix are somebody else's."""
    settings = load(tmp_path, dotenv="RATE=9/s\nrate=9/s\nclient_secret=x\nBATCH=1\nDEBUG\n")
    assert settings == Settings(ledger=settings.ledger)


def test_dotenv_folder_is_ignored(tmp_path: Path) -> None:
    """A virtual environment may be called .env."""
    (tmp_path / ".env").mkdir()
    assert load(tmp_path).concurrency == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"A=1\nBATCH_ORDERS_CLIENT_SECRET='{CANARY}\n", 2),
        (f"\n\n = {CANARY}\n", 3),
        (f"A=1\nBATCH_ORDERS_RATE\nB={CANARY}\n", 2),
        (f"{CANARY} {CANARY}\n", 1),
    ],
)
def test_broken_dotenv(tmp_path: Path, text: str, line: int) -> None:
    """A line that cannot be read is named, not skipped, in the sandbox too."""
    for sandbox in (False, True):
        assert refused(tmp_path, dotenv=text, sandbox=sandbox).startswith(f".env cannot be read: line {line} is not")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f'rate = "2/s"\nclient_secret = {CANARY}\n', "line 2, column"),
        (f'client_secret = "{CANARY}\n', "line 1, column"),
        (f'client_secret = """{CANARY}\n\n', "line 3, the end,"),
        ("rate = '1/s'\nrate = '2/s'\n", "line 2, column"),
        (f"[{CANARY}\n", "line 1, column"),
        ("x = " + "[" * 100_000, "line 1, "),
        (f"concurrency = {'9' * 5000}\n", "line 2, the end,"),
    ],
)
def test_broken_toml(tmp_path: Path, text: str, where: str) -> None:
    """A broken file is told by line, without quoting it, in the sandbox too."""
    for sandbox in (False, True):
        message = refused(tmp_path, toml=text, sandbox=sandbox)
        assert message.startswith(f"batch-orders.toml cannot be read: {where}")


@pytest.mark.parametrize("name", [".env", "batch-orders.toml"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A file in another encoding, or one that cannot be opened, is an error that says so."""
    path = tmp_path / name
    path.write_bytes(f"client_secret = '{CANARY}é'\n".encode("utf-16"))
    assert refused(tmp_path) == f"{name} cannot be read: it is not UTF-8 text: save it as UTF-8."
    path.unlink()
    path.symlink_to(path)  # a loop: no user, not even root, can open it
    assert refused(tmp_path).startswith(f"{name} cannot be read: ")


def test_a_list_of_addresses(tmp_path: Path) -> None:
    """In TOML `notify` may be one; none of them is ever shown."""
    toml = f'notify = ["json://a/{CANARY}", "json://b json://c"]\nping_url = "https://hc.example.com/{CANARY}"'
    settings = load(tmp_path, toml=toml)
    assert settings.notify_addresses == (f"json://a/{CANARY}", "json://b", "json://c")
    assert CANARY not in repr(settings) + str(settings)
    assert load(tmp_path, toml="notify = []").notify_addresses == ()


def test_sections_are_refused(tmp_path: Path) -> None:
    """Settings stand at the top level only."""
    message = refused(tmp_path, toml=f'concurrency = 5\n[account]\nclient_secret = "{CANARY}"\n')
    assert message == (
        "[account] in batch-orders.toml is a section: settings stand at the top of the file, without one."
    )
    assert "[rate] in batch-orders.toml is a section" in refused(tmp_path, toml='[rate]\nvalue = "2/s"\n')


# Unknown names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"env": {"BATCH_ORDERS_CLIENT_SECRETS": CANARY}},
            "BATCH_ORDERS_CLIENT_SECRETS in the environment is not a setting. Did you mean BATCH_ORDERS_CLIENT_SECRET?",
        ),
        (
            {"env": {"BATCH_ORDERS_rate": CANARY}},
            "BATCH_ORDERS_rate in the environment is not a setting. Did you mean BATCH_ORDERS_RATE?",
        ),
        (
            {"dotenv": f"BATCH_ORDERS_CLIENTSECRET={CANARY}\n"},
            "BATCH_ORDERS_CLIENTSECRET in .env is not a setting. Did you mean BATCH_ORDERS_CLIENT_SECRET?",
        ),
        (
            {"toml": f'client-secret = "{CANARY}"\n'},
            "client-secret in batch-orders.toml is not a setting. Did you mean client_secret?",
        ),
        ({"toml": f'zzz = "{CANARY}"\n'}, "zzz in batch-orders.toml is not a setting."),
        ({"toml": f'zzz = ["{CANARY}"]\n'}, "zzz in batch-orders.toml is not a setting."),
        ({"flags": {"max_order": CANARY}}, "--max-order is not a setting. Did you mean --max-orders?"),
    ],
)
def test_unknown_names(tmp_path: Path, places: dict[str, Any], message: str) -> None:
    """A misspelt setting is named with the nearest one, and its value is not shown."""
    for sandbox in (False, True):
        assert refused(tmp_path, **places, sandbox=sandbox) == message


def test_odd_names_are_shown_safely(tmp_path: Path) -> None:
    """A name cannot write to the terminal what it likes, nor endlessly."""
    message = refused(tmp_path, toml='"a\\u001b[31m' + "b" * 500 + '" = 1\n')
    assert "\x1b" not in message
    assert len(message) < 200


def test_other_variables_are_ignored(tmp_path: Path) -> None:
    """The tests' own variables and those without the prefix are no settings."""
    env = {"BATCH_ORDERS_TEST_DATABASE": "x", "RATE": "9/s", "PATH": "/bin", "BATCH_ORDERSX": "1"}
    assert load(tmp_path, env=env, dotenv="BATCH_ORDERS_TEST_X=1\n").rate.orders == 2


@pytest.mark.parametrize("name", ["client_id", "client_secret", "notify", "ping_url"])
def test_the_login_is_never_a_flag(tmp_path: Path, name: str) -> None:
    """What everybody on the machine could read is refused."""
    message = refused(tmp_path, flags={name: CANARY})
    assert message.startswith(f"{name} is never given on the command line")
    assert variable(name) in message


# Values ------------------------------------------------------------------------------------------------------------


def test_a_wrong_value_is_told_with_its_place(tmp_path: Path) -> None:
    """Name, place, what is wrong, and what would be right, as it is written there."""
    wrong = 'is not a number of orders a second, minute or hour: "fast". Right would be, for example: '
    assert refused(tmp_path, flags={"rate": "fast"}).startswith(f"--rate {wrong}--rate 2/s or ")
    assert refused(tmp_path, env={"BATCH_ORDERS_RATE": "fast"}).startswith(
        f"rate in the environment variable BATCH_ORDERS_RATE {wrong}BATCH_ORDERS_RATE=2/s or "
    )
    assert refused(tmp_path, dotenv="BATCH_ORDERS_RATE=fast").startswith(f"rate in .env {wrong}BATCH_ORDERS_RATE=2/s")
    (tmp_path / ".env").unlink()
    assert refused(tmp_path, toml='rate = "fast"').startswith(f'rate in batch-orders.toml {wrong}rate = "2/s" or ')
    assert refused(tmp_path, toml="max_orders = 0").endswith("Right would be, for example: max_orders = 500")


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """One line for each thing that is wrong."""
    message = refused(
        tmp_path,
        flags={"rate": "x"},
        env={"BATCH_ORDERS_TIMEOUT": "x", "BATCH_ORDERS_NOPE": "x"},
        toml="concurrency = 0\nnope = 1\n",
    )
    assert len(message.splitlines()) == 5
    for name in ("--rate", "BATCH_ORDERS_TIMEOUT", "BATCH_ORDERS_NOPE", "concurrency in", "nope in"):
        assert name in message


RIGHT: list[tuple[str, object, object]] = [
    ("base_url", "https://devicehub.example.com", "https://devicehub.example.com"),
    ("base_url", " HTTPS://DeviceHub.Example.COM/ ", "https://devicehub.example.com"),
    ("base_url", "https://devicehub.example.com:443/", "https://devicehub.example.com"),
    ("base_url", "https://devicehub.example.com:8443", "https://devicehub.example.com:8443"),
    ("base_url", "https://10.0.0.1", "https://10.0.0.1"),
    ("base_url", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ("base_url", "http://127.1.2.3", "http://127.1.2.3"),
    ("base_url", "http://localhost:80", "http://localhost"),
    ("base_url", "http://LOCALHOST:8000/", "http://localhost:8000"),
    ("base_url", "http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
    ("client_id", " orders@example.com ", "orders@example.com"),
    ("client_secret", "p w ", SecretStr("p w ")),
    ("rate", "2/s", Rate(orders=2, window=1.0)),
    ("rate", " 2 / Sec ", Rate(orders=2, window=1.0)),
    ("rate", "3/second", Rate(orders=3, window=1.0)),
    ("rate", "60/min", Rate(orders=60, window=60.0)),
    ("rate", "60/minute", Rate(orders=60, window=60.0)),
    ("rate", "60/m", Rate(orders=60, window=60.0)),
    ("rate", "500/h", Rate(orders=500, window=3600.0)),
    ("rate", "500/HOUR", Rate(orders=500, window=3600.0)),
    ("rate", "100000/s", Rate(orders=100_000, window=1.0)),
    ("concurrency", 1, 1),
    ("concurrency", " 64 ", 64),
    ("timeout", 0.1, 0.1),
    ("timeout", "3600", 3600.0),
    ("patience", 0, 0.0),
    ("patience", "1 week", 604_800.0),
    ("max_orders", "1", 1),
    ("repeat_days", 0, 0),
    ("order_ahead", "off", None),
    ("order_ahead", "", None),
    ("order_ahead", "OFF ", None),
    ("order_ahead", "21 days", 21 * 86_400.0),
    ("order_ahead", 0, 0.0),
    ("shipping_days", "UPS Ground = 5,Overnight=1", {"ups ground": 5, "overnight": 1}),
    ("idempotency_header", "Idempotency-Key", "Idempotency-Key"),
    ("idempotency_header", "off", None),
    ("server_errors", "not_applied", "not_applied"),
    ("server_errors", " Unknown ", "unknown"),
    ("proxy", "http://proxy.example.com:3128", SecretStr("http://proxy.example.com:3128")),
    ("proxy", "https://me:pw@proxy.example.com/", SecretStr("https://me:pw@proxy.example.com/")),
    ("proxy", SecretStr("http://proxy.example.com"), SecretStr("http://proxy.example.com")),
    ("proxy", "off", None),
    ("ca_file", certifi.where(), Path(certifi.where())),
    ("ca_file", "off", None),
    ("log_file", "off", None),
    ("log_file", "/var/log/x.log", Path("/var/log/x.log")),
    ("max_file_size", "20 MB", 20_000_000),
    ("max_file_size", 1, 1),
    ("max_file_size", "1.5mb", 1_500_000),
    ("max_unpacked_size", "2GB", 2_000_000_000),
    ("max_unpacked_size", " 300 kB ", 300_000),
    ("max_columns", "16384", 16_384),
    ("max_rows", 1_048_576, 1_048_576),
    ("notify", " mailto://a@example.com   slack://x/y ", SecretStr("mailto://a@example.com slack://x/y")),
    ("notify", "off", None),
    ("notify_when", " Always ", "always"),
    ("notify_details", "yes", True),
    ("notify_details", "Off", False),
    ("notify_details", True, True),
    ("queue", "on", True),
    ("queue", False, False),
    ("ping_url", "https://hc.example.com/ping/uuid?create=1", SecretStr("https://hc.example.com/ping/uuid?create=1")),
    ("ping_url", "http://127.0.0.1:8000/", SecretStr("http://127.0.0.1:8000/")),
    ("ping_url", "off", None),
    ("metrics_file", "/var/lib/x.prom", Path("/var/lib/x.prom")),
    ("metrics_file", "off", None),
    ("users_file", "/data/users.json", Path("/data/users.json")),
    ("approval", " Required ", "required"),
    ("approval", "OFF", "off"),
    ("approval", False, "off"),
    ("keep_uploads", "1h", 3600.0),
    ("keep_uploads", 315_360_000, 315_360_000.0),
    ("page_url", " HTTPS://Orders.Example.COM:443/ ", "https://orders.example.com"),
    ("page_url", "https://orders.example.com:8443", "https://orders.example.com:8443"),
    ("page_url", "http://localhost:8766", "http://localhost:8766"),
    ("page_url", "off", None),
    ("page_proxy", " 10.0.0.5 ", "10.0.0.5"),
    ("page_proxy", "127.0.0.1", "127.0.0.1"),
    ("page_proxy", "2001:DB8:0::5", "2001:db8::5"),
    ("page_proxy", "::ffff:10.0.0.5", "10.0.0.5"),
    ("page_proxy", "off", None),
    ("ledger", "/data/ledger.sqlite", Path("/data/ledger.sqlite")),
    ("ledger", "/" + "x" * 300, Path("/" + "x" * 300)),
]

WRONG: list[tuple[str, object, str]] = [
    ("base_url", "devicehub.example.com", "begins with https:// or http://"),
    ("base_url", "localhost:8000", "begins with https:// or http://"),
    ("base_url", "ftp://devicehub.example.com", "begins with https:// or http://"),
    ("base_url", "https://[::1", "begins with https:// or http://"),
    ("base_url", "https://host.example.com:99999", "begins with https:// or http://"),
    ("base_url", f"https://devicehub.example.com/{CANARY}", "nothing comes after"),
    ("base_url", "https://devicehub.example.com//", "nothing comes after"),
    ("base_url", f"https://devicehub.example.com/?k={CANARY}", "nothing comes after"),
    ("base_url", "https://devicehub.example.com?", "nothing comes after"),
    ("base_url", "https://devicehub.example.com#", "nothing comes after"),
    ("base_url", f"https://me:{CANARY}@devicehub.example.com", "user name or password"),
    ("base_url", "https://@devicehub.example.com", "user name or password"),
    ("base_url", "http://devicehub.example.com", "has to begin with https://"),
    ("base_url", "http://localhost.example.com", "has to begin with https://"),
    ("base_url", "http://10.0.0.1", "has to begin with https://"),
    ("base_url", "http://0.0.0.0", "has to begin with https://"),
    ("base_url", "http://[::2]", "has to begin with https://"),
    ("base_url", "https://", "no host name"),
    ("base_url", "https://:443", "no host name"),
    ("base_url", "https://host.example.com:0", "no host name"),
    ("base_url", "https://-bad.example.com", "no host name"),
    ("base_url", "https://bad..example.com", "no host name"),
    ("base_url", "https://example.com.", "no host name"),
    ("base_url", "https://%31.example.com", "no host name"),
    ("base_url", "https://[fe80::1%25eth0]", "no host name"),
    ("base_url", "https://" + "a" * 254, "no host name"),
    ("base_url", "https://devicehub.example.com\\@evil.example", "a character in it"),
    ("base_url", "https://device hub.example.com", "a character in it"),
    ("base_url", "https://devicehub.exa\nmple.com", "a character in it"),
    ("base_url", "https://dévicehub.example.com", "a character in it"),
    ("base_url", 5, "begins with https:// or http://"),
    ("client_id", 12, "is not text: it needs quotes"),
    ("client_id", f"{CANARY}\n{CANARY}", "invisible character"),
    ("client_secret", 12, "is not text: it needs quotes"),
    ("client_secret", [CANARY], "is not text: it needs quotes"),
    ("client_secret", f"{CANARY}\r", "invisible character"),
    ("client_secret", f"{CANARY}\udc80", "invisible character"),
    *(
        ("ledger", f"{scheme}://me:{CANARY}@db.example.com/x", "but not as postgresql+psycopg://user@host/database")
        for scheme in ("postgresql", "POSTGRESQL", "postgres", "postgresql+psycopg2", "postgresql+asyncpg")
    ),
    ("ledger", f"postgresql+psycopg://me:{CANARY}@db.example.com", "names no database"),
    ("ledger", f"postgresql+psycopg://me:{CANARY}#@db.example.com/x", "is not an address that can be read"),
    ("ledger", f"postgresql+psycopg://me:{CANARY}@db.example.com/x#y", "has a # in it"),
    ("ledger", f"postgresql+psycopg://me:{CANARY}@db.example.com:port/x", "is not an address that can be read"),
    ("ledger", f"postgresql+psycopg://me:{CANARY}@db.example.com/x?sslmode", "is not an address that can be read"),
    ("ledger", f"postgresql+psycopg://me:{CANARY} @db.example.com/x", "has a character in it that no address has"),
    ("ledger", f"mysql://me:{CANARY}@db.example.com/x", "is an address, but no database's"),
    ("ledger", "sqlite:///x.sqlite", "is an address, but no database's"),
    ("ledger", "/", "is a folder"),
    ("ledger", True, "is not a path"),
    ("ledger", "a\0b", "is not a path"),
    ("ledger", "~nobody-of-this-name/ledger.sqlite", "a home folder that is not there"),
    *(
        ("rate", wrong, "is not a number of orders a second, minute or hour")
        for wrong in (
            2,
            2.5,
            True,
            "2",
            "2/",
            "/s",
            "2/d",
            "2/10s",
            "1.5/s",
            "-2/s",
            "2 per s",
            "2/s/s",
            "٢/s",
            "2/s\nx",
        )
    ),
    ("rate", "0/s", "between 1 and 100000"),
    ("rate", "100001/h", "between 1 and 100000"),
    *(("concurrency", wrong, "is not a whole number") for wrong in ("x", "4.0", 4.0, True, "1_0", "٤", "1e1", [1])),
    *(("concurrency", wrong, "between 1 and 64") for wrong in (0, -1, "-1", 65, "65", 10**11)),
    *(
        (name, wrong, "is not a length of time")
        for name in ("timeout", "patience")
        for wrong in ("x", True, -1, "-1", "+1", "nan", "inf", float("nan"), float("inf"), "1e3", "1,5 h", [1], 10**400)
    ),
    *(
        ("timeout", wrong, "is not a length of time")
        for wrong in ("1 month", "1 m", "s", "1h 30", "30min 1h", "1h 1h", "1h,1min", "٣ s", "9" * 400, ".5s", "1.s")
    ),
    *(("timeout", wrong, "between 0.1 and 3600 seconds") for wrong in (0, "0", "99 ms", 3601, "2 h")),
    ("patience", "8 days", "between 0 and 604800 seconds"),
    ("max_orders", 0, "between 1 and"),
    ("repeat_days", -1, "between 0 and"),
    ("repeat_days", "90 days", "is not a whole number"),
    ("order_ahead", "soon", "is not a length of time"),
    ("order_ahead", "400 days", "has to be between"),
    ("shipping_days", "fast", "is not a list of shipping methods"),
    ("shipping_days", "Overnight=1.5", "is not a list of shipping methods"),
    ("shipping_days", "=1", "is not a list of shipping methods"),
    ("shipping_days", 3, "is not a list of shipping methods"),
    *(("idempotency_header", wrong, "is not the name of an HTTP header") for wrong in ("a b", "a:b", "ä", "x" * 65, 5)),
    *(("idempotency_header", wrong, "HTTP or the login needs") for wrong in ("Authorization", "host", "Content-Type")),
    ("server_errors", "applied", 'has to be "unknown" or "not_applied"'),
    ("server_errors", True, 'has to be "unknown" or "not_applied"'),
    ("proxy", f"socks5://me:{CANARY}@proxy.example.com", "begins with http:// or https://"),
    ("proxy", f"{CANARY}:3128", "begins with http:// or https://"),
    ("proxy", f"http://me:{CANARY}@proxy.example.com/path", "nothing comes after"),
    ("proxy", True, "begins with http:// or https://"),
    ("ca_file", "missing.pem", "cannot be read (No such file or directory)"),
    ("ca_file", "/", "cannot be read (Is a directory)"),
    ("ca_file", __file__, "without certificates (PEM)"),
    ("ca_file", 5, "is not a path"),
    ("log_file", 5, "is not a path"),
    ("notify", f"mailto://a {CANARY}", "number 2 is not scheme://"),
    ("notify", f"mailto:{CANARY}@example.com", "number 1 is not scheme://"),
    ("notify", f"json://exämple/{CANARY}", "number 1 is not scheme://"),
    ("notify_when", "never", 'has to be "attention" or "always"'),
    ("notify_when", True, 'has to be "attention" or "always"'),
    ("notify_details", "perhaps", "has to be yes or no"),
    ("queue", "later", "has to be yes or no"),
    ("ping_url", f"http://hc.example.com/{CANARY}", "has to begin with https://"),
    ("ping_url", f"https://me:{CANARY}@hc.example.com/x", "user name or password"),
    ("ping_url", f"https://hc.example.com/x#{CANARY}", "has a # in it"),
    ("ping_url", f"hc.example.com/{CANARY}", "begins with https:// or http://"),
    ("metrics_file", "/var/lib/x.txt", "has to end in .prom"),
    ("metrics_file", 5, "is not a path"),
    *(("max_file_size", wrong, "is not a size") for wrong in ("MB", "20 MiB", "-1", "1e6", True, "20 MB x", "٢ MB")),
    *(("max_unpacked_size", wrong, "between 1 byte and 2 GB") for wrong in (0, "0.5", "3 GB")),
    *(("max_columns", wrong, "between 1 and 16384") for wrong in (0, 16_385)),
    *(("max_rows", wrong, "between 1 and 1048576") for wrong in (0, 1_048_577)),
    ("users_file", "/", "is a folder, but users_file is a file"),
    ("users_file", 5, "is not a path"),
    *(("approval", wrong, 'has to be "off" or "required"') for wrong in ("on", True, 1, "optional")),
    *(("keep_uploads", wrong, "between an hour and 3650 days") for wrong in (0, "59 min", "3651 days")),
    ("keep_uploads", "for ever", "is not a length of time"),
    ("page_url", "orders.example.com", "begins with https:// or http://"),
    ("page_url", "http://orders.example.com", "has to begin with https://"),
    ("page_url", f"https://orders.example.com/{CANARY}", "nothing comes after"),
    ("page_url", f"https://me:{CANARY}@orders.example.com", "people log in on the page itself"),
    ("page_url", True, "begins with https:// or http://"),
    *(
        ("page_proxy", wrong, "is not an IP address")
        for wrong in ("proxy.example.com", "10.0.0.0/8", "*", "10.0.0.5:80", "10.0.0.5,10.0.0.6", "fe80::1%eth0", 5)
    ),
    *(("page_proxy", wrong, "is not the address of one machine") for wrong in ("0.0.0.0", "::", "224.0.0.1")),  # noqa: S104
]


@pytest.mark.parametrize(("name", "value", "expected"), RIGHT)
def test_right_values(name: str, value: object, expected: object, tmp_path: Path) -> None:
    """What each setting may be, and what becomes of it."""
    if isinstance(value, str):
        assert getattr(load(tmp_path, env={variable(name): value}), name) == expected
    assert getattr(Settings.model_validate({name: None if value == "" else value}), name) == expected


@pytest.mark.parametrize(("name", "value", "wrong"), WRONG)
def test_wrong_values(name: str, value: object, wrong: str, tmp_path: Path) -> None:
    """What each setting may not be, and that its name and place are told."""
    places: dict[str, Any] = {"flags": {name: value}}
    label = "--users " if name == "users_file" else f"--{name.replace('_', '-')} "
    if name.startswith("client_") or isinstance(value, str):
        places = {"env": {variable(name): value}}
        label = f"{name} in the environment variable {variable(name)} "
    message = refused(tmp_path, **places)
    assert message.startswith(label)
    assert wrong in message
    assert len(message) < 500
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("toml", "wrong"),
    [
        ("rate = 2026-01-01", '"2026-01-01"'),
        ("concurrency = true", "is not a whole number"),
        ("concurrency = 4.0", "is not a whole number"),
        ("timeout = inf", "is not a length of time"),
        ("timeout = [30]", "is not a length of time"),
        (f"client_secret = ['{CANARY}']", "is not text"),
        (f"notify = ['mailto://{CANARY}', 5]", "is not text"),
        (f"base_url = ['{CANARY}']", "is not a web address"),
        ("ledger = 5", "is not a path"),
    ],
)
def test_wrong_types_in_toml(tmp_path: Path, toml: str, wrong: str) -> None:
    """TOML has types of its own; a wrong one is a clear error."""
    assert wrong in refused(tmp_path, toml=toml)


@pytest.mark.parametrize(
    "name",
    [
        *("order_ahead", "idempotency_header", "proxy", "ca_file", "log_file", "page_url", "page_proxy"),
        *("notify", "ping_url", "metrics_file"),
    ],
)
def test_off_beats_a_weaker_place(tmp_path: Path, name: str) -> None:
    """The word "off" and TOML's false switch a setting off, also over what a weaker place says."""
    assert getattr(load(tmp_path, env={variable(name): "off"}, toml=f'{name} = "nonsense !"'), name) is None
    assert getattr(load(tmp_path, toml=f"{name} = false"), name) is None


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with the home folder; a relative one stands in the working folder, wherever it was set."""
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir("/")
    (tmp_path / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    settings = load(
        tmp_path, flags={"ledger": Path("a/l.sqlite")}, env={variable("log_file"): "~/x.log"}, toml='ca_file = "ca.pem"'
    )
    assert settings.ledger == tmp_path / "a" / "l.sqlite"
    assert settings.log_file == Path("/home/someone/x.log")
    assert settings.ca_file == tmp_path / "ca.pem"
    assert load(Path("tmp"), flags={"ledger": "l.sqlite"}).ledger == Path("/tmp/l.sqlite")  # noqa: S108 - a name only


def test_default_ledger_is_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, the ledger is in the user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert load(tmp_path).require_ledger() == tmp_path / "data" / "batch-orders" / "ledger.sqlite"


@given(
    orders=st.integers(1, 100_000),
    unit=st.sampled_from([("s", 1.0), ("min", 60.0), ("h", 3600.0)]),
    space=st.sampled_from(["", " "]),
)
def test_rates_survive_a_round_trip(orders: int, unit: tuple[str, float], space: str) -> None:
    """A rate as text and back is the same rate, however it is spaced."""
    rate = parse_rate(f"{orders}{space}/{space}{unit[0].upper()}")
    assert rate == Rate(orders=orders, window=unit[1])
    assert parse_rate(str(rate)) == rate
    assert parse_rate(rate) is rate


@pytest.mark.parametrize(("orders", "window"), [(0, 1.0), (-1, 1.0), (100_001, 1.0), (1, 0.0), (1, float("inf"))])
def test_a_rate_made_in_code_is_checked_too(orders: int, window: float) -> None:
    """No rate that could never send, or without end."""
    with pytest.raises(ValueError, match=r"orders"):
        Rate(orders=orders, window=window)


UNITS = {
    "ms": 0.001,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("week", "weeks"), 604_800),
}


@given(number=st.integers(0, 10_000), tenths=st.integers(0, 9), unit=st.sampled_from(sorted(UNITS)))
def test_durations_survive_a_round_trip(number: int, tenths: int, unit: str) -> None:
    """A duration in any unit is so many seconds, and as a number of seconds the same."""
    expected = float(f"{number}.{tenths}") * UNITS[unit]
    seconds = parse_duration(f" {number}.{tenths} {unit.upper()}")
    assert seconds == pytest.approx(expected)
    assert parse_duration(seconds) == seconds
    assert parse_duration(f"{seconds:.6f}") == pytest.approx(seconds)


@given(hours=st.integers(0, 100), minutes=st.integers(0, 59), seconds=st.integers(0, 59))
def test_compound_durations(hours: int, minutes: int, seconds: int) -> None:
    """Several units add up."""
    expected = hours * 3600 + minutes * 60 + seconds
    assert parse_duration(f"{hours}h {minutes} min {seconds}s") == expected
    assert parse_duration(f"{hours}hours{minutes}minutes{seconds}seconds") == expected


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")) | st.from_regex(r"[0-9. ]+[a-z ]*[0-9./a-z ]*"))
def test_no_text_breaks_the_readers(text: str) -> None:
    """Any text is a value or a ValueError, never another error; a duration is finite and not negative."""
    for read in (parse_duration, parse_rate):
        try:
            value = read(text)
        except ValueError:
            continue
        assert isinstance(value, Rate) or 0 <= value < 1e18


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_text_breaks_an_address(text: str) -> None:
    """Any base_url is an https origin or a SettingsError; so is any proxy."""
    for value in (text, f"https://{text}"):
        try:
            settings = load_settings(
                flags={"base_url": value, "proxy": value}, config=None, environ={}, folder=Path("/nonexistent")
            )
        except SettingsError:
            continue
        assert re.fullmatch(r"https?://[a-z0-9.:\[\]_-]+", settings.base_url or "https://unset")


# The account -------------------------------------------------------------------------------------------------------

ACCOUNT = {
    "BATCH_ORDERS_BASE_URL": "https://devicehub.example.com",
    "BATCH_ORDERS_CLIENT_ID": "orders@example.com",
    "BATCH_ORDERS_CLIENT_SECRET": CANARY,
}


def test_account(tmp_path: Path) -> None:
    """With all three set, there is an account."""
    base_url, client_id, secret = load(tmp_path, env=ACCOUNT).require_account()
    assert (base_url, client_id) == ("https://devicehub.example.com", "orders@example.com")
    assert secret.get_secret_value() == CANARY


@pytest.mark.parametrize(
    "missing", [names for count in (1, 2, 3) for names in itertools.combinations(sorted(ACCOUNT), count)]
)
def test_everything_missing_is_named_at_once(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """Whatever is missing is named in one message, with how to set it, and nothing that is not missing."""
    settings = load(tmp_path, env={name: value for name, value in ACCOUNT.items() if name not in missing})
    with pytest.raises(SettingsError) as caught:
        settings.require_account()
    text = f"{caught.value.message} {caught.value.hint}"
    for name in ACCOUNT:
        assert (name in text) == (name in missing)
        assert (name.removeprefix("BATCH_ORDERS_").lower() in text) == (name in missing)
    assert "batch-orders.toml" in text
    assert "--sandbox" in text
    assert CANARY not in text


def test_secrets_are_in_no_text_of_the_settings(tmp_path: Path) -> None:
    """Neither login nor secret nor proxy is in anything that prints settings."""
    env = {**ACCOUNT, "BATCH_ORDERS_CLIENT_ID": f"{CANARY}@example.com", "BATCH_ORDERS_PROXY": f"http://a:{CANARY}@b.c"}
    settings = load(tmp_path, env=env)
    for text in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert CANARY not in text
    assert CANARY not in settings.model_dump_json(exclude={"client_id"})
    assert CANARY not in repr(settings.require_account()[2])


# The sandbox -------------------------------------------------------------------------------------------------------


def test_the_sandbox_ignores_the_real_account(tmp_path: Path) -> None:
    """Whatever is set for the real account is ignored, broken or not; how to send still counts."""
    broken = dict.fromkeys(("BASE_URL", "PROXY", "CA_FILE", "IDEMPOTENCY_HEADER", "LEDGER"), "not right :")
    settings = load(
        tmp_path,
        flags={"concurrency": 9, "base_url": "https://devicehub.example.com", "ledger": None},
        env={**{f"BATCH_ORDERS_{name}": value for name, value in broken.items()}, "BATCH_ORDERS_RATE": "9/s"},
        dotenv="BATCH_ORDERS_CLIENT_ID=orders@example.com\nBATCH_ORDERS_TIMEOUT=9\nBATCH_ORDERS_LOG_FILE=x.log\n",
        toml='client_secret = "x"\nledger = "/data/real.sqlite"\npatience = 9\nmax_orders = 9\n',
        sandbox=True,
    )
    assert settings.rate == Rate(orders=9, window=1.0)
    assert {settings.concurrency, settings.timeout, settings.patience, settings.max_orders} == {9}
    assert settings.log_file == tmp_path / "x.log"
    assert {settings.base_url, settings.client_id, settings.client_secret, settings.proxy} == {None}
    assert {settings.ca_file, settings.idempotency_header} == {None}
    with pytest.raises(SettingsError, match="base_url, client_id and client_secret"):
        settings.require_account()


@pytest.mark.parametrize("place", ["env", "dotenv", "toml", "default"])
def test_the_sandbox_never_gets_the_real_ledger(tmp_path: Path, place: str) -> None:
    """Only a flag gives the sandbox a ledger that stays."""
    places: dict[str, dict[str, Any]] = {
        "env": {"env": {"BATCH_ORDERS_LEDGER": "/data/real.sqlite"}},
        "dotenv": {"dotenv": "BATCH_ORDERS_LEDGER=/data/real.sqlite\n"},
        "toml": {"toml": 'ledger = "/data/real.sqlite"\n'},
        "default": {},
    }
    real = places[place]
    settings = load(tmp_path, **real, sandbox=True)
    assert settings.ledger is None
    with pytest.raises(SettingsError, match="throwaway"):
        settings.require_ledger()
    given_one = load(tmp_path, flags={"ledger": "mine.sqlite"}, **real, sandbox=True)
    assert given_one.require_ledger() == tmp_path / "mine.sqlite"


def test_a_sandbox_has_users_only_where_they_are_set(tmp_path: Path) -> None:
    """The real page's users are not let in by accident; a file that is named counts, wherever it is named."""
    assert load(tmp_path, sandbox=True).users_file is None
    with pytest.raises(SettingsError, match="no users"):
        load(tmp_path, sandbox=True).require_users_file()
    given = tmp_path / "u.json"
    for places in ({"flags": {"users_file": "u.json"}}, {"env": {variable("users_file"): "u.json"}}):
        assert load(tmp_path, **places, sandbox=True).users_file == given
    settings = load(tmp_path, toml='users_file = "u.json"\napproval = "required"\n', sandbox=True)
    assert (settings.users_file, settings.approval) == (given, "required")


@pytest.mark.parametrize("name", ["rate", "timeout", "ledger", "page-proxy"])
def test_what_counts_in_the_sandbox_is_still_checked(tmp_path: Path, name: str) -> None:
    """How to send, and the ledger's flag, have to be right in the sandbox too."""
    assert f"--{name} " in refused(tmp_path, flags={name.replace("-", "_"): "postgresql://x"}, sandbox=True)


# The template, and the module itself -------------------------------------------------------------------------------


def template_settings() -> dict[str, str]:
    """The template's settings: name to the line, uncommented."""
    lines = re.findall(r"^#(([a-z_]+) = .*)$", TEMPLATE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len({name for _, name in lines}) == len(lines)
    return {name: line for line, name in lines}


def test_the_template_names_every_setting() -> None:
    """Each setting is in the template once, with a comment right above it (or above its neighbour)."""
    assert set(template_settings()) == set(Settings.model_fields)
    blocks = TEMPLATE.read_text(encoding="utf-8").split("\n\n")
    for name in Settings.model_fields:
        block = next(block for block in blocks if f"\n#{name} = " in block)
        assert block.strip().startswith("# ")


def test_the_template_is_ready_to_copy(tmp_path: Path) -> None:
    """As it is, and with everything uncommented, the template gives the defaults."""
    text = TEMPLATE.read_text(encoding="utf-8")
    defaults = load(tmp_path).model_dump()
    assert load(tmp_path, toml=text).model_dump() == defaults
    assert load(tmp_path, toml="\n".join(template_settings().values())).model_dump() == defaults
    for line in template_settings().values():
        assert load(tmp_path, toml=line).model_dump() == defaults


def test_the_template_shows_the_defaults_themselves(tmp_path: Path) -> None:
    """A default that is a value is written out, so that it can be seen what it is."""
    for name, field in Settings.model_fields.items():
        if field.default is not None and field.default_factory is None:
            shown = "".join(template_settings()[name].split("= ")[1:])
            assert shown not in {'""', '"off"'} or shown == f'"{field.default}"'
    assert load(tmp_path, toml=template_settings()["rate"].replace("2", "3")).rate.orders == 3


def test_importing_the_settings_is_light() -> None:
    """Reading the settings needs nothing of what reading sheets and sending needs."""
    heavy = {"pandas", "httpx", "sqlalchemy", "structlog", "rich", "openpyxl", "ssl", "fastapi"}
    code = f"import sys, batch_orders.settings; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ}
    )
    assert done.stdout.strip() == "[]"
