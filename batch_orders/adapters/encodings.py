"""Which encodings a text file without a mark could be in: shown to a person, who sees which reads right; never chosen.

The likeliest come first: those whose reading has words of one script, in their usual mixture of capitals and small
letters, and no signs within words.
"""

from __future__ import annotations

import io
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from batch_orders.adapters.sheet_parts import HEADER_WITHIN, header_row

if TYPE_CHECKING:
    from collections.abc import Sequence

# By how often a file that is not Unicode comes in them: where two read alike the first is named.
_CANDIDATES: Final = (
    "cp1252", "cp1250", "iso-8859-15", "mac_roman", "cp1251", "cp1254", "cp1253", "cp437", "cp850", "cp852",
    "shift_jis", "gb18030", "big5", "euc_kr", "koi8_r",
)  # fmt: skip
_MOST_SHOWN: Final = 4
_MOST_CELLS: Final = 3
_LONGEST: Final = 30
# A file's first odd cells are enough to tell by.
_LOOKED_AT: Final = 200_000
_JUDGED: Final = 400

_DELIMITERS = re.compile(r"[,;\t|\r\n]")
_WORD = re.compile(r"[^\W\d_]+")
# Letters that whole languages use; others (ð, þ, ÿ) are possible, and rare.
_USUAL = frozenset("áàâäãåæçéèêëíìîïñóòôöõøœúùûüýßąćęłńśźżčďěňřšťůžőűăâîșțğıİşß")


def utf16_without_mark(content: bytes) -> str | None:
    """The byte order under which a file is UTF-16 beyond doubt: headers are known under it, and not under the other."""
    found = [name for name in ("utf-16-le", "utf-16-be") if _has_header(content, name)]
    return found[0] if len(found) == 1 else None


def previews(content: bytes, candidates: Sequence[str] = _CANDIDATES) -> tuple[tuple[str, str], ...]:
    """The likeliest encodings, best first, each with the first odd cells as it reads them; none reads as another."""
    readings: dict[str, tuple[float, str]] = {}
    for name in candidates:
        cells = _odd_cells(content, name)
        shown = ", ".join(_shortened(cell) for cell in cells[:_MOST_CELLS])
        if shown and shown not in readings:
            readings[shown] = (_oddness(cells), name)
    ranked = sorted(readings.items(), key=lambda reading: reading[1][0])
    return tuple((name, shown) for shown, (_, name) in ranked[:_MOST_SHOWN])


def _has_header(content: bytes, encoding: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    if "\0" in text:
        return False
    start = io.StringIO(text[:_LOOKED_AT], newline="").readlines()[:HEADER_WITHIN]
    rows = [_DELIMITERS.split(line) for line in start]
    return header_row(rows)[1] > 0


def _odd_cells(content: bytes, encoding: str) -> Sequence[str]:
    """The first different cells that are not plain ASCII; none where the encoding does not fit the whole file."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return ()
    first = next((match.start() for match in re.finditer(r"[^\x00-\x7f]", text)), len(text))
    line = max(text.rfind("\n", 0, first), text.rfind("\r", 0, first)) + 1
    cells = (cell.strip(" \"'") for cell in _DELIMITERS.split(text[line : line + _LOOKED_AT]))
    return list(dict.fromkeys(cell for cell in cells if not cell.isascii()))[:_JUDGED]


def _oddness(cells: Sequence[str]) -> float:
    """How unlikely it is that somebody wrote these cells, for each character that is not ASCII."""
    points = sum(_points(cell) for cell in cells)
    return points / sum(not character.isascii() for cell in cells for character in cell)


def _points(cell: str) -> float:
    points = sum(_points_of_character(cell, at) for at, character in enumerate(cell) if not character.isascii())
    for word in _WORD.findall(cell):
        odd = [character for character in word if not character.isascii()]
        scripts = {_script(character) for character in word}
        points += 4 * (len(scripts - {""}) - 1) * len(odd) if len(scripts) > 1 else 0
        # "ÌÎÑÊÂÀ": whole words of accents are some other alphabet. "MŸller": a capital where none stands.
        if scripts == {"LATIN"} and len(odd) > 1 and len(odd) > 0.6 * len(word):
            points += 2 * len(odd)
        if not word.isupper() and any(character.isupper() for character in word[1:] if not character.isascii()):
            points += 3
    return points


def _points_of_character(cell: str, at: int) -> float:
    character = cell[at]
    category = unicodedata.category(character)
    beside = cell[max(at - 1, 0) : at] + cell[at + 1 : at + 2]
    if category in {"Cc", "Cn", "Co"}:
        return 8
    if category[0] in "SPN" or category in {"Lo", "Lm"}:
        is_rare = category in {"So", "Sm", "Sk"} or unicodedata.name(character, "").startswith("HALFWIDTH")
        return 3 if is_rare or (category[0] in "SP" and any(letter.isalpha() for letter in beside)) else 0.5
    if category[0] == "L" and _script(character) == "LATIN":
        return 0 if character.lower() in _USUAL else 1
    return 0.5 if category[0] == "L" else 1


def _script(letter: str) -> str:
    script = unicodedata.name(letter, "").partition(" ")[0]
    return "HAN" if script in {"CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH"} else script


def _shortened(cell: str) -> str:
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cell)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
