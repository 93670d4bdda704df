"""What people read when Device Hub does not answer as it should."""

from __future__ import annotations

_LONGEST_QUOTE = 300


def login_refused(host: str, status: int, said: str) -> str:
    """The login does not work."""
    return f"Device Hub at {host} refuses the login (HTTP {status}{_said(said)}). Nothing was sent."


def how_to_log_in() -> str:
    """After a refused login."""
    return (
        "Check client_id and client_secret. The login was tried once only: "
        "Device Hub locks accounts after repeated failures."
    )


def account_refused(host: str, status: int, said: str) -> str:
    """The login works, and the account may not do this."""
    return f"Device Hub at {host} does not let this account use the Device Hub (HTTP {status}{_said(said)})."


def how_to_get_access() -> str:
    """After a 403."""
    return "Ask the vendor to give the account access to the Device Hub, or use another client_id."


def not_device_hub(host: str, what: str) -> str:
    """The address answers, and not as Device Hub does."""
    return f"What answers at {host} does not look like Device Hub ({what}). Nothing was sent."


def how_to_fix_base_url() -> str:
    """After an answer that is not Device Hub's."""
    return "Check the setting base_url: it is the origin alone, such as https://hub.example.com."


def unreachable(host: str, failure: str, seconds: float) -> str:
    """Nothing, or only failures, came back for as long as `patience` says."""
    return f"Device Hub at {host} cannot be reached or fails ({failure}); waited {seconds:.0f} s for it."


def how_to_go_on() -> str:
    """After an outage."""
    return "Run the same command again later: it goes on where it stopped, and nothing is sent twice."


def trying_again(host: str, failure: str, seconds: float) -> str:
    """A pause before the next try."""
    return f"Device Hub at {host} does not answer ({failure}); trying again in {seconds:.0f} s."


def broken_answer(host: str, what: str) -> str:
    """An answer that cannot be understood."""
    return f"Device Hub at {host} gave an answer that cannot be understood: {what}."


def empty_catalog(host: str) -> str:
    """No title in any warehouse."""
    return f"Device Hub at {host} lists no titles in any warehouse, so no row can be checked. Nothing was sent."


def login_lost(host: str) -> str:
    """The login stopped working in the middle of a run."""
    return f"Device Hub at {host} no longer accepts the login, also after a new one."


def _said(text: str) -> str:
    text = " ".join(text.split())[:_LONGEST_QUOTE]
    return f", it says: {text}" if text else ""
