"""Generated histories of runs, crashes, edits and verdicts: never two sent attempts without a proof between them.

        python -m pytest tests/histories --histories 10000

Each test is a batch of histories with a seed of its own; a failure prints the shortest history that leads to it.
"""

from __future__ import annotations

import dataclasses
import ssl
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import create_engine
from structlog.testing import capture_logs

from batch_orders import pipeline
from batch_orders.adapters.ledger import Ledger, in_file
from batch_orders.stages.validate import validate
from tests.histories.machine import Histories
from tests.histories.sheets import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from batch_orders.models import Catalog, Checked, Mapped

_BATCH = 100
_judged: dict[object, Checked] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """So many batches as are asked for."""
    histories = int(metafunc.config.getoption("--histories"))
    metafunc.parametrize("batch", range(-(-histories // _BATCH)))


@pytest.fixture(autouse=True)
def _quickly(tmp_path: Path) -> Iterator[None]:
    """What costs time and is not under test is done once: an empty ledger, certificates, judging the same rows."""
    path = tmp_path / "empty.sqlite"
    Ledger.create(path).close()

    def validate_once(mapped: Mapped, catalog: Catalog, *, dates: bool = False) -> Checked:
        cells = mapped.sheet.frame.to_numpy()[:, : len(HEADERS)]
        key = (tuple(map(tuple, cells)), tuple(catalog.stock), catalog.shipping_options, dates)
        if key not in _judged:
            _judged[key] = validate(mapped, catalog, dates=dates)
        return dataclasses.replace(_judged[key], mapped=mapped)

    first: list[Engine] = []

    def create_engine_once(*arguments: Any, **options: Any) -> Engine:
        engine = create_engine(*arguments, **options)
        first.append(engine)
        # One dialect, so that each statement is compiled once, and not once for each time the ledger is opened.
        engine.dialect, engine._compiled_cache = first[0].dialect, first[0]._compiled_cache
        del first[1:]
        return engine

    with (
        capture_logs(),
        mock.patch.object(in_file, "create_engine", create_engine_once),
        mock.patch.object(Histories, "empty_ledger", path, create=True),
        mock.patch.object(ssl, "create_default_context"),
        mock.patch.object(pipeline, "validate", validate_once),
    ):
        yield


@pytest.mark.timeout(900)
def test_histories(batch: int, request: pytest.FixtureRequest) -> None:
    """Whatever happens, in any order: at most once, and none lost."""
    first_seed = int(request.config.getoption("--seeds").split(",")[0])
    Histories.tally.clear()
    run_state_machine_as_test(
        seed(1_000 * first_seed + batch)(Histories),
        settings=settings(
            max_examples=_BATCH,
            stateful_step_count=8,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    tally = Histories.tally
    print(f"batch {batch}:", ", ".join(f"{what}: {count}" for what, count in sorted(tally.items())))  # noqa: T201 - with -s
    assert tally["histories"] >= 0.9 * _BATCH
    assert tally["orders sent"] > 2 * tally["histories"]
    assert tally["orders at the end, misjudged"] < 0.5 * tally["orders at the end"]
