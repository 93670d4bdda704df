"""Who is told how a job ended: mail, pings and figures, over real sockets; and that none of it matters to the job."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import batch_orders.telling as under_test
from batch_orders.adapters import notifier
from batch_orders.errors import LedgerError, LedgerLoginError, UnreachableError
from batch_orders.settings import load_settings
from batch_orders.telling import telling
from tests.orders import TITLE
from tests.program import Program, RunningHub, sandbox
from tests.receivers import free_port, mail_server, slow_server, web_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.receivers import Mails, Posts

_HEADERS = "Email,First name,Last name,Phone number,Address,City,State,ZIP,Country,Product title,Quantity"
# What nobody may read who was only to hear how the job went.
_CANARIES = ("xanthippe", "quillfeather", "zweig", "Wistaria Lane", "0142")
_PASSWORD = "hunter2-CANARY"


def _row(name: str, *, quantity: str = "1") -> str:
    where = "+1 212 555 0142,9 Wistaria Lane,New York,NY,10001,US"
    return f"{name}.zweig@example.com,Xanthippe,Quillfeather-{name},{where},{TITLE},{quantity}"


def _sheet(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([_HEADERS, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A Device Hub of the real kind: another process."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "100") as running:
        yield running


@pytest.fixture
def mails() -> Iterator[Mails]:
    """Where mail goes."""
    with mail_server() as server:
        yield server


@pytest.fixture
def posts() -> Iterator[Posts]:
    """What is pinged."""
    with web_server() as server:
        yield server


def _program(folder: Path, hub: RunningHub, **settings: str) -> Program:
    """An account with a new ledger, and somebody to tell."""
    program = Program(folder, hub.login | {"ledger": "l.sqlite", "rate": "50/s"} | settings)
    program.json("init", "--new", exit_code=0)
    return program


def _told(mails: Mails) -> str:
    """The one message that came."""
    (mail,) = mails.received
    assert mail.to == "hr@example.com"
    return f"{mail.subject}\n{mail.text}"


def _names_nobody(*texts: str) -> None:
    for text in texts:
        for canary in _CANARIES:
            assert canary.casefold() not in text.casefold(), text


def _figures(path: Path) -> dict[str, float]:
    """Every sample, as Prometheus' own parser reads it: "name" or "name value-of-its-label"."""
    samples = [sample for family in text_string_to_metric_families(path.read_text()) for sample in family.samples]
    assert all(sample.name.startswith("batch_orders_") for sample in samples)
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


# The message --------------------------------------------------------------------------------------------------------


def test_a_sheet_that_needs_a_person(tmp_path: Path, hub: RunningHub, mails: Mails, posts: Posts) -> None:
    """The message says which sheet, how many rows, what to do next, where, and by which command; and names nobody."""
    program = _program(tmp_path, hub, notify=mails.address, ping_url=f"{posts.url}/ping/uuid", log_file="x.log")
    _sheet(tmp_path / "wave.csv", _row("one"), _row("two", quantity="none"))
    done = program.json("submit", "wave.csv", "--yes", exit_code=4)
    text = _told(mails)
    assert text.splitlines()[0] == "batch-orders: some rows need a person"
    assert "wave.csv" in text
    assert "1 row invalid" in text
    assert "1 row ordered" in text
    assert "What next: some rows need a person: do what their messages in the results file say there" in text
    assert f"Results: {tmp_path / done['results']}" in text
    assert f"`batch-orders status {done['run_id']}`" in text
    assert done["run_id"] in program.run("status", done["run_id"]).stdout
    assert posts.paths == ["/ping/uuid/start", "/ping/uuid/fail"]
    assert posts.received[1].body == "exit 4; rows: 1 invalid, 1 ordered"
    _names_nobody(text, posts.received[0].body)


def test_a_file_name_that_is_no_text(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """The message arrives all the same."""
    program = _program(tmp_path, hub, notify=mails.address)
    name = os.fsdecode(b"wave-\xff.csv")
    _sheet(tmp_path / name, _row("odd", quantity="none"))
    assert program.run("submit", name, "--yes").returncode == 3
    assert "wave-" in _told(mails)


def test_nobody_is_bothered_where_all_is_well(tmp_path: Path, hub: RunningHub, mails: Mails, posts: Posts) -> None:
    """No message unless it is always wanted; the monitor hears of it in any case."""
    settings = {"notify": mails.address, "ping_url": f"{posts.url}/ping/uuid?create=1"}
    program = _program(tmp_path, hub, **settings)
    _sheet(tmp_path / "wave.csv", _row("calm"))
    program.json("submit", "wave.csv", "--yes", exit_code=0)
    assert mails.received == []
    assert posts.paths == ["/ping/uuid/start?create=1", "/ping/uuid?create=1"]
    always = Program(tmp_path, program.settings | {"notify_when": "always"})
    always.json("submit", "wave.csv", "--yes", exit_code=0)
    text = _told(mails)
    assert text.splitlines()[:2] == ["batch-orders: all is well", "wave.csv: 1 already_ordered"]
    _names_nobody(text)


def test_one_message_for_a_whole_inbox(tmp_path: Path, hub: RunningHub, mails: Mails, posts: Posts) -> None:
    """Sheets that need a person first; a file that is named after somebody, or cannot be read, is not named."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    program = _program(tmp_path, hub, notify=mails.address, ping_url=posts.url, metrics_file="bo.prom")
    _sheet(inbox / "calm.csv", _row("one"))
    _sheet(inbox / "laptop for Quillfeather.csv", _row("four", quantity="0"))
    _sheet(inbox / "both.csv", _row("two"), _row("three", quantity="x"))
    (inbox / "Xanthippe.csv").write_text("Xanthippe,Quillfeather,9 Wistaria Lane\n1,2,3\n", encoding="utf-8")
    program.json("inbox", "inbox", "--settled-for", "0", exit_code=4)
    text = _told(mails)
    _names_nobody(text, *(post.body for post in posts.received), (tmp_path / "bo.prom").read_text())
    assert f"4 sheets worked through in {inbox}; 3 of them need a person." in text
    assert f"A sheet cannot be ordered from, so nothing of it was. It is in {inbox / 'attention'}, and a note" in text
    assert f"Results: in {inbox / 'attention'}, beside the sheet" in text
    assert f"Results: {inbox / 'attention' / 'both.results.csv'}" in text
    assert f"then put that file into {inbox}" in text
    assert text.index("both.csv → attention") < text.index("calm.csv → done: 1 ordered")
    assert posts.paths == ["/start", "/fail"]


def test_details_only_where_they_are_wanted(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """With `notify_details` each row that needs a person is told, and each file's name and error."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    program = _program(tmp_path, hub, notify=mails.address, notify_details="yes")
    _sheet(inbox / "Quillfeather.csv", _row("told", quantity="none"))
    (inbox / "Xanthippe.csv").write_text("Xanthippe,Quillfeather,9 Wistaria Lane\n1,2,3\n", encoding="utf-8")
    program.json("inbox", "inbox", "--settled-for", "0", exit_code=3)
    text = _told(mails)
    assert "- row 2, told.zweig@example.com: ‘none’ is not a quantity" in text
    assert f"Note: {inbox / 'attention' / 'Xanthippe.csv.problem.txt'}" in text
    assert "Xanthippe.csv has no header that is known; its first row says" in text


def test_an_unknown_order_is_told_with_how_to_settle_it(tmp_path: Path, mails: Mails) -> None:
    """Also in later jobs, as long as it waits; and the figures say since when."""
    with sandbox(tmp_path, "--fault", "reset_after_placing=1", "--seed", "1") as bad_day:
        program = _program(tmp_path, bad_day, notify=mails.address, metrics_file="bo.prom", notify_when="always")
        _sheet(tmp_path / "wave.csv", _row("lost"))
        began = time.time()
        program.json("submit", "wave.csv", "--yes", exit_code=5)
        text = _told(mails)
        assert text.startswith("batch-orders: an order's end is unknown")
        assert "Altogether 1 order of unknown end waits for a person" in text
        figures = _figures(tmp_path / "bo.prom")
        assert figures["batch_orders_orders unknown"] == 1
        assert began <= figures["batch_orders_oldest_unknown_order_timestamp_seconds"] <= time.time()
        mails.received.clear()
        (tmp_path / "empty").mkdir()
        program.json("inbox", "empty", exit_code=0)
        assert "Altogether 1 order of unknown end" in _told(mails)
        (waiting,) = program.json("status", exit_code=0)["waiting"]
        program.run("settle", waiting["order"], "--not-placed")
        program.json("inbox", "empty", exit_code=0)
        assert "batch_orders_oldest_unknown_order_timestamp_seconds" not in _figures(tmp_path / "bo.prom")


def test_an_inbox_reminds_of_unknown_orders_every_night(tmp_path: Path, mails: Mails, posts: Posts) -> None:
    """Also with nothing to do, until somebody has settled them; the run itself went well, and the monitor hears so."""
    with sandbox(tmp_path, "--fault", "reset_after_placing=1", "--seed", "1") as bad_day:
        program = _program(tmp_path, bad_day, notify=mails.address, ping_url=posts.url)
        (tmp_path / "inbox").mkdir()
        _sheet(tmp_path / "inbox" / "wave.csv", _row("lost"))
        program.json("inbox", "inbox", "--settled-for", "0", exit_code=5)
        for _ in range(2):
            mails.received.clear()
            posts.received.clear()
            program.json("inbox", "inbox", "--settled-for", "0", exit_code=0)
            text = _told(mails)
            assert text.startswith("batch-orders: 1 order of unknown end still waits for a person")
            assert "The oldest was sent on" in text
            assert "`batch-orders status` lists it" in text
            assert posts.paths == ["/start", "/"]
            _names_nobody(text)
        (waiting,) = program.json("status", exit_code=0)["waiting"]
        program.run("settle", waiting["order"], "--not-placed")
        mails.received.clear()
        program.json("inbox", "inbox", "--settled-for", "0", exit_code=0)
        assert mails.received == []


def test_more_than_max_orders_is_told(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """What to do is about the setting: nothing in the sheet is to be mended."""
    program = _program(tmp_path, hub, notify=mails.address, max_orders="1")
    (tmp_path / "inbox").mkdir()
    _sheet(tmp_path / "inbox" / "Quillfeather.csv", _row("many"), _row("more"))
    program.json("inbox", "inbox", "--settled-for", "0", exit_code=2)
    text = _told(mails)
    assert text.startswith("batch-orders: a sheet would place more than max_orders allows")
    assert "The sheet would place more orders than max_orders allows, so nothing of it was ordered." in text
    assert "What next: if that is right, allow more with the setting max_orders (or --max-orders)" in text
    assert f"Note: in {tmp_path / 'inbox' / 'attention'}, beside the sheet" in text
    assert "mend" not in text
    _names_nobody(text)


def test_an_inbox_that_lost_the_login_says_what_to_mend(tmp_path: Path, mails: Mails) -> None:
    """And not that there is nothing to do, nor that the sheet is to be put in again: it waits."""
    with sandbox(tmp_path, "--fault", "401=1", "--seed", "1") as bad_day:
        program = _program(tmp_path, bad_day, notify=mails.address)
        (tmp_path / "inbox").mkdir()
        _sheet(tmp_path / "inbox" / "wave.csv", _row("lost"))
        program.json("inbox", "inbox", "--settled-for", "0", exit_code=6)
    text = _told(mails)
    assert "wave.csv → waiting" in text
    assert "Device Hub no longer accepts the login, also after a new one; the run stopped." in text.splitlines()
    assert "What next: check client_id and client_secret with the vendor; the next run then goes on with it." in text
    assert "first time" not in text
    assert "again" not in text


def test_an_unknown_order_in_a_sheet_that_waits(tmp_path: Path, mails: Mails) -> None:
    """The sheet is tried again by itself: nobody is to put it in once more."""
    with sandbox(tmp_path, "--fault", "reset_after_placing=1", "--seed", "1") as bad_day:
        program = _program(tmp_path, bad_day, notify=mails.address, order_ahead="21 days")
        (tmp_path / "inbox").mkdir()
        late = (datetime.now(UTC) + timedelta(days=40)).date()
        rows = [f"{_row('now')},", f"{_row('later')},{late}"]
        (tmp_path / "inbox" / "wave.csv").write_text("\n".join([f"{_HEADERS},Start date", *rows]) + "\n")
        program.json("inbox", "inbox", "--settled-for", "0", exit_code=5)
    text = _told(mails)
    assert "wave.csv → waiting" in text
    assert f"waits in {tmp_path / 'inbox'}/waiting, and the next run goes on with it by itself." in text
    assert "put the sheet into" not in text


def test_an_earlier_sheet_that_waits_is_told(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """Although the run went well; a file that is named after somebody is still not named."""
    program = _program(tmp_path, hub, notify=mails.address, order_ahead="21 days")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    late = (datetime.now(UTC) + timedelta(days=40)).date()
    for name in ("starts.csv", "Quillfeather.csv"):
        row = f"{_row(f'rolling{name[0]}')},{late}"
        for _ in range(2):
            (inbox / name).write_text("\n".join([f"{_HEADERS},Start date", row]) + "\n")
            program.json("inbox", "inbox", "--settled-for", "0", exit_code=0)
    (starts, quillfeather) = (f"{mail.subject}\n{mail.text}" for mail in mails.received)
    assert starts.startswith("batch-orders: something to look at")
    assert f"An earlier sheet of that name still waits (starts.csv in {inbox}/waiting), and will order" in starts
    assert f"An earlier sheet of that name still waits (in {inbox}/waiting), and will order by itself" in quillfeather
    assert "What next: nothing" not in starts
    _names_nobody(starts, quillfeather)


def test_a_person_who_says_no_is_not_told_so(tmp_path: Path, mails: Mails) -> None:
    """Off a terminal nobody can: that is an error of the job's set-up, and told."""
    with sandbox(tmp_path) as running:
        program = _program(tmp_path, running, notify=mails.address)
        _sheet(tmp_path / "wave.csv", _row("no"))
        assert program.run("submit", "wave.csv").returncode == 2
        text = _told(mails)
    assert "batch-orders: the settings or the account are wrong" in text
    assert "What next: read what the job printed" in text


# Nothing of it matters to the job -----------------------------------------------------------------------------------


def _all_dead(folder: Path) -> dict[str, str]:
    port = free_port()
    return {
        "notify": f"mailto://orders:{_PASSWORD}@127.0.0.1:{port}?from=a@example.com&to=hr@example.com"
        f" json://127.0.0.1:{port}/{_PASSWORD}",
        "ping_url": f"http://127.0.0.1:{port}/{_PASSWORD}",
        "metrics_file": str(folder / "no such folder" / "bo.prom"),
        "notify_when": "always",
        "log_file": "x.log",
    }


@pytest.mark.parametrize(("quantity", "exit_code"), [("1", 0), ("none", 3)])
def test_everybody_dead(tmp_path: Path, hub: RunningHub, quantity: str, exit_code: int) -> None:
    """The exit code and stdout stay; stderr and the log say what failed, a line each, and no address."""
    program = _program(tmp_path, hub, **_all_dead(tmp_path))
    _sheet(tmp_path / "wave.csv", _row(f"dead{exit_code}", quantity=quantity))
    done = program.run("submit", "wave.csv", "--yes", "--quiet")
    assert done.returncode == exit_code
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning:")]
    assert len(warnings) == 3
    assert "numbers 1 (mailto), 2 (json) of notify's addresses" in done.stderr
    assert "the monitor at 127.0.0.1 could not be pinged" in done.stderr
    assert "bo.prom could not be written: there is no such folder" in done.stderr
    log = (tmp_path / "x.log").read_text()
    for event in ("notify.failed", "ping.failed", "metrics.failed"):
        assert event in log
    assert _PASSWORD not in done.stdout + done.stderr + log


def test_one_dead_server_keeps_nobody_else_from_being_told(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """The others get their message, and the warning says which did not."""
    program = _program(tmp_path, hub, notify=f"json://127.0.0.1:{free_port()} {mails.address}", notify_when="always")
    _sheet(tmp_path / "wave.csv", _row("half"))
    done = program.run("submit", "wave.csv", "--yes", "--quiet")
    assert done.returncode == 0
    assert "the message to number 1 (json) of notify's addresses could not be sent" in done.stderr
    assert "all is well" in _told(mails)


def test_a_ping_that_fails_is_tried_again(tmp_path: Path, hub: RunningHub) -> None:
    """A monitor that stumbles once must not raise a false alarm."""
    with web_server(500, 503) as posts:
        program = _program(tmp_path, hub, ping_url=posts.url)
        _sheet(tmp_path / "wave.csv", _row("again"))
        done = program.run("submit", "wave.csv", "--yes", "--quiet")
    assert posts.paths == ["/start", "/start", "/start", "/"]
    assert "Warning" not in done.stderr


def test_a_redirect_is_not_followed(tmp_path: Path, hub: RunningHub) -> None:
    """Whoever answers with one is not the monitor."""
    with web_server(*[302] * 6) as posts:
        program = _program(tmp_path, hub, ping_url=posts.url)
        _sheet(tmp_path / "wave.csv", _row("moved"))
        done = program.run("submit", "wave.csv", "--yes", "--quiet")
    assert posts.paths == ["/start"] * 3 + ["/"] * 3
    assert "could not be pinged" in done.stderr


def _in_process(folder: Path, **settings: str) -> Any:
    environ = {f"BATCH_ORDERS_{name.upper()}": value for name, value in settings.items()}
    return load_settings(flags={}, config=None, environ=environ, folder=folder)


def test_slow_servers_cannot_hold_a_job_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes now and then would outwit each step's time-out for ever; the deadline is for all of it together."""
    monkeypatch.setattr(under_test, "_PATIENCE", 3.0)
    with slow_server() as port:
        settings = _in_process(
            tmp_path,
            notify=f"mailto://127.0.0.1:{port}?from=a@example.com&to=hr@example.com json://127.0.0.1:{port}",
            ping_url=f"http://127.0.0.1:{port}",
            notify_when="always",
        )
        with telling(settings, "inbox", tmp_path) as job:
            job.exit_code = 0
            ended = time.monotonic()
        took = time.monotonic() - ended
    assert 2.5 < took < 10
    told = capsys.readouterr().err
    assert "numbers 1 (mailto), 2 (json)" in told
    assert "could not be pinged" in told


# What goes wrong is told as well ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("Xanthippe"), ("batch-orders: failed", "Unexpected failure: a bug.")),
        (UnreachableError("Xanthippe"), ("batch-orders: stopped early", "Device Hub could not be reached")),
        (
            LedgerLoginError("Xanthippe"),
            ("batch-orders: the ledger's database refuses the login", "refuses the user or the password"),
        ),
        (LedgerError("Xanthippe"), ("batch-orders: the settings or the account are wrong", "The ledger is missing")),
        (KeyboardInterrupt(), ("batch-orders: stopped early", "The job was interrupted.")),
    ],
)
def test_what_ends_a_job_is_told_and_goes_on(
    tmp_path: Path, mails: Mails, posts: Posts, error: BaseException, told: tuple[str, str]
) -> None:
    """A crash too: /fail, and a message that quotes nothing."""
    settings = _in_process(tmp_path, notify=mails.address, ping_url=posts.url)
    with pytest.raises(type(error)), telling(settings, "submit", tmp_path / "wave.csv"):
        raise error
    text = _told(mails)
    assert text.splitlines()[0] == told[0]
    assert told[1] in text
    assert "What next: " in text
    _names_nobody(text)
    assert posts.paths == ["/start", "/fail"]


def test_a_missing_account_is_told(tmp_path: Path, mails: Mails, posts: Posts) -> None:
    """Exit 2, before there is anything to order with."""
    program = Program(tmp_path, {"notify": mails.address, "ping_url": posts.url})
    (tmp_path / "inbox").mkdir()
    assert program.run("inbox", "inbox").returncode == 2
    assert "A setting is missing or wrong." in _told(mails)
    assert posts.paths == ["/start", "/fail"]


@pytest.mark.parametrize("command", [("inbox", "inbox"), ("submit", "wave.csv", "--yes")])
def test_a_database_that_is_away_is_told(tmp_path: Path, hub: RunningHub, mails: Mails, command: list[str]) -> None:
    """It is neither a missing ledger nor a wrong setting: nothing is lost, and the next run goes on."""
    away = f"postgresql+psycopg://orders@127.0.0.1:{free_port()}/orders"
    (tmp_path / "inbox").mkdir()
    _sheet(tmp_path / "wave.csv", _row("away"))
    done = Program(tmp_path, hub.login | {"ledger": away, "notify": mails.address}).run(*command)
    assert done.returncode == 2
    assert "Check that the database server runs" in done.stderr
    text = _told(mails)
    assert text.startswith("batch-orders: the ledger's database cannot be reached")
    assert "The database that holds the ledger cannot be reached, so nothing was sent." in text
    assert "What next: look whether the database server runs" in text
    assert "the next run goes on" in text


@pytest.mark.parametrize("problem", ["raise ImportError('as if it were not there')", "broken ="])
def test_nothing_is_ordered_where_nobody_could_be_told(
    tmp_path: Path, hub: RunningHub, posts: Posts, problem: str
) -> None:
    """`notify` without an apprise that works is found before the first order, and the monitor hears of it."""
    (tmp_path / "without" / "apprise").mkdir(parents=True)
    (tmp_path / "without" / "apprise" / "__init__.py").write_text(problem)
    program = _program(tmp_path, hub, notify=f"mailto://orders:{_PASSWORD}@example.com", ping_url=posts.url)
    _sheet(tmp_path / "wave.csv", _row("nobody"))
    placed = len(hub.orders)
    done = _run_with(program, {"PYTHONPATH": str(tmp_path / "without")}, "submit", "wave.csv", "--yes")
    assert done.returncode == 2
    assert "notify in the environment variable BATCH_ORDERS_NOTIFY is set, and the package" in done.stderr
    assert ".venv/bin/pip install -c constraints.txt -e '.[notify]'" in done.stderr
    assert _PASSWORD not in done.stdout + done.stderr
    assert len(hub.orders) == placed
    assert posts.paths == ["/start", "/fail"]


def test_an_address_that_apprise_does_not_know(tmp_path: Path, hub: RunningHub, mails: Mails) -> None:
    """Named by its number and scheme, never by its text, and before the first order."""
    program = _program(tmp_path, hub, notify=f"{mails.address} slack://{_PASSWORD} nonsense://{_PASSWORD}")
    _sheet(tmp_path / "wave.csv", _row("wrong"))
    done = program.run("submit", "wave.csv", "--yes")
    assert done.returncode == 2
    assert "apprise does not understand numbers 2 (slack), 3 (nonsense) of its addresses" in done.stderr
    assert _PASSWORD not in done.stdout + done.stderr
    assert mails.received == []


# The surroundings ---------------------------------------------------------------------------------------------------


def _run_with(program: Program, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return program.run(*arguments)


def test_the_sandbox_tells_nobody(tmp_path: Path, mails: Mails, posts: Posts) -> None:
    """A monitor must not take a trial for the nightly job; nor are broken settings a reason not to try."""
    settings = {"notify": mails.address, "ping_url": posts.url, "metrics_file": "bo.prom", "notify_when": "nonsense"}
    _sheet(tmp_path / "wave.csv", _row("trial", quantity="none"))
    assert Program(tmp_path, settings).run("submit", "wave.csv", "--yes", "--sandbox").returncode == 3
    assert mails.received == []
    assert posts.received == []
    assert not (tmp_path / "bo.prom").exists()


def test_check_tells_nobody(tmp_path: Path, hub: RunningHub, mails: Mails, posts: Posts) -> None:
    """Whoever checks a sheet sits there."""
    program = _program(tmp_path, hub, notify=mails.address, ping_url=posts.url, metrics_file="bo.prom")
    _sheet(tmp_path / "wave.csv", _row("look", quantity="none"))
    assert program.run("check", "wave.csv").returncode == 3
    assert program.run("submit", "wave.csv", "--dry-run").returncode == 3
    assert mails.received == []
    assert posts.received == []
    assert not (tmp_path / "bo.prom").exists()


def test_the_environments_proxies_are_not_trusted(tmp_path: Path, hub: RunningHub, posts: Posts) -> None:
    """Neither for the ping nor for the message: they go where the settings say."""
    address = posts.url.replace("http://", "json://") + "/hook"
    program = _program(tmp_path, hub, ping_url=posts.url, notify=address, notify_when="always")
    _sheet(tmp_path / "wave.csv", _row("proxy"))
    dead = f"http://127.0.0.1:{free_port()}"
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    done = _run_with(program, dict.fromkeys(names, dead), "submit", "wave.csv", "--yes", "--quiet")
    assert done.returncode == 0
    assert done.stderr == ""
    assert sorted(posts.paths) == ["/", "/hook", "/start"]


def test_the_settings_own_proxy_is_used(tmp_path: Path, posts: Posts) -> None:
    """A ping to elsewhere goes through it."""
    settings = _in_process(tmp_path, ping_url="http://127.0.0.2:9/uuid", proxy=posts.url)
    with telling(settings, "inbox", tmp_path) as job:
        job.exit_code = 0
    assert posts.paths == ["http://127.0.0.2:9/uuid/start", "http://127.0.0.2:9/uuid"]


def test_apprise_does_not_get_to_see_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process has neither the login nor anything that could send a message elsewhere."""
    for name in ("BATCH_ORDERS_CLIENT_SECRET", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "APPRISE_URLS"):
        monkeypatch.setenv(name, _PASSWORD)
    assert _PASSWORD not in notifier._environment(None, None).values()
    proxied = notifier._environment("http://proxy.example.com", Path("/ca.pem"))
    assert proxied["https_proxy"] == "http://proxy.example.com"
    assert proxied["REQUESTS_CA_BUNDLE"] == proxied["SSL_CERT_FILE"] == "/ca.pem"


# Figures ------------------------------------------------------------------------------------------------------------


def test_figures(tmp_path: Path, hub: RunningHub) -> None:
    """Runs and orders come from the ledger, so they go on from process to process; a failure keeps the last success."""
    program = _program(tmp_path, hub, metrics_file="bo.prom")
    _sheet(tmp_path / "wave.csv", _row("count1"), _row("count2"))
    began = time.time()
    program.json("submit", "wave.csv", "--yes", exit_code=0)
    first = _figures(tmp_path / "bo.prom")
    assert first["batch_orders_runs_total 0"] == 1
    assert first["batch_orders_runs_total 4"] == 0
    assert first["batch_orders_orders ordered"] == 2
    assert first["batch_orders_last_run_exit_code"] == 0
    assert 0 < first["batch_orders_last_run_duration_seconds"] < time.time() - began
    success = first["batch_orders_last_success_timestamp_seconds"]
    assert began < success == first["batch_orders_last_run_timestamp_seconds"] < time.time()
    _sheet(tmp_path / "wave.csv", _row("count1"), _row("count3", quantity="none"))
    program.json("submit", "wave.csv", "--yes", exit_code=4)
    second = _figures(tmp_path / "bo.prom")
    assert second["batch_orders_runs_total 0"] == second["batch_orders_runs_total 4"] == 1
    assert second["batch_orders_last_run_exit_code"] == 4
    assert second["batch_orders_last_success_timestamp_seconds"] == success
    assert second["batch_orders_last_run_timestamp_seconds"] > success


def test_figures_are_for_everybody_and_whole(tmp_path: Path, hub: RunningHub) -> None:
    """The node exporter is another user: it may read the file whatever the umask, and nothing else is left there."""
    program = _program(tmp_path, hub, metrics_file="figures/bo.prom")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "bo.prom").write_bytes(b"\xff" * 100)
    _sheet(tmp_path / "wave.csv", _row("mode", quantity="none"))
    before = os.umask(0o077)
    try:
        program.json("submit", "wave.csv", "--yes", exit_code=3)
    finally:
        os.umask(before)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["bo.prom"]
    assert (tmp_path / "figures" / "bo.prom").stat().st_mode & 0o777 == 0o644
    assert "batch_orders_last_success_timestamp_seconds" not in _figures(tmp_path / "figures" / "bo.prom")


def test_figures_without_a_ledger(tmp_path: Path, hub: RunningHub) -> None:
    """What the job itself knows is told all the same."""
    program = Program(tmp_path, hub.login | {"ledger": "none.sqlite", "metrics_file": "bo.prom"})
    (tmp_path / "inbox").mkdir()
    _sheet(tmp_path / "inbox" / "wave.csv", _row("none"))
    program.json("inbox", "inbox", "--settled-for", "0", exit_code=2)
    figures = _figures(tmp_path / "bo.prom")
    assert figures["batch_orders_last_run_exit_code"] == 2
    assert not any(name.startswith("batch_orders_orders") for name in figures)
