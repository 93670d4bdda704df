"""Empty cells are left out of a worksheet, and where there are none a look at each is saved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_orders.adapters import xlsx_screen

_FULL = ["<v>1</v>", "<v>c</v>", "<is><t>v></t></is>", "<is><t/></is>", "<f>A1</f>", "<f>A1</f><v>2</v>", "<f/><v></v>"]
_EMPTY = ["", " ", "<v/>", "<v></v>", " <v></v> ", "<x:v></x:v>", "<x:v/>"]
_CELLS = st.one_of(
    st.builds("<c r='A1'>{}</c>".format, st.sampled_from(_FULL + _EMPTY)),
    st.builds("<x:c r='A1' s='3'>{}</x:c>".format, st.sampled_from(_FULL + _EMPTY)),
    st.sampled_from(["<c r='A1'/>", "<c r='A1' s='3'/>", "<c s='3' r='A1' />", "<c s='3'/>", "<x:c r='A1'/>"]),
)
_ROWS = st.one_of(
    st.builds("<row r='1'>{}</row>".format, st.lists(_CELLS, max_size=3).map("".join)),
    st.builds("<x:row r='1'>{}</x:row>".format, st.lists(_CELLS, max_size=3).map("".join)),
    st.builds("<row r='1'>{}</row>".format, st.sampled_from(_FULL).map("<c r='A1'>{}</c>".format)),
    st.sampled_from(["<row r='1'/>", "<row r='1' ht='3' />", "<row r='1'> </row>", "<row/>", "<row></row>"]),
)


@given(st.lists(_ROWS, max_size=4).map("".join))
def test_what_is_counted_is_what_would_be_found(rows: str) -> None:
    """Counting never overlooks one, and the usual ones may be taken out first."""
    xml = rows.replace("'", '"').encode()
    without = xlsx_screen._EMPTY_ROW.sub(b"", xlsx_screen._EMPTY_CELL.sub(b"", xml))
    assert xlsx_screen._without_empty(xml) == without
    assert xlsx_screen._may_hold_empty(xml) == (without != xml)


@given(st.text("<>/?c ").map(str.encode), st.sampled_from([b"</", b"/>", b"<?"]))
def test_pairs_are_counted_as_bytes_count_them(xml: bytes, pair: bytes) -> None:
    """In nothing, in one byte, at the edges and side by side."""
    assert xlsx_screen._pairs(xml, pair) == xml.count(pair)
