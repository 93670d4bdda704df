"""A proposed mapping file as a person reads and edits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch_orders.messages.mappings import CODE_TO_WRITE, TITLE_TO_WRITE, join_line, toml_text
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import NEEDED, Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_orders.models import Guess, Proposal


def proposal_text(proposal: Proposal, sheet: str) -> str:
    """The file, from its first line to its last: sure guesses as they are, the others commented out."""
    guesses = proposal.guesses
    lines = [
        f"# How {toml_text(sheet)} is to be read, as `batch-orders map` guesses it. Read every line before you use it:",
        f"#     batch-orders check {sheet_name(sheet)} --mapping THIS-FILE",
        "# The number in a comment is how sure a guess is (0 to 100). What is not sure begins with a #, so that it",
        "# does nothing: correct it, and take the # away. Capitals (WRITE …) have to be replaced: they are",
        "# refused as they are. docs/mapping.md explains everything that can stand here.",
        "",
        "[columns]",
        *(line for guess in guesses if _is_column(guess) for line in _column_lines(guess)),
    ]
    for column in (Column.SHIPPING_COUNTRY, Column.PRODUCT_TITLE):
        values = [guess for guess in guesses if guess.value is not None and guess.column is column]
        if values:
            lines += ["", f"# What their words for “{COLUMN_NAMES[column]}” mean.", f"[values.{column.value}]"]
            lines += [_value_line(guess) for guess in values]
    if proposal.untranslated:
        lines.append(f"# … and {proposal.untranslated:,} more values, which were not looked at.")
    items = [guess for guess in guesses if guess.is_item]
    if items:
        lines += ["", "# Columns that hold an item each: blank, 0 and no mean none."]
        lines += [line for guess in items for line in _item_lines(guess)]
    if proposal.unused:
        lines += ["", "# Not used: " + ", ".join(map(toml_text, proposal.unused))]
    return "\n".join(lines) + "\n"


def sheet_name(sheet: str) -> str:
    """The sheet's name as it can stand in a comment."""
    return sheet if sheet.isprintable() else "FILE"


def document(guess: Guess) -> dict[str, Any]:
    """One guess as scripts read it."""
    return {
        "column": guess.column.value if guess.column else None,
        "headers": list(guess.headers),
        "always": guess.always or None,
        "is_item": guess.is_item,
        "title": guess.title or None,
        "quantity": guess.quantity or None,
        "value": guess.value,
        "score": guess.score,
        "applied": guess.applied,
        "alternatives": [{"text": text, "score": score} for text, score in guess.alternatives],
    }


def written(path: str, proposal: Proposal) -> str:
    """What `map --output` says."""
    sure = sum(guess.applied for guess in proposal.guesses)
    return (
        f"{path}: {sure} sure guesses, {len(proposal.guesses) - sure} that are commented out. Read it and edit it, "
        "then check the sheet with --mapping."
    )


def _is_column(guess: Guess) -> bool:
    return not guess.is_item and guess.value is None


def _column_lines(guess: Guess) -> Iterable[str]:
    column = guess.column or Column.EMAIL
    if guess.always:
        yield f"#{column.value} = {{ always = {toml_text(guess.always)} }}   # for every row, if that is what is meant"
    elif not guess.headers:
        needed = "needed" if column in NEEDED else "not needed"
        yield f'#{column.value} = ""   # no header looks like it ({needed})'
    elif len(guess.headers) > 1:
        yield _line(guess, join_line(column, guess.headers, separator=guess.separator))
    else:
        yield _line(guess, f"{column.value} = {toml_text(guess.headers[0])}")


def _value_line(guess: Guess) -> str:
    value = toml_text(guess.value or "")
    if guess.title:
        return _line(guess, f"{value} = {toml_text(guess.title)}")
    if guess.column is Column.SHIPPING_COUNTRY:
        return f"#{value} = {toml_text(CODE_TO_WRITE)}   # no country is like it"
    return f'#{value} = {toml_text(TITLE_TO_WRITE)}   # {_nearest(guess)}; "" orders nothing'


def _nearest(guess: Guess) -> str:
    """What is like it where none is put forward: those that tie, or nothing."""
    return f"as like it as each other: {_others(guess)}" if guess.alternatives else "nothing is like it"


def _item_lines(guess: Guess) -> Sequence[str]:
    mark = "" if guess.applied else "#"
    lines = [
        f"{mark}[[items]]",
        _line(guess, f"column = {toml_text(guess.headers[0])}", others=not (guess.title or guess.is_counted)),
    ]
    if guess.title:
        lines.append(_line(guess, f"title = {toml_text(guess.title)}"))
    elif guess.is_counted:
        near = f"; {_nearest(guess)}" if guess.alternatives else ""
        lines.append(f"#title = {toml_text(TITLE_TO_WRITE)}   # its cells say how many: write here of what{near}")
    if guess.quantity:
        lines.append(f"{mark}quantity = {toml_text(guess.quantity)}")
    return lines


def _line(guess: Guess, line: str, *, others: bool = True) -> str:
    found = _others(guess) if others else ""
    return f"{'' if guess.applied else '#'}{line}   # {guess.score}{f'; or {found}' if found else ''}"


def _others(guess: Guess) -> str:
    return ", ".join(f"{toml_text(text)} ({score})" for text, score in guess.alternatives)
