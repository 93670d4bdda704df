"""What stops a run, grouped by what a person does next. A bad row is never an exception: it is a finding.

BatchOrdersError             what went wrong, and a hint; exit 1 unless a group below says otherwise
├── UsageError        (2)    the call or the settings are wrong; nothing was sent
│   ├── TooManyOrdersError   one run would send more than max_orders
│   ├── SettingsError        a setting is missing or unreadable: which one, and where it came from
│   ├── LedgerError          no ledger, another account's ledger, another schema version
│   │   ├── LedgerAwayError  the database that holds it cannot be reached
│   │   └── LedgerLoginError the database refuses the user or the password
│   ├── UsersError           the users file of the page is broken, or not to be trusted; no such user
│   └── LoginRefusedError    Device Hub refuses the login or the account
├── SheetError        (3)    the sheet cannot be read; carries findings where it has any
└── RunStoppedError   (6)    the run cannot go on now; run the same command again
    ├── OrderTakenError      a worker does not have an order in hand any more
    ├── UnreachableError     Device Hub is unreachable, overloaded or failing
    └── LoginLostError       the login stopped working in the middle of a run
"""

from __future__ import annotations

from typing import ClassVar


class BatchOrdersError(Exception):
    """Something stops the run. `message` says what was and was not done, `hint` what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BatchOrdersError):
    """The call or the settings are wrong. Nothing was sent."""

    exit_code = 2


class TooManyOrdersError(UsageError):
    """The sheet would place more orders than one run may send."""


class SettingsError(UsageError):
    """A setting is missing or unreadable; the message names it and where it came from."""


class LedgerError(UsageError):
    """The ledger is missing, belongs to another account, or has another schema version."""


class LedgerAwayError(LedgerError):
    """The database server that holds the ledger cannot be reached, at the beginning of a command."""


class LedgerLoginError(LedgerError):
    """The database that holds the ledger refuses the user, or the password."""


class UsersError(UsageError):
    """The page's users file is broken or others can get at it, or what is asked of it makes no sense."""


class LoginRefusedError(UsageError):
    """Device Hub refuses the login or the account, before the first order."""


class SheetError(BatchOrdersError):
    """The sheet cannot be read. Nothing was sent.

    Where a choice would do, it carries what there is to choose from: `encodings`, each with what the first odd cells
    read like in it, or the names of the `sheets` that could be meant.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        findings: tuple[object, ...] = (),
        encodings: tuple[tuple[str, str], ...] = (),
        sheets: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings
        self.encodings = encodings
        self.sheets = sheets


class RunStoppedError(BatchOrdersError):
    """The run cannot go on now; the same command goes on where it stopped."""

    exit_code = 6


class OrderTakenError(RunStoppedError):
    """A worker no longer has this order in hand: its run took it back, or somebody else has it. Nothing was sent."""


class UnreachableError(RunStoppedError):
    """Device Hub is unreachable, overloaded or failing."""


class LoginLostError(RunStoppedError):
    """The login stopped working in the middle of a run."""
