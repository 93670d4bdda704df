"""What a fresh machine installs: the lock holds every dependency, and the version is said once."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import batch_orders

_ROOT = Path(__file__).parents[2]


def test_the_lock_satisfies_every_dependency() -> None:
    """constraints.txt pins each dependency to a version that pyproject.toml allows."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins: dict[str, list[str]] = {}
    for line in (_ROOT / "constraints.txt").read_text().splitlines():
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        pins.setdefault(canonicalize_name(requirement.name), []).append(specifier.version)
    for text in wanted:
        requirement = Requirement(text)
        versions = pins[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), text


def test_the_changelog_knows_the_version() -> None:
    """The newest entry of the CHANGELOG is this version's."""
    headings = [line for line in (_ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].startswith(f"## {batch_orders.__version__}")
