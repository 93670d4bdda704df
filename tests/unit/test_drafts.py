"""Uploaded sheets: kept privately under names of our own, changed as a whole, undone step by step, and swept."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.models import Cell
from batch_orders.web.drafts import Approval, Draft, Drafts, Said, shown_name

if TYPE_CHECKING:
    from pathlib import Path


def test_a_draft_comes_back_as_it_was(tmp_path: Path) -> None:
    """Everything of it, also the mended cells and the approval."""
    drafts = Drafts(tmp_path / "page")
    draft = drafts.add("hires.csv", b"content", owner="ana", mapping="[columns]")
    approval = Approval(by="bea", at=1.5, fingerprint="f" * 64)

    def changed(draft: Draft) -> Draft:
        mended = draft.mended("City, G2", {Cell(2, 7): ("Berln", "Berlin")})
        asked = mended.asking(Said(what="asked", by="ana", at=1.0)).with_no(
            Said(what="declined", by="bea", at=1.2, note="?")
        )
        return dataclasses.replace(asked, approval=approval, runs=("r1",), released=("a1",))

    after = drafts.change(draft.id, changed)
    assert Drafts(tmp_path / "page").find(draft.id) == drafts.find(draft.id) == after
    assert after.version == draft.version + 1
    assert after.cells == {Cell(2, 7): "Berlin"}
    assert drafts.content(after) == b"content"
    assert drafts.of_run("r1") == after


def test_a_draft_of_an_older_version_comes_back(tmp_path: Path) -> None:
    """It has nothing of what was said, nor why its orders were kept back."""
    drafts = Drafts(tmp_path / "page")
    draft = drafts.add("hires.csv", b"content", owner="ana")
    path = tmp_path / "page" / "uploads" / draft.id / "draft.json"
    old = {name: value for name, value in json.loads(path.read_bytes()).items() if name not in {"said", "reason"}}
    path.write_text(json.dumps(old), encoding="utf-8")
    assert drafts.find(draft.id) == draft


@pytest.mark.parametrize("content", [b"", b"\xff{", b"[]", b"{}", b'{"later": 1}'])
def test_a_damaged_draft_is_none(tmp_path: Path, content: bytes) -> None:
    """Neither it, nor one that a later version wrote, keeps the others from being shown, or from being swept."""
    now = [1_000.0]
    drafts = Drafts(tmp_path / "page", clock=lambda: now[0])
    damaged, other = (drafts.add(name, b"", owner="ana") for name in ("one.csv", "two.csv"))
    folder = tmp_path / "page" / "uploads" / damaged.id
    (folder / "draft.json").write_bytes(content)
    assert drafts.find(damaged.id) is None
    assert drafts.all() == (other,)
    os.utime(folder, (1_000.0, 1_000.0))
    now[0] += 50.0
    assert drafts.sweep(100.0) == 0
    now[0] += 100.0
    assert drafts.sweep(100.0) == 2
    assert not folder.exists()


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    """The same draft as before, until it is changed, by whomever, or gone."""
    drafts, others = Drafts(tmp_path / "page"), Drafts(tmp_path / "page")
    drafts.add("one.csv", b"", owner="ana")
    draft = drafts.add("two.csv", b"", owner="ana")
    first, second = drafts.all(), drafts.all()
    assert all(one is other for one, other in zip(first, second, strict=True))
    others.change(draft.id, lambda draft: dataclasses.replace(draft, note="elsewhere"))
    assert {each.note for each in drafts.all()} == {"", "elsewhere"}
    shutil.rmtree(tmp_path / "page" / "uploads" / draft.id)
    assert [each.name for each in drafts.all()] == ["one.csv"]


def test_a_no_counts_until_it_is_asked_anew(tmp_path: Path) -> None:
    """It takes an approval with it; what was said stays, within bounds."""
    draft = Drafts(tmp_path / "page").add("hires.csv", b"", owner="ana")
    yes = draft.asking(Said(what="asked", by="ana", at=1.0)).approved(Said(what="approved", by="bea", at=2.0), "f")
    assert (yes.approval, yes.declined) == (Approval(by="bea", at=2.0, fingerprint="f"), None)
    no = yes.with_no(Said(what="declined", by="cy", at=3.0, note="why"))
    assert (no.approval, no.asked, no.declined, no.declined_by) == (None, False, no.said[-1], ("cy",))
    again = no.asking(Said(what="asked", by="ana", at=4.0))
    assert (again.declined, again.asked, len(again.said)) == (None, True, 4)
    for at in range(200):
        again = again.asking(Said(what="asked", by="ana", at=float(at)))
    assert len(again.said) == 50


def test_undoing_an_earlier_mend_keeps_a_later_one_of_the_same_cell(tmp_path: Path) -> None:
    """What stands in a cell is what was mended last, of what is left."""
    draft = Drafts(tmp_path).add("hires.csv", b"", owner="ana")
    first = draft.mended("first", {Cell(2, 1): ("a", "b"), Cell(3, 1): ("a", "b")})
    second = first.mended("second", {Cell(2, 1): ("b", "c")})
    assert second.cells == {Cell(2, 1): "c", Cell(3, 1): "b"}
    assert second.without(first.steps[0].id).cells == {Cell(2, 1): "c"}
    assert second.without(second.steps[1].id).cells == first.cells


def test_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    """0600, in folders of 0700."""
    before = os.umask(0o000)
    try:
        draft = Drafts(tmp_path / "page").add("hires.csv", b"content", owner="ana")
    finally:
        os.umask(before)
    for path in (tmp_path / "page").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert draft.id not in "hires.csv"


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n"])
def test_what_is_no_id_finds_nothing(tmp_path: Path, name: str) -> None:
    """An id never becomes a path that leads elsewhere."""
    drafts = Drafts(tmp_path)
    drafts.add("hires.csv", b"content", owner="ana")
    assert drafts.find(name) is None


def test_two_who_change_one_draft_lose_nothing(tmp_path: Path) -> None:
    """Each sees what the other did."""
    drafts = Drafts(tmp_path)
    draft = drafts.add("hires.csv", b"content", owner="ana")

    def mend(column: int) -> None:
        for row in range(20):
            drafts.change(draft.id, lambda d: d.mended("", {Cell(row + 2, column): ("a", "b")}))  # noqa: B023 - at once

    threads = [threading.Thread(target=mend, args=(column,)) for column in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = drafts.find(draft.id)
    assert found is not None
    assert len(found.cells) == len(found.steps) == found.version == 60


def test_old_uploads_are_swept(tmp_path: Path) -> None:
    """After so many seconds an upload goes, with all that was made of it; a younger one stays."""
    now = [1000.0]
    drafts = Drafts(tmp_path, clock=lambda: now[0])
    old = drafts.add("old.csv", b"content", owner="ana")
    now[0] += 100
    young = drafts.add("young.csv", b"content", owner="ana")
    assert drafts.sweep(keep=99) == 1
    assert drafts.all() == (young,)
    with pytest.raises(KeyError):
        drafts.change(old.id, lambda draft: dataclasses.replace(draft, note="late"))


def test_what_cannot_be_looked_at_is_passed_over(tmp_path: Path) -> None:
    """The page goes on, and the other old uploads are swept."""
    now = [1000.0]
    drafts = Drafts(tmp_path, clock=lambda: now[0])
    (tmp_path / "uploads" / "dangling").symlink_to(tmp_path / "nowhere")
    drafts.add("old.csv", b"content", owner="ana")
    now[0] += 100
    assert drafts.sweep(keep=99) == 1
    assert drafts.all() == ()


@given(st.text(max_size=300))
def test_a_shown_name_is_a_name(name: str) -> None:
    """Whatever a browser says: one line, no folder, never blank, never a special name, and not endless."""
    shown = shown_name(name)
    assert shown
    assert shown not in {".", ".."}
    assert len(shown) <= 120
    assert shown.isprintable()
    assert not set(shown) & set('/\\:<>"|?*')
