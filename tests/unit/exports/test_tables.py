"""Tables as Parquet, JSON Lines, a database of DuckDB and a folder for ``datasets``, read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.exports import TABLES, export
from roma_core.settings import Settings
from tests.unit.exports.conftest import BRIDGE


async def test_passages_of_parquet_are_the_words_of_their_documents(settings: Settings, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    report = await export(settings, tmp_path / "out", to="parquet", what=["documents", "passages"])
    documents = {row["id"]: row for row in pq.read_table(tmp_path / "out" / "documents.parquet").to_pylist()}
    passages = pq.read_table(tmp_path / "out" / "passages.parquet").to_pylist()
    assert report.rows == {"documents.parquet": 2, "passages.parquet": len(passages)}
    assert BRIDGE in [document["text"] for document in documents.values()]
    for passage in passages:
        document = documents[passage["document_id"]]
        assert document["text"][passage["start"] : passage["end"]] == passage["text"]
        assert passage["content_sha256"] == document["content_sha256"]


async def test_answers_carry_citations_and_feedback(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "out", to="jsonl", what=["answers", "documents"])
    answers = _read_lines(tmp_path / "out" / "answers.jsonl")
    documents = {row["id"]: row["text"] for row in _read_lines(tmp_path / "out" / "documents.jsonl")}
    assert [opinion["comment"] for opinion in answers[0]["feedback"]] == ["no year of repair"]
    assert answers[1]["feedback"] == []
    citations = [citation for answer in answers for citation in answer["citations"]]
    assert citations
    for citation in citations:
        assert documents[citation["document_id"]][citation["start"] : citation["end"]] == citation["quote"]


async def test_rows_of_a_run_carry_scores_and_references(settings: Settings, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    await export(settings, tmp_path / "out", to="parquet", what=["rows"])
    rows = {row["case_id"]: row for row in pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()}
    assert rows["ferry"]["run"] == "base"
    assert rows["ferry"]["reference"] == "97 EUR."
    assert rows["ferry"]["evidence"] == [{"uri": "notes/fähre.md", "anchor": "A ferry pays 97 EUR", "grade": 2}]
    scores = {score["measure"]: score["value"] for score in rows["ferry"]["scores"]}
    assert scores["nugget_recall"] == 1.0


async def test_a_changed_golden_set_gives_no_references_and_a_note(tmp_path: Path) -> None:
    from tests.unit.exports.conftest import fill

    settings = await fill(tmp_path)
    golden = tmp_path / "golden.json"
    golden.write_text(golden.read_text("utf-8").replace("97 EUR", "98 EUR"), "utf-8")
    report = await export(settings, tmp_path / "out", to="jsonl", what=["rows"])
    assert "golden set is not found as it was" in report.notes[0]
    assert [row["reference"] for row in _read_lines(tmp_path / "out" / "rows.jsonl")] == [None, None, None]


async def test_parquet_and_jsonl_hold_the_same(settings: Settings, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    await export(settings, tmp_path / "parquet", to="parquet")
    await export(settings, tmp_path / "jsonl", to="jsonl")
    for name, table in TABLES.items():
        lines = _read_lines(tmp_path / "jsonl" / f"{name}.jsonl")
        frame = pq.read_table(tmp_path / "parquet" / f"{name}.parquet").to_pylist()
        assert len(frame) == len(lines)
        for column, kind in table.columns.items():
            if kind in ("text", "int", "float", "bool"):
                assert [row[column] for row in frame] == [line[column] for line in lines], column
            if kind == "json":
                assert [json.loads(row[column]) for row in frame] == [line[column] for line in lines], column


async def test_the_manifest_has_the_hash_of_every_file(settings: Settings, tmp_path: Path) -> None:
    import hashlib

    report = await export(settings, tmp_path / "out", to="parquet")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    for file in manifest["files"]:
        data = (tmp_path / "out" / file["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert len(data) == file["size_bytes"]
    assert manifest["index_sha256"] == report.index_sha256 != ""


async def test_a_database_of_duckdb_is_asked_in_sql(settings: Settings, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    await export(settings, tmp_path / "roma.duckdb", to="duckdb")
    with duckdb.connect(str(tmp_path / "roma.duckdb"), read_only=True) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM passages p JOIN documents d ON p.document_id = d.id "
            'WHERE substring(d.text, p.start + 1, p."end" - p.start) = p.text'
        ).fetchone()
        (wanted,) = database.execute("SELECT count(*) FROM passages").fetchone()
        (mean,) = database.execute(
            "SELECT avg(s.value) FROM (SELECT unnest(scores) AS s FROM rows) WHERE s.measure = 'nugget_recall'"
        ).fetchone()
    assert count == wanted > 0
    assert mean == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["roma.duckdb"]


def _read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
