"""The golden set about installed packages: its anchors are in the corpus, its answers state their own facts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.errors import AgentFailure
from roma_core.evals.demo_corpus import gather_demo_corpus
from roma_core.evals.gate import load_baseline
from roma_core.evals.golden.dataset import Golden, load_golden
from roma_core.evals.golden.evidence import locate
from roma_core.evals.measures.nuggets import states

PATH = Path(__file__).resolve().parents[2] / "datasets" / "golden" / "packages.json"
MOST_PLACES = 2
"""An anchor that occurs more often than this does not name a place."""


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(PATH)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    gather_demo_corpus(folder)
    return folder


def test_the_set_about_packages_has_every_kind_and_persona(golden: Golden) -> None:
    assert len(golden.cases) >= 60
    kinds = Counter(case.kind for case in golden.cases)
    assert kinds["single"] >= 40 and kinds["multi_hop"] >= 10 and kinds["no_answer"] >= 10 and kinds["conflict"] >= 6
    personas = Counter(case.persona for case in golden.cases)
    assert all(personas[p] >= 15 for p in ("technical", "executive", "general"))


def test_every_anchor_names_a_place_in_the_installed_corpus(golden: Golden, corpus: Path) -> None:
    wrong = []
    for case in golden.cases:
        for evidence in case.evidence:
            path = corpus / evidence.uri
            found = len(locate(evidence.anchor, path.read_text(encoding="utf-8"))) if path.is_file() else 0
            if not evidence.anchor or not 1 <= found <= MOST_PLACES:
                wrong.append((case.id, evidence.uri, found))
    assert wrong == []


def test_every_fact_is_in_its_answer_and_in_its_evidence(golden: Golden, corpus: Path) -> None:
    for case in golden.cases:
        sources = [(corpus / e.uri).read_text(encoding="utf-8") for e in case.evidence]
        for nugget in case.nuggets:
            assert states(case.answer, nugget), (case.id, nugget.fact)
            assert any(states(text, nugget) for text in sources), (case.id, nugget.fact)


def test_answerable_cases_have_answers_and_facts_and_the_others_none(golden: Golden) -> None:
    for case in golden.cases:
        assert bool(case.answer) == bool(case.nuggets) == (case.kind != "no_answer"), case.id


def test_evidence_is_of_locked_packages_or_own_documents(golden: Golden) -> None:
    lock = (PATH.parents[2] / "requirements.lock").read_text(encoding="utf-8")
    for case in golden.cases:
        for evidence in case.evidence:
            name = evidence.uri.rpartition(".")[0]
            assert evidence.uri.startswith("docs/") or f"\n{name}==" in f"\n{lock}", (case.id, name)


@pytest.mark.slow
async def test_every_anchor_survives_the_parsers(golden: Golden, corpus: Path, tmp_path: Path) -> None:
    wrong = []
    async with build_roma(Settings(workspace=tmp_path)) as roma:  # type: ignore[call-arg]
        texts = {}
        for uri in sorted({e.uri for case in golden.cases for e in case.evidence}):
            document = await roma.parse(corpus / uri)
            texts[uri] = "" if isinstance(document, AgentFailure) else document.text
        for case in golden.cases:
            for evidence in case.evidence:
                found = len(locate(evidence.anchor, texts[evidence.uri]))
                if not 1 <= found <= MOST_PLACES:
                    wrong.append((case.id, evidence.uri, found))
    assert wrong == []


def test_the_baseline_belongs_to_these_questions(golden: Golden) -> None:
    baseline = load_baseline(PATH.with_name("packages-baseline.json"))
    assert baseline.dataset_sha256 == golden.sha256 and baseline.max_errors == 0
    assert set(baseline.clusters) == {case.id for case in golden.cases}
    assert baseline.mean("citation_validity") >= 0.98 and baseline.mean("R@5") >= 0.85
