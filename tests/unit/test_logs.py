"""The log: what may be in it, what never is, and that it never stops a run."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.errors import SettingsError
from batch_orders.logs import configure_logs, describe_exception, get_logger
from batch_orders.models import FindingCode, OrderState, RowStatus, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CANARIES = (
    "jane.canary@example.com",
    "Jane Canary",
    "1 Canary Street",
    "+1 212 555 0142",
    "12125550142",
    "Bearer canary.canary.canary",
)
needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no always full device here")


@pytest.fixture(autouse=True)
def _leave_no_log() -> Iterator[None]:
    """After each test the log and the libraries' loggers are as they were."""
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore", "uvicorn", "sqlalchemy", "asyncio")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    structlog.contextvars.clear_contextvars()
    configure_logs(verbose=False, log_file=None)
    structlog.reset_defaults()
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """A file that is logged to."""
    path = tmp_path / "x.log"
    configure_logs(verbose=False, log_file=path)
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """The log's lines, each a JSON object."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


# Where it goes -----------------------------------------------------------------------------------------------------


def test_silent_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither before nor after a silent set-up is anything written."""
    get_logger().error("before.setup")
    configure_logs(verbose=False, log_file=None)
    get_logger().error("after.setup")
    structlog.get_logger().error("by.structlog")
    assert capfd.readouterr() == ("", "")


def test_verbose_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines of JSON on stderr, nothing on stdout; loggers made before the set-up count too."""
    early = structlog.get_logger()
    configure_logs(verbose=True, log_file=None)
    early.bind(order="0123456789ab").info("order.attempt", seconds=1.5)
    out, err = capfd.readouterr()
    assert out == ""
    line = json.loads(err)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {"level": "info", "event": "order.attempt", "order": "0123456789ab", "seconds": 1.5}


def test_stderr_that_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A replaced stderr is written to as well."""
    configure_logs(verbose=True, log_file=None)
    get_logger().info("x")
    assert json.loads(capsys.readouterr().err)["event"] == "x"


def test_both_at_once_and_appended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With both asked for, both get the same; a second set-up adds to the file."""
    path = tmp_path / "x.log"
    configure_logs(verbose=True, log_file=path)
    get_logger().info("one")
    configure_logs(verbose=False, log_file=path)
    get_logger().info("two")
    assert [line["event"] for line in lines(path)] == ["one", "two"]
    assert json.loads(capfd.readouterr().err) == lines(path)[0]


def open_descriptors() -> int:
    """How many files this process has open (where the system tells)."""
    return sum(Path(f"/proc/self/fd/{number}").exists() for number in range(256))


def test_setting_up_again_leaks_no_descriptor(tmp_path: Path) -> None:
    """The former file is closed."""
    configure_logs(verbose=False, log_file=tmp_path / "x.log")
    before = open_descriptors()
    for _ in range(5):
        configure_logs(verbose=False, log_file=tmp_path / "x.log")
    assert open_descriptors() == before


def test_levels(log_file: Path) -> None:
    """Each method logs at its own level."""
    log = get_logger()
    for write in (log.debug, log.info, log.warning, log.error, log.exception):
        write("x")
    assert [line["level"] for line in lines(log_file)] == ["debug", "info", "warning", "error", "error"]
    assert not any("exception" in line for line in lines(log_file))


def test_context_of_a_run(log_file: Path) -> None:
    """What is bound to the context, such as the run's id, is on every line."""
    structlog.contextvars.bind_contextvars(run_id="run-1", email=CANARIES[0])
    get_logger().info("x", attempt=1)
    line = lines(log_file)[0]
    assert (line["run_id"], line["attempt"], line["dropped"]) == ("run-1", 1, ["email"])
    assert CANARIES[0] not in log_file.read_text()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Run with this umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_a_new_file_is_private(tmp_path: Path, mask: int) -> None:
    """Whatever the umask, only the owner reads and writes a new log."""
    path = tmp_path / "x.log"
    with umask(mask):
        configure_logs(verbose=False, log_file=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    """Who may read a log that was there already was somebody's decision."""
    path = tmp_path / "x.log"
    path.touch()
    path.chmod(0o640)
    configure_logs(verbose=False, log_file=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["", "missing/x.log", "dangling", "loop"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """A folder, a missing folder and broken links are a SettingsError that names log_file; the log stays as it was."""
    (tmp_path / "dangling").symlink_to(tmp_path / "missing" / "x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    good = tmp_path / "good.log"
    configure_logs(verbose=False, log_file=good)
    with pytest.raises(SettingsError) as caught:
        configure_logs(verbose=False, log_file=tmp_path / name)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith(f"log_file: {tmp_path / name} cannot be opened for writing (")
    assert "log_file" in caught.value.hint
    get_logger().info("x")
    assert len(lines(good)) == 1


# Trouble while logging ---------------------------------------------------------------------------------------------


@needs_dev_full
def test_a_full_disk_does_not_stop_a_run(capfd: pytest.CaptureFixture[str]) -> None:
    """What cannot be written to the file is lost; stderr still gets it."""
    configure_logs(verbose=True, log_file=Path("/dev/full"))
    get_logger().info("one")
    get_logger().info("two")
    assert len(capfd.readouterr().err.splitlines()) == 2


@needs_dev_full
@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-"])
def test_a_full_or_closed_stderr_does_not_change_the_exit_code(redirect: str, tmp_path: Path) -> None:
    """A program that logs to a full, or no, stderr ends as it would have."""
    code = (
        "import sys; from pathlib import Path; from batch_orders.logs import *\n"
        "configure_logs(verbose=True, log_file=Path(sys.argv[1])); get_logger().info('x')"
    )
    path = tmp_path / "x.log"
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirect}', "sh", sys.executable, "-c", code, str(path)], check=False, cwd=ROOT
    )
    assert done.returncode == 0
    assert lines(path)[0]["event"] == "x"


def test_a_closed_python_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stderr that was closed or taken away is no reason to stop either."""
    path = tmp_path / "x.log"
    configure_logs(verbose=True, log_file=path)
    closed = (tmp_path / "closed").open("w")
    closed.close()
    for stderr in (closed, None):
        monkeypatch.setattr(sys, "stderr", stderr)
        get_logger().info("x")
    assert len(lines(path)) == 2


def test_after_a_cut_line_the_log_goes_on(log_file: Path) -> None:
    """When there is room again, the line that was cut short is ended, and the next ones can be read."""
    get_logger().info("one")
    size = log_file.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
        get_logger().info("two")
        get_logger().info("three")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    get_logger().info("four")
    get_logger().info("five")
    written = log_file.read_text().splitlines()
    assert len(written) == 4
    assert len(written[1]) == 10
    assert [json.loads(written[i])["event"] for i in (0, 2, 3)] == ["one", "four", "five"]


# The allow-list ----------------------------------------------------------------------------------------------------

ALLOWED: list[tuple[str, object, object]] = [
    ("run_id", "20260102T030405-ab12", "20260102T030405-ab12"),
    ("order", "0123456789ab", "0123456789ab"),
    ("order_key", "0" * 64, "0" * 64),
    ("request_hash", "f" * 64, "f" * 64),
    ("attempt", 3, 3),
    ("status", "already_ordered", "already_ordered"),
    ("status", VerdictKind.FAILING, "failing"),
    ("status", RowStatus.HELD, "held"),
    ("status", HTTPStatus.OK, 200),
    ("state", OrderState.SENDING, "sending"),
    ("code", FindingCode.ZIP, "zip"),
    ("code", 6, 6),
    ("stage", "reading", "reading"),
    ("command", "submit", "submit"),
    ("evidence", "HTTP 502", "HTTP 502"),
    ("evidence", "ReadError < ReadError < BrokenResourceError", "ReadError < ReadError < BrokenResourceError"),
    ("evidence", "no answer", "no answer"),
    ("seconds", 1.23456789, 1.234568),
    ("seconds", 0, 0),
    ("count", 100_000, 100_000),
    ("rate", "60/min", "60/min"),
    ("host", "devicehub.example.com", "devicehub.example.com"),
    ("host", "127.0.0.1:8000", "127.0.0.1:8000"),
    ("host", "[::1]:8000", "[::1]:8000"),
    ("rows", 25, 25),
    ("rows", (2, 3, 4), [2, 3, 4]),
    ("rows", list(range(1000)), list(range(50))),
    ("sandbox", True, True),
    ("sandbox", False, False),
    ("version", "0.1.0", "0.1.0"),
]


class Sly(str):
    """Text that shows another face when it is asked for."""

    __slots__ = ()

    def __str__(self) -> str:
        return CANARIES[0]


DROPPED: list[tuple[str, object]] = [
    *((name, canary) for name in ("email", "firstname", "token", "message", "error", "url") for canary in CANARIES),
    *(
        (name, canary)
        for name in ("order", "status", "state", "code", "evidence", "host", "rate", "seconds", "rows", "stage")
        for canary in CANARIES
        if not (name == "stage" and canary == CANARIES[4])
    ),
    ("host", "https://jane:canary@devicehub.example.com"),
    ("seconds", 12_125_550_142),
    ("count", -12_125_550_142),
    ("rows", [2, 12_125_550_142]),
    ("rows", [2, CANARIES[0]]),
    ("seconds", float("nan")),
    ("seconds", float("inf")),
    ("seconds", 10**400),
    ("seconds", True),
    ("seconds", Decimal(1)),
    ("seconds", "1"),
    ("sandbox", "yes"),
    ("order", "0123456789AB"),
    ("order", "0123456789ab\n"),
    ("order", "0123456789abc"),
    ("order", b"0123456789ab"),
    ("run_id", "x" * 41),
    ("stage", "x" * 41),
    ("status", "fine"),
    ("level", "x"),
    ("timestamp", "x"),
    ("dropped", "x"),
    ("exception", CANARIES[0]),
    ("stack_info", True),
    ("method_name", "x"),
    ("attempt", None),
    ("attempt", {"a": CANARIES[0]}),
]


@pytest.mark.parametrize(("name", "value", "expected"), ALLOWED)
def test_allowed_fields(log_file: Path, name: str, value: object, expected: object) -> None:
    """What may be logged is logged."""
    get_logger().info("x", **{name: value})
    line = lines(log_file)[0]
    assert line[name] == expected
    assert type(line[name]) is type(expected)
    assert "dropped" not in line


@pytest.mark.parametrize(("name", "value"), DROPPED)
def test_dropped_fields(log_file: Path, name: str, value: object) -> None:
    """What is no known field, or does not look like that field, is dropped; its name is told."""
    get_logger().bind(**{name: value}).info("x", attempts=1)
    line = lines(log_file)[0]
    assert line["dropped"] == [name]
    assert set(line) == {"timestamp", "level", "event", "attempts", "dropped"}
    assert line["level"] == "info"


def test_text_is_logged_as_it_was_looked_at(log_file: Path) -> None:
    """A text type of somebody's own cannot smuggle another text in."""
    get_logger().info(Sly("x"), stage=Sly("reading"), state=Sly("sending"))
    line = lines(log_file)[0]
    assert (line["event"], line["stage"], line["state"]) == ("x", "reading", "sending")


@pytest.mark.parametrize("name", ["jane.canary@example.com", "Jane", "a" * 41, "a b", "é", ""])
def test_names_of_fields_are_no_way_in(log_file: Path, name: str) -> None:
    """The name of a dropped field is told only if it looks like one."""
    get_logger().info("x", **{name: 1})
    assert lines(log_file)[0]["dropped"] == ["?"]


def test_many_dropped_fields(log_file: Path) -> None:
    """The list of dropped names does not grow without end."""
    get_logger().info("x", **{f"field_{number}": 1 for number in range(1000)})
    assert len(lines(log_file)[0]["dropped"]) == 20


@pytest.mark.parametrize(
    "event",
    [*CANARIES, "Order sent", "order sent", "order-sent", "x" * 61, "x\n", "", None, 5, "ordre.envoyé"],
)
def test_events_are_literal_words(log_file: Path, event: Any) -> None:
    """An event that is not a word of the program's own is not told."""
    get_logger().info(event)
    assert lines(log_file)[0]["event"] == "unnamed_event"


@pytest.mark.parametrize("event", ["order.attempt", "x", "a_1.b", "x" * 60])
def test_events_that_are_told(log_file: Path, event: str) -> None:
    """An event is a literal word; a field of that name cannot replace it."""
    get_logger().bind(event="y").info(event, event=CANARIES[0])
    assert lines(log_file)[0]["event"] == event


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=5,
)
names = st.text() | st.sampled_from([name for name, _, _ in ALLOWED] + ["exc_info", "event", "self", "email"])


@given(event=json_like, fields=st.dictionaries(names, json_like, max_size=5))
def test_no_call_breaks_the_log(event: Any, fields: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is logged, a line of plain JSON comes out and nothing is raised."""
    path = tmp_path_factory.getbasetemp() / "fuzz.log"
    path.unlink(missing_ok=True)
    configure_logs(verbose=False, log_file=path)
    get_logger().info(event, **fields)
    (line,) = lines(path)
    assert set(line) <= {"timestamp", "level", "event", "dropped", "exception"} | {name for name, _, _ in ALLOWED}


# Exceptions --------------------------------------------------------------------------------------------------------


def fail(secret: str) -> None:
    """Fail with the secret in the message, in a local variable, and in a note."""
    local = secret * 2
    error = ValueError(f"{secret} {local}")
    error.add_note(secret)
    raise error


def fail_twice(secret: str) -> None:
    """Fail with a cause."""
    try:
        fail(secret)
    except ValueError as error:
        raise RuntimeError(secret) from error


def fail_as_a_group(secret: str) -> None:
    """Fail with a group, while handling an error that has a cause."""
    try:
        fail_twice(secret)
    except RuntimeError as error:
        group = ExceptionGroup(secret, [error, KeyError(secret), OSError(5, secret, secret)])
    else:
        return
    try:
        fail_twice(secret)
    finally:
        raise group


def raised(secret: str = CANARIES[0]) -> BaseException:
    """An exception with a cause, a context and a group, each with the secret in it."""
    with pytest.raises(ExceptionGroup) as caught:
        fail_as_a_group(secret)
    return caught.value


def test_exceptions_without_values(log_file: Path) -> None:
    """Type, file, line and function of every exception of the chain and the group; no text, no variable, no source."""
    for canary in CANARIES:
        get_logger().error("x", exc_info=raised(canary))
    text = log_file.read_text()
    for canary in CANARIES:
        assert canary not in text
        assert canary.split()[-1] not in text
    assert "raise " not in text
    exception = lines(log_file)[0]["exception"]
    assert exception["type"] == "ExceptionGroup"
    assert exception["frames"][0].startswith("test_logs.py:")
    assert exception["frames"][-1].endswith(" fail_as_a_group")
    (context,) = exception["context"]
    assert context["type"] == "RuntimeError"
    (cause,) = context["cause"]
    assert cause["type"] == "ValueError"
    assert cause["frames"][-1].endswith(" fail")
    assert [inner["type"] for inner in exception["exceptions"]] == ["RuntimeError", "KeyError", "OSError"]


def test_the_exception_being_handled(log_file: Path) -> None:
    """`exception()` and a true or triple `exc_info` take the exception at hand; nothing at hand is no error."""
    log = get_logger()
    try:
        fail(CANARIES[1])
    except ValueError as error:
        log.exception("x")
        log.info("x", exc_info=True)
        log.info("x", exc_info=(type(error), error, error.__traceback__))
    for nothing in (True, (None, None, None), "text", (), 0, None):
        log.info("x", exc_info=nothing)
    assert [line.get("exception", {}).get("type") for line in lines(log_file)] == [*["ValueError"] * 3, *[None] * 6]
    assert CANARIES[1] not in log_file.read_text()


def fail_from_none() -> None:
    """Fail, and hide what was handled."""
    try:
        fail(CANARIES[0])
    except ValueError:
        raise RuntimeError from None


def test_suppressed_contexts_stay_out() -> None:
    """`raise … from None` hides what was handled."""
    with pytest.raises(RuntimeError) as caught:
        fail_from_none()
    assert set(describe_exception(caught.value)) == {"type", "frames"}


def test_names_made_at_run_time_stay_out() -> None:
    """Types, functions and files can be called anything when they are made by a program."""
    made = type("jane canary@example.com", (Exception,), {})
    space: dict[str, Any] = {"made": made}
    exec(compile("def f(): raise made('jane')", "/x/jane canary@example.com", "exec"), space)  # noqa: S102
    space["f"].__code__ = space["f"].__code__.replace(co_qualname="jane canary@example.com")
    with pytest.raises(made) as caught:
        space["f"]()
    described = describe_exception(caught.value)
    assert described["type"] == "?"
    assert described["frames"][-1] == "?:1 ?"


def deep(left: int) -> None:
    """Fail far down."""
    if not left:
        raise ValueError("far down")
    deep(left - 1)


def test_long_tracebacks_are_cut() -> None:
    """Of a long traceback the ends are told, and how much is left out."""
    with pytest.raises(ValueError, match="far down") as caught:
        deep(200)
    frames = describe_exception(caught.value)["frames"]
    assert len(frames) == 41
    assert frames[20] == "(162 more)"
    assert frames[-1].endswith(" deep")


def test_endless_chains_and_groups_end() -> None:
    """Circles, long chains and large groups of exceptions end."""
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert describe_exception(first)["cause"][0]["cause"] == []
    chain = ValueError()
    for _ in range(5000):
        longer = ValueError()
        longer.__cause__ = chain
        chain = longer
    assert json.dumps(describe_exception(chain)).count('"type"') == 20
    group = ExceptionGroup("x", [ValueError() for _ in range(5000)])
    assert json.dumps(describe_exception(group)).count('"type"') == 20


# The libraries' own logging ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    "name", ["httpx", "httpcore", "httpcore.http11", "uvicorn.error", "uvicorn.access", "sqlalchemy.engine", "asyncio"]
)
def test_libraries_do_not_leak(
    name: str, verbose: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a library says goes nowhere; that it warned is told where the log is on."""
    logger = logging.getLogger(name)
    # A sandbox that another test ran in this process has turned uvicorn's loggers down.
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "_cache", {})
    monkeypatch.setattr(logger, "propagate", True)
    configure_logs(verbose=verbose, log_file=None)
    logger.debug("%s", CANARIES[0])
    logger.info("%s", CANARIES[0])
    logger.warning("%s", CANARIES[0])
    try:
        fail(CANARIES[0])
    except ValueError:
        logger.exception(CANARIES[0])
    out, err = capfd.readouterr()
    assert out == ""
    assert CANARIES[0] not in err
    told = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in told] == (["library.warning", "library.error"] if verbose else [])
    assert all(line["library"] == name for line in told)
    assert not verbose or told[1]["exception"]["type"] == "ValueError"


def test_root_logging_is_left_alone() -> None:
    """Python's root logger is somebody else's; setting up again does not add handlers."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    for _ in range(3):
        configure_logs(verbose=True, log_file=None)
    assert (list(root.handlers), root.level) == before
    assert len(logging.getLogger("httpx").handlers) == 1
    assert not logging.getLogger("httpx").propagate


def test_a_task_that_failed_unseen(log_file: Path) -> None:
    """What asyncio says of a task that nobody waited for has the error's type and place, not its text."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": CANARIES[0], "exception": raised()})

    asyncio.run(main())
    (line,) = lines(log_file)
    assert (line["event"], line["library"], line["exception"]["type"]) == ("library.error", "asyncio", "ExceptionGroup")
    assert CANARIES[0] not in log_file.read_text()
