"""Sets of Ragas and DeepEval become golden sets, and their texts are found in the corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import EvalError
from roma_core.evals import load_dataset
from roma_core.evals.golden.foreign_sets import place_items, read_items
from roma_core.types import Document

RAGAS = {
    "user_input": "What does a ferry pay?",
    "reference": "97 EUR",
    "reference_contexts": ["A *ferry* pays\n97 EUR for a landing."],
    "synthesizer_name": "single_hop",
}


async def documents(*texts: str) -> AsyncIterator[Document]:
    for number, text in enumerate(texts):
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        yield Document(
            id=f"d{number}", uri=f"file:///c/{number}.md", title="", text=text, content_sha256=sha256, parser="t/1"
        )


def test_a_test_set_of_ragas_is_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(RAGAS) + "\n" + json.dumps({"user_input": "Who?", "reference": None}) + "\n")
    first, second = load_dataset(f"ragas:{path}").cases
    assert (first.question, first.answer) == ("What does a ferry pay?", "97 EUR")
    assert [nugget.fact for nugget in first.nuggets] == ["97 EUR"]
    assert second.answer == ""


def test_a_test_set_of_ragas_is_read_from_csv(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame([RAGAS]).to_csv(tmp_path / "set.csv", index=False)
    (item,) = read_items(tmp_path / "set.csv", "ragas")
    assert item.contexts == ("A *ferry* pays\n97 EUR for a landing.",)


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
@pytest.mark.slow
def test_what_deepeval_saves_is_read(tmp_path: Path, kind: str) -> None:
    dataset = pytest.importorskip("deepeval.dataset", reason="the extra 'evals' is not installed")
    golden = dataset.Golden(
        input="What does a ferry pay?",
        expected_output="97 EUR",
        context=["A ferry pays 97 EUR.", "Since 2024."],
        source_file="notes/ferry.md",
    )
    made = dataset.EvaluationDataset(goldens=[golden]).save_as(kind, str(tmp_path), file_name="set")
    (item,) = read_items(Path(made), "deepeval")
    assert (item.question, item.answer, item.document) == ("What does a ferry pay?", "97 EUR", "notes/ferry.md")
    assert item.contexts == ("A ferry pays 97 EUR.", "Since 2024.")


async def test_texts_are_found_in_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps([RAGAS]))
    items = read_items(tmp_path / "set.json", "ragas")
    placed = await place_items("set", items, documents("Nothing.", "# Dues\n\nA ferry pays 97 EUR for a *landing*."))
    (case,) = placed.golden.cases
    assert [piece.uri for piece in case.evidence] == ["c/1.md"]
    assert placed.unplaced == placed.doubtful == ()


async def test_a_text_that_no_document_holds_is_reported(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps([RAGAS]))
    placed = await place_items("set", read_items(tmp_path / "set.json", "ragas"), documents("Nothing."))
    assert placed.unplaced == (placed.golden.cases[0].id,)
    assert placed.golden.cases[0].evidence == ()


async def test_a_text_that_several_documents_hold_is_reported(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps([RAGAS]))
    text = "A ferry pays 97 EUR for a landing."
    placed = await place_items("set", read_items(tmp_path / "set.json", "ragas"), documents(text, text))
    assert placed.doubtful == (placed.golden.cases[0].id,)


async def test_the_named_file_decides_between_documents(tmp_path: Path) -> None:
    item = {"input": "What?", "expected_output": "97", "context": ["A ferry pays 97 EUR."], "source_file": "x/1.md"}
    (tmp_path / "set.json").write_text(json.dumps([item]))
    text = "A ferry pays 97 EUR."
    placed = await place_items("set", read_items(tmp_path / "set.json", "deepeval"), documents(text, text, text))
    assert [piece.uri for piece in placed.golden.cases[0].evidence] == ["c/1.md"]
    assert placed.doubtful == ()


def test_the_same_question_twice_is_two_items(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps([RAGAS, RAGAS]))
    first, second = read_items(tmp_path / "set.json", "ragas")
    assert second.id == f"{first.id}-2"


@pytest.mark.parametrize(
    ("form", "record", "why"),
    [
        ("ragas", {"reference": "97"}, "item 1: there is no question"),
        ("ragas", {"user_input": [{"content": "hi", "type": "human"}]}, "several turns"),
        ("ragas", {"user_input": "What?", "reference_contexts": "not a list"}, "no list of texts"),
        ("deepeval", {"scenario": "a talk", "turns": []}, "several turns"),
        ("deepeval", {"input": ""}, "no question"),
    ],
)
def test_an_item_that_cannot_be_scored_is_named(tmp_path: Path, form: str, record: dict[str, Any], why: str) -> None:
    (tmp_path / "set.json").write_text(json.dumps([record]))
    with pytest.raises(EvalError, match=why):
        read_items(tmp_path / "set.json", form)


@pytest.mark.parametrize(("name", "text"), [("set.json", "{"), ("set.jsonl", "{}\n{"), ("set.json", '"x"')])
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(EvalError, match=r"set\.json"):
        read_items(tmp_path / name, "ragas")
