"""A run and its card: everything that made it is written down, and `roma rerun` says what is different today."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from roma_core import cli

THINGS = {"door": "red", "roof": "blue", "gate": "green"}
FAKES = {"LLM_PROVIDER": "extractive", "ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "fake"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents, a golden set, and a workspace that was ingested and evaluated as `base`."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "docs").mkdir()
    for thing, colour in THINGS.items():
        (folder / "docs" / f"{thing}.md").write_text(f"# The {thing}\n\nThe colour of the {thing} is {colour}.\n")
    items = [
        {
            "id": thing, "question": f"Which colour has the {thing}?", "kind": "single",
            "nuggets": [{"fact": colour}], "evidence": [{"uri": f"{thing}.md"}],
        }
        for thing, colour in THINGS.items()
    ]  # fmt: skip
    (folder / "golden.json").write_text(json.dumps(items))
    with pytest.MonkeyPatch.context() as patch:
        work_in(folder, patch)
        assert cli.main(["ingest", "docs"]) == 0
        assert cli.main(["eval", "golden.json", "--name", "base", "--primary", "nugget_recall"]) == 0
    return folder


def work_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    for name, value in FAKES.items():
        patch.setenv(name, value)
    patch.setenv("ROMA_WORKSPACE", str(folder / "w"))


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, as if it had been made there."""
    folder = tmp_path / "place"
    shutil.copytree(made, folder)
    (path,) = (folder / "w" / "evals").glob("*/card.json")
    path.write_text(path.read_text().replace(str(made), str(folder)))
    work_in(folder, monkeypatch)
    return folder


def read_card(place: Path) -> tuple[Path, dict[str, object]]:
    (path,) = (place / "w" / "evals").glob("*/card.json")
    return path, json.loads(path.read_text())


def test_a_card_holds_all_that_made_the_run(place: Path) -> None:
    path, card = read_card(place)
    assert (card["name"], card["primary"], card["asked"]) == ("base", "nugget_recall", 3)
    for name in ("dataset_sha256", "corpus_sha256", "index_sha256", "code_sha256"):
        assert len(str(card[name])) == 64
    assert card["parameters"]["dataset"] == str(place / "golden.json")  # type: ignore[index]
    assert card["settings"]["chunk_tokens"] == 200 and card["models"]["embedder"]  # type: ignore[index]
    assert card["packages"]["pydantic"] and card["finished_at"] and card["prompts"]  # type: ignore[index]
    page = path.with_name("card.md").read_text()
    assert "# Run base" in page and "nugget_recall" in page and f"roma rerun {path.parent.name}" in page


def test_the_same_run_again_is_told_to_be_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = read_card(place)
    report = path.with_name("report.json").read_bytes()
    assert cli.main(["rerun", "base"]) == 0
    assert "all 3 answers and their scores are the same" in capsys.readouterr().out
    assert path.with_name("report.json").read_bytes() == report


def test_another_index_is_named_and_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "docs" / "door.md").write_text("# The door\n\nThe colour of the door is violet.\n")
    assert cli.main(["ingest", "docs"]) == 0
    assert cli.main(["rerun", "base"]) == 1
    shown = capsys.readouterr()
    assert "index" in shown.out and "corpus" in shown.out and "--anyway" in shown.err
    assert len(list((place / "w" / "evals").glob("*/card.json"))) == 1, "nothing was asked"
    assert cli.main(["rerun", "base", "--anyway", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["result"]["other_answers"]
    assert {d["name"] for d in result["differences"]} >= {"index", "corpus"}


def test_settings_of_the_card_come_back(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROMA_LEXICAL_WEIGHT", "0.9")
    assert cli.main(["rerun", "base"]) == 0
    assert "the same" in capsys.readouterr().out


def test_another_dataset_is_refused_and_one_that_is_gone_is_asked_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "golden.json").rename(place / "moved.json")
    assert cli.main(["rerun", "base"]) == 1
    assert "--dataset" in capsys.readouterr().err
    assert cli.main(["rerun", "base", "--dataset", "moved.json"]) == 0
    items = json.loads((place / "moved.json").read_text())
    items[0]["nuggets"] = [{"fact": "violet"}]
    (place / "moved.json").write_text(json.dumps(items))
    assert cli.main(["rerun", "base", "--dataset", "moved.json"]) == 1
    assert "dataset" in capsys.readouterr().out


def test_a_prompt_that_no_model_would_read_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prompt", "new", "answer", "lazy"]) == 0
    assert cli.main(["eval", "golden.json", "--prompt", "answer=lazy", "--name", "lazy"]) == 64
    assert "no model is set" in capsys.readouterr().err


def test_the_text_of_a_chosen_prompt_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(["prompt", "new", "answer", "lazy"]) == 0
    lazy = next((place / "w" / "prompts" / "answer").glob("lazy.md"))
    with monkeypatch.context() as patch:
        patch.setenv("ROMA_PROMPTS", "answer=lazy")
        assert cli.main(["eval", "golden.json", "--name", "lazy"]) == 0
    lazy.write_text(lazy.read_text().replace("{{question}}", "Now: {{question}}"))
    assert cli.main(["rerun", "lazy"]) == 0, "the text of then is used"
    lazy.unlink()
    assert cli.main(["rerun", "lazy"]) == 0


def test_a_file_that_is_no_card(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rerun", "golden.json"]) == 1
    assert "not a card" in capsys.readouterr().err
    assert cli.main(["rerun", "bose"]) == 1
    assert "base" in capsys.readouterr().err
