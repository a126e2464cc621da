"""Cards: what is read from a checkout, what is different between two, and what stands on the page."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import EvalError
from roma_core.evals.provenance import (
    CodeState,
    RunProvenance,
    carded_notebook,
    list_differences,
    list_packages,
    notebook_card,
    read_code_state,
    read_provenance,
    write_provenance,
)
from roma_core.types import Usage

THEN = datetime(2026, 1, 2, tzinfo=UTC)


def card(**fields: Any) -> RunProvenance:
    return RunProvenance(run_id="1234", created_at=THEN, **fields)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "code.py").write_text("print(1)\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def test_a_checkout_is_known_by_commit_changes_and_new_files(checkout: Path) -> None:
    clean = read_code_state(checkout)
    assert len(clean.revision) == 40 and not clean.patch_sha256 and not clean.untracked
    (checkout / "code.py").write_text("print(2)\nKEY = 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEF'\n")
    (checkout / "more.py").write_text("x = 1\n")
    changed = read_code_state(checkout)
    assert changed.revision == clean.revision and "+print(2)" in changed.patch
    assert "abcdefghijklmnopqrstuvwxyz" not in changed.patch and list(changed.untracked) == ["more.py"]
    assert "patch" not in changed.model_dump()


def test_a_folder_outside_of_a_checkout_has_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_code_state(tmp_path) == CodeState()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert read_code_state(Path(__file__).parent) == CodeState()


@pytest.mark.parametrize(
    ("part", "name", "fields"),
    [
        ("dataset", "dataset", {"dataset_sha256": "b" * 64}),
        ("corpus", "corpus", {"corpus_sha256": "b" * 64}),
        ("index", "index", {"index_sha256": "b" * 64}),
        ("code", "code", {"code_sha256": "b" * 64}),
        ("setting", "chunk_tokens", {"settings": {"chunk_tokens": 32}}),
        ("prompt", "answer", {"prompts": {"answer": "c" * 64}}),
        ("model", "llm", {"models": {"llm": "other"}}),
        ("package", "lancedb", {"packages": {"lancedb": "2"}}),
        ("package", "python", {"python": "3.13.1"}),
    ],
)
def test_each_part_that_differs_is_named_and_decides(part: str, name: str, fields: dict[str, Any]) -> None:
    (difference,) = list_differences(card(), card(**fields))
    assert (difference.part, difference.name, difference.decides) == (part, name, True)


def test_another_commit_with_the_same_code_is_said_and_does_not_decide() -> None:
    first, second = card(roma=CodeState(revision="a" * 40)), card(roma=CodeState(revision="b" * 40))
    (difference,) = list_differences(first, second)
    assert difference.part == "revision" and not difference.decides
    patched = card(roma=CodeState(revision="a" * 40, patch_sha256="c" * 64))
    assert "changes" in list_differences(first, patched)[0].now
    assert list_differences(first, first) == []


def test_what_is_written_is_read_again_with_page_and_changes(tmp_path: Path) -> None:
    prompt = tmp_path / "lazy.md"
    prompt.write_text("Be lazy. {{question}}")
    made = card(
        name="lazy", primary="nugget_recall", chosen_prompts=("answer",), packages=list_packages(),
        roma=CodeState(revision="a" * 40, patch_sha256="b" * 64, patch="+print(2)\n"),
        usage={"answer": Usage(calls=2, input_tokens=10, output_tokens=5, cost_usd=0.25)},
        settings={"llm_model": "a|b"},
    )  # fmt: skip
    folder = tmp_path / "run"
    folder.mkdir()
    write_provenance(made, folder, {"answer": prompt})
    again = read_provenance(folder)
    assert again.packages["pydantic"] and again.usage == made.usage and again.name == "lazy"
    assert (folder / "code.patch").read_text() == "+print(2)\n"
    assert (folder / "prompts" / "answer.md").read_text() == "Be lazy. {{question}}"
    page = (folder / "card.md").read_text()
    assert "0.2500" in page and "a\\|b" in page and "nugget_recall" in page


def test_a_notebook_and_its_card_find_each_other(tmp_path: Path) -> None:
    book = tmp_path / "02.b_ask.ipynb"
    assert notebook_card(book).name == "02.b_ask.card.json"
    assert carded_notebook(notebook_card(book)) == carded_notebook(book) == book


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="not a card"):
        read_provenance(tmp_path)
