"""A run under way that is stopped at its very beginning, or at its very end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batch_orders import wiring
from batch_orders.adapters.progress import Quiet
from batch_orders.messages import page as words
from batch_orders.settings import load_settings
from batch_orders.web.judging import fingerprint
from batch_orders.web.live import LiveRuns
from batch_orders.wiring import SheetRequest
from tests.program import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def test_stopped_before_it_began_and_after_it_ended(tmp_path: Path) -> None:
    """The reason that somebody had is what the run says; a press on Stop that comes too late is no failure."""
    settings = load_settings(flags={}, config=None, environ={}, folder=tmp_path, sandbox=True)
    with wiring.sandbox_world(settings, Quiet()) as world:
        request = SheetRequest(path=SAMPLES / "new-hires.csv")
        report, plan = asyncio.run(wiring.preview(world, request))
        runs = LiveRuns(world, when_ended=lambda: None)
        expected = fingerprint(plan, report.mapped)
        run = runs.start(request, draft_id="0" * 32, owner="ana", expected=expected, results=tmp_path)
        run.stop(words.stopped_here())
        assert run.ended.wait(60.0)
        assert run.trouble is not None
        assert run.trouble.message == words.stopped_here()
        run.stop("too late")
        assert run.is_stopping
