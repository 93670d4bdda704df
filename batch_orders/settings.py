"""The settings: read once, before anything else happens, and frozen.

Flags beat the environment (`BATCH_ORDERS_RATE`), which beats `.env`, which beats `batch-orders.toml`. Only the value
that wins is read; whatever is wrong with it becomes a SettingsError that names the setting, where it came from and
what would be right. No text here ever quotes a login, a secret, an address (it could hold a password) or the value
of a setting that does not exist (it could be a misspelt secret).
"""

from __future__ import annotations

import difflib
import io
import ipaddress
import itertools
import math
import re
import tomllib
from collections.abc import Mapping  # noqa: TC003 - pydantic needs it
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from batch_orders.errors import SettingsError
from batch_orders.models import Limits
from batch_orders.places import LedgerPlace, LedgerUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PREFIX = "BATCH_ORDERS_"
FILE_NAME = "batch-orders.toml"

# The tests' own variables; they are no settings.
_TEST_PREFIX = PREFIX + "TEST_"
# What other people on the machine could read in the list of processes.
_NEVER_FLAGS = ("client_id", "client_secret", "notify", "ping_url")
# Who is told, and what a monitor looks at: a sandbox's run must not look there as if the real one had gone well.
_TELLING = ("notify", "notify_when", "notify_details", "ping_url", "metrics_file")
# What belongs to the real account: the sandbox ignores it, broken or not.
_REAL_ACCOUNT = (
    *("base_url", "client_id", "client_secret", "ledger", "proxy", "ca_file", "idempotency_header", "queue"),
    *_TELLING,
)

# The flags that are not called as their setting is.
_FLAG_NAMES = {"users_file": "--users"}

_LONGEST_QUOTE = 60
_MOST_ORDERS_A_WINDOW = 100_000
_MOST_SECONDS = 1e12
_HOUR = 3600.0
_DAY = 24 * _HOUR

_DURATION_UNITS = {
    unit: seconds
    for units, seconds in (
        (("ms",), 0.001),
        (("s", "sec", "second", "seconds"), 1.0),
        (("min", "minute", "minutes"), 60.0),
        (("h", "hour", "hours"), _HOUR),
        (("d", "day", "days"), _DAY),
        (("week", "weeks"), 7 * _DAY),
    )
    for unit in units
}
_RATE_WINDOWS = {
    unit: window
    for units, window in (
        (("s", "sec", "second"), 1.0),
        (("m", "min", "minute"), 60.0),
        (("h", "hour"), _HOUR),
    )
    for unit in units
}

_SIZE_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_MOST_BYTES = 2 * 10**9
# What Excel's sheets can have.
_MOST_COLUMNS, _MOST_ROWS = 16_384, 1_048_576

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_PLAIN_NUMBER = re.compile(rf"{_NUMBER}\Z")
_DURATION_PART = re.compile(rf"({_NUMBER})\s*([a-z]+)\s*")
_DURATION = re.compile(rf"(?:{_NUMBER}\s*[a-z]+\s*)+\Z")
_RATE = re.compile(r"([0-9]{1,12})\s*/\s*([a-z]+)\Z")
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]*)\Z")
_DAYS = re.compile(r"[0-9]{1,3}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,12}\Z")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")  # RFC 9110, "token"
# Headers that the client or HTTP itself sets: a key in one of these would break the call, or the login.
_TAKEN_HEADERS = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type"}
    | {"cookie", "expect", "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "user-agent"}
)
# An address that apprise may know: what comes after the scheme is its business, and nobody else's.
_NOTIFY_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[!-~]+\Z", re.IGNORECASE)
_YES_NO = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_TOML_PLACE = re.compile(r"at line (\d+), column (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `orders` in any `window` seconds; `str()` gives it as the settings write it ("60/min")."""

    orders: int
    window: float

    def __post_init__(self) -> None:
        if not 1 <= self.orders <= _MOST_ORDERS_A_WINDOW:
            raise ValueError(f"has to be between 1 and {_MOST_ORDERS_A_WINDOW} orders")
        if not 0 < self.window < math.inf:
            raise ValueError("needs a time to count the orders in")

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "min", _HOUR: "h"}.get(self.window, f"{self.window:g}s")
        return f"{self.orders}/{unit}"


def parse_rate(value: object) -> Rate:
    """A rate: `2/s`, `60/min`, `500/h`. ValueError says what is wrong, to be read after the setting's name."""
    if isinstance(value, Rate):
        return value
    match = _RATE.match(value.strip().lower()) if isinstance(value, str) else None
    if match is None or match[2] not in _RATE_WINDOWS:
        raise ValueError(f"is not a number of orders a second, minute or hour: {_quoted(value)}")
    return Rate(orders=int(match[1]), window=_RATE_WINDOWS[match[2]])


def parse_duration(value: object) -> float:
    """Seconds: a number of them, or text with units (`30`, `1.5 min`, `1h 30min`, `21 days`).

    Never negative, NaN or infinite. ValueError says what is wrong, to be read after the setting's name.
    """
    if isinstance(value, str):
        return _duration_of_text(value)
    # Comparing before float(): an int can be too large for it, and NaN compares false.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_SECONDS:
        raise _not_a_duration(value)
    return float(value)


def _duration_of_text(text: str) -> float:
    folded = text.strip().lower()
    if _PLAIN_NUMBER.match(folded):
        return float(folded)
    if not _DURATION.match(folded):
        raise _not_a_duration(text)
    parts = _DURATION_PART.findall(folded)
    units = [_DURATION_UNITS.get(unit, 0.0) for _, unit in parts]
    # Largest first, each once: "30min 1h" and "1h 1h" are more likely slips than meant.
    if not all(units) or any(left <= right for left, right in itertools.pairwise(units)):
        raise _not_a_duration(text)
    return math.fsum(float(number) * seconds for (number, _), seconds in zip(parts, units, strict=True))


def _not_a_duration(value: object) -> ValueError:
    return ValueError(f"is not a length of time: {_quoted(value)}")


# Readers: a raw value in, the setting's value out; ValueError says what is wrong, after the setting's name ----------


def _quoted(value: object) -> str:
    """The value for a message: in quotes, on one line, and not endless."""
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))
    return f'"{text}"' if len(text) <= _LONGEST_QUOTE else f'"{text[:_LONGEST_QUOTE]}…"'


def _is_off(value: object) -> bool:
    return value is None or value is False or (isinstance(value, str) and value.strip().lower() == "off")


def _duration_between(least: float, most: float, said: str = "") -> Callable[[object], float]:
    said = said or f"{least:g} and {most:g} seconds"

    def read(value: object) -> float:
        seconds = parse_duration(value)
        if not least <= seconds <= most:
            raise ValueError(f"has to be between {said}, but is {_quoted(value)}")
        return seconds

    return read


def _whole_number_between(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        is_number = isinstance(value, int | str) and not isinstance(value, bool)
        if not is_number or not _WHOLE_NUMBER.match(str(value).strip()):
            raise ValueError(f"is not a whole number: {_quoted(value)}")
        number = int(str(value))
        if not least <= number <= most:
            raise ValueError(f"has to be between {least} and {most}, but is {_quoted(value)}")
        return number

    return read


def _read_size(value: object) -> int:
    """Bytes: a number of them, or text with a unit ("20 MB")."""
    is_number = isinstance(value, int | float | str) and not isinstance(value, bool)
    match = _SIZE.match(str(value).strip().lower()) if is_number else None
    if match is None or match[2] not in _SIZE_UNITS:
        raise ValueError(f"is not a size, such as 20 MB: {_quoted(value)}")
    size = float(match[1]) * _SIZE_UNITS[match[2]]
    if not 1 <= size <= _MOST_BYTES:
        raise ValueError(f"has to be between 1 byte and {_MOST_BYTES // 10**9} GB, but is {_quoted(value)}")
    return int(size)


def _read_login_text(value: object) -> str:
    """Text that is part of a login: never quoted."""
    if not isinstance(value, str):
        raise ValueError("is not text: it needs quotes around it")  # noqa: TRY004 - pydantic passes on ValueError only
    if not value.isprintable():
        raise ValueError("has an invisible character in it (a line break, say): copy it again")
    return value


def _read_client_id(value: object) -> str | None:
    return None if value is None else _read_login_text(value).strip()


def _read_client_secret(value: object) -> SecretStr | None:
    if value is None or isinstance(value, SecretStr):
        return value
    return SecretStr(_read_login_text(value))


def _split_address(value: object, schemes: tuple[str, ...], *, with_path: bool = False) -> SplitResult:
    """A web address taken apart. Its text is never quoted: it could hold a password."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    text = value.strip() if isinstance(value, str) else ""
    # urlsplit() drops line breaks silently and leaves spaces and backslashes to the reader's imagination.
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("is not a web address: it has a character in it that no address has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in schemes:
        raise ValueError(f"is not a web address that begins with {wanted}")
    if port == 0 or not _is_host(parts.hostname or ""):
        raise ValueError("has no host name, or one that cannot be right")
    if not with_path and (parts.path not in {"", "/"} or "?" in text or "#" in text):
        raise ValueError("has more in it than the host: nothing comes after the host name and port")
    return parts


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST_NAME.match(host) is not None
    return "%" not in host and _address(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_on_this_machine(origin: str) -> bool:
    """Whether what answers at this origin (see `base_url`) runs on this very machine: a sandbox, usually."""
    return _is_loopback(urlsplit(origin).hostname or "")


def _read_base_url(value: object) -> str | None:
    return None if value is None else _origin(value, "these are client_id and client_secret")


def _read_page_url(value: object) -> str | None:
    return None if _is_off(value) else _origin(value, "people log in on the page itself")


def _origin(value: object, instead_of_login: str) -> str:
    """The origin as browsers write it: lower case, no default port, no slash at the end."""
    parts = _split_address(value, ("https", "http"))
    _require_safe(parts, instead_of_login)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{_address(host)}]"
    default_port = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in {None, default_port} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _require_safe(parts: SplitResult, instead_of_login: str) -> None:
    """No login in the address, and nothing that others on the network could read."""
    if "@" in parts.netloc:
        raise ValueError(f"has a user name or password in it: {instead_of_login}")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("has to begin with https:// (http:// is for this machine alone, such as http://127.0.0.1)")


def _read_proxy(value: object) -> SecretStr | None:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if _is_off(value):
        return None
    return SecretStr(_split_address(value, ("http", "https")).geturl())


def _read_notify(value: object) -> SecretStr | None:
    """Addresses with a space between each; in TOML also a list of them. None is ever quoted: they hold passwords."""
    if _is_off(value) or isinstance(value, SecretStr):
        return value if isinstance(value, SecretStr) else None
    parts = value if isinstance(value, list) else [value]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise ValueError("is not text: addresses need quotes around them")
    addresses = " ".join(texts).split()
    for number, address in enumerate(addresses, start=1):
        if not _NOTIFY_ADDRESS.match(address):
            raise ValueError(f"has something in it that is no address of apprise: number {number} is not scheme://…")
    return SecretStr(" ".join(addresses)) if addresses else None


def _read_notify_when(value: object) -> str:
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in {"attention", "always"}:
        raise ValueError(f'has to be "attention" or "always", but is {_quoted(value)}')
    return text


def _read_yes_no(value: object) -> bool:
    found = value if isinstance(value, bool) else _YES_NO.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"has to be yes or no, but is {_quoted(value)}")
    return found


def _read_ping_url(value: object) -> SecretStr | None:
    """Whoever knows the address can ping it, so it is a secret."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if _is_off(value):
        return None
    parts = _split_address(value, ("https", "http"), with_path=True)
    _require_safe(parts, "a ping needs none")
    if parts.fragment:
        raise ValueError("has a # in it: nothing after it would ever be sent")
    return SecretStr(parts.geturl())


def _read_page_proxy(value: object) -> str | None:
    """An address as requests come from it: one machine's, written in one way."""
    if _is_off(value):
        return None
    address = _address(value.strip()) if isinstance(value, str) else None
    if address is None or "%" in str(address):
        raise ValueError(f"is not an IP address: {_quoted(value)}")
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"is not the address of one machine: {_quoted(value)}")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _read_approval(value: object) -> str:
    if value is False:  # TOML's own "off"
        return "off"
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in {"off", "required"}:
        raise ValueError(f'has to be "off" or "required", but is {_quoted(value)}')
    return text


def _read_path(value: object, info: ValidationInfo) -> Path:
    """A path; `~` is the home folder, and a relative one stands in the working folder."""
    if not isinstance(value, str | Path):
        raise ValueError(f"is not a path: {_quoted(value)}")  # noqa: TRY004 - pydantic passes on ValueError only
    text = str(value).strip()
    if not text or "\0" in text:
        raise ValueError(f"is not a path: {_quoted(text)}")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"names a home folder that is not there: {_quoted(text)}") from None
    return info.context["folder"] / path if info.context else path


def _read_ledger(value: object, info: ValidationInfo) -> LedgerPlace | None:
    if value is None or isinstance(value, LedgerUrl):
        return value
    text = str(value).strip()
    # An address is never quoted: it may hold a password.
    if _is_database(text):
        return LedgerUrl.parse(text)
    if "://" in text:
        raise ValueError("is an address, but no database's: give a path, or postgresql+psycopg://user@host/database")
    path = _read_path(value, info)
    if _is_folder(path):
        raise ValueError(f"is a folder, but a ledger is a file: {_quoted(path)}")
    return path


def _is_database(text: str) -> bool:
    return text.lower().startswith("postgres") and "://" in text


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a folder above it may be closed to us; opening the file will say so
        return False


def _read_users_file(value: object, info: ValidationInfo) -> Path | None:
    if value is None:
        return None
    path = _read_path(value, info)
    if _is_folder(path):
        raise ValueError(f"is a folder, but users_file is a file: {_quoted(path)}")
    return path


def _read_log_file(value: object, info: ValidationInfo) -> Path | None:
    return None if _is_off(value) else _read_path(value, info)


def _read_metrics_file(value: object, info: ValidationInfo) -> Path | None:
    if _is_off(value):
        return None
    path = _read_path(value, info)
    if path.suffix != ".prom":
        raise ValueError(f"has to end in .prom, since Prometheus' node exporter reads no other files: {_quoted(path)}")
    return path


def _read_ca_file(value: object, info: ValidationInfo) -> Path | None:
    """A file of certificates (PEM) that OpenSSL can read, so that a wrong one is found before the first call."""
    if _is_off(value):
        return None
    import ssl  # noqa: PLC0415 - needed only where there is such a file

    path = _read_path(value, info)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"names a file without certificates (PEM) in it: {_quoted(path)}") from None
    except OSError as error:
        raise ValueError(f"names a file that cannot be read ({error.strerror}): {_quoted(path)}") from None
    return path


def _read_idempotency_header(value: object) -> str | None:
    if _is_off(value):
        return None
    text = value.strip() if isinstance(value, str) else ""
    if not _HEADER_NAME.match(text):
        raise ValueError(f"is not the name of an HTTP header: {_quoted(value)}")
    if text.lower() in _TAKEN_HEADERS:
        raise ValueError(f"names a header that HTTP or the login needs for itself: {_quoted(value)}")
    return text


def _read_server_errors(value: object) -> str:
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in {"unknown", "not_applied"}:
        raise ValueError(f'has to be "unknown" or "not_applied", but is {_quoted(value)}')
    return text


def _read_order_ahead(value: object) -> float | None:
    return None if _is_off(value) else _duration_between(0, 366 * _DAY)(value)


def _read_shipping_days(value: object) -> Mapping[str, int]:
    """By method in lower case: the days that it takes at least."""
    if isinstance(value, dict):  # the default
        return value
    parts = [part.partition("=") for part in value.split(",")] if isinstance(value, str) else []
    found = {name.strip().casefold(): days.strip() for name, _, days in parts}
    if not found or not all(name and _DAYS.fullmatch(days) for name, days in found.items()):
        raise ValueError(f"is not a list of shipping methods with their days: {_quoted(value)}")
    return {name: int(days) for name, days in found.items()}


# The settings themselves -------------------------------------------------------------------------------------------


def _default_ledger() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed where the ledger is given

    return user_data_path("batch-orders", appauthor=False) / "ledger.sqlite"


def _default_users_file() -> Path:
    return _default_ledger().with_name("users.json")


class Settings(BaseModel):
    """Every setting, with the contract's names and defaults; None is "off", or "not set".

    base_url: where orders are sent: the origin, without a slash at its end; https, or http for loopback.
    client_id, client_secret: the login at Device Hub. Neither is shown in `repr()`.
    ledger: the ledger's file, or the database of a shared one; None is a throwaway one, which only the sandbox gets.
    rate: orders a second, minute or hour, over every process that shares the ledger.
    concurrency: orders in flight in this process (1 to 64).
    timeout: seconds for one order call, from its first byte out to its last byte in (0.1 to 3600).
    patience: seconds that an outage is waited out since the last success, before the run stops (0 to a week).
    max_orders: the most orders one run may send (1 or more).
    repeat_days: an order shares a title with one placed within so many days: held as `repeat_item`.
    order_ahead: seconds before its start date until which a row waits (up to a year).
    shipping_days: days that a shipping method takes at least, by its name in lower case; others take one.
    idempotency_header: the name of the header that carries an order's own key, where Device Hub honours one.
    server_errors: what a 5xx answer means for an order.
    proxy: an http or https proxy's address; it may hold a password and is not shown in `repr()`.
    ca_file: certificates (PEM) to trust instead of the usual ones.
    log_file: where JSON log lines are added.
    notify: apprise's addresses of who is told how a job ended, a space between each; not shown in `repr()`.
    notify_when: only when something needs a person, or always.
    notify_details: whether what is told may name people, quote cells and repeat what Device Hub said.
    ping_url: what a monitor such as healthchecks gave for this job; https, or http for loopback; not in `repr()`.
    metrics_file: where figures for Prometheus are written (.prom).
    max_file_size, max_unpacked_size: bytes that a sheet's file may have, and that a workbook may unpack to.
    max_columns, max_rows: how large a sheet may be.
    users_file: who may use the page; None is nobody but who has its one-time link (a sandbox's, unless it is set).
    approval: whether an approver has to approve another one's sheet on the page before it is ordered.
    queue: whether `submit`, `inbox` and the page hand their orders to workers (see `worker`).
    keep_uploads: seconds that an uploaded sheet stays on the page (an hour to ten years).
    page_url: the origin that people type where the page stands behind a proxy; https, or http for loopback.
    page_proxy: the address of that proxy, whose X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str | None, BeforeValidator(_read_base_url)] = Field(
        default=None, examples=["https://devicehub.example.com"]
    )
    client_id: Annotated[str | None, BeforeValidator(_read_client_id)] = Field(
        default=None, repr=False, examples=["orders@example.com"]
    )
    client_secret: Annotated[SecretStr | None, BeforeValidator(_read_client_secret)] = None
    ledger: Annotated[InstanceOf[Path] | InstanceOf[LedgerUrl] | None, BeforeValidator(_read_ledger)] = Field(
        default_factory=_default_ledger,
        examples=["~/batch-orders/ledger.sqlite", "postgresql+psycopg://orders@db.example.com/orders"],
    )
    rate: Annotated[Rate, BeforeValidator(parse_rate)] = Field(
        default=Rate(orders=2, window=1.0), examples=["2/s", "60/min", "500/h"]
    )
    concurrency: Annotated[int, BeforeValidator(_whole_number_between(1, 64))] = Field(default=4, examples=[4])
    timeout: Annotated[float, BeforeValidator(_duration_between(0.1, _HOUR))] = Field(default=30.0, examples=["30s"])
    patience: Annotated[float, BeforeValidator(_duration_between(0, 7 * _DAY))] = Field(default=60.0, examples=["5min"])
    max_orders: Annotated[int, BeforeValidator(_whole_number_between(1, 10_000_000))] = Field(
        default=500, examples=[500]
    )
    repeat_days: Annotated[int, BeforeValidator(_whole_number_between(0, 36_500))] = Field(default=90, examples=[90])
    order_ahead: Annotated[float | None, BeforeValidator(_read_order_ahead)] = Field(default=None, examples=["21 days"])
    # What the names of two of the vendor's methods say themselves.
    shipping_days: Annotated[Mapping[str, int], BeforeValidator(_read_shipping_days)] = Field(
        default={"overnight": 1, "2nd day air": 2}, examples=["UPS Ground=5, 2nd Day Air=2, Overnight=1"]
    )
    idempotency_header: Annotated[str | None, BeforeValidator(_read_idempotency_header)] = Field(
        default=None, examples=["Idempotency-Key"]
    )
    server_errors: Annotated[Literal["unknown", "not_applied"], BeforeValidator(_read_server_errors)] = Field(
        default="unknown", examples=["unknown"]
    )
    proxy: Annotated[SecretStr | None, BeforeValidator(_read_proxy)] = Field(
        default=None, examples=["http://proxy.example.com:3128"]
    )
    ca_file: Annotated[Path | None, BeforeValidator(_read_ca_file)] = Field(
        default=None, examples=["~/batch-orders/company-ca.pem"]
    )
    log_file: Annotated[Path | None, BeforeValidator(_read_log_file)] = Field(
        default=None, examples=["batch-orders.log"]
    )
    notify: Annotated[SecretStr | None, BeforeValidator(_read_notify)] = Field(
        default=None, examples=["mailtos://user:password@smtp.example.com?to=hr@example.com"]
    )
    notify_when: Annotated[Literal["attention", "always"], BeforeValidator(_read_notify_when)] = Field(
        default="attention", examples=["attention", "always"]
    )
    notify_details: Annotated[bool, BeforeValidator(_read_yes_no)] = Field(default=False, examples=["yes", "no"])
    ping_url: Annotated[SecretStr | None, BeforeValidator(_read_ping_url)] = Field(
        default=None, examples=["https://hc-ping.example.com/your-check"]
    )
    metrics_file: Annotated[Path | None, BeforeValidator(_read_metrics_file)] = Field(
        default=None, examples=["/var/lib/prometheus/node-exporter/batch-orders.prom"]
    )
    max_file_size: Annotated[int, BeforeValidator(_read_size)] = Field(default=Limits().file_size, examples=["20 MB"])
    max_unpacked_size: Annotated[int, BeforeValidator(_read_size)] = Field(
        default=Limits().unpacked_size, examples=["200 MB"]
    )
    max_columns: Annotated[int, BeforeValidator(_whole_number_between(1, _MOST_COLUMNS))] = Field(
        default=Limits().columns, examples=[200]
    )
    max_rows: Annotated[int, BeforeValidator(_whole_number_between(1, _MOST_ROWS))] = Field(
        default=Limits().rows, examples=[250000]
    )
    users_file: Annotated[Path | None, BeforeValidator(_read_users_file)] = Field(
        default_factory=_default_users_file, examples=["~/batch-orders/users.json"]
    )
    approval: Annotated[Literal["off", "required"], BeforeValidator(_read_approval)] = Field(
        default="off", examples=["required"]
    )
    queue: Annotated[bool, BeforeValidator(_read_yes_no)] = Field(default=False, examples=["yes", "no"])
    keep_uploads: Annotated[float, BeforeValidator(_duration_between(_HOUR, 3650 * _DAY, "an hour and 3650 days"))] = (
        Field(default=30 * _DAY, examples=["30 days"])
    )
    page_url: Annotated[str | None, BeforeValidator(_read_page_url)] = Field(
        default=None, examples=["https://orders.example.com"]
    )
    page_proxy: Annotated[str | None, BeforeValidator(_read_page_proxy)] = Field(default=None, examples=["10.0.0.5"])

    # What each setting that was given is called where it was given.
    _names: dict[str, str] = PrivateAttr(default_factory=dict)

    def named(self, setting: str) -> str:
        """The setting with where it came from, for messages: "log_file in batch-orders.toml"."""
        return self._names.get(setting, setting)

    @property
    def notify_addresses(self) -> tuple[str, ...]:
        """Each address of `notify`, in the clear."""
        return tuple(self.notify.get_secret_value().split()) if self.notify else ()

    @property
    def limits(self) -> Limits:
        """How large a sheet may be."""
        return Limits(
            file_size=self.max_file_size,
            unpacked_size=self.max_unpacked_size,
            columns=self.max_columns,
            rows=self.max_rows,
        )

    def require_account(self) -> tuple[str, str, SecretStr]:
        """`base_url`, `client_id` and `client_secret`; SettingsError names all that are missing."""
        if self.base_url and self.client_id and self.client_secret:
            return self.base_url, self.client_id, self.client_secret
        missing = [name for name in ("base_url", "client_id", "client_secret") if not getattr(self, name)]
        is_are = "is" if len(missing) == 1 else "are"
        variables = ", ".join(_variable(name) for name in missing)
        raise SettingsError(
            f"{_listed(missing)} {is_are} not set. Nothing was sent.",
            hint=f"Set {variables} in the environment or in .env, or {_listed(missing)} in {FILE_NAME}. "
            "To try things out, --sandbox needs none of them.",
        )

    def require_ledger(self) -> LedgerPlace:
        """Where the ledger is; SettingsError where there is none because the sandbox uses a throwaway one."""
        if self.ledger is None:
            raise SettingsError("This run has a throwaway ledger only.", hint="Name a ledger with --ledger.")
        return self.ledger

    def require_users_file(self) -> Path:
        """The users file; SettingsError where there is none because a sandbox has users only if they are named."""
        if self.users_file is None:
            raise SettingsError("A page in front of a sandbox has no users.", hint="Name a users file with --users.")
        return self.users_file


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# Where they come from ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One place where settings stand. `label` and `example` are patterns for what is said of a setting there."""

    label: str
    example: str
    values: Mapping[str, object]
    problems: tuple[str, ...] = ()

    def name(self, setting: str) -> str:
        return self.label.format(name=setting, variable=_variable(setting), flag=_flag(setting))

    def right(self, setting: str) -> str:
        """What would be right, as it is written in this place."""
        examples = Settings.model_fields[setting].examples or []
        shown = (
            self.example.format(
                name=setting,
                variable=_variable(setting),
                flag=_flag(setting),
                value=example,
                toml=f'"{example}"' if isinstance(example, str) else example,
            )
            for example in examples
        )
        return f" Right would be, for example: {' or '.join(shown)}" if examples else ""


def load_settings(
    *,
    flags: Mapping[str, object],
    config: Path | None,
    environ: Mapping[str, str],
    folder: Path,
    sandbox: bool = False,
) -> Settings:
    """Read the settings, once.

    `flags` are by setting name, None where not given. `folder` is the working folder: `.env`, `batch-orders.toml`
    (unless `config` names another file) and relative paths stand in it. With `sandbox` the settings for the real
    account are ignored, broken or not, `ledger` is None unless there is a flag for it, and so is `users_file` unless
    it is set somewhere.

    Raises SettingsError, which tells everything that is wrong at once. Blank values in the environment and in files
    count as not set; a blank flag is an error, as a script's empty variable must not choose another ledger.
    """
    folder = folder.absolute()
    layers = (_flags(flags), _environment(environ), _dotenv_file(folder), _toml_file(folder, config))
    values: dict[str, object] = {}
    places: dict[str, _Layer] = {}
    for layer in layers:
        for name, value in layer.values.items():
            is_ignored = sandbox and name in _REAL_ACCOUNT and not (name == "ledger" and layer is layers[0])
            if name not in values and not is_ignored:
                values[name], places[name] = value, layer
    if sandbox:
        values.setdefault("ledger", None)
        values.setdefault("users_file", None)
    problems = [problem for layer in layers for problem in layer.problems]
    try:
        settings = Settings.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        problems += [_problem(places, str(e["loc"][0]), e["ctx"]["error"]) for e in error.errors(include_input=False)]
    # Raised out here, so that the values which pydantic's error carries do not travel along.
    if problems:
        raise SettingsError("\n".join(problems), hint="Nothing was sent. Mend this and run the same command again.")
    settings._names.update({name: layer.name(name) for name, layer in places.items()})  # noqa: SLF001 - made here
    return settings


def read_place(flag: str, value: str, *, folder: Path) -> LedgerPlace:
    """Where a flag of its own says that a ledger is, read as the setting `ledger` is; SettingsError names the flag."""
    try:
        if _holds_password(value):
            raise SettingsError(_never_here(flag))
        settings = Settings.model_validate({"ledger": value}, context={"folder": folder.absolute()})
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]["ctx"]["error"]
    else:
        if not _is_blank(value):
            return settings.require_ledger()
        problem = "is blank"
    raise SettingsError(f"{flag} {problem}.")


def _problem(places: Mapping[str, _Layer], name: str, error: object) -> str:
    return f"{places[name].name(name)} {error}.{places[name].right(name)}"


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _flag(name: str) -> str:
    return _FLAG_NAMES.get(name, "--" + name.replace("_", "-"))


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _flags(flags: Mapping[str, object]) -> _Layer:
    given = {name: value for name, value in flags.items() if value is not None}
    problems = [
        f"{name} is never given on the command line, where others could read it: set {_variable(name)} instead."
        for name in _NEVER_FLAGS
        if name in given
    ]
    problems += [f"{_flag(name)} is blank." for name, value in given.items() if _is_blank(value)]
    problems += [_never_here(_flag(name)) for name, value in given.items() if _holds_password(value)]
    problems += [_unknown(_flag(name), name, _flag) for name in given if name not in Settings.model_fields]
    values = {
        name: value
        for name, value in given.items()
        if name in Settings.model_fields and name not in _NEVER_FLAGS and not _is_blank(value)
    }
    return _Layer(label="{flag}", example="{flag} {value}", values=values, problems=tuple(problems))


def _never_here(flag: str) -> str:
    return (
        f"{flag} holds a password, and others could read it on the command line: leave it out there, and set "
        "PGPASSWORD, or keep it in a password file (~/.pgpass)."
    )


def _holds_password(value: object) -> bool:
    try:
        return isinstance(value, str) and _is_database(value) and bool(LedgerUrl.parse(value.strip()).secrets)
    except ValueError:
        return False


def _environment(environ: Mapping[str, str]) -> _Layer:
    values, problems = _variables(environ.items(), "the environment")
    label = "{name} in the environment variable {variable}"
    return _Layer(label=label, example="{variable}={value}", values=values, problems=problems)


def _dotenv_file(folder: Path) -> _Layer:
    values, problems = _variables(_dotenv_pairs(_read_file(folder / ".env", ".env") or ""), ".env")
    return _Layer(label="{name} in .env", example="{variable}={value}", values=values, problems=problems)


def _dotenv_pairs(text: str) -> Iterator[tuple[str, str]]:
    # dotenv_values() skips a line that it cannot read; its parser says which, and a setting may stand in it.
    for binding in parse_stream(io.StringIO(text)):
        start = binding.original.string
        line = binding.original.line + start[: len(start) - len(start.lstrip())].count("\n")
        if binding.error or (binding.value is None and (binding.key or "").startswith(PREFIX)):
            raise SettingsError(
                f".env cannot be read: line {line} is not of the form NAME=value (or a quote in it is not closed).",
                hint=f"Mend the line, as in: {_variable('rate')}=2/s",
            )
        if binding.key is not None and binding.value is not None:
            yield binding.key, binding.value


def _variables(pairs: Iterable[tuple[str, str]], where: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """The settings among these variables, and what is wrong with their names."""
    known = {_variable(name): name for name in Settings.model_fields}
    values: dict[str, object] = {}
    problems: list[str] = []
    for variable, value in pairs:
        if not variable.startswith(PREFIX) or variable.startswith(_TEST_PREFIX) or _is_blank(value):
            continue
        if variable in known:
            values[known[variable]] = value
        else:
            problems.append(_unknown(f"{_shown_name(variable)} in {where}", variable.removeprefix(PREFIX), _variable))
    return values, tuple(problems)


def _toml_file(folder: Path, config: Path | None) -> _Layer:
    shown = FILE_NAME if config is None else str(config)
    text = _read_file(folder / (config or FILE_NAME), shown)
    if text is None and config is not None:
        raise SettingsError(f"There is no settings file {shown}, which --config names.", hint="Check the path.")
    values: dict[str, object] = {}
    problems: list[str] = []
    for name, value in _parse_toml(text or "", shown).items():
        if isinstance(value, dict):
            problems.append(
                f"[{_shown_name(name)}] in {shown} is a section: settings stand at the top of the file, without one."
            )
        elif name in Settings.model_fields:
            values |= {} if _is_blank(value) else {name: value}
        else:
            problems.append(_unknown(f"{_shown_name(name)} in {shown}", name, str))
    # The patterns are filled in later: braces in a path are to stay what they are.
    label = "{name} in " + shown.replace("{", "{{").replace("}", "}}")
    return _Layer(label=label, example="{name} = {toml}", values=values, problems=tuple(problems))


def _parse_toml(text: str, shown: str) -> dict[str, object]:
    place = None
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and int()'s own about numbers of thousands of digits
        # Only the place: the parser's own words can quote the line, which may hold the secret.
        place = _TOML_PLACE.search(str(error))
    except RecursionError:
        pass
    where = f"line {place[1]}, column {place[2]}," if place else f"line {text.count(chr(10)) + 1}, the end,"
    raise SettingsError(
        f"{shown} cannot be read: {where} is not as it should be. Each setting stands on its own line, "
        "once, and text stands in quotes.",
        hint='Mend it, as in: rate = "2/s"',
    )


def _read_file(path: Path, shown: str) -> str | None:
    """A text file's contents; None where there is none (or a folder of that name)."""
    try:
        # Some editors put a mark in front of UTF-8.
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text: save it as UTF-8"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise SettingsError(f"{shown} cannot be read: {problem}.", hint=f"The file is {path}.")


def _unknown(shown: str, name: str, spelt: Callable[[str], str]) -> str:
    """What to say of a setting that does not exist; its value is nobody's business."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), Settings.model_fields, n=1)
    return f"{shown} is not a setting." + (f" Did you mean {spelt(near[0])}?" if near else "")


def _shown_name(name: str) -> str:
    return _quoted(name)[1:-1]
