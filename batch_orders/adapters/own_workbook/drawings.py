"""Pictures and charts beside the data: they make room for our columns, as they would for columns that are put in."""

from __future__ import annotations

import re

_ANCHOR = re.compile(r"<((?:\w+:)?)(twoCellAnchor|oneCellAnchor)\b.*?</\1\2>", re.DOTALL)
_FROM = re.compile(r"<(?:\w+:)?from>\s*<(?:\w+:)?col>\s*(\d+)")
_COLUMN = re.compile(r"(<(?:\w+:)?col>)\s*(\d+)\s*(</)")
_LAST = 16_383  # counted from 0, as all columns are here


def moved(text: str, first: int, by: int) -> str:
    """A drawing's part, with everything that begins at column `first` (from 1) or right of it so many further right."""

    def move(anchor: re.Match[str]) -> str:
        begin = _FROM.search(anchor[0])
        if begin is None or int(begin[1]) < first - 1:
            return anchor[0]
        return _COLUMN.sub(lambda column: f"{column[1]}{min(int(column[2]) + by, _LAST)}{column[3]}", anchor[0])

    return _ANCHOR.sub(move, text)
