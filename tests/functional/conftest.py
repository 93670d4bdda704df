"""Behind every functional test: what the program logs holds nothing private."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_orders.logs import configure_logs
from batch_orders.sandbox import SandboxOptions
from tests.hostile.server import CLIENT_SECRET
from tests.privacy import assert_log_is_clean, assert_no_secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def log_is_clean(tmp_path: Path) -> Iterator[None]:
    """What a test makes the program log in this process; where it runs others, tests/program.py looks at theirs."""
    path = tmp_path.with_suffix(".log")
    configure_logs(verbose=False, log_file=path)
    yield
    configure_logs(verbose=False, log_file=None)
    log = path.read_text()
    assert_no_secret(log, CLIENT_SECRET, SandboxOptions().client_secret)
    assert_log_is_clean(log, ["Main Street"])
