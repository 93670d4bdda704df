"""Characters that nobody sees, and spellings of the same character: what text copied from elsewhere brings along."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Come along when text is copied from a web page or a mail, and mean nothing: zero-width space, soft hyphen, word
# joiner, byte order mark.
_HARMLESS: Final = "\u00ad\u200b\u2060\ufeff"
# Can make text look like another one: direction marks and overrides, fillers, tags, controls of the formatting itself.
_DECEPTIVE: Final = (
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200e\u200f\u202a-\u202e\u2061-\u206f\u3164\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# Joiners and variation selectors shape the character before them in the scripts (and pictures) that have them; after
# any other they are as good as hidden.
_SHAPING: Final = "\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SHAPED: Final = frozenset({"Lo", "Lm", "Mn", "Mc", "So", "Sk"})

_INVISIBLE = re.compile(f"[{_HARMLESS}{_DECEPTIVE}{_SHAPING}]")
_IS_DECEPTIVE = re.compile(f"[{_DECEPTIVE}]")
_IS_SHAPING = re.compile(f"[{_SHAPING}]")
_IS_HARMLESS = re.compile(f"[{_HARMLESS}]")
# The full-width forms of ASCII, and the space that goes with them.
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def without_invisible(text: str) -> str:
    """The text without any character that has no shape of its own: equal for texts that look equal."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def visible(text: str) -> str:
    """The text as a person sees it: without invisible characters, but for those that shape what they follow."""
    return text if text.isascii() else _sifted(text)[0]


def deceptive(text: str) -> str:
    """The first invisible character that is more than clutter; "" where there is none."""
    return "" if text.isascii() else _sifted(text)[1][:1]


def _sifted(text: str) -> tuple[str, str]:
    """What of a text can be seen, and the invisible characters that may deceive."""
    kept: list[str] = []
    deceives: list[str] = []
    shaped = ""  # the last character that joiners and selectors may follow
    for character in _IS_HARMLESS.sub("", text):
        is_shaping = _IS_SHAPING.match(character) is not None
        if _IS_DECEPTIVE.match(character) or (is_shaping and unicodedata.category(shaped or " ") not in _SHAPED):
            deceives.append(character)
            continue
        kept.append(character)
        if not is_shaping:
            shaped = character
    return "".join(kept), "".join(deceives)


def narrow(text: str) -> str:
    """The text with full-width letters, digits and signs as the usual ones."""
    return text if text.isascii() else text.translate(_NARROW)
