"""Reading the XML of a workbook's part, tag by tag: in memory is only what the caller keeps.

A document type is refused, and with it every entity: laughs by the billion, and files from elsewhere.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping


class Listener(Protocol):
    """What is called, in the order of the document. Names are "NAMESPACE TAG", or just "TAG" where there is none."""

    def start(self, name: str, attributes: Mapping[str, str], /) -> None:
        """A tag begins."""

    def text(self, text: str, /) -> None:
        """Text within it, perhaps in several pieces."""

    def end(self, name: str, /) -> None:
        """It ends."""


def listen(stream: IO[bytes], listener: Listener) -> None:
    """Tell everything in a part. ValueError for a document type, the XML parser's own error for broken XML."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = listener.start
    parser.EndElementHandler = listener.end
    parser.CharacterDataHandler = listener.text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.ParseFile(stream)


def _refuse_document_type(*_: object) -> None:
    raise ValueError("a document type")
