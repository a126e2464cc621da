"""The unmasked documents: kept apart, given back whole, gone when they are forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.privacy import MASK, Originals
from roma_core.types import Document

ORIGINAL = Document(
    id="d", uri="file:///d.md", title="T", text="Write to zebrafish@example.org.", content_sha256="1", parser="text/1"
)
MASKED = ORIGINAL.model_copy(update={"text": f"Write to {MASK * 21}."})


@pytest.fixture
def originals(tmp_path: Path) -> Originals:
    kept = Originals(tmp_path / "originals.sqlite")
    kept.put("t", {"d": ORIGINAL})
    return kept


def test_a_masked_document_is_given_back_as_it_was(originals: Originals) -> None:
    assert originals.unmask("t", MASKED) == ORIGINAL


def test_another_tenant_has_none(originals: Originals) -> None:
    assert originals.unmask("u", MASKED) is None


def test_the_original_of_another_version_is_not_shown(originals: Originals) -> None:
    assert originals.unmask("t", MASKED.model_copy(update={"content_sha256": "2"})) is None
    assert originals.unmask("t", MASKED.model_copy(update={"text": f"Wrote to {MASK * 21}."})) is None


def test_nothing_is_written_where_nothing_is_masked(tmp_path: Path) -> None:
    kept = Originals(tmp_path / "none.sqlite")
    kept.put("t", {})
    kept.sweep("t", [])
    assert kept.forget("t", ["d"]) == 0
    assert not (tmp_path / "none.sqlite").exists()


def test_what_is_swept_is_gone(originals: Originals) -> None:
    originals.put("t", {"e": ORIGINAL})
    originals.sweep("t", ["e"])
    assert originals.unmask("t", MASKED) is None
    assert originals.forget("t", ["d", "e"]) == 1
