"""Citations as lines of text: one head for each source, one line for each quote."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.cli import main
from roma_core.cli.answers import format_citations
from roma_core.types import Citation, TailorOutput


def citation(marker: int, start: int, quote: str, **facts: object) -> Citation:
    return Citation.model_validate(
        {
            "marker": marker,
            "chunk_id": "c",
            "document_id": f"d{marker}",
            "uri": f"file:///{marker}.md",
            "title": f"Source {marker}",
            "place": f"page {start}",
            "start": start,
            "end": start + len(quote),
            "quote": quote,
            "answer_start": 0,
            "answer_end": 3,
            "verdict": "supported",
            **facts,
        }
    )


def test_two_quotes_of_one_source_share_one_head() -> None:
    output = TailorOutput(answer="", citations=(citation(1, 5, "one"), citation(2, 9, "two"), citation(1, 7, "three")))
    lines = format_citations(output)
    assert lines == [
        "[1] Source 1 (file:///1.md)",
        "    page 5, 5-8, supported: “one”",
        "    page 7, 7-12, supported: “three”",
        "[2] Source 2 (file:///2.md)",
        "    page 9, 9-12, supported: “two”",
    ]


def test_statements_that_rest_on_the_same_words_share_one_line() -> None:
    output = TailorOutput(answer="", citations=(citation(1, 5, "one"), citation(1, 5, "one", answer_start=9)))
    assert format_citations(output) == ["[1] Source 1 (file:///1.md)", "    page 5, 5-8, supported: “one”"]


def test_the_same_words_with_two_verdicts_are_two_lines() -> None:
    unsupported = citation(1, 5, "one", verdict="unsupported", decided_by=("the number differs",))
    lines = format_citations(TailorOutput(answer="", citations=(citation(1, 5, "one"), unsupported)))
    assert [line.strip() for line in lines[1:]] == [
        "page 5, 5-8, supported: “one”",
        "page 5, 5-8, unsupported: “one”",
        "the number differs",
    ]


def test_a_quote_stays_on_one_line_and_tells_who_found_it() -> None:
    output = TailorOutput(answer="", citations=(citation(1, 5, "one\n two", place="", found_by="roma"),))
    assert format_citations(output)[1] == "    5-13, found by ROMA, supported: “one two”"


def test_an_empty_workspace_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROMA_EMBEDDER", "fake")
    monkeypatch.setenv("ROMA_RERANKER", "none")
    workspace = tmp_path / "misspelt"
    assert main(["ask", "When does the valve open?", "--workspace", str(workspace)]) == 0
    told = capsys.readouterr().err
    assert "no model was asked (no passages)" in told
    assert f"There are no documents in {workspace} yet: roma ingest PATH brings some in" in told
