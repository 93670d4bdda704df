"""The log: JSON lines for whoever has to find out what happened, and nothing of anybody's in them.

What may be logged is a list, not what may not: an event is a literal word, a field is one of `_FIELDS` and looks as
such a field does. Whatever else is passed is dropped, and only its name is kept, under `dropped`. Of an exception
stay its type and where it came from (file, line, function), never its text, a variable or a line of source.

Silent unless asked. A log that cannot be written (a full disk, a closed terminal) never stops a run: its lines are
lost, and the log goes on as soon as there is room again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, cast

import structlog

from batch_orders.errors import SettingsError
from batch_orders.models import FindingCode, OrderState, RowStatus, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    from structlog.typing import EventDict, WrappedLogger

_EVENT = re.compile(r"[a-z][a-z0-9_.]{0,59}\Z")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

# Numbers larger than any count or length of time here: a phone number is one.
_LARGEST_NUMBER = 10**9
_MOST_ROWS = 50
_MOST_DROPPED = 20
# A traceback's innermost frames say what happened, the outermost how it came to it.
_MOST_FRAMES = 40
_MOST_EXCEPTIONS = 20

_FILE = re.compile(r"[A-Za-z0-9_.<>-]{1,80}\Z", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z0-9_.<>]{1,120}\Z", re.ASCII)

# Libraries whose own logging could tell an address, a header or a body.
_LIBRARIES = (
    "alembic",
    "asyncio",
    "concurrent.futures",
    "dotenv",
    "fastapi",
    "filelock",
    "httpcore",
    "httpx",
    "pandera",
    "procrastinate",
    "psycopg",
    "sqlalchemy",
    "uvicorn",
)


# What a field may hold -----------------------------------------------------------------------------------------------


def _text(pattern: str) -> Callable[[object], object]:
    compiled = re.compile(rf"(?:{pattern})\Z", re.ASCII)

    def keep(value: object) -> object:
        # The very text that was looked at: a subclass's own __str__ could give another.
        return str.__str__(value) if isinstance(value, str) and compiled.match(value) else None

    return keep


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN compares false.
    return round(value, 6) if abs(value) < _LARGEST_NUMBER else None


def _flag(value: object) -> object:
    return value if isinstance(value, bool) else None


def _one_of(*enums: type[StrEnum]) -> Callable[[object], object]:
    """One of our own words, or a number (an HTTP status, an exit code)."""
    words = {member.value for enum in enums for member in enum}

    def keep(value: object) -> object:
        return str.__str__(value) if isinstance(value, str) and value in words else _number(value)

    return keep


def _rows(value: object) -> object:
    """How many rows, or the first of their numbers."""
    if not isinstance(value, list | tuple):
        return _number(value)
    rows = [_number(row) for row in value[:_MOST_ROWS]]
    return None if None in rows else rows


_word = _text(r"[a-z][a-z0-9_.-]{0,39}")
_hash = _text(r"[0-9a-f]{64}")
_name = r"[A-Za-z_][A-Za-z0-9_]{0,79}"

_FIELDS: dict[str, Callable[[object], object]] = {
    "run_id": _text(r"[A-Za-z0-9_-]{1,40}"),
    "order": _text(r"[0-9a-f]{12}"),
    "order_key": _hash,
    "request_hash": _hash,
    "status": _one_of(RowStatus, OrderState, VerdictKind),
    "state": _one_of(OrderState),
    "code": _one_of(FindingCode),
    "stage": _word,
    "command": _word,
    "library": _text(r"[a-z][a-z0-9_.]{0,59}"),
    # An HTTP status, or the types of the exceptions that were the answer ("ReadError < TimeoutError").
    "evidence": _text(rf"HTTP [0-9]{{3}}|no answer|{_name}(?: < {_name}){{0,9}}"),
    "host": _text(r"(?![0-9]+\Z)[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"),
    "rate": _text(r"[0-9]{1,6}/(?:s|min|h)"),
    "version": _text(r"[0-9][0-9A-Za-z.+-]{0,39}"),
    "rows": _rows,
    "sandbox": _flag,
    **dict.fromkeys(
        (
            "attempt",
            "attempts",
            "concurrency",
            "count",
            "exit_code",
            "findings",
            "http_status",
            "in_flight",
            "items",
            "line",
            "orders",
            "port",
            "seconds",
            "titles",
            "total",
            "warehouses",
            "window",
        ),
        _number,
    ),
}


def _redact(_: WrappedLogger, method: str, fields: EventDict) -> EventDict:
    """The allow-list: a new line made of what may be in it, and of nothing that was passed as it was."""
    event = fields.pop("event", None)
    error = _exception_of(fields.pop("exc_info", None))
    kept = {name: _FIELDS[name](value) for name, value in fields.items() if name in _FIELDS}
    dropped = sorted({_field_name(name) for name in fields if kept.get(name) is None})
    line: dict[str, Any] = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": method,
        "event": event if isinstance(event, str) and _EVENT.match(event) else "unnamed_event",
    }
    line.update((name, value) for name, value in kept.items() if value is not None)
    if dropped:
        line["dropped"] = dropped[:_MOST_DROPPED]
    if error is not None:
        line["exception"] = describe_exception(error)
    return line


def _field_name(name: object) -> str:
    return name if isinstance(name, str) and _FIELD_NAME.match(name) else "?"


# Exceptions ----------------------------------------------------------------------------------------------------------


def describe_exception(error: BaseException) -> dict[str, Any]:
    """An exception's type and traceback without a value in it: no text, no variables, no lines of source.

    `type`; `frames`, outermost first, each "file:line function"; and lists of the same under `cause`, `context` and
    `exceptions` (a group's). Of very long tracebacks and very many exceptions the middle, or the rest, is left out.
    """
    return _describe(error, set())


def _describe(error: BaseException, seen: set[int]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": _matching(_FUNCTION, type(error).__qualname__), "frames": _frames(error)}
    seen.add(id(error))

    def more(found: Iterable[BaseException]) -> list[dict[str, Any]]:
        return [_describe(e, seen) for e in found if id(e) not in seen and len(seen) < _MOST_EXCEPTIONS]

    if error.__cause__ is not None:
        described["cause"] = more([error.__cause__])
    elif error.__context__ is not None and not error.__suppress_context__:
        described["context"] = more([error.__context__])
    if isinstance(error, BaseExceptionGroup):
        described["exceptions"] = more(error.exceptions)
    return described


def _frames(error: BaseException) -> list[str]:
    frames = [
        f"{_matching(_FILE, Path(frame.f_code.co_filename).name)}:{line or 0} "
        f"{_matching(_FUNCTION, frame.f_code.co_qualname)}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    if len(frames) <= _MOST_FRAMES:
        return frames
    half = _MOST_FRAMES // 2
    return [*frames[:half], f"({len(frames) - 2 * half} more)", *frames[-half:]]


def _matching(pattern: re.Pattern[str], text: str) -> str:
    """The text, or "?": names made at run time could hold anything."""
    return text if pattern.match(text) else "?"


def _exception_of(exc_info: object) -> BaseException | None:
    """The exception that `exc_info` means: true (the one being handled), an exception, or a triple."""
    if isinstance(exc_info, tuple) and len(exc_info) > 1:
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


# Where the lines go --------------------------------------------------------------------------------------------------


class _Output:
    """Writes whole lines to a file descriptor, stderr, both or neither; what cannot be written is lost."""

    def __init__(self, *, to_stderr: bool, descriptor: int | None) -> None:
        self._to_stderr = to_stderr
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._is_cut = False

    @property
    def is_silent(self) -> bool:
        return not self._to_stderr and self._descriptor is None

    def write(self, line: str) -> None:
        with self._lock:
            # ValueError: stderr was closed; AttributeError: there is none at all (no console).
            if self._to_stderr:
                with suppress(OSError, ValueError, AttributeError):
                    _write_stderr(line + "\n")
            if self._descriptor is not None:
                self._write_file(self._descriptor, line)

    def _write_file(self, descriptor: int, line: str) -> None:
        # A line that a full disk cut short is ended first, so that this one can be read.
        data = f"{line}\n".encode() if not self._is_cut else f"\n{line}\n".encode()
        left = data
        try:
            while left:
                left = left[os.write(descriptor, left) :]
            self._is_cut = False
        except OSError:
            self._is_cut = self._is_cut or len(left) < len(data)

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)


def _write_stderr(text: str) -> None:
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):  # stderr was replaced by something that is no file
        sys.stderr.write(text)
        sys.stderr.flush()
        return
    # Past Python's buffer: what it could not write it would try again at exit, and change the exit code.
    sys.stderr.flush()
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _open_log(path: Path, name: str) -> int:
    """Open for appending; a new file is for its owner alone, whatever the umask."""
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    try:
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return os.open(path, flags)
        # The umask can only have taken rights away, from the owner too.
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return descriptor
    raise SettingsError(
        f"{name}: {path} cannot be opened for writing ({reason}).",
        hint="Give log_file a path in a folder that exists and that you may write to, or take it out.",
    )


_output = _Output(to_stderr=False, descriptor=None)


# Setting it up -------------------------------------------------------------------------------------------------------


class EventLogger(structlog.BoundLoggerBase):
    """A logger that takes an event, which is a literal word such as "order.attempt", and fields by name.

    `bind(run_id=…)` gives one that adds these fields to each of its events.
    """

    def debug(self, event: str, /, **fields: object) -> None:
        """What only helps to find a bug."""
        self._log("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What happened."""
        self._log("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """What went wrong and was dealt with."""
        self._log("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """What went wrong and stops something."""
        self._log("error", event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """An error, with the exception that is being handled."""
        self._log("error", event, {"exc_info": True, **fields})

    def _log(self, level: str, event: str, fields: dict[str, object]) -> None:
        with suppress(structlog.DropEvent):
            (line,), _ = self._process_event(level, event, fields)
            _output.write(line)


class _LibraryHandler(logging.Handler):
    """Makes an event of what a library logs: which library, and the exception's type and traceback; no text."""

    def emit(self, record: logging.LogRecord) -> None:
        event = "library.error" if record.levelno >= logging.ERROR else "library.warning"
        log = get_logger()
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write(event, library=record.name, line=record.lineno, exc_info=record.exc_info)


def configure_logs(*, verbose: bool, log_file: Path | None, name: str = "log_file") -> None:
    """Log to stderr where `verbose`, to `log_file` (appended; a new one with mode 0600), to both, or not at all.

    Raises SettingsError where the file cannot be opened; `name` is what the setting is called then. May be called
    again: the former file is closed.
    """
    global _output
    descriptor = None if log_file is None else _open_log(log_file, name)
    former, _output = _output, _Output(to_stderr=verbose, descriptor=descriptor)
    former.close()
    _configure_structlog()
    _quieten_libraries()


def get_logger() -> EventLogger:
    """The program's logger; silent until `configure_logs` was called."""
    if not structlog.is_configured():
        _configure_structlog()
    return cast("EventLogger", structlog.get_logger())


def _configure_structlog() -> None:
    structlog.configure(
        processors=[_drop_where_silent, structlog.contextvars.merge_contextvars, _redact, _render],
        wrapper_class=EventLogger,
        context_class=dict,
        # EventLogger writes by itself, to where the log goes now.
        logger_factory=lambda *_: None,
        # Loggers are made at import, before the log is set up.
        cache_logger_on_first_use=False,
    )


def _drop_where_silent(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    if _output.is_silent:
        raise structlog.DropEvent
    return fields


def _render(_: WrappedLogger, __: str, fields: EventDict) -> str:
    # Plain ASCII, so that no terminal's encoding can fail on it.
    return json.dumps(fields, ensure_ascii=True, allow_nan=False)


def _quieten_libraries() -> None:
    """Python's own logging stays as it is, but for libraries that would tell too much: theirs comes through us."""
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers = [_LibraryHandler()]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
