"""The entailment model of a user: one call for all pairs, and errors that say what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.entailment import OnnxEntailment, make_entailment
from roma_core.errors import EmbeddingError
from tests.nli_model import make_nli_model


async def test_pairs_are_classified_in_one_batch(tmp_path: Path) -> None:
    model = OnnxEntailment(str(make_nli_model(tmp_path / "small", {"shut": "entailment", "open": "contradiction"})))
    first, second, third = await model.entail(
        [("the mill was shut", "nobody used it"), ("the mill was open all year round", "nobody used it"), ("a", "b")]
    )
    assert first > 0.9
    assert second < 0.1
    assert 0.1 < third < 0.5
    assert await model.entail([]) == []
    assert model.name == "small"


def test_none_names_no_model(tmp_path: Path) -> None:
    assert make_entailment("none") is None
    assert make_entailment(str(tmp_path)) is not None


async def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="ROMA_ENTAILMENT names a folder"):
        await OnnxEntailment(str(tmp_path)).entail([("a", "b")])
    with pytest.raises(EmbeddingError, match="no such folder"):
        await OnnxEntailment(str(tmp_path / "gone")).entail([("a", "b")])


async def test_a_model_without_the_class_is_refused(tmp_path: Path) -> None:
    folder = make_nli_model(tmp_path / "other", {})
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "LABEL_0"}}), encoding="utf-8")
    with pytest.raises(EmbeddingError, match="names no class 'entailment'"):
        await OnnxEntailment(str(folder)).entail([("a", "b")])
