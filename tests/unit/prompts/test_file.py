"""Prompt files: read strictly, hashed whole, rendered in one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.errors import ConfigError
from roma_core.prompts import load_prompt, load_prompts

TEXT = "---\nname: answer\nversion: 2\ndescription: how to answer\n---\n\nUse {{passages}} for {{question}}.\n"


def write(folder: Path, text: str, name: str = "answer.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_prompt_is_read_with_its_front_matter(tmp_path: Path) -> None:
    prompt = load_prompt(write(tmp_path, TEXT))
    assert (prompt.name, prompt.version, prompt.description) == ("answer", "2", "how to answer")
    assert prompt.template == "Use {{passages}} for {{question}}."
    assert prompt.variables == ("passages", "question")


def test_one_changed_word_changes_the_hash(tmp_path: Path) -> None:
    first = load_prompt(write(tmp_path, TEXT))
    assert load_prompt(write(tmp_path, TEXT)).sha256 == first.sha256
    assert load_prompt(write(tmp_path, TEXT.replace("Use", "Take"))).sha256 != first.sha256


def test_a_value_that_looks_like_a_place_stays_as_it_is(tmp_path: Path) -> None:
    prompt = load_prompt(write(tmp_path, TEXT))
    assert prompt.render(passages="{{question}}", question="why") == "Use {{question}} for why."


@pytest.mark.parametrize("values", [{}, {"passages": "x"}, {"passages": "x", "question": "y", "more": "z"}])
def test_missing_and_unknown_values_are_refused(tmp_path: Path, values: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="has the places"):
        load_prompt(write(tmp_path, TEXT)).render(**values)


@pytest.mark.parametrize("text", ["no front matter", "---\nname: x\n---\nbody", "---\nversion: 1\nbody without an end"])
def test_a_file_without_a_version_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="needs front matter"):
        load_prompt(write(tmp_path, text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prompt(tmp_path / "absent.md")
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prompt(tmp_path / "bytes.md")


def test_a_folder_of_prompts_with_one_replaced(tmp_path: Path) -> None:
    write(tmp_path, TEXT)
    other = tmp_path / "elsewhere"
    other.mkdir()
    mine = write(other, TEXT.replace("version: 2", "version: 3"))
    assert load_prompts(tmp_path)["answer"].version == "2"
    assert load_prompts(tmp_path, {"answer": mine})["answer"].version == "3"
    with pytest.raises(ConfigError, match="There is no prompt 'plan'"):
        load_prompts(tmp_path, {"plan": mine})
    wrong = write(other, TEXT.replace("{{question}}", "{{query}}"), "wrong.md")
    with pytest.raises(ConfigError, match="must have the places"):
        load_prompts(tmp_path, {"answer": wrong})
