"""Runs for Ragas, DeepEval and MLflow, read by the libraries themselves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from roma_core.errors import EvalError
from roma_core.evals import load_dataset
from roma_core.exports import export
from roma_core.settings import Settings
from tests.frameworks import find_python


@pytest.mark.slow
async def test_deepeval_reads_a_run_as_goldens_and_as_test_cases(settings: Settings, tmp_path: Path) -> None:
    deepeval = pytest.importorskip("deepeval.dataset", reason="the extra 'evals' is not installed")
    await export(settings, tmp_path / "run.json", to="deepeval")
    dataset = deepeval.EvaluationDataset()
    dataset.add_goldens_from_json_file(str(tmp_path / "run.json"))
    golden = next(golden for golden in dataset.goldens if golden.name == "ferry")
    assert golden.expected_output == "97 EUR."
    assert golden.source_file == "notes/fähre.md"
    assert "97 EUR" in golden.actual_output
    assert any("97 EUR" in text for text in golden.retrieval_context)
    dataset.add_test_cases_from_json_file(
        str(tmp_path / "run.json"),
        input_key_name="input",
        actual_output_key_name="actual_output",
        expected_output_key_name="expected_output",
        retrieval_context_key_name="retrieval_context",
    )
    assert len(dataset.test_cases) == 3


async def test_a_deepeval_export_comes_back_as_a_golden_set(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "run.json", to="deepeval")
    golden = load_dataset(f"deepeval:{tmp_path / 'run.json'}")
    ferry = next(case for case in golden.cases if case.id == "ferry")
    assert ferry.answer == "97 EUR."
    assert [piece.uri for piece in ferry.evidence] == ["fähre.md"]


async def test_a_ragas_export_comes_back_as_a_golden_set(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "run.jsonl", to="ragas")
    golden = load_dataset(f"ragas:{tmp_path / 'run.jsonl'}")
    assert [case.answer for case in golden.cases] == ["In 1902.", "97 EUR.", ""]


@pytest.mark.slow
async def test_mlflow_reads_its_dataset_back(settings: Settings) -> None:
    datasets = pytest.importorskip("mlflow.genai.datasets", reason="the extra 'evals' is not installed")
    from roma_core.evals.tracked_items import tracking_to
    from roma_core.evals.tracking import tracking_uri

    await export(settings, "base-answers", to="mlflow-dataset", replace=True)
    with tracking_to(tracking_uri(settings)):
        frame = datasets.get_dataset(name="base-answers").to_df()
    rows = {inputs["case_id"]: n for n, inputs in enumerate(frame["inputs"])}
    ferry = frame.iloc[rows["ferry"]]
    assert ferry["expectations"]["expected_facts"] == ["97 EUR"]
    assert "97 EUR" in ferry["outputs"]["response"]
    with pytest.raises(EvalError, match="--replace"):
        await export(settings, "base-answers", to="mlflow-dataset")


READ = """
import json, sys
from ragas import EvaluationDataset
samples = EvaluationDataset.from_jsonl(sys.argv[1]).samples
print(json.dumps([[s.user_input, s.response, s.reference, len(s.retrieved_contexts)] for s in samples]))
"""
LOAD = """
import json, sys
import datasets
loaded = datasets.load_dataset(sys.argv[1], "rows", split="train", cache_dir=sys.argv[2])
print(json.dumps([[row["case_id"], row["reference"], len(row["passages"])] for row in loaded]))
"""


def run_there(code: str, *arguments: str) -> list[list[object]]:
    """Run code in the environment of the frameworks; skip without one."""
    python = find_python("readers")
    quiet = {"HF_HUB_OFFLINE": "1", "RAGAS_DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ, **quiet})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
async def test_ragas_reads_a_run(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "run.jsonl", to="ragas")
    samples = run_there(READ, str(tmp_path / "run.jsonl"))
    assert samples[1][0] == "What does a ferry pay for a landing?"
    assert samples[1][2] == "97 EUR."
    assert samples[1][3] > 0


@pytest.mark.slow
async def test_datasets_loads_a_folder(settings: Settings, tmp_path: Path) -> None:
    await export(settings, tmp_path / "hub", to="hf")
    rows = run_there(LOAD, str(tmp_path / "hub"), str(tmp_path / "cache"))
    assert [row[:2] for row in rows] == [["bridge", "In 1902."], ["ferry", "97 EUR."], ["painter", ""]]
