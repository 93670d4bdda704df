"""Who in a sheet looks like one person, however many of them there are.

A wave may be a thousand rows of one name (a test sheet, a column filled down). So nothing here is done for each pair.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def had_by_several(marks: Iterable[tuple[str, str]]) -> set[str]:
    """Of marks, each with whose it is, those that are not one's alone; "" is no mark."""
    owner: dict[str, str] = {}
    return {mark for mark, who in marks if mark and owner.setdefault(mark, who) != who}


class Others(NamedTuple):
    """Lines of a sheet that belong to others: the first few, and how many there are in all."""

    lines: Sequence[int]
    total: int


class _Group(NamedTuple):
    """Everybody who has one of some traces: lines with whose they are, in order; and how many lines each has."""

    lines: Sequence[tuple[int, str]]
    of_each: Counter[str]


class People:
    """By trace (identity.py): who has it, and at which line. `most` is how many lines a question gets for an answer."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        # Nearly every trace is one line's alone, so only those that come again get sets of their own.
        self._first: dict[str, tuple[int, str]] = {}
        self._by_trace: dict[str, set[tuple[int, str]]] = {}
        self._whose: dict[str, set[str]] = {}
        self._groups: dict[tuple[str, ...], _Group] = {}

    def add(self, who: str, traces: Iterable[str], line: int) -> None:
        """Somebody (an employee, or a row without an e-mail) leaves these traces at a line. Call it before `others`."""
        place = (line, who)
        for trace in traces:
            first = self._first.setdefault(trace, place)
            if first != place:
                self._by_trace.setdefault(trace, {first}).add(place)
                self._whose.setdefault(trace, {first[1]}).add(who)

    def others(self, who: str, traces: Iterable[str]) -> Others:
        """The lines of others that have one of the traces."""
        # Traces that nobody shares are left out, so that all of one name and postal code ask for the same group.
        shared = tuple(trace for trace in traces if self._is_shared(trace, who))
        if not shared:
            return Others([], 0)
        group = self._group(shared)
        found: list[int] = []
        for line, other in group.lines:
            if other != who:
                found.append(line)
            if len(found) == self._most:
                break
        return Others(found, len(group.lines) - group.of_each[who])

    def _is_shared(self, trace: str, who: str) -> bool:
        whose = self._whose.get(trace, ())
        return len(whose) > (who in whose)

    def _group(self, traces: tuple[str, ...]) -> _Group:
        if traces not in self._groups:
            lines = sorted(set().union(*(self._by_trace[trace] for trace in traces)))
            self._groups[traces] = _Group(lines, Counter(who for _, who in lines))
        return self._groups[traces]
