"""A new project: its files, and what they are good for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from roma_core.cli import roma
from roma_core.errors import EvalError, InputError, NotFoundError
from roma_core.evals import load_dataset, load_golden
from roma_core.evals.notebooks import defaults
from roma_core.ingestion.catalog import read_project_sources
from roma_core.settings.model import all_settings
from roma_core.starter import find_shipped, make_project


def test_a_new_project_has_settings_sources_notebooks_a_golden_set_and_a_workflow(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    assert project.kept == ()
    assert {
        "roma.toml",
        ".env.example",
        "golden/golden_set.json",
        "README.md",
        "dashboards/chat.py",
        "dashboards/evals.py",
    } <= set(project.written)
    assert any(name.startswith("notebooks/04_") for name in project.written)
    assert all((tmp_path / "p" / name).stat().st_size > 0 for name in project.written)


def test_its_notebooks_ask_its_own_golden_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    asking = [path for path in (tmp_path / "notebooks").glob("*.ipynb") if "dataset" in defaults(path)]
    assert len(asking) >= 6
    monkeypatch.chdir(tmp_path / "notebooks")
    for path in asking:
        assert load_dataset(defaults(path)["dataset"]).cases[0].id == "ask-command", path.name


def test_the_notebooks_here_find_the_shipped_set_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = defaults(find_shipped("notebooks/03_golden_eval.ipynb"))["dataset"]
    assert len(load_dataset(f"{dataset}#core").cases) >= 100
    with pytest.raises(EvalError, match=r"nowhere.json cannot be read"):
        load_dataset("datasets/nowhere.json")


def test_files_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    project = make_project(tmp_path)
    assert project.kept == ("README.md",)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
    assert make_project(tmp_path).written == ()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        make_project(tmp_path / "p")


def test_what_the_installation_lacks_is_named() -> None:
    with pytest.raises(NotFoundError, match="no-such-thing"):
        find_shipped("no-such-thing")


def test_the_sources_and_the_golden_set_of_a_new_project_are_valid(tmp_path: Path) -> None:
    make_project(tmp_path)
    assert [source[0] for source in read_project_sources(tmp_path / "roma.toml")] == ["documents"]
    cases = load_golden(tmp_path / "golden" / "golden_set.json").cases
    welcome = (tmp_path / "documents" / "welcome.md").read_text(encoding="utf-8")
    assert all(evidence.anchor in welcome for case in cases for evidence in case.evidence)


def test_each_setting_that_a_new_project_names_exists(tmp_path: Path) -> None:
    make_project(tmp_path)
    names = re.findall(r"^#([A-Z_]+)=", (tmp_path / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert set(names) <= {setting.env for setting in all_settings()}


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    ran = CliRunner().invoke(roma, ["init", str(tmp_path / "p")])
    assert ran.exit_code == 0
    assert "roma sync" in ran.output
