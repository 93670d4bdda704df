"""How the page judges sheets for many people at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from batch_orders import wiring
from batch_orders.adapters.progress import Quiet
from batch_orders.settings import load_settings
from batch_orders.web.drafts import Drafts
from batch_orders.web.judging import Judge, Judged

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_nobody_who_waits_is_forgotten_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait at once, each sheet is judged once: whoever asks again meets what is being made."""
    begun: list[str] = []
    go = threading.Event()

    def judged(_: Judge, draft: object, __: object) -> Judged:
        begun.append(draft.id)  # type: ignore[attr-defined] # a Draft
        go.wait(30.0)
        return Judged()

    monkeypatch.setattr(Judge, "_judged", judged)
    settings = load_settings(flags={}, config=None, environ={}, folder=tmp_path, sandbox=True)
    drafts = Drafts(tmp_path / "page")
    sheets = [drafts.add("hires.csv", b"", owner="ana") for _ in range(12)]
    with wiring.sandbox_world(settings, Quiet()) as world:
        judge = Judge(world, drafts)
        first = [judge.look(sheet) for sheet in sheets]
        assert [judge.look(sheet) for sheet in sheets] == first
        go.set()
        assert all(judging.done.wait(30.0) for judging in first)
        assert sorted(begun) == sorted(sheet.id for sheet in sheets)
        judge.look(drafts.add("later.csv", b"", owner="ana"))
        assert judge.look(sheets[-1]) is first[-1]
        assert judge.look(sheets[0]) is not first[0], "what is made is kept for the latest few alone"
        judge.close()
