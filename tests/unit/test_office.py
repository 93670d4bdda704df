"""A proof that needs LibreOffice is never passed over on CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import office

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("ci", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_libreoffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, ending: type) -> None:
    """Failed on CI, skipped elsewhere; either way with the name of what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ending, match="soffice is not installed"):
        office.resave(tmp_path / "wave.xlsx", "ods")
