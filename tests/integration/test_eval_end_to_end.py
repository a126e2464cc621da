"""One evaluation over the whole pipeline: real documents, real store, a scripted model that is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roma_core.agents import prompts
from roma_core.app import Roma, build_roma
from roma_core.cache import Cache
from roma_core.evals import compare, evaluate
from roma_core.evals.demo_corpus import gather_demo_corpus
from roma_core.evals.golden.dataset import load_golden
from roma_core.evals.judge.model import RUBRIC, Judge
from roma_core.evals.report.record import EvalReport
from roma_core.llm.base import LLMRequest
from roma_core.llm.providers.fake import FakeLLM, Reply, first_passage
from roma_core.llm.service import LLMService
from roma_core.prompts import load_prompt
from roma_core.settings import Settings

GOLDEN = Path(__file__).resolve().parents[2] / "datasets" / "golden" / "packages.json"
DOCUMENTS = {"docs/11_SECURITY.md", "tenacity.rst", "nh3.md", "lancedb.md"}


def scripted(request: Any) -> Reply:
    """Grades every answer 4; otherwise quotes the first passage."""
    if request.purpose == "judge":
        return Reply(json.dumps({"reason": "close enough", "grade": 4}))
    return first_passage(request)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """The golden cases that the few documents can answer, and one trap."""
    cases = [c for c in load_golden(GOLDEN).cases if {e.uri for e in c.evidence} <= DOCUMENTS and c.evidence]
    cases += [c for c in load_golden(GOLDEN).cases if c.id == "ethanol"]
    path = tmp_path / "few.json"
    path.write_text(json.dumps([c.model_dump(mode="json") for c in cases]))
    return str(path)


async def evaluated(tmp_path: Path, dataset: str, llm: FakeLLM, **parts: Any) -> EvalReport:
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake", planner="off")  # type: ignore[call-arg]
    async with build_roma(settings, llm=llm, **parts) as roma:
        await ingested(roma, tmp_path)
        return await evaluate(dataset, roma, measures=[Judge(llm)])


async def ingested(roma: Roma, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    paths = [p for p in gather_demo_corpus(folder) if p.relative_to(folder).as_posix() in DOCUMENTS]
    report = await roma.ingest(*paths)
    assert report.counts()["failed"] == 0


def written(tmp_path: Path, report: EvalReport) -> dict[str, bytes]:
    folder = tmp_path / "w" / "evals" / report.run_id
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "facts.json"}


@pytest.mark.slow
async def test_the_same_eval_twice_makes_no_model_call_and_writes_the_same_bytes(tmp_path: Path, dataset: str) -> None:
    first, second = FakeLLM(rule=scripted), FakeLLM(rule=scripted)
    one = await evaluated(tmp_path, dataset, first)
    before = written(tmp_path, one)
    two = await evaluated(tmp_path, dataset, second)
    assert first.calls >= 2 * len(one.rows) - 2 and second.calls == 0
    assert written(tmp_path, two) == before and two.run_id == one.run_id
    assert one.errors == 0 and one.missing_evidence == () and one.mean("citation_validity") == 1.0
    assert one.mean("judge") == 4.0
    assert all(m.difference.mean == 0 for m in compare(one, two).measures)


@pytest.mark.slow
async def test_one_changed_prompt_word_asks_what_depends_on_it(tmp_path: Path, dataset: str) -> None:
    before = FakeLLM(rule=scripted)
    one = await evaluated(tmp_path, dataset, before)
    answered = sum(r.purpose != "judge" for r in before.requests)
    changed = tmp_path / "answer.md"
    original = Path(prompts.__file__).parent / "answer.md"
    changed.write_text(original.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    llm = FakeLLM(rule=scripted)
    two = await evaluated(tmp_path, dataset, llm, prompt_files={"answer": changed})
    asked = [r for r in llm.requests if r.purpose != "judge"]
    assert len(asked) == answered and two.run_id != one.run_id
    # The scripted answers are the same as before, so their grades are known already.
    assert [r for r in llm.requests if r.purpose == "judge"] == []
    assert set(compare(one, two).changed) == {"prompt answer", "stage.write"}, "the prompt is a part of its stage"


def depends(changed: str, request: LLMRequest) -> bool:
    """Whether ``request`` is made with the prompt ``changed``."""
    if changed.startswith("persona_"):
        return request.purpose == "answer" and prompts.all_prompts()[changed].render() in request.messages[0].content
    return request.purpose == changed


@pytest.mark.slow
async def test_a_prompt_word_asks_again_exactly_what_it_was_part_of(tmp_path: Path, dataset: str) -> None:
    """Whatever else was asked is in the cache of answers, also where a new answer could have led to it."""

    def planned(request: LLMRequest) -> Reply:
        if request.purpose != "plan":
            return scripted(request)
        return Reply(json.dumps({"sub_questions": [{"id": 1, "question": request.messages[-1].content}]}))

    async def asked(changed: str = "") -> list[LLMRequest]:
        llm = FakeLLM(rule=planned)
        path = tmp_path / f"{changed}.md"
        if changed:
            folder = RUBRIC.parent if changed == "judge" else Path(prompts.__file__).parent
            original = (folder / f"{changed}.md").read_text("utf-8")
            path.write_text(f"{original}\nBe brief.\n", "utf-8")
        settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake")  # type: ignore[call-arg]
        service = LLMService([llm], cache=Cache(tmp_path / "w" / "cache.sqlite"))
        files = {changed: path} if changed not in {"", "judge"} else None
        async with build_roma(settings, llm=service, prompt_files=files) as roma:
            await ingested(roma, tmp_path)
            rubric = {"rubric": load_prompt(path)} if changed == "judge" else {}
            report = await evaluate(dataset, roma, measures=[Judge(service, **rubric)])
        assert report.errors == 0 and report.is_whole
        return llm.requests

    def what(requests: list[LLMRequest]) -> list[tuple[str, str]]:
        return sorted((r.purpose, r.messages[-1].content) for r in requests)

    first = await asked()
    assert {r.purpose for r in first} == {"plan", "answer", "judge"} and await asked() == []
    for changed in ("plan", "answer", "persona_executive", "persona_technical", "rewrite", "judge"):
        wanted = what([r for r in first if depends(changed, r)])
        again = await asked(changed)
        if changed == "judge":  # its one message is the prompt itself
            assert {r.purpose for r in again} <= {"judge"} and len(again) == len(wanted)
        else:
            assert what(again) == wanted, changed
        assert bool(wanted) == (changed != "rewrite"), changed
