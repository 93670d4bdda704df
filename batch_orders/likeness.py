"""How like a typed product is to the catalog's titles: word by word, whatever their order, with numbers foremost.

A letter-by-letter likeness calls "Dell Monitor 24 Zoll" an ASUS of 27 inches. Here each typed word looks for its like
among the words of a title, and a title scores by how much of the typed text it has.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz import fuzz, process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Below it (of 100) a title is not like the text at all; scores nearer to each other than this decide nothing.
WORTH_NAMING = 55
CLEARLY = 3

# One word for what people write in several: inches, languages of keyboards, and the commonest things.
_INCH = re.compile(r"(?<=[0-9])\s*-?\s*(?:zoll|inch(?:es)?|pouces|pulgadas|polegadas|cali|[\"″”“]|''|’’)(?!\w)")
_UNIT = re.compile(r"(?<=[0-9])\s+(?=(?:gb|tb|w|hz)\b)")
_WORD = re.compile(r"[0-9]+[.,][0-9]+\"?|[^\W_]+\"?")
_CODES = {"DE": "german", "EN": "english", "FR": "french", "ES": "spanish"}
_SAME = {
    word: one
    for one, words in {
        "german": ("deutsch", "deutsche", "allemand", "alemán", "niemiecki", "duits"),
        "english": ("englisch", "englische", "anglais", "inglés", "inglês", "angielski", "engels"),
        "french": ("français", "française", "französisch", "francés", "francês", "francuski", "frans"),
        "spanish": ("español", "spanisch", "espagnol", "espanhol", "hiszpański", "spaans"),
        "mouse": ("maus", "souris", "ratón", "rato", "mysz", "muis"),
        "keyboard": ("tastatur", "clavier", "teclado", "klawiatura", "toetsenbord"),
        "monitor": ("bildschirm", "écran", "pantalla", "ecrã", "beeldscherm"),
    }.items()
    for word in words
}
_SMALL = frozenset(
    ("a", "an", "the", "with", "for", "and", "of", "mit", "für", "und", "avec", "pour", "et", "con", "para", "y", "com")
)
# Two words that are nearly one (a slip), and two numbers of models that share most of their digits (another model).
_SLIP, _SHORTEST_SLIP = 80, 4
_SAME_FAMILY, _SHORTEST_MODEL = 70, 4
_MAY_MATCH = 60
_NEARLY_ALL = 85
# A title is no longer than this, and a sheet may hold anything: no more is looked at, or kept.
_LONGEST, _MOST_KEPT = 300, 10_000


class Titles:
    """The catalog's titles, to be asked for those that a text may mean; made once, asked often."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._titles = sorted(titles)
        self._plain = [_plain(title) for title in self._titles]
        words = [_words(title) for title in self._titles]
        self._vocabulary = sorted({word for each in words for word in each})
        self._is_known_word = frozenset(self._vocabulary).__contains__
        # Which title has which word.
        self._has = np.array([[word in each for each in words] for word in self._vocabulary], dtype=np.float32)
        self._known: dict[str, np.ndarray] = {}

    def ranked(self, text: str, *, most: int) -> list[tuple[str, int]]:
        """The titles most like a text with their scores (of 100), best first; an equal but for case stands alone."""
        text = text[:_LONGEST]
        plain = _plain(text)
        same = [(title, 100) for title, other in zip(self._titles, self._plain, strict=True) if other == plain]
        words = self._joined(_words(text))
        if same or not words or not self._titles:
            return same[:most]
        weights = [_weight(word) for word in words]
        found = sum(weight * self._matches(word) for word, weight in zip(words, weights, strict=True)) / sum(weights)
        whole = process.cdist([plain], self._plain, scorer=fuzz.ratio)[0]
        scores = np.floor(100 * np.maximum(found, self._nearly_all(words, whole)) + 1e-3).astype(int)
        best = sorted(np.nonzero(scores >= WORTH_NAMING)[0], key=lambda at: (-scores[at], -whole[at], at))
        return [(self._titles[at], int(scores[at])) for at in best[:most]]

    def _nearly_all(self, words: Sequence[str], whole: np.ndarray) -> np.ndarray:
        """How alike the whole texts are, where that is nearly all of them and no number is another."""
        near = np.where(whole >= _NEARLY_ALL, 0.95 * whole / 100, 0.0)
        for word in filter(_has_digit, words if near.any() else ()):
            near = np.where(self._matches(word) >= 0.9, near, 0.0)  # noqa: PLR2004 - the same number
        return near

    def _joined(self, words: Sequence[str]) -> list[str]:
        """The words, with two that are one in the catalog put together: "Mac Book", "Evolve 2"."""
        joined: list[str] = []
        for word in words:
            if joined and self._is_known_word(joined[-1] + word) and not self._is_known_word(joined[-1]):
                joined[-1] += word
            else:
                joined.append(word)
        return joined

    def _matches(self, word: str) -> np.ndarray:
        """How well each title has the word, from 0 to 1."""
        if word not in self._known:
            alike = process.cdist([word], self._vocabulary, scorer=fuzz.ratio)[0]
            best = np.zeros(len(self._titles), dtype=np.float32)
            for at in np.nonzero(alike >= _MAY_MATCH)[0]:
                best = np.maximum(best, _match(word, self._vocabulary[at], float(alike[at])) * self._has[at])
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[word] = best
        return self._known[word]


def _plain(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return _UNIT.sub("", _INCH.sub('"', folded))


def _words(text: str) -> list[str]:
    # In a text that is not all capitals a language's code stands out: "MX Keys DE".
    if not text.isupper():
        text = " ".join(_CODES.get(part, part) for part in text.split())
    return [_SAME.get(word, word) for word in _WORD.findall(_plain(text))]


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _weight(word: str) -> float:
    if _has_digit(word):
        return 2.0
    return 0.3 if len(word) == 1 or word in _SMALL else 1.0


def _match(word: str, other: str, alike: float) -> float:
    """How well a title's word is the typed one, from 0 to 1; `alike` is how alike their letters are, of 100."""
    if word == other:
        return 1.0
    if word.rstrip('"') == other.rstrip('"'):
        return 0.7 if word.endswith('"') else 0.95
    begins = other.startswith(word) or (word.startswith(other) and len(other) >= _SHORTEST_SLIP)
    if not _has_digit(word):
        if begins and len(word) >= _SHORTEST_SLIP:
            return 0.8
        is_slip = alike >= _SLIP and len(word) >= _SHORTEST_SLIP and not _has_digit(other)
        return 0.95 * alike / 100 if is_slip else 0.0
    if begins and _has_digit(other):
        return 0.8 if len(word) >= _SHORTEST_MODEL else 0.6 if other[len(word) :].isalpha() else 0.0
    is_model = len(word) > _SHORTEST_MODEL or (len(word) == _SHORTEST_MODEL and word.isdigit())
    return 0.5 * alike / 100 if is_model and alike >= _SAME_FAMILY else 0.0
