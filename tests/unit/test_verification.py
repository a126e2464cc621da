"""Exported answers against their sources: what holds, what was altered, what has moved, changed or gone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import Roma, build_roma
from roma_core.cli import main
from roma_core.errors import InputError
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.types import TailorOutput
from roma_core.verification import read_export, verify_export

TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"
ANSWER = "The rope bridge of Quellfeld was built in 1902. [1]"


@pytest.fixture
async def roma(tmp_path: Path) -> AsyncIterator[Roma]:
    (tmp_path / "bridge.md").write_text(TEXT, encoding="utf-8")
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="none", planner="off")
    async with build_roma(settings, llm=FakeLLM(rule=lambda request: ANSWER)) as made:
        await made.ingest(tmp_path / "bridge.md")
        yield made


@pytest.fixture
async def export(roma: Roma) -> dict[str, Any]:
    output = await roma.query("When was the rope bridge built?")
    assert isinstance(output, TailorOutput)
    value: dict[str, Any] = json.loads(output.model_dump_json(exclude={"passages"}))
    return value


async def test_an_untouched_export_holds(roma: Roma, export: dict[str, Any]) -> None:
    check = await verify_export(roma, read_export(json.dumps(export)))
    assert check.holds
    assert [(c.state, c.verdict) for c in check.citations] == [("holds", "verbatim")]
    assert check.summary == "1 of 1 citations hold"


async def test_it_holds_inside_a_record_and_in_an_event(roma: Roma, export: dict[str, Any]) -> None:
    for wrapped in ({"type": "complete", "output": export}, {"id": "x", "state": "complete", "output": export}):
        assert (await verify_export(roma, read_export(json.dumps(wrapped)))).holds


async def test_a_changed_year_in_the_answer_does_not_hold(roma: Roma, export: dict[str, Any]) -> None:
    export["answer"] = export["answer"].replace("1902", "1903")
    check = await verify_export(roma, read_export(json.dumps(export)))
    assert not check.holds
    assert check.citations[0].verdict == "contradicted"


async def test_a_changed_quote_does_not_hold(roma: Roma, export: dict[str, Any]) -> None:
    export["citations"][0]["quote"] = export["citations"][0]["quote"].replace("1902", "1903")
    check = await verify_export(roma, read_export(json.dumps(export)))
    assert [c.state for c in check.citations] == ["changed"]
    assert not check.holds


async def test_a_statement_whose_citation_was_taken_out_is_named(roma: Roma, export: dict[str, Any]) -> None:
    export["citations"] = []
    check = await verify_export(roma, read_export(json.dumps(export)))
    assert not check.holds
    assert len(check.unmarked) == 1


async def test_a_quote_that_has_moved_is_found(roma: Roma, export: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "bridge.md").write_text(TEXT.replace("\n\n", "\n\nA foreword of some words.\n\n", 1), encoding="utf-8")
    await roma.ingest(tmp_path / "bridge.md")
    check = await verify_export(roma, read_export(json.dumps(export)))
    assert [(c.state, c.verdict) for c in check.citations] == [("moved", "verbatim")]
    assert check.holds


async def test_a_source_outside_of_the_store_is_read_at_its_address(
    roma: Roma, export: dict[str, Any], tmp_path: Path
) -> None:
    async with build_roma(Settings(workspace=tmp_path / "other", embedder="fake", reranker="none")) as stranger:
        assert (await verify_export(stranger, read_export(json.dumps(export)))).holds
        (tmp_path / "bridge.md").unlink()
        check = await verify_export(stranger, read_export(json.dumps(export)))
    assert [c.state for c in check.citations] == ["gone"]
    assert not check.holds


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"answer": 3}', '{"output": {"answer": 3}}', "\x00"])
def test_a_file_that_is_no_answer_is_refused(data: str) -> None:
    with pytest.raises(InputError, match="no exported answer"):
        read_export(data)


def test_the_command_says_by_its_exit_code_whether_all_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bridge.md").write_text(TEXT, encoding="utf-8")
    where = ["--workspace", str(tmp_path / "w")]
    assert main(["ingest", str(tmp_path / "bridge.md"), *where]) == 0
    capsys.readouterr()
    assert main(["ask", "When was the rope bridge built?", "--json", *where]) == 0
    file = tmp_path / "answer.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["verify", str(file), *where]) == 0
    file.write_text(file.read_text("utf-8").replace("1902", "1903"), encoding="utf-8")
    assert main(["verify", str(file), *where]) == 2
    assert "DOES NOT HOLD" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "absent.json"), *where]) == 64
