"""``roma parse`` with another reader, and with several side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.cli import main

ROWS = "month,metres\nMay,3.4\nJune,2.9\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "files"
    place.mkdir()
    (place / "tides.csv").write_text(ROWS)
    (place / "note.txt").write_text("The ferry waits for the tide.\n")
    return place


def roma(workspace: Path, *arguments: str) -> int:
    return main([*arguments, "--workspace", str(workspace)])


def test_a_file_is_read_by_the_backend_that_is_named(
    folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roma(workspace, "parse", str(folder / "tides.csv"), "--backend", "pandas", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["parser"].startswith("csv@pandas-")
    assert "| May | 3.4 |" in document["text"]


def test_an_unknown_backend_is_one_line_that_names_the_nearest(
    folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roma(workspace, "parse", str(folder / "tides.csv"), "--backend", "panda") != 0
    assert "Did you mean 'pandas'?" in capsys.readouterr().err


def test_a_folder_is_compared_file_by_file(folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert roma(workspace, "parse", str(folder), "--compare", "own,pandas", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [file["uri"] for file in report["files"]] == ["tides.csv"]
    assert report["skipped"] == ["note.txt"]
    assert [reading["counts"]["cells"] for reading in report["files"][0]["readings"]] == [6, 6]


def test_a_comparison_is_a_table_for_a_person_and_a_page_with_html(
    folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roma(workspace, "parse", str(folder), "--compare", "own,pandas") == 0
    assert "| csv | pandas | 1 |" in capsys.readouterr().out
    assert roma(workspace, "parse", str(folder), "--compare", "own,pandas", "--html") == 0
    assert "<table>" in capsys.readouterr().out


def test_a_file_that_a_backend_cannot_read_makes_the_exit_code_say_so(
    folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "wide.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    assert roma(workspace, "parse", str(folder), "--compare", "own,pandas") == 2
    assert "The backend 'pandas' cannot read the file" in capsys.readouterr().out
