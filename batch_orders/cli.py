"""The command line: arguments → wiring → pipeline; errors → text and exit code, in one place (`run`).

What costs time to import (pandas, pandera, httpx …) is imported by the command that needs it, so that `--help` and
`--version` answer at once.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from batch_orders import __version__
from batch_orders.errors import BatchOrdersError, SheetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from types import FrameType

    from batch_orders.inbox import Outcome
    from batch_orders.models import Mapped, Plan, Report, RunRecord
    from batch_orders.places import LedgerPlace
    from batch_orders.sandbox import SandboxOptions
    from batch_orders.settings import Settings
    from batch_orders.web.people import Person, UsersFile
    from batch_orders.wiring import World

_T = TypeVar("_T")

# What `run` ends with where nothing else says so: a bug, a full disk.
_UNEXPECTED = 1
_INTERRUPTED = 6
# Characters of stdin that are looked at for a password: more than any may have.
_LONGEST_LINE = 5_000


class Common(NamedTuple):
    """The options that every command takes."""

    ledger: str | None
    config: Path | None
    as_json: bool
    quiet: bool
    verbose: bool
    yes: bool


_COMMON: Sequence[Callable[..., Any]] = (
    click.option("--ledger", metavar="PLACE", help="The ledger's file, or the database of a shared one."),
    click.option("--config", type=click.Path(path_type=Path), help="Settings (default: ./batch-orders.toml)."),
    click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."),
    click.option("--quiet", is_flag=True, help="No progress; on success nothing at all."),
    click.option("--verbose", is_flag=True, help="JSON log lines on stderr (never with personal data)."),
    click.option("--yes", is_flag=True, help="Do not ask."),
)


# Which command was called for which file: what an error's document says of them.
_invoked: dict[str, str | None] = {}


def _invocation(context: click.Context | None) -> dict[str, str | None]:
    """The command's words and the file that it was called for, as far as the command line was understood."""
    words = context.command_path.split()[1:] if context else []
    path = context.params.get("path") if context else None
    return {"command": " ".join(words) or None, "source": str(path) if path is not None else None}


def _with_common(command: Callable[..., int]) -> Callable[..., int]:
    """Add the common options; they may stand before the command's name too."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> int:  # noqa: ANN401 - click's own options
        before = click.get_current_context().find_root().params
        given: dict[str, Any] = {name: options.pop(name) or before.get(name) for name in Common._fields}
        common = Common(**given)
        _invoked.update(_invocation(click.get_current_context()))
        return command(common, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_COMMON), wrapper)


def _sheet_options(command: Callable[..., int]) -> Callable[..., int]:
    options = (
        click.argument("path", metavar="FILE", type=click.Path(path_type=Path)),
        click.option("--sheet", "sheet_name", metavar="NAME", help="Which sheet of a workbook."),
        click.option("--encoding", metavar="NAME", help="A CSV file's encoding, where it is not UTF-8 (e.g. cp1252)."),
        _mapping_option,
        click.option("--output", type=click.Path(path_type=Path), help="Where the results go (.csv or .xlsx)."),
        click.option("--failed-only", is_flag=True, help="Also write just the rows that need work (NAME.failed.xlsx)."),
        click.option(
            "--release",
            multiple=True,
            metavar="ORDER",
            help="Send an order held as a likely mistake (may be repeated).",
        ),
        click.option("--retry-rejected", is_flag=True, help="Send rejected orders again although nothing changed."),
        _sandbox_option,
    )
    return functools.reduce(lambda inner, option: option(inner), reversed(options), command)


_mapping_option = click.option(
    "--mapping", metavar="FILE", type=click.Path(path_type=Path), help="How to read a foreign sheet (see `map`)."
)
_sandbox_option = click.option(
    "--sandbox",
    is_flag=True,
    help="Use a simulated Device Hub inside this process: no account, no network; it forgets all without --ledger.",
)


def _fault_options(command: Callable[..., int]) -> Callable[..., int]:
    options = (
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="NAME=RATE",
            help="Let a fault strike this share (0 to 1) of the sandbox's orders; `sandbox --list-faults` names all.",
        ),
        click.option(
            "--seed", type=int, metavar="N", help="Strike the same orders again as with this seed (else by chance)."
        ),
    )
    return functools.reduce(lambda inner, option: option(inner), reversed(options), command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="batch-orders")
def cli(**_common: Any) -> None:  # noqa: ANN401 - click's own options; the commands read them from the context
    """Turn a new-hire sheet into Device Hub orders: each sent at most once, none lost.

    A sheet is a CSV file or a workbook (.xlsx, .xlsm, .xls, .xlsb or .ods).

    \b
    Exit codes:
      0  every row is ordered, now or earlier, or waits for its date (check: or ready)
      1  unexpected failure; the message says what was and was not done
      2  usage or settings; nothing was sent
      3  the sheet cannot be read, or every row of it is invalid; nothing was sent
      4  some rows need a person's change (invalid, held, changed, rejected)
      5  some order is unknown: a person must find out whether it was placed
      6  stopped early: run the same command again to go on
    """  # noqa: D301 - click's own mark for text that keeps its lines


for _option in reversed(_COMMON):
    cli = _option(cli)


@cli.command()
@_sheet_options
@_with_common
def check(common: Common, *, sandbox: bool, **request: Any) -> int:  # noqa: ANN401 - a SheetRequest's fields
    """Validate FILE against the live catalog; send nothing.

    An annotated copy of the sheet is written only where --output says, the rows that need work with --failed-only.
    """
    return _check(common, request, sandbox=sandbox)


@cli.command()
@_sheet_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Place at most N orders now: a canary.")
@click.option("--max-orders", metavar="N", help="Refuse to send more than N orders (500 unless set).")
@click.option("--dry-run", is_flag=True, help="The same as `check`.")
@click.option("--queue", is_flag=True, help="Hand the orders to workers (see `worker`), and wait for how they end.")
@click.option("--no-wait", is_flag=True, help="With --queue: end at once; `results RUN` writes the results later.")
@_fault_options
@_with_common
def submit(
    common: Common,
    *,
    sandbox: bool,
    limit: int | None,
    max_orders: str | None,
    dry_run: bool,
    queue: bool,
    no_wait: bool,
    faults: Sequence[str],
    seed: int | None,
    **request: Any,  # noqa: ANN401 - a SheetRequest's fields
) -> int:
    """Validate FILE, place the orders, write the results sheet.

    On a terminal the plan is shown and confirmed; elsewhere --yes is needed.
    """
    if not sandbox:
        _require_no_faults(faults, seed)
    simulated = _simulated(faults, seed) if sandbox else None
    if dry_run:
        return _check(common, request, sandbox=sandbox)
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.inbox import Outcome, Worked  # noqa: PLC0415
    from batch_orders.telling import telling  # noqa: PLC0415

    flags: dict[str, object] = {"max_orders": max_orders, "queue": queue or None}
    settings = _settings(common, sandbox=sandbox, flags=flags)
    with telling(settings, "submit", request["path"]) as job:
        _require_yes(common)
        _require_a_queue_to_wait_for(settings, no_wait=no_wait)
        with _world(common, settings, sandbox=sandbox, simulated=simulated) as job.world:
            sheet = wiring.SheetRequest(**_with_mapping(request), limit=limit, waits=not no_wait)
            check = _check_command(common, request, sandbox=sandbox)
            confirm = functools.partial(_confirm, world=job.world, common=common, limit=limit, check=check)
            report, written = _run(job.world, wiring.submit(job.world, sheet, confirm=confirm))
        job.outcome = Outcome(worked=(Worked.submitted(request["path"], report, written),))
        job.exit_code = _show_report(common, report, *written, check=check)
    return job.exit_code


@cli.command()
@click.option("--until-empty", is_flag=True, help="End when no order is queued any more (for cron).")
@_with_common
def worker(common: Common, *, until_empty: bool) -> int:
    """Place the orders that `submit --queue` hands over, from a PostgreSQL ledger, until interrupted.

    As many may run, on as many machines, as you like: they share the account's pace.
    """
    from batch_orders import working  # noqa: PLC0415 - costly
    from batch_orders.messages import queues  # noqa: PLC0415

    with _world(common, sandbox=False) as world:
        worked = _run(world, working.work(world, until_empty=until_empty), told_to_end=0)
    document = {
        "command": "worker",
        "orders": worked.orders,
        "stopped": worked.stopped or None,
        "exit_code": worked.exit_code,
    }
    _print(common, document, queues.worker_ended(worked.orders, worked.stopped))
    return worked.exit_code


@cli.command("map")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--sheet", "sheet_name", metavar="NAME", help="Which sheet of a workbook.")
@click.option("--encoding", metavar="NAME", help="A CSV file's encoding, where it is not UTF-8 (e.g. cp1252).")
@click.option("--output", type=click.Path(path_type=Path), help="A new file for it (else it is printed).")
@_sandbox_option
@_with_common
def map_(common: Common, *, sandbox: bool, output: Path | None, **request: Any) -> int:  # noqa: ANN401 - a SheetRequest's
    """Propose a mapping file for the foreign sheet FILE, to be edited by a person and used with --mapping."""
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.adapters.mapping_file import write_mapping  # noqa: PLC0415
    from batch_orders.messages import mapping_text  # noqa: PLC0415

    with _world(common, sandbox=sandbox) as world:
        proposal = _run(world, wiring.propose(world, wiring.SheetRequest(**request)))
    text = mapping_text.proposal_text(proposal, request["path"].name)
    if output is not None:
        write_mapping(output, text)
    document = {
        "command": "map",
        "input": str(request["path"]),
        "output": str(output) if output else None,
        "mapping": text,
        "guesses": [mapping_text.document(guess) for guess in proposal.guesses],
        "exit_code": 0,
    }
    _print(common, document, mapping_text.written(str(output), proposal) if output else text.rstrip("\n"))
    return 0


@cli.command()
@click.option("--output", type=click.Path(path_type=Path), help="Where it goes (default: ./new-hires-template.xlsx).")
@_sandbox_option
@_with_common
def template(common: Common, *, sandbox: bool, output: Path | None) -> int:
    """Write a workbook to fill in, with drop-downs of today's titles, shipping options and countries.

    No file is overwritten: where the name is taken, the next free number is added to it. A name that ends in .csv gets
    the header and the example row alone.
    """
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.messages import template as messages  # noqa: PLC0415

    with _world(common, sandbox=sandbox) as world:
        path, found, today = _run(world, wiring.write_template(world, output))
    document = {
        "command": "template",
        "template": str(path),
        "catalog_date": today.isoformat(),
        "titles": len(found.stock),
        "shipping_options": list(found.shipping_options),
        "exit_code": 0,
    }
    _print(common, document, messages.written(path, len(found.stock), len(found.shipping_options)))
    return 0


@cli.command()
@_sandbox_option
@_with_common
def catalog(common: Common, *, sandbox: bool) -> int:
    """List titles, stock and shipping options."""
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.messages import terminal  # noqa: PLC0415

    with _world(common, sandbox=sandbox) as world:
        found = _run(world, wiring.fetch_catalog(world))
    document = {
        "command": "catalog",
        "titles": [{"title": title, "stock": pieces} for title, pieces in sorted(found.stock.items())],
        "shipping_options": list(found.shipping_options),
        "warehouses": [
            {"id": w.id, "name": w.name, "shipping_options": list(w.shipping_options), "stock": dict(w.stock)}
            for w in found.warehouses
        ],
        "exit_code": 0,
    }
    _print(common, document, terminal.catalog_text(found))
    return 0


@cli.command()
@click.option("--new", is_flag=True, help="No equipment was ordered for this account before.")
@click.option("--add-login", is_flag=True, help="Let the settings' host and client_id use the existing ledger.")
@_with_common
def init(common: Common, *, new: bool, add_login: bool) -> int:
    """Create the ledger of an account (once)."""
    from batch_orders.adapters.ledger import Ledger  # noqa: PLC0415 - costly
    from batch_orders.messages import ledgers  # noqa: PLC0415

    settings = _settings(common)
    base_url, client_id, _ = settings.require_account()
    place = settings.require_ledger()
    text = ledgers.login_added(place, base_url)
    if not add_login:
        if Ledger.exists(place):
            raise _moved_away(place) or UsageError(ledgers.exists(place), hint=ledgers.how_to_go_on())
        if not new:
            _ask_whether_new(common)
        text = ledgers.created(place, base_url, had_predecessor=Ledger.had_predecessor(place))
        Ledger.create(place).close()
    with contextlib.closing(Ledger(place)) as ledger:
        if ledger.add_login(base_url, client_id):
            click.echo(ledgers.mixed(base_url), err=True)
    _print(common, {"command": "init", "ledger": str(place), "origin": base_url, "exit_code": 0}, text)
    return 0


@cli.command()
@click.argument("run", required=False)
@_with_common
def status(common: Common, *, run: str | None) -> int:
    """What the ledger knows: runs, orders, and what waits for a person."""
    from batch_orders.messages import documents, queues, terminal  # noqa: PLC0415 - costly
    from batch_orders.stages.report import frozen_for_people, frozen_keys  # noqa: PLC0415

    document: dict[str, Any] = {"command": "status", "exit_code": 0}
    with _open_ledger(common) as ledger:
        if refusal := ledger.refusal():
            click.echo(f"{refusal.message} {refusal.hint}", err=True)
        if run is None:
            is_plain = not common.as_json
            waiting = [(order, ledger.evidence(order.key, is_plain=is_plain)) for order in ledger.waiting()]
            again = [(order, ledger.sender(order)) for order in ledger.to_send_again()]
            counts, runs = ledger.counts(), [(record, _is_alive(ledger, record)) for record in ledger.runs()]
            listed = [documents.run(record, is_alive=is_alive) for record, is_alive in runs]
            document |= {"orders": dict(counts), "runs": listed}
            workers, queued = ledger.workers(), ledger.depth()
            document["queue"] = {"workers": [documents.worker(each) for each in workers], "orders": queued}
            document["waiting"] = [documents.waiting(order, evidence) for order, evidence in waiting]
            document["to_send_again"] = [documents.to_send_again(order, record) for order, record in again]
            queue = queues.status_line(len(workers), queued)
            text = terminal.status_text(runs, waiting, counts, again=again, queue=queue)
        else:
            record, frozen = ledger.run(run)
            orders, is_alive = ledger.orders(run_id=record.run_id), _is_alive(ledger, record)
            document |= {"run": documents.run(record, is_alive=is_alive)}
            document |= {"orders": [documents.order(order) for order in orders]}
            now = ledger.recall(frozen_keys(frozen)) if frozen is not None else {}
            needy = frozen_for_people(frozen, record.run_id, now) if frozen is not None else ()
            document["needs_a_person"] = [documents.needy(result) for result in needy]
            text = terminal.run_text(record, orders, needy, is_alive=is_alive, has_report=frozen is not None)
    _print(common, document, text)
    return 0


@cli.command()
@click.argument("order")
@click.option(
    "--placed",
    metavar="NUMBER",
    help="It was placed, under this order number; takes a mistaken verdict, or number, back.",
)
@click.option("--not-placed", is_flag=True, help="An unknown order was not placed: the next run sends it.")
@click.option("--cancelled", is_flag=True, help="The vendor cancelled an ordered one: the next run orders it again.")
@click.option("--keep", is_flag=True, help="A changed order's new contents are right: nothing is sent for them.")
@click.option("--note", default="", metavar="TEXT", help="Why: kept with the verdict.")
@_with_common
def settle(common: Common, *, order: str, placed: str | None, note: str, **verdicts: bool) -> int:
    """Record a person's verdict on ORDER (its id is in `status` and --json)."""
    from batch_orders.messages import documents, ledgers  # noqa: PLC0415 - costly

    said = [*(["placed"] if placed is not None else []), *(name for name, given in verdicts.items() if given)]
    if len(said) != 1 or (placed is not None and not placed.strip()):
        raise UsageError(ledgers.which_verdict(), hint=ledgers.how_to_settle())
    with _open_ledger(common) as ledger:
        found = ledger.find(order)
        if placed is not None:
            ledger.settle_placed(found, placed.strip(), note)
        else:
            {"not_placed": ledger.settle_not_placed, "cancelled": ledger.settle_cancelled, "keep": ledger.settle_keep}[
                said[0]
            ](found, note)
        now = ledger.find(found.key)
        run = ledger.sender(now)
    document = {"command": "settle", "exit_code": 0, "order": documents.order(now)}
    _print(common, document, ledgers.settled(said[0], now, run))
    return 0


@cli.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command()
@click.argument("files", nargs=-1, metavar="[RESULTS…]", type=click.Path(path_type=Path))
@_mapping_option
@click.option("--up-to-date", is_flag=True, help="A restored ledger now knows all that was ordered: let it send again.")
@_with_common
def adopt(common: Common, *, files: tuple[Path, ...], mapping: Path | None, up_to_date: bool) -> int:
    """Enter past orders from results files: how a lost ledger is rebuilt, and a restored one brought up to date."""
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.messages import ledgers  # noqa: PLC0415
    from batch_orders.stages.report import EXIT_NEEDS_A_CHANGE  # noqa: PLC0415

    if not files and not up_to_date:
        raise UsageError(ledgers.nothing_to_adopt(), hint=ledgers.how_to_adopt())
    settings = _settings(common)
    with _open_ledger(common, settings) as opened:
        read = _with_mapping({"mapping": mapping})
        counts, conflicts = wiring.adopt(opened, files, settings.limits, up_to_date=up_to_date, **read)
        is_too_old = opened.too_old() is not None
    code = EXIT_NEEDS_A_CHANGE if conflicts or is_too_old else 0
    sums = {name: counts[name] for name in ("new", "known", "conflict")}
    document = {"command": "ledger adopt", "exit_code": code, "orders": sums, "conflicts": conflicts}
    document |= {"too_old": is_too_old}
    _print(common, document, ledgers.adoption(sums, conflicts, is_too_old=is_too_old))
    return code


@ledger.command()
@_with_common
def verify(common: Common) -> int:
    """Prove that no entry of the ledger's audit was changed, taken out or put in."""
    from batch_orders.messages import ledgers  # noqa: PLC0415 - costly

    with _open_ledger(common) as opened:
        entries = opened.verify()
        text = ledgers.audit_holds(opened.place, entries)
    _print(common, {"command": "ledger verify", "exit_code": 0, "entries": entries}, text)
    return 0


@ledger.command("copy")
@click.option("--to", "target", required=True, metavar="PLACE", help="A new file, or an empty database or schema.")
@_with_common
def copy_(common: Common, *, target: str) -> int:
    """Move the ledger to another place, say from a file to a database that machines share.

    All of it is copied and proven there; the old one is only to be read from then on.
    """
    from batch_orders.adapters.ledger.copying import copy  # noqa: PLC0415 - costly
    from batch_orders.messages import ledgers  # noqa: PLC0415
    from batch_orders.settings import read_place  # noqa: PLC0415

    place = read_place("--to", target, folder=Path.cwd())
    with _open_ledger(common) as source:
        counts = copy(source, place)
        text = ledgers.copied(source.place, place, counts)
    document = {"command": "ledger copy", "exit_code": 0, "ledger": str(source.place), "to": str(place)}
    _print(common, document | {"rows": dict(counts)}, text)
    return 0


@ledger.command()
@_with_common
def upgrade(common: Common) -> int:
    """Bring a ledger of an older version of the program to this one's; make a backup first."""
    from batch_orders.adapters.ledger.upgrading import Upgrade  # noqa: PLC0415 - costly
    from batch_orders.messages import ledgers  # noqa: PLC0415

    with contextlib.closing(Upgrade(_settings(common).require_ledger())) as opened:
        found, now = opened.run()
        text = ledgers.upgraded(opened.place, found, now)
    document = {"command": "ledger upgrade", "exit_code": 0, "ledger": str(opened.place)}
    _print(common, document | {"from_version": found, "to_version": now}, text)
    return 0


@cli.command()
@click.argument("run")
@click.option("--output", type=click.Path(path_type=Path), help="Where the results go (.csv or .xlsx).")
@_with_common
def results(common: Common, *, run: str, output: Path | None) -> int:
    """Rebuild a run's results sheet from the ledger, with its orders as they stand now."""
    from batch_orders import wiring  # noqa: PLC0415 - costly

    settings = _settings(common)
    with _open_ledger(common, settings) as ledger:
        report, path = wiring.rebuild(ledger, run, output, settings.limits)
    return _show_report(common, report, path)


@cli.command()
@click.option("--older-than", required=True, metavar="DURATION", help='At least so old: "400 days", 180 days or more.')
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@_with_common
def forget(common: Common, *, older_than: str, dry_run: bool) -> int:
    """Remove the personal data of what is older than DURATION from the ledger.

    That it was ordered stays known: nothing is ordered again, and look-alikes are still held. Orders of unknown end
    are never forgotten. On a terminal it shows what will go, and asks; elsewhere --yes is needed. See
    docs/operations.md for what is not the ledger's.
    """
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.messages import forgetting as messages  # noqa: PLC0415

    settings = _settings(common)
    age = wiring.age_to_forget(settings, older_than)
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    if not (dry_run or common.yes or is_terminal):
        raise UsageError(messages.nobody_to_ask(), hint=messages.how_not_to_be_asked())
    with _open_ledger(common, settings) as opened:
        before = opened.cut_off(age)
        found = opened.forgettable(before)
        if dry_run:
            _print(common, messages.document(found, is_removed=False, exit_code=0), messages.will_go(found))
            return 0
        if found and not common.yes:
            click.echo(messages.will_go(found), err=True)
            if not click.confirm(messages.question(), err=True):
                document = messages.document(found, is_removed=False, exit_code=_INTERRUPTED)
                _print(common, document, messages.declined())
                return _INTERRUPTED
        done = opened.forget(before)
    _print(common, messages.document(done, is_removed=True, exit_code=0), messages.gone(done))
    return 0


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free one.")
@click.option("--rate-limit", type=click.IntRange(min=1), default=10, show_default=True, help="Orders a second.")
@click.option("--token-lifetime", type=float, default=14_400, show_default=True, help="Seconds a login is good for.")
@click.option("--latency", type=float, default=0.0, show_default=True, help="Seconds until an order is answered.")
@click.option("--discontinued", multiple=True, metavar="TITLE", help="A title that is no longer in the inventory.")
@_fault_options
@click.option("--list-faults", is_flag=True, help="Say which faults there are and what each does; run nothing.")
@_with_common
def sandbox(
    common: Common,
    *,
    faults: Sequence[str],
    seed: int | None,
    list_faults: bool,
    **options: Any,  # noqa: ANN401 - SandboxOptions' fields
) -> int:
    """Run a simulated Device Hub on this machine, until interrupted."""
    from batch_orders.messages import faults as messages  # noqa: PLC0415 - costly
    from batch_orders.sandbox import OFFERED, PortError, serve  # noqa: PLC0415 - costly

    if list_faults:
        offered = [(fault.name, fault.placed, fault.means) for fault in OFFERED.values()]
        listed = [dict(zip(("name", "placed", "description"), fault, strict=True)) for fault in offered]
        _print(common, {"command": "sandbox", "faults": listed, "exit_code": 0}, messages.listing(offered))
        return 0
    chosen = _simulated(faults, seed, **options)

    def announce(server: Any) -> None:  # noqa: ANN401 - a Sandbox; importing its type here would be costly
        login = {"base_url": server.base_url, "client_id": server.client_id, "client_secret": server.client_secret}
        text = messages.announced(login)
        bad_day = {"faults": dict(chosen.faults), "seed": chosen.seed} if chosen.faults else {}
        if bad_day:
            text += f"\n{messages.on(chosen.faults, chosen.seed)}\n"
        _print(common, {"command": "sandbox", **bad_day, **login}, text)

    try:
        serve(chosen, announce)
    except PortError as error:
        is_taken = error.errno == errno.EADDRINUSE
        message = messages.no_port(chosen.port, error.strerror or type(error).__name__, is_taken=is_taken)
        raise UsageError(message, hint=messages.how_to_choose_port()) from error
    return 0


_users_option = click.option(
    "--users", "users_file", metavar="FILE", type=click.Path(path_type=Path), help="The users file of the page."
)
_role = click.Choice(["viewer", "uploader", "approver"])


@cli.command()
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@_mapping_option
@click.option("--max-orders", metavar="N", help="Refuse to send more than N orders of one sheet (500 unless set).")
@click.option(
    "--settled-for",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="A sheet unchanged for so long is complete (5 unless set).",
)
@_sandbox_option
@_fault_options
@_with_common
def inbox(
    common: Common,
    *,
    path: Path,
    mapping: Path | None,
    max_orders: str | None,
    settled_for: float | None,
    sandbox: bool,
    faults: Sequence[str],
    seed: int | None,
) -> int:
    """Submit every sheet in DIR, in the order of arrival, and move it on: for cron. It never asks.

    \b
    done/       every row is ordered; the results are beside it
    attention/  some rows need a person, or the sheet cannot be read: a note says why
    waiting/    some rows go later: it is tried again at every run

    Only this user can open these folders. Upload a sheet as NAME.part, and rename it when it is complete: no half of
    it is taken for the whole then.
    """  # noqa: D301 - click's own mark for text that keeps its lines
    from batch_orders import inbox as inboxes  # noqa: PLC0415 - costly
    from batch_orders.telling import telling  # noqa: PLC0415

    if not sandbox:
        _require_no_faults(faults, seed)
    simulated = _simulated(faults, seed) if sandbox else None
    settings = _settings(common, sandbox=sandbox, flags={"max_orders": max_orders})
    with telling(settings, "inbox", path) as job:
        read = _with_mapping({"mapping": mapping})["mapping"]
        with _world(common, settings, sandbox=sandbox, simulated=simulated) as job.world:
            quiet = inboxes.QUIET if settled_for is None else settled_for
            work = inboxes.work_through(job.world, path, mapping=read, quiet=quiet)
            job.outcome = _run(job.world, work)
        job.exit_code = _show_inbox(common, job.outcome, path)
    return job.exit_code


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8756, show_default=True, help="0 takes any free one.")
@_users_option
@_sandbox_option
@_fault_options
@_with_common
def serve(
    common: Common,
    *,
    sandbox: bool,
    host: str,
    port: int,
    users_file: Path | None,
    faults: Sequence[str],
    seed: int | None,
) -> int:
    """Run the page where HR uploads, previews, confirms, watches and downloads, until interrupted.

    It prints a link that lets one browser in, once. For a team, enter users first: `batch-orders user add`.
    """
    from batch_orders.messages import page as messages  # noqa: PLC0415 - costly

    if not sandbox:
        _require_no_faults(faults, seed)
    simulated = _simulated(faults, seed) if sandbox else None
    serving = _serving()
    with _world(common, sandbox=sandbox, simulated=simulated, flags={"users_file": users_file}) as world:
        page = serving.Serving(world, host=host, port=port)

        def announce() -> None:
            link = page.link()
            _print(common, {"command": "serve", "url": page.url, "link": link}, messages.announced(link, world.host))
            sys.stdout.flush()

        page.run(announce)
    return 0


@cli.group()
def user() -> None:
    """Say who may use the page.

    \b
    viewer    sees every run and its results
    uploader  uploads, mends and orders sheets, and sees these
    approver  does both, and approves others' sheets
    """  # noqa: D301 - click's own mark for text that keeps its lines


@user.command("add", context_settings={"allow_extra_args": True})
@click.argument("name")
@click.option("--role", type=_role, required=True, help="What they may do.")
@_users_option
@_with_common
def user_add(common: Common, *, name: str, role: str, users_file: Path | None) -> int:
    """Enter NAME; the password is asked for on a terminal, and else read as one line from stdin."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly
    from batch_orders.web.people import Role  # noqa: PLC0415

    users = _users(common, users_file)
    _require_no_further_words()
    users.expect(name, is_there=False)
    person = users.add(name, Role(role), _read_password())
    return _show_user(common, "add", users, person, words.user_added(person.name, person.role, users.path))


@user.command("remove")
@click.argument("name")
@_users_option
@_with_common
def user_remove(common: Common, *, name: str, users_file: Path | None) -> int:
    """Take NAME out, which logs them out at once."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly

    users = _users(common, users_file)
    person = users.remove(name)
    return _show_user(common, "remove", users, person, words.user_removed(person.name))


@user.command("password", context_settings={"allow_extra_args": True})
@click.argument("name")
@_users_option
@_with_common
def user_password(common: Common, *, name: str, users_file: Path | None) -> int:
    """Give NAME another password: asked for on a terminal, and else read as one line from stdin."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly

    users = _users(common, users_file)
    _require_no_further_words()
    users.expect(name, is_there=True)
    person = users.set_password(name, _read_password())
    return _show_user(common, "password", users, person, words.password_changed(person.name))


@user.command("role")
@click.argument("name")
@click.argument("role", type=_role)
@_users_option
@_with_common
def user_role(common: Common, *, name: str, role: str, users_file: Path | None) -> int:
    """Give NAME another role."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly
    from batch_orders.web.people import Role  # noqa: PLC0415

    users = _users(common, users_file)
    person = users.set_role(name, Role(role))
    return _show_user(common, "role", users, person, words.role_changed(person.name, person.role))


@user.command("list")
@_users_option
@_with_common
def user_list(common: Common, *, users_file: Path | None) -> int:
    """Say who there is, and what each may do."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly

    users = _users(common, users_file)
    people = [(person.name, person.role.value) for person in users.people()]
    listed = [{"name": name, "role": role} for name, role in people]
    document = {"command": "user list", "exit_code": 0, "users_file": str(users.path), "users": listed}
    _print(common, document, words.users_text(people, users.path))
    return 0


# Parts of the commands ------------------------------------------------------------------------------------------


def _check(common: Common, request: dict[str, Any], *, sandbox: bool) -> int:
    from batch_orders import wiring  # noqa: PLC0415 - costly

    with _world(common, sandbox=sandbox) as world:
        sheet = wiring.SheetRequest(**_with_mapping(request))
        report, written = wiring.write_checked(_run(world, wiring.check(world, sheet)), sheet)
    return _show_report(common, report, *written, check=_check_command(common, request, sandbox=sandbox))


def _check_command(common: Common, request: dict[str, Any], *, sandbox: bool) -> str:
    """The `check` of the same sheet that writes a copy with every finding, as it is to be typed."""
    options = {
        "--sheet": request["sheet_name"],
        "--encoding": request["encoding"],
        "--mapping": request["mapping"],
        "--ledger": common.ledger,
        "--config": common.config,
        "--output": f"{request['path'].stem}.checked.xlsx",
    }
    given = [str(word) for option, value in options.items() if value is not None for word in (option, value)]
    return shlex.join(["batch-orders", "check", str(request["path"]), *given, *(["--sandbox"] if sandbox else [])])


def _serving() -> Any:  # noqa: ANN401 - a module whose packages may be missing
    """The module that runs the page; UsageError where the packages that it needs are not installed."""
    try:
        from batch_orders.web import serving  # noqa: PLC0415 - costly
    except ModuleNotFoundError as error:
        from batch_orders.messages import people as words  # noqa: PLC0415 - costly

        if error.name is not None and error.name.partition(".")[0] == "batch_orders":
            raise
        raise UsageError(words.needs_web()) from None
    return serving


def _users(common: Common, path: Path | None) -> UsersFile:
    from batch_orders.web.people import UsersFile  # noqa: PLC0415 - costly

    return UsersFile(_settings(common, flags={"users_file": path}).require_users_file())


def _require_no_further_words() -> None:
    """Click's own error would show what may well be a password."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly

    if click.get_current_context().args:
        raise UsageError(words.too_many_words(), hint=words.how_to_give_password())


def _read_password() -> str:
    """A password, asked for twice and not shown; off a terminal the first line of stdin. Never an argument."""
    from batch_orders.messages import people as words  # noqa: PLC0415 - costly

    if sys.stdin is not None and sys.stdin.isatty():
        again = words.asks_for_password_again()
        asked: str = click.prompt(words.asks_for_password(), hide_input=True, confirmation_prompt=again, err=True)
        return asked
    line = sys.stdin.readline(_LONGEST_LINE) if sys.stdin is not None else ""
    if not line:
        raise UsageError(words.no_password(), hint=words.how_to_give_password())
    return line.removesuffix("\n").removesuffix("\r")


def _show_user(common: Common, command: str, users: UsersFile, person: Person, text: str) -> int:
    shown = {"name": person.name, "role": person.role.value}
    document = {"command": f"user {command}", "exit_code": 0, "users_file": str(users.path), "user": shown}
    _print(common, document, text)
    return 0


def _is_alive(ledger: Any, run: RunRecord) -> bool:  # noqa: ANN401 - a Ledger; importing its type would be costly
    return run.ended_at is None and bool(ledger.is_alive(run.run_id))


def _simulated(faults: Sequence[str], seed: int | None, **options: Any) -> SandboxOptions:  # noqa: ANN401 - its fields
    """What the simulated Device Hub is to be like; UsageError where that makes no sense."""
    from batch_orders.messages import faults as messages  # noqa: PLC0415 - costly
    from batch_orders.sandbox import SandboxOptions, read_rates  # noqa: PLC0415 - costly

    if seed is not None:
        options["seed"] = seed
    try:
        rates = read_rates(faults)
    except ValueError as error:
        raise UsageError(messages.wrong(str(error)), hint=messages.how_to_list()) from None
    try:
        return SandboxOptions(**options, faults=rates)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _require_no_faults(faults: Sequence[str], seed: int | None) -> None:
    from batch_orders.messages import faults as messages  # noqa: PLC0415 - costly

    if faults or seed is not None:
        raise UsageError(messages.sandbox_only(), hint=messages.how_to_use_the_sandbox())


def _with_mapping(request: dict[str, Any]) -> dict[str, Any]:
    """The request with its mapping file, read."""
    from batch_orders.adapters.mapping_file import read_mapping  # noqa: PLC0415 - costly

    path = request.get("mapping")
    return request | {"mapping": read_mapping(path) if path else None}


def _settings(common: Common, *, sandbox: bool = False, flags: dict[str, object] | None = None) -> Settings:
    from batch_orders.logs import configure_logs  # noqa: PLC0415 - costly
    from batch_orders.settings import load_settings  # noqa: PLC0415 - costly

    given: dict[str, object] = {"ledger": common.ledger, **(flags or {})}
    settings = load_settings(
        flags={name: value for name, value in given.items() if value is not None},
        config=common.config,
        environ=os.environ,
        folder=Path.cwd(),
        sandbox=sandbox,
    )
    configure_logs(verbose=common.verbose, log_file=settings.log_file, name=settings.named("log_file"))
    return settings


@contextlib.contextmanager
def _world(
    common: Common,
    settings: Settings | None = None,
    *,
    sandbox: bool,
    simulated: SandboxOptions | None = None,
    flags: dict[str, object] | None = None,
) -> Iterator[World]:
    """Where the command acts, with somebody watching it."""
    settings = settings or _settings(common, sandbox=sandbox, flags=flags)
    from batch_orders import wiring  # noqa: PLC0415 - costly
    from batch_orders.adapters.progress import watcher  # noqa: PLC0415

    progress = watcher(quiet=common.quiet)
    world = functools.partial(wiring.sandbox_world, options=simulated) if sandbox else wiring.real_world
    with contextlib.closing(progress), world(settings, progress) as made:
        yield made


@contextlib.contextmanager
def _open_ledger(common: Common, settings: Settings | None = None) -> Iterator[Any]:
    from batch_orders.adapters.ledger import Ledger  # noqa: PLC0415 - costly

    with contextlib.closing(Ledger((settings or _settings(common)).require_ledger())) as ledger:
        yield ledger


def _run(world: World, steps: Coroutine[Any, Any, _T], *, told_to_end: int = _INTERRUPTED) -> _T:
    """Run to the end. The first interrupt stops new orders and lets those in flight finish; a second leaves at once.

    `told_to_end` is the exit code after the first: a worker has no end of its own.
    """
    import asyncio  # noqa: PLC0415 - costly

    from batch_orders.messages import runs  # noqa: PLC0415 - costly

    def stop() -> None:
        world.stop.because(runs.interrupted(), exit_code=told_to_end)
        world.progress.note(runs.interrupting())

    ended: list[_T] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        interrupts = itertools.count()

        def interrupt(*_: object) -> None:
            # Python's own handler, not the loop's: it is called also while the loop stands still (validating, say).
            if next(interrupts):
                os._exit(_INTERRUPTED)  # what is in flight is `sending` in the ledger, and the next run finds it there
            loop.call_soon_threadsafe(stop)

        with _handling_interrupts(interrupt):
            # Not as this coroutine's own result: asyncio would write out all of it, a report of every row, as text.
            ended.append(await steps)

    asyncio.run(main())
    return ended[0]


def _require_a_queue_to_wait_for(settings: Settings, *, no_wait: bool) -> None:
    from batch_orders.messages import queues  # noqa: PLC0415 - costly

    if no_wait and not settings.queue:
        raise UsageError(queues.nothing_to_wait_for(), hint=queues.how_to_queue())


def _require_yes(common: Common) -> None:
    if not common.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "Nobody can be asked here, so nothing was sent.", hint="Add --yes to place the orders without asking."
        )


def _confirm(plan: Plan, mapped: Mapped, *, world: World, common: Common, limit: int | None, check: str) -> bool:
    """Show the plan and ask; with --yes neither."""
    from batch_orders.messages import terminal  # noqa: PLC0415 - costly

    if common.yes:
        return True
    import signal  # noqa: PLC0415 - costly

    world.progress.close()
    click.echo(terminal.plan_text(plan, mapped, host=world.host, limit=limit, check=check), err=True)
    with _handling_interrupts(signal.default_int_handler):  # while somebody is asked an interrupt is a no
        try:
            return click.confirm(terminal.question(len(plan.to_send[:limit]), world.host), err=True)
        except (click.Abort, KeyboardInterrupt):
            return False


@contextlib.contextmanager
def _handling_interrupts(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """SIGINT and SIGTERM call this for as long as the block lasts."""
    import signal  # noqa: PLC0415 - costly

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, former in zip(numbers, before, strict=True):
            signal.signal(number, former)


def _moved_away(place: LedgerPlace) -> BatchOrdersError | None:
    """Why the ledger here sends nothing, where it has moved, say; None where it does, or is none that can be read."""
    from batch_orders.adapters.ledger import Ledger  # noqa: PLC0415 - costly

    try:
        with contextlib.closing(Ledger(place)) as ledger:
            return ledger.refusal()
    except BatchOrdersError:
        return None


def _ask_whether_new(common: Common) -> None:
    from batch_orders.messages import ledgers  # noqa: PLC0415 - costly

    if common.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(ledgers.is_it_new(), hint=ledgers.how_to_say_new())
    if click.confirm(ledgers.question_whether_ordered_before(), err=True):
        raise UsageError(ledgers.ordered_before(), hint=ledgers.how_to_start_anyway())


def _show_report(
    common: Common,
    report: Report,
    results: Path | None,
    failed: Path | None = None,
    error: BatchOrdersError | None = None,
    *,
    check: str = "",
) -> int:
    from batch_orders.messages import terminal  # noqa: PLC0415 - costly
    from batch_orders.stages.report import document  # noqa: PLC0415

    if error is not None:
        click.echo(f"Error: {error.message}\n{error.hint}", err=True)

    # The one warning that no later run repeats.
    silent = common.quiet and not any(finding.code == "ordered_long_ago" for finding in report.findings)
    if common.as_json or report.exit_code or not silent:
        paths = {"results": str(results) if results else None, "failed": str(failed) if failed else None}
        trouble = (error.message, error.hint) if error else None
        text = "" if common.as_json else terminal.report_text(report, results, failed, check=check)
        _print(common, document(report, **paths, error=trouble), text)
    return report.exit_code


def _show_inbox(common: Common, done: Outcome, path: Path) -> int:
    from batch_orders import inbox as inboxes  # noqa: PLC0415 - costly
    from batch_orders.messages import inboxes as messages  # noqa: PLC0415

    if done.error is not None:
        click.echo("\n".join(part for part in (f"Error: {done.error.message}", done.error.hint) if part), err=True)
    for note in (note for worked in done.worked for note in worked.notes):
        click.echo(f"Warning: {note}", err=True)  # with --quiet too: no later run repeats it
    if common.as_json or done.exit_code or not common.quiet:
        _print(common, inboxes.document(done, path), messages.summary(inboxes.lines(done), len(done.worked)))
    return done.exit_code


def _print(common: Common, document: dict[str, Any], text: str) -> None:
    """BatchOrdersError where stdout cannot be written (a full disk, say): what the command did is done."""
    try:
        if common.as_json:
            _print_json(document)
        else:
            click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_stdout_up()
        reason = error.strerror or type(error).__name__
        raise BatchOrdersError(
            f"What the command did is done, but its output could not be written: {reason}.",
            hint="`batch-orders status` shows what is in the ledger; nothing is sent twice.",
        ) from error


def _print_json(document: dict[str, Any]) -> None:
    from batch_orders.messages.documents import written  # noqa: PLC0415 - costly

    # A terminal or pipe that cannot take every character gets JSON's own escapes instead.
    plain = "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()
    for piece in written(document, is_ascii=plain):
        click.echo(piece, nl=False)
    click.echo()


# Errors → text and exit code ------------------------------------------------------------------------------------


def run(arguments: Sequence[str]) -> int:
    """Run a command line; gives the exit code. The one place where errors become text."""
    _invoked.update(_invocation(None))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return cli.main(args=list(arguments), prog_name="batch-orders", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        _invoked.update(_invocation(getattr(error, "ctx", None)))
        return _failed(arguments, error.format_message(), UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return _failed(arguments, "Interrupted.", _INTERRUPTED)
    except BatchOrdersError as error:
        return _explain(arguments, error)
    except BrokenPipeError:  # whoever read our output has gone; what was done is in the ledger
        _give_stdout_up()
        return _UNEXPECTED
    except Exception as error:  # noqa: BLE001 - the last resort: a bug must not look like success, nor show private data
        return _report_bug(arguments, error)


def _explain(arguments: Sequence[str], error: BatchOrdersError) -> int:
    from batch_orders.messages.terminal import findings_text  # noqa: PLC0415

    findings = error.findings if isinstance(error, SheetError) else ()
    parts = (f"Error: {error.message}", findings_text(findings), error.hint)  # type: ignore[arg-type] # errors import nothing
    click.echo("\n".join(part for part in parts if part), err=True)
    return _failed(arguments, error.message, error.exit_code, hint=error.hint, findings=findings)


def _report_bug(arguments: Sequence[str], error: Exception) -> int:
    """Types and places only: a traceback's values may be somebody's address."""
    from batch_orders.logs import get_logger  # noqa: PLC0415

    get_logger().error("unexpected", exc_info=error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({Path(place.tb_frame.f_code.co_filename).name}, line {place.tb_lineno})" if place else ""
    message = (
        f"Unexpected failure: {type(error).__name__}{where}. Orders that were sent are in the ledger "
        "(`batch-orders status`); nothing is sent twice when you run the same command again."
    )
    click.echo(f"Error: {message}", err=True)
    return _failed(arguments, message, _UNEXPECTED)


def _failed(
    arguments: Sequence[str], message: str, exit_code: int, *, hint: str = "", findings: Sequence[Any] = ()
) -> int:
    """With --json, say it there too: a script reads stdout only."""
    if "--json" in arguments:
        from batch_orders.stages.report import failure_document  # noqa: PLC0415

        told = failure_document(**_invoked, message=message, hint=hint, exit_code=exit_code, findings=findings)
        try:
            _print_json(told)
        except OSError:  # nobody can be told here; stderr has it
            _give_stdout_up()
    return exit_code


def _give_stdout_up() -> None:
    """What stdout still holds goes nowhere: Python would try once more at the end, and end with a code of its own."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
