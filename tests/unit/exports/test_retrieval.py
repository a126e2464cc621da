"""Rankings and relevance as others read them: ir-measures, and ROMA's own readers."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import pytest

from roma_core.app import build_roma
from roma_core.evals import evaluate, load_dataset
from roma_core.evals.foreign import read_run, score_run
from roma_core.evals.golden.beir import iterate_documents
from roma_core.exports import export
from roma_core.settings import Settings


@pytest.mark.parametrize("unit", ["document", "passage"])
async def test_ir_measures_scores_a_trec_export(settings: Settings, tmp_path: Path, unit: str) -> None:
    await export(settings, tmp_path / "out", to="trec", unit=unit)
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "out" / "qrels.trec")))
    run = list(ir_measures.read_trec_run(str(tmp_path / "out" / "run.trec")))
    assert {(judged.query_id, judged.relevance) for judged in qrels} == {("bridge", 1), ("ferry", 2)}
    assert ir_measures.calc_aggregate([ir_measures.R @ 5], qrels, run)[ir_measures.R @ 5] == 1.0


@pytest.mark.slow
async def test_a_run_that_was_exported_scores_as_before(settings: Settings, tmp_path: Path) -> None:
    from roma_core.evals import open_runs
    from roma_core.store import open_for_reading
    from roma_core.workspace import Workspace

    store = open_for_reading(Workspace(settings.workspace).store)
    before = open_runs(settings).read("base")
    golden = load_dataset(str(settings.workspace.parent / "golden.json"))
    for unit in ("document", "passage"):
        await export(settings, tmp_path / unit, to="trec", unit=unit)
        ranked = await score_run(
            golden,
            read_run(tmp_path / unit / "run.trec"),
            lambda: store.documents("default"),
            lambda: store.passages("default"),
        )
        assert ranked.notes == ()
        for measure in ("R@5", "RR@5", "nDCG@5"):
            assert ranked.report.mean(measure) == before.mean(measure)
    await store.close()


@pytest.mark.slow
async def test_a_set_in_beir_form_is_evaluated_again(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "set", to="beir")
    golden = load_dataset(f"beir:{tmp_path / 'set'}")
    assert {case.id: case.kind for case in golden.cases} == {
        "bridge": "single",
        "ferry": "single",
        "painter": "no_answer",
    }
    other = Settings(workspace=tmp_path / ".roma", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(other) as roma:
        report = await evaluate(f"beir:{tmp_path / 'set'}", roma, name="again")
    assert report.mean("R@5") == 1.0
    await export(other, tmp_path / "trec", to="trec")
    ranked = await score_run(
        golden, read_run(tmp_path / "trec" / "run.trec"), lambda: iterate_documents(tmp_path / "set")
    )
    assert ranked.report.mean("R@5") == 1.0
