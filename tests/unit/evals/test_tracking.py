"""MLflow: complete, without secrets, once a run, and in the workspace alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from roma_core.evals import tracked_items, tracking
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Nugget
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, RunFacts
from roma_core.evals.runs import RunStore
from roma_core.prompts import Prompt, PromptLibrary, load_prompt
from roma_core.settings import Settings
from roma_core.workspace import Workspace

ROWS = (
    EvalRow(
        case_id="q1", question="<b>?", kind="single", persona="general", cluster="c", answer="yes", answered=True,
        scores={"R@5": 1.0, "cited": None},
    ),
    EvalRow(case_id="q2", question="?", kind="single", persona="general", cluster="d", error="ERR_TIMEOUT",
            state="failed", scores={"R@5": 0.0, "cited": None}),
)  # fmt: skip
GOLDEN = Golden(
    name="golden",
    cases=(
        GoldenCase(id="q1", question="Who?", kind="single", nuggets=(Nugget(fact="x"),), evidence=(Evidence(uri="u"),)),
    ),
)


def report(**fields: object) -> EvalReport:
    measures = (MeasureInfo(name="R@5", source="s"), MeasureInfo(name="cited", source="s"))
    plain = {"dataset": "d", "dataset_sha256": "sha", "fingerprint": "f", "measures": measures, "rows": ROWS}
    return EvalReport.model_validate(plain | fields)


def settings(workspace: Path, **fields: object) -> Settings:
    return Settings(workspace=workspace, **fields)  # type: ignore[call-arg, arg-type]


def test_metrics_have_intervals_and_count_what_is_unscored() -> None:
    found = tracking.metrics(report())
    assert found["R_at_5"] == 0.5 and 0 < found["R_at_5.low"] < 0.5 < found["R_at_5.high"] < 1
    assert found["cases"] == 2 and found["errors"] == 1
    assert found["cited.unscored"] == 2 and "cited" not in found


def test_parameters_name_what_decided_and_hold_no_secret(tmp_path: Path) -> None:
    held = settings(tmp_path, llm_api_key="sk-secret", gdrive_credentials="/some/key.json")
    found = tracking.parameters(report(settings=held.deciding(), prompts={"answer": "p" * 64}))
    assert found["dataset_sha256"] == "sha" and found["prompt.answer"] == "p" * 64
    assert found["setting.rerank_limit"] == "20"
    assert "secret" not in json.dumps(found) and "key.json" not in json.dumps(found)


def test_the_revision_of_a_checkout_and_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking.git_revision(tmp_path) == ""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert tracking.git_revision() == ""


def test_the_place_is_the_workspace_unless_a_server_is_configured(tmp_path: Path) -> None:
    assert tracking.tracking_uri(settings(tmp_path)) == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking.tracking_uri(settings(tmp_path, mlflow_tracking_uri="http://h:1")) == "http://h:1"


@pytest.mark.slow
async def test_a_run_is_logged_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    held = settings(tmp_path / "w")
    prompt = Prompt(name="judge", version="1", template="Grade {{answer}}", sha256="1" * 64)
    times = RunFacts(seconds=3.0, case_seconds={"q1": 2.0, "q2": 0.5}, case_started={"q1": 1_000_000.0})
    run = await tracking.track(report(facts=times), held, [prompt], GOLDEN)
    assert await tracking.track(report(), held, [prompt]) == run
    changed = Prompt(name="judge", version="2", template="Grade it: {{answer}}", sha256="2" * 64)
    other = await tracking.track(report(fingerprint="g"), held, [changed, changed])
    assert other != run

    from mlflow import MlflowClient

    uri = tracking.tracking_uri(held)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    logged = client.get_run(run)
    assert logged.info.status == "FINISHED" and logged.data.tags[tracking.RUN_TAG] == report().run_id
    assert (
        logged.info.run_name == f"d {report().run_id}" and "| R@5 | 0.500 |" in logged.data.tags["mlflow.note.content"]
    )
    assert [each.dataset.name for each in logged.inputs.dataset_inputs] == [logged.data.tags[tracking.DATASET_TAG]]
    assert logged.data.metrics["R_at_5"] == 0.5 and logged.data.params["fingerprint"] == "f"
    assert {f.path for f in client.list_artifacts(run)} == {"report.html", "report.json", "rows.json"}
    assert logged.info.end_time - logged.info.start_time == pytest.approx(3000, abs=2)
    traces = {
        t.info.tags["roma.case_id"]: t for t in client.search_traces(locations=[logged.info.experiment_id], run_id=run)
    }
    first = traces["q1"].info
    assert first.request_time == 1_000_000_000 and first.execution_duration == 2000
    assert (first.request_preview, first.response_preview) == ("<b>?", "yes")
    assert {a.name: a.feedback.value for a in first.assessments if a.error is None} == {"R@5": 1.0}
    assert traces["q2"].info.state == "ERROR" and "cited" in {a.name for a in first.assessments if a.error}
    with tracked_items.tracking_to(uri):
        (dataset,) = client.search_datasets([logged.info.experiment_id])
        assert dataset.name == logged.data.tags[tracking.DATASET_TAG]
        assert dataset.to_df()["inputs"].iloc[0]["question"] == "Who?"
    page = Path(client.download_artifacts(run, "report.html", str(tmp_path))).read_text()
    assert "&lt;b&gt;?" in page
    table = json.loads(Path(client.download_artifacts(run, "rows.json", str(tmp_path))).read_text())
    assert "nDCG" not in table["columns"] and [row[0] for row in table["data"]] == ["q1", "q2"]
    versions = client.search_prompt_versions("roma-judge")
    assert [v.version for v in sorted(versions, key=lambda v: v.version)] == [1, 2]
    assert client.get_prompt_version("roma-judge", 2).template == "Grade it: {{answer}}"
    assert {p.name for p in tmp_path.iterdir()} == {"w", "report.html", "rows.json"}  # nothing in the working folder


@pytest.mark.slow
async def test_a_run_is_called_in_mlflow_as_it_is_in_the_workspace(tmp_path: Path) -> None:
    held = settings(tmp_path)
    RunStore(Workspace.of(held).evals).save(report(), "lazy")
    run = await tracking.track(report(), held)

    from mlflow import MlflowClient

    assert MlflowClient(tracking_uri=tracking.tracking_uri(held)).get_run(run).info.run_name == "lazy"


@pytest.mark.slow
async def test_prompts_go_to_the_registry_and_come_back_as_files(tmp_path: Path) -> None:
    held, folder = settings(tmp_path), tmp_path / "prompts"
    (tmp_path / "own.md").write_text("---\nname: judge\nversion: 1\n---\nGrade {{answer}}\n")
    library = PromptLibrary(folder, {"judge": load_prompt(tmp_path / "own.md")})
    library.write("judge", "strict", "---\nname: judge\nversion: strict\n---\nGrade hard: {{answer}}\n")
    assert await tracking.push_prompts(library.list(), held) == ("judge own", "judge strict")
    assert await tracking.push_prompts(library.list(), held) == ()
    assert await tracking.pull_prompts(library, held) == ()
    library.write("judge", "mild", "---\nname: judge\nversion: mild\n---\nGrade mildly: {{answer}}\n")
    await tracking.push_prompts(library.list(), held)
    elsewhere = PromptLibrary(tmp_path / "others", library.own)
    written = await tracking.pull_prompts(elsewhere, held)
    assert [path.name for path in written] == ["strict.md", "mild.md"]
    assert elsewhere.find("judge", "mild").prompt.template == "Grade mildly: {{answer}}"
    assert await tracking.pull_prompts(elsewhere, held) == ()
