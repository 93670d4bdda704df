"""Characters that nobody sees, and that can make a value look like another: refused at the cell."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from batch_orders.characters import deceptive
from batch_orders.messages import findings as messages
from batch_orders.models import Column, FindingCode
from batch_orders.stages.validate.complaints import Complaint, Values, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_orders.models import Catalog, Finding, Mapped

# The code that says what is wrong with a value of the column; free text has none, and is a broken cell (decision 12).
_CODES = {
    Column.EMAIL: FindingCode.EMAIL,
    Column.PHONE_NUMBER: FindingCode.PHONE,
    Column.SHIPPING_STATE: FindingCode.STATE,
    Column.SHIPPING_ZIP: FindingCode.ZIP,
    Column.SHIPPING_COUNTRY: FindingCode.COUNTRY,
    Column.PRODUCT_TITLE: FindingCode.UNKNOWN_PRODUCT,
    Column.QUANTITY: FindingCode.QUANTITY,
    Column.EXPEDITE_SHIPPING: FindingCode.SHIPPING_OPTION,
    Column.IS_SIGNATURE_REQUIRED: FindingCode.BOOLEAN,
}


def invisible_findings(mapped: Mapped, raw: Values, own: Values, catalog: Catalog) -> Iterator[Finding]:
    """An error for each cell with such a character; the catalog's own titles and options may have what they like.

    `own` has the values without them: all that is judged and compared is what a person sees.
    """
    listed = {*catalog.stock, *catalog.shipping_options}
    for column in Column:
        deceives = {text: character for text in set(raw[column]) - listed if (character := deceptive(text))}
        for line, text in enumerate(raw[column] if deceives else ()):
            character = deceives.get(text, "")
            if character:
                name = f"U+{ord(character):04X}, {unicodedata.name(character, 'unnamed').lower()}"
                suggestions = (own[column][line],) if own[column][line] else ()
                complaint = Complaint(messages.invisible(name, suggestions), suggestions)
                yield finding(mapped, _CODES.get(column, FindingCode.CELL_ERROR), column, [line], complaint)
