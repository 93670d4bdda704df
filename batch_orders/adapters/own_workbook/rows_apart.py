"""A worksheet whose rows are many: they are read a block at a time, and what stands around them is in memory."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from batch_orders.adapters.own_workbook.markup import (
    OTHER_ENCODING,
    UnexpectedLayoutError,
    decoded,
    refuse_sections,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

_BEGIN = re.compile(rb"<((?:[\w.-]+:)?sheetData)(?:\s[^>]*)?>")
_PIECE = 1 << 18


class RowsApart:
    """A worksheet's part in two: `around` is its text without its rows, `rows` are these."""

    def __init__(self, opened: Callable[[], IO[bytes]]) -> None:
        self._opened = opened
        with opened() as part:
            head, begin = b"", None
            while begin is None and (piece := part.read(_PIECE)):
                head += piece
                begin = _BEGIN.search(head)
            if begin is None or begin[0].endswith(b"/>"):
                self._begin = self._end = len(head)
                self.around = decoded(head + part.read())
                return
            self._begin, end = begin.end(), b"</" + begin[1]
            rest, position = head[self._begin :], self._begin
            while (found := rest.find(end)) < 0 and (piece := part.read(_PIECE)):
                kept = rest[-len(end) :]
                position += len(rest) - len(kept)
                rest = kept + piece
            found = found if found >= 0 else len(rest)
            self._end = position + found
            self.around = decoded(head[: self._begin] + rest[found:] + part.read())

    def rows(self, closing: str) -> Iterator[str]:
        """The rows, some hundred at a time; `closing` is the tag behind each of them."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        rest = ""
        for piece in self._pieces():
            try:
                text = rest + decoder.decode(piece, final=not piece)
            except UnicodeDecodeError:
                raise UnexpectedLayoutError(OTHER_ENCODING) from None
            last = text.rfind(closing)
            cut = last + len(closing) if last >= 0 else 0
            refuse_sections(text[:cut] if piece else text)
            yield text[:cut]
            rest = text[cut:]
        yield rest

    def _pieces(self) -> Iterator[bytes]:
        """The rows as they are written, and b"" behind them."""
        with self._opened() as part:
            part.seek(self._begin)
            left = self._end - self._begin
            while left and (piece := part.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
        yield b""
