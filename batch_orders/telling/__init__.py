"""Telling whoever did not watch how a job ended: a message, a ping, figures. All of it at best.

`telling` wraps a whole job. What fails here is said in one line on stderr, and never changes a job's exit code; the one
thing that does is a message that could not be sent at all, which is found before the first order. A job is held up for
no longer than `_PATIENCE`.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from batch_orders.adapters import metrics_file, notifier
from batch_orders.adapters.new_files import reason
from batch_orders.errors import BatchOrdersError, RunStoppedError, SettingsError
from batch_orders.logs import get_logger
from batch_orders.messages import tellings as messages
from batch_orders.telling.job import Job, known_to
from batch_orders.telling.message import message_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batch_orders.adapters.pinger import Pinger
    from batch_orders.settings import Settings
    from batch_orders.telling.job import Known

__all__ = ["Job", "telling"]

# Seconds that telling may take at the end of a job, and looking at the addresses at its beginning.
_PATIENCE = 30.0
_LOOK = 20.0


@contextlib.contextmanager
def telling(settings: Settings, command: str, path: Path) -> Iterator[Job]:
    """Tell of what happens in the block, which fills the job in; `path` is its sheet, or its inbox.

    SettingsError, told as well as may be, where somebody is to get a message and none can be sent.
    """
    job = Job(command=command, path=path)
    began = time.monotonic()
    pinger = _pinger(settings)
    can_notify = False
    try:
        _require_notifier(settings)
        can_notify = True
        yield job
    except BaseException as error:
        job.error, job.exit_code = error, _exit_code_of(error)
        raise
    finally:
        _tell(settings, job, time.monotonic() - began, pinger, can_notify=can_notify)


def _exit_code_of(error: BaseException) -> int:
    """What the command line makes of it."""
    if isinstance(error, BatchOrdersError):
        return error.exit_code
    return RunStoppedError.exit_code if isinstance(error, KeyboardInterrupt) else BatchOrdersError.exit_code


def _pinger(settings: Settings) -> Pinger | None:
    """Whoever pings the monitor, which then knows that the job begins."""
    if settings.ping_url is None:
        return None
    from batch_orders.adapters.pinger import Pinger  # noqa: PLC0415 - costly

    pinger = Pinger(settings.ping_url.get_secret_value(), proxy=_proxy(settings), ca_file=settings.ca_file)
    pinger.start()
    return pinger


def _proxy(settings: Settings) -> str | None:
    return settings.proxy.get_secret_value() if settings.proxy else None


def _require_notifier(settings: Settings) -> None:
    addresses = settings.notify_addresses
    if not addresses:
        return
    name = settings.named("notify")
    try:
        wrong = notifier.misunderstood(addresses, seconds=_LOOK)
    except notifier.NotifierMissingError:
        raise SettingsError(messages.needs_apprise(name), hint=messages.how_to_install()) from None
    if wrong:
        raise SettingsError(
            messages.misunderstood(name, _numbered(wrong, addresses)), hint=messages.how_to_write_addresses()
        )


def _numbered(positions: Sequence[int], addresses: Sequence[str]) -> str:
    return messages.numbered([(p + 1, addresses[p].partition("://")[0].lower()) for p in positions])


# The end of a job -------------------------------------------------------------------------------------------------


def _tell(settings: Settings, job: Job, duration: float, pinger: Pinger | None, *, can_notify: bool) -> None:
    """Everywhere that the settings name. Nothing that goes wrong here is the job's fault, nor its end."""
    until = time.monotonic() + _PATIENCE
    if pinger is not None:  # first: it goes its way meanwhile
        pinger.end(messages.ping(job.exit_code, _rows(job)), is_success=job.exit_code == 0)
    try:
        known = known_to(job) if settings.metrics_file or settings.notify_addresses else None
        _write_metrics(settings, job, duration, known)
        if can_notify:
            _notify(settings, job, known, until)
    except Exception as error:  # noqa: BLE001 - see above
        _warn(messages.not_told_at_all(type(error).__name__), "telling.failed", error)
    if pinger is not None and not pinger.close(max(until - time.monotonic(), 0.0)):
        host = urlsplit(settings.ping_url.get_secret_value()).hostname if settings.ping_url else None
        _warn(messages.not_pinged(host or ""), "ping.failed")


def _rows(job: Job) -> Counter[str]:
    """The rows of all sheets, by status."""
    reports = [sheet.report for sheet in job.worked if sheet.report is not None]
    return sum((Counter(report.counts) for report in reports), Counter())


def _write_metrics(settings: Settings, job: Job, duration: float, known: Known | None) -> None:
    path = settings.metrics_file
    if path is None:
        return
    now = time.time()
    figures = metrics_file.Figures(
        ended_at=now,
        duration=duration,
        exit_code=job.exit_code,
        last_success=now if job.exit_code == 0 else metrics_file.last_success_in(path),
        runs=known.runs if known else {},
        orders=known.orders if known else {},
        oldest_unknown=known.oldest_unknown.timestamp() if known and known.oldest_unknown else None,
    )
    try:
        metrics_file.write_metrics(path, figures)
    except OSError as error:
        _warn(messages.not_written(path, reason(error)), "metrics.failed", error)


def _notify(settings: Settings, job: Job, known: Known | None, until: float) -> None:
    addresses = settings.notify_addresses
    message = message_of(job, known, with_details=settings.notify_details)
    if not addresses or message is None or (settings.notify_when == "attention" and message.kind == "success"):
        return
    missed = notifier.tell(
        addresses,
        title=message.title,
        body=message.body,
        kind=message.kind,
        seconds=max(until - time.monotonic(), 1.0),
        proxy=_proxy(settings),
        ca_file=settings.ca_file,
    )
    if missed:
        _warn(messages.not_told(_numbered(missed, addresses)), "notify.failed")


def _warn(text: str, event: str, error: BaseException | None = None) -> None:
    with contextlib.suppress(OSError, ValueError):  # stderr may be full, or gone
        click.echo(text, err=True)
    get_logger().warning(event, exc_info=error)
