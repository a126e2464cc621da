"""What changed between two parses, and the gate that pins how much a document holds."""

from __future__ import annotations

import json

import pytest

from bench import parse_gate, parse_scores
from roma_core.errors import InputError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.diff import compare, diff, load, shape
from roma_core.parsers.text.markdown import parse
from roma_core.types import Document, RawDocument

FULL = "# Fares\n\nThe ferry goes daily.\n\n| Route | Fare |\n| --- | --- |\n| Mill | 5 |\n| Chapel | 3 |\n"
POOR = "Fares\n\nThe ferry goes.\n\n| Route | Fare |\n| --- | --- |\n| Mill | 5 |\n"


def document(text: str, uri: str = "a.md", parser: str = "markdown/1") -> Document:
    made = parse(RawDocument(uri=uri, data=text.encode()), ParseOptions())
    return made.model_copy(update={"parser": parser})


def test_shape_counts_tokens_headings_cells():
    counted = shape(document(FULL))
    assert (counted.headings, counted.cells) == (1, 6) and counted.tokens > 8


def test_compare_names_what_was_lost_and_gained():
    change = compare(document(FULL), document(POOR, parser="markdown/2"))
    assert change.lost["headings"] == {"Fares": 1}
    assert change.lost["cells"] == {"Chapel": 1, "3": 1}
    assert "daily" in change.lost["tokens"] and change.is_loss
    back = compare(document(POOR), document(FULL))
    assert back.gained["cells"] == {"Chapel": 1, "3": 1} and not back.lost["cells"]
    assert compare(document(FULL), document(FULL)).summary() == "same"


def test_diff_of_two_sets_reports_only_changes():
    old = {d.uri: d for d in (document(FULL), document(FULL, "b.md"), document(FULL, "gone.md"))}
    new = {d.uri: d for d in (document(POOR), document(FULL, "b.md"), document(FULL, "new.md"))}
    report = diff(old, new)
    assert report.compared == 4 and report.has_loss
    assert {c.uri: c.summary() for c in report.changes if c.uri != "a.md"} == {
        "gone.md": "no longer parsed",
        "new.md": "new",
    }
    text = report.to_markdown()
    assert "4 documents compared, 3 changed." in text and "“Chapel”" in text
    assert diff(new, new).changes == () and not diff(new, new).has_loss


def test_load_reads_json_lines_and_folders(tmp_path):
    one, two = document(FULL, "a.md"), document(FULL, "b.md")
    (tmp_path / "a.json").write_text(one.model_dump_json())
    (tmp_path / "b.jsonl").write_text(two.model_dump_json() + "\n\n")
    assert load(tmp_path) == {"a.md": one, "b.md": two}
    (tmp_path / "list.json").write_text(json.dumps([one.model_dump(mode="json")]))
    assert load(tmp_path / "list.json") == {"a.md": one}


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="no parsed documents"):
        load(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json is no parsed document"):
        load(tmp_path)


def test_gate_fails_on_every_kind_of_loss():
    base = {"tokens": 1000, "headings": 5, "cells": 20, "pages": 2, "parser": "pdf/1"}
    assert parse_gate.losses({"a": base}, {"a": {**base, "tokens": 996, "headings": 9}}) == []
    for key, value in (("tokens", 990), ("headings", 4), ("cells", 19), ("pages", 1)):
        assert parse_gate.losses({"a": base}, {"a": {**base, key: value}}) == [f"a: {key} {base[key]} -> {value}"]
    failed = {"failure": "ERR_PARSER_TIMEOUT"}
    assert parse_gate.losses({"a": base}, {"a": failed}) == ["a: now fails with ERR_PARSER_TIMEOUT"]
    assert parse_gate.losses({"a": base}, {}) == ["a: not measured"]
    assert parse_gate.losses({"a": failed}, {"a": failed}) == []
    assert parse_gate.losses({"a": failed}, {"a": base}) == []


def test_scores_measure_what_they_say():
    assert parse_scores.token_f1("a b c", "a b c") == 1.0
    assert parse_scores.token_f1("a b", "c d") == 0.0
    assert parse_scores.token_f1("![x](y)<!-- no -->A  b", "a b") == pytest.approx(0.8)
    assert parse_scores.token_recall("a b", "a b c d") == 0.5
    assert parse_scores.holds("The **ferry**\ngoes", "ferry goes") and not parse_scores.holds("ferry", "fairy")
    assert parse_scores.cell_recall(POOR, FULL) == pytest.approx(4 / 6)
    assert parse_scores.cell_recall(FULL, "no table") is None
    dotted = "| Mill . . . . . | . 7 |\n| --- | --- |\n| Pier | .5 |"
    assert parse_scores.cell_recall("| | |\n| --- | --- |\n| Mill | 7 |\n| Pier | .5 |", dotted) == 1.0
    assert parse_scores.heading_recall(POOR, FULL) == 0.0 and parse_scores.heading_recall("x", "y") is None
