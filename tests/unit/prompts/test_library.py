"""Versions of prompts in a workspace: made, listed, compared, chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.cli import main
from roma_core.errors import ConfigError
from roma_core.prompts import PromptLibrary, load_prompt

OWN = "---\nname: answer\nversion: 3\n---\nUse {{passages}}.\n\nAnswer in full.\n"


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    path = tmp_path / "own.md"
    path.write_text(OWN)
    return PromptLibrary(tmp_path / "prompts", {"answer": load_prompt(path)})


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_a_new_version_is_a_copy_under_its_own_name(library: PromptLibrary) -> None:
    path = library.create("answer", "lazy")
    assert path == library.folder / "answer" / "lazy.md"
    assert load_prompt(path).version == "lazy" and library.diff("answer", "lazy") == ""
    assert [version.version for version in library.list()] == ["own", "lazy"]


def test_a_diff_shows_the_changed_lines(library: PromptLibrary) -> None:
    edit(library.create("answer", "lazy"), "in full", "in one word")
    edit(library.create("answer", "brisk", base="lazy"), "one word", "two words")
    assert library.diff("answer", "lazy").splitlines()[-2:] == ["-Answer in full.", "+Answer in one word."]
    assert "+Answer in two words." in library.diff("answer", "brisk", "lazy")


def test_a_version_is_never_overwritten(library: PromptLibrary) -> None:
    edit(library.create("answer", "lazy"), "in full", "in one word")
    with pytest.raises(ConfigError, match="already"):
        library.create("answer", "lazy")
    assert "one word" in library.find("answer", "lazy").prompt.template


@pytest.mark.parametrize("version", ["own", "", "a/b", "../x", "two words"])
def test_a_version_has_a_plain_name(library: PromptLibrary, version: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        library.create("answer", version)


def test_an_unknown_version_is_answered_with_the_nearest(library: PromptLibrary) -> None:
    library.create("answer", "lazy")
    with pytest.raises(ConfigError, match="Did you mean 'lazy'"):
        library.find("answer", "lasy")
    with pytest.raises(ConfigError, match="Did you mean 'answer'"):
        library.find("anwser", "lazy")


def test_a_version_has_the_places_of_the_prompt_that_it_stands_for(library: PromptLibrary) -> None:
    edit(library.create("answer", "lazy"), "{{passages}}", "what you know")
    with pytest.raises(ConfigError, match=r"must have the places \[passages\]"):
        library.resolve({"answer": "lazy"})


def test_a_choice_is_a_version_a_file_or_own(library: PromptLibrary, tmp_path: Path) -> None:
    kept = library.create("answer", "lazy")
    assert library.resolve({"answer": "lazy"}) == {"answer": kept}
    assert library.resolve({"answer": tmp_path / "own.md"}) == {"answer": tmp_path / "own.md"}
    assert library.resolve({"answer": "own"}) == {}


def test_a_setting_chooses_versions_and_an_argument_goes_first(workspace: Path) -> None:
    settings = Settings.load(workspace=workspace, prompts="answer=lazy")
    library = build_roma(settings).prompt_library
    lazy, brisk = library.create("answer", "lazy"), library.create("answer", "brisk")
    edit(brisk, "answer", "reply")
    assert build_roma(settings).prompt_files == {"answer": lazy}
    assert build_roma(settings, prompt_files={"answer": brisk}).prompt_files == {"answer": brisk}
    assert build_roma(settings).prompts["answer"] == load_prompt(lazy).sha256
    with pytest.raises(ConfigError, match="no version 'gone'"):
        _ = build_roma(Settings.load(workspace=workspace, prompts="answer=gone")).prompts


def test_prompts_by_the_command_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def roma(*words: str) -> str:
        assert main(["prompt", *words, "--workspace", str(workspace)]) == 0
        return capsys.readouterr().out

    names = {line.split("\t")[0] for line in roma().splitlines()[1:]}
    assert {"answer", "plan", "judge", "figure"} <= names
    edit(Path(roma("new", "answer", "lazy").strip()), "You", "You, briefly,")
    assert "+You, briefly," in roma("diff", "answer", "lazy")
    assert "You, briefly," in roma("show", "answer", "lazy")
    shown = json.loads(roma("list", "answer", "--json"))
    assert [version["version"] for version in shown] == ["own", "lazy"]


@pytest.mark.parametrize("word", ["answer", "answer=", "=lazy"])
def test_a_choice_without_both_halves_is_wrong_usage(workspace: Path, word: str) -> None:
    assert main(["eval", "x.json", "--prompt", word, "--workspace", str(workspace)]) == 64
