"""What is left of the template's example row in somebody's own row: a name or an address that would be shipped to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages import template as messages
from batch_orders.models import Column, FindingCode
from batch_orders.stages.validate.complaints import Complaint, Values, finding
from batch_orders.stages.validate.texts import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_orders.models import Finding, Mapped

# The example's texts that can be nobody's own. Its e-mail is told by the rule on e-mails.
_NOBODYS = (Column.LASTNAME, Column.SHIPPING_ADDRESS)


def example_findings(mapped: Mapped, own: Values) -> Iterator[Finding]:
    """An error at each cell that has kept the example's name or address."""
    for column in _NOBODYS:
        example = fold(messages.EXAMPLE[column])
        kept = {text for text in set(own[column]) if fold(text) == example}
        for row, text in enumerate(own[column] if kept else ()):
            if text in kept:
                yield finding(mapped, FindingCode.REQUIRED, column, [row], Complaint(messages.example_left()))
