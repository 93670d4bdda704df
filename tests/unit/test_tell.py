"""What may be told of a sheet's file name, and when somebody has to be told at all."""

from __future__ import annotations

import pytest

from batch_orders.stages.tell import names_somebody
from tests.builders import make_mapped, make_sheet


def _named(file_name: str, first: str, last: str, email: str = "hr.7@example.com") -> bool:
    return names_somebody(
        file_name, make_mapped(make_sheet(["email", "firstname", "lastname"], [[email, first, last]]))
    )


@pytest.mark.parametrize(
    ("file_name", "first", "last"),
    [
        ("offer Ana Lopez.xlsx", "Ana", "López"),
        ("LOPEZ.csv", "Ana", "López"),
        ("müller.csv", "Ana", "MULLER"),
        ("wave-li.csv", "Li", "Xu"),
        ("anasheet.csv", "Ana", "Xu"),
        ("garcia.csv", "Ana", "García Márquez"),
    ],
)
def test_a_file_named_after_somebody_in_it(file_name: str, first: str, last: str) -> None:
    """Case, accents, double names and names within words are seen through."""
    assert _named(file_name, first, last)


def test_a_file_named_after_somebodys_mailbox() -> None:
    """The e-mail address is a name too."""
    assert _named("jdoe42-laptop.csv", "Jane", "Roe", "jdoe42@example.com")


@pytest.mark.parametrize("file_name", ["new-hires.csv", "wave 2026-11.xlsx", "example.csv", "lines.csv", "7.csv"])
def test_a_file_that_names_nobody(file_name: str) -> None:
    """Numbers, the e-mail's domain, single letters and short names within words are nobody's."""
    assert not _named(file_name, "Li X", "Quist")
