"""What people read about who may use the page: `batch-orders user …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages.runs import installing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def needs_web() -> str:
    """A package of the page is not installed."""
    return f"The page needs further packages: {installing('web')}."


def bad_name(most: int) -> str:
    """A name that no user can have. It is not quoted: somebody may have typed the password here."""
    return (
        f"This is no name for a user: a name has 1 to {most} characters, a to z, digits and ._@+- only, "
        "and begins with a letter or digit."
    )


def how_to_name() -> str:
    """After a name that no user can have."""
    return "Take the person's e-mail address, or what comes before the @."


def reserved_name(name: str) -> str:
    """A name that the page gives to whoever comes in by the one-time link."""
    return f"“{name}” is what the page calls whoever comes in by the one-time link: a user needs a name of their own."


def short_password(least: int) -> str:
    """A password that can be guessed."""
    return f"The password is too short: it needs at least {least} characters. Nothing was changed."


def how_to_choose_password() -> str:
    """After a password that cannot be taken."""
    return "Take four or five words that have nothing to do with each other, with spaces between them."


def long_password(most: int) -> str:
    """A password that is no password."""
    return f"The password is too long: at most {most} characters. Nothing was changed."


def odd_password() -> str:
    """A password with a line break, say."""
    return "The password has a character in it that cannot be typed (a line break, say). Nothing was changed."


def user_exists(name: str) -> str:
    """`user add` of somebody who is there."""
    return f"There is a user {name} already; nothing was changed."


def how_to_change_user() -> str:
    """After `user add` of somebody who is there."""
    return "`batch-orders user password NAME` sets another password, `batch-orders user role NAME ROLE` another role."


def no_such_user(name: str) -> str:
    """A name that is not in the users file."""
    return f"There is no user {name}; nothing was changed."


def how_to_list_users() -> str:
    """After a name that is not in the users file."""
    return "`batch-orders user list` says who there is."


def users_unreadable(path: Path, reason: str) -> str:
    """The users file cannot be read."""
    return f"The users file {path} cannot be read: {reason}."


def users_unwritable(path: Path, reason: str) -> str:
    """The users file cannot be written."""
    return f"The users file {path} cannot be written: {reason}. Nothing was changed."


def how_to_place_users() -> str:
    """After a users file that cannot be read or written."""
    return "Choose a place that you may write to, with --users or the setting `users_file`."


def users_broken(path: Path) -> str:
    """The users file is something else, or damaged."""
    return f"{path} is not a users file of batch-orders, or it is damaged; it was not touched."


def how_to_mend_users() -> str:
    """After a users file that is something else, or damaged."""
    return "Put a good copy of it back, or move it away and enter the users again with `batch-orders user add`."


def users_of_a_later_version(path: Path) -> str:
    """The users file was written by a later version."""
    return f"{path} was written by a later version of batch-orders; it was not touched."


def how_to_update() -> str:
    """After a file of a later version."""
    return "Use that version."


def users_open(path: Path) -> str:
    """Others on the machine can read the users file, or write themselves into it."""
    return f"Others on this machine can read or write the users file {path}: it is not used."


def how_to_close(path: Path) -> str:
    """After a file that others can read or write."""
    return f"Look whether the users in it are the right ones, then: chmod 600 {path}"


def users_busy(path: Path) -> str:
    """Another process holds the users file's lock."""
    return f"Another program is changing the users file {path} and does not end. Nothing was changed."


def how_to_wait() -> str:
    """After a lock that is held."""
    return "Run the same command again."


def asks_for_password() -> str:
    """The prompt, on a terminal."""
    return "Password (at least 12 characters; it is not shown)"


def asks_for_password_again() -> str:
    """The second prompt."""
    return "The same again"


def no_password() -> str:
    """Off a terminal: nothing came on stdin."""
    return "No password was given, so nothing was changed."


def too_many_words() -> str:
    """Something stands after the name: not repeated, as it may be the password."""
    return (
        "There is a word too many. If it was the password: others can have read it, so choose another one. "
        "Nothing was changed."
    )


def how_to_give_password() -> str:
    """After no password."""
    return "Run the command on a terminal, which asks for it; or give it as one line on stdin (never as an argument)."


def user_added(name: str, role: str, path: Path) -> str:
    """`user add`."""
    return f"{name} may use the page as {role}. The users are in {path}."


def user_removed(name: str) -> str:
    """`user remove`."""
    return f"{name} may not use the page any more, and is logged out."


def password_changed(name: str) -> str:
    """`user password`."""
    return f"{name} has a new password, and is logged out wherever the old one was used."


def role_changed(name: str, role: str) -> str:
    """`user role`."""
    return f"{name} is {role} from now on, and has to log in again."


def users_text(people: Sequence[tuple[str, str]], path: Path) -> str:
    """`user list`: each name with its role."""
    if not people:
        return f"No users yet (they would be in {path}): `batch-orders user add NAME --role uploader` enters one."
    width = max(len(name) for name, _ in people)
    return "\n".join(f"{name:<{width}}  {role}" for name, role in people)
