"""Tells people how a job ended, by apprise: e-mail, Slack, Teams, webhooks and many more.

apprise runs in a process of its own (notifier_process.py), which is ended at the deadline: its threads, and a mail
server that says a byte every few seconds, could otherwise hold the job up for as long as they like. There it also finds
none of the environment's proxies, certificates, logins (.netrc) and of our settings, and what it logs, which can hold
an address with its password, goes nowhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROCESS = Path(__file__).with_name("notifier_process.py")
_ANSWER = re.compile(r"^([0-9]+) (told|failed|wrong|understood)$", re.MULTILINE)
# What could send a message another way, or to somebody else, than the settings say.
_NOT_INHERITED = re.compile(
    r".*_proxy|requests_ca_bundle|curl_ca_bundle|ssl_cert_(?:file|dir)|sslkeylogfile|netrc|apprise_.*|batch_orders_.*",
    re.IGNORECASE,
)
_LOOPBACK = "localhost,127.0.0.1,::1"


class NotifierMissingError(Exception):
    """apprise is not installed, or does not work."""


def misunderstood(addresses: Sequence[str], *, seconds: float) -> tuple[int, ...]:
    """The positions of the addresses that apprise does not understand; nothing is sent.

    NotifierMissingError where it is not installed, or does not work. What is not known after so many seconds counts as
    understood.
    """
    try:
        answers = _asked({"addresses": list(addresses)}, seconds, _environment(None, None))
    except OSError:  # no process to be had now, which says nothing of the addresses
        answers = {}
    return tuple(position for position, answer in sorted(answers.items()) if answer == "wrong")


def tell(
    addresses: Sequence[str],
    *,
    title: str,
    body: str,
    kind: Literal["success", "warning", "failure"],
    seconds: float,
    proxy: str | None = None,
    ca_file: Path | None = None,
) -> tuple[int, ...]:
    """Send a message to everybody at once; the positions of the addresses that did not take it within `seconds`."""
    # A file's name need not be text; a message has to be.
    text = body.encode(errors="replace").decode()
    document = {"addresses": list(addresses), "title": title, "body": text, "kind": kind}
    try:
        answers = _asked(document, seconds, _environment(proxy, ca_file))
    except (NotifierMissingError, OSError):
        answers = {}
    return tuple(position for position in range(len(addresses)) if answers.get(position) != "told")


def _asked(document: Mapping[str, Any], seconds: float, environment: Mapping[str, str]) -> dict[int, str]:
    """What the process answered in its time, by the address's position."""
    with subprocess.Popen(  # noqa: S603 - this very Python, and a file of ours
        # -P: nothing of the folder that we happen to work in is imported.
        [sys.executable, "-P", str(_PROCESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            said, _ = process.communicate(json.dumps(document), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
    if said.strip() == "missing":
        raise NotifierMissingError
    return {int(position): answer for position, answer in _ANSWER.findall(said)}


def _environment(proxy: str | None, ca_file: Path | None) -> dict[str, str]:
    """Ours, without what is only trusted where it is set on purpose, and with what is."""
    environment = {name: value for name, value in os.environ.items() if not _NOT_INHERITED.fullmatch(name)}
    environment |= {"NETRC": os.devnull, "PYTHONIOENCODING": "utf-8"}
    if proxy is not None:
        environment |= {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": _LOOPBACK}
    if ca_file is not None:
        environment |= {"REQUESTS_CA_BUNDLE": str(ca_file), "SSL_CERT_FILE": str(ca_file)}
    return environment
