"""Documents (`--json`) are written in pieces, to the letter as `json.dumps` writes them whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.messages.documents import written
from batch_orders.models import RowStatus

_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(RowStatus)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner)
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5), st.booleans())
def test_the_text_is_that_of_json_dumps(document: dict[str, Any], is_ascii: bool) -> None:
    """Whatever the document holds."""
    assert "".join(written(document, is_ascii=is_ascii)) == json.dumps(document, ensure_ascii=is_ascii, indent=2)


@pytest.mark.parametrize("entries", [0, 1, 2, 999, 1000, 1001, 2500])
def test_an_iterator_is_written_as_a_list(entries: int) -> None:
    """However long it is; it is read only as far as it is written."""
    made = 0

    def values() -> Any:
        nonlocal made
        for made in range(1, entries + 1):
            yield {"row": made, "cells": ["A1"], "message": "“ü” \x1b\n"}

    document = {"a": 1, "entries": list(values()), "z": None}
    pieces = written(document | {"entries": values()}, is_ascii=False)
    made = 0
    first = next(pieces) + next(pieces)
    assert made == 0
    assert first + "".join(pieces) == json.dumps(document, ensure_ascii=False, indent=2)
    assert made == entries
