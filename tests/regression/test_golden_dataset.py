"""The golden set on the frozen corpus: enough of every kind, anchors that are there, answers that state their facts."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

from roma_core import Settings, build_roma
from roma_core.evals.corpus import build_corpus, corpus_sources
from roma_core.evals.gate import load_baseline
from roma_core.evals.golden.dataset import Golden, load_golden
from roma_core.evals.golden.evidence import find, locate
from roma_core.evals.measures.nuggets import states
from roma_core.evals.measures.values import read_values
from roma_core.evals.stats.inference import interval

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "datasets" / "golden" / "golden_dataset.json"
BASELINE = PATH.with_name("baseline.json")
CORPUS = ROOT / "datasets" / "corpus"
MOST_PLACES = 2
"""An anchor that occurs more often than this does not name a place."""
PLAIN = {".md", ".txt", ".csv", ".tsv", ".yaml", ".toml", ".org", ".rst", ".adoc", ".wiki", ".srt", ".vtt"}
"""Formats whose words stand in the file as they are in the document."""
DISAGREE = "disagree"


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(PATH)


def test_the_golden_set_has_every_kind_and_persona(golden: Golden) -> None:
    kinds = Counter(case.kind for case in golden.cases)
    assert len(golden.cases) >= 300
    assert kinds["multi_hop"] >= 40 and kinds["conflict"] >= 30 and kinds["no_answer"] >= 60
    personas = Counter(case.persona for case in golden.cases)
    assert all(personas[p] >= 100 for p in ("technical", "executive", "general"))


def test_the_golden_set_has_every_source_language_and_difficulty(golden: Golden) -> None:
    tags = Counter(tag for case in golden.cases for tag in case.tags)
    least = {
        "local": 100, "web": 40, "drive": 40, "paraphrase": 60, "table": 40, "metadata": 20, "language": 40,
        "de": 10, "fr": 10, "ja": 10, "picture": 10, "near-miss": 60, "core": 100,
    }  # fmt: skip
    assert {tag: tags[tag] for tag, n in least.items() if tags[tag] < n} == {}


def test_no_question_is_asked_twice(golden: Golden) -> None:
    assert [q for q, n in Counter(case.question.casefold() for case in golden.cases).items() if n > 1] == []


def test_every_answer_states_its_own_facts(golden: Golden) -> None:
    wrong = [
        (case.id, nugget.fact) for case in golden.cases for nugget in case.nuggets if not states(case.answer, nugget)
    ]
    assert wrong == []


def test_every_fact_has_words(golden: Golden) -> None:
    facts = [nugget.fact for case in golden.cases for nugget in case.nuggets]
    assert [fact for fact in facts if all(token.kind == "break" for token in read_values(fact))] == []


def test_a_conflict_asks_that_the_answer_says_so(golden: Golden) -> None:
    conflicts = [case for case in golden.cases if case.kind == "conflict"]
    assert [case.id for case in conflicts if DISAGREE not in {n.fact for n in case.vital_nuggets}] == []
    assert [case.id for case in conflicts if len(case.vital_nuggets) < 3] == []


def test_an_unanswerable_question_is_about_a_document_of_the_corpus(golden: Golden) -> None:
    documents = {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*") if path.is_file()}
    for case in golden.cases:
        if case.kind == "no_answer":
            names = {case.cluster, f"{case.cluster}.md", f"web/{case.cluster}", f"drive/{case.cluster}"}
            assert names & documents or f"drive/{case.cluster}.md" in documents, case.id


def test_anchors_stand_in_the_texts_of_plain_documents(golden: Golden) -> None:
    wrong, checked = [], 0
    for case in golden.cases:
        for evidence in case.evidence:
            paths = [path for path in (CORPUS / evidence.uri, CORPUS / "drive" / evidence.uri) if path.is_file()]
            if not paths or paths[0].suffix not in PLAIN or not evidence.anchor:
                continue
            checked += 1
            found = len(locate(evidence.anchor, paths[0].read_text(encoding="utf-8")))
            if not 1 <= found <= MOST_PLACES:
                wrong.append((case.id, evidence.uri, evidence.anchor, found))
    assert wrong == [] and checked >= 200


@pytest.mark.soak
async def test_every_anchor_survives_connectors_and_parsers(golden: Golden, tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake")  # type: ignore[call-arg]
    build_corpus(tmp_path / "corpus")
    async with build_roma(settings) as roma:
        report = await roma.ingest(*corpus_sources(tmp_path / "corpus"))
        assert report.counts()["failed"] == 0
        corpus = await find(golden.cases, roma.store.documents(settings.tenant))
    assert corpus.missing == ()
    many = [(case, i) for case, places in corpus.places.items() for i, at in enumerate(places) if len(at) > MOST_PLACES]
    assert many == []


def read_pinned(measure: str) -> list[float]:
    """Return a measure's scores in the run that ``make gate`` holds every other one against."""
    scores: dict[str, float] = json.loads(BASELINE.read_text("utf-8"))["scores"][measure]
    return list(scores.values())


def test_golden_dataset_citation_coverage() -> None:
    """Every answer is cited, and every quote of the pinned run stands at its offsets."""
    assert set(read_pinned("cited")) == {1.0}
    assert set(read_pinned("citation_validity")) == {1.0}
    assert mean(read_pinned("citation_coverage")) >= 0.95


def test_golden_dataset_retrieval() -> None:
    """A passage with the answer is among the first five for at least 85 % of the questions of the pinned run."""
    assert mean(read_pinned("R@5")) >= 0.85


def describe_pinned(measure: str) -> tuple[str, str]:
    """Return the mean and the interval of a measure in the pinned run, as the README writes them."""
    baseline = load_baseline(BASELINE)
    scores = baseline.scores[measure]
    scale = next(info.scale for info in baseline.measures if info.name == measure)
    found = interval(list(scores.values()), [baseline.clusters[case] for case in scores], scale)
    return write_share(found.mean), f"{write_share(found.low)} – {write_share(found.high)}"


def write_share(share: float) -> str:
    """Return a share with three digits, without the zero before them."""
    return f"{share:.3f}".removeprefix("0")


@pytest.mark.parametrize(
    ("words", "measure"),
    [
        ("a passage with the answer among the first five", "R@5"),
        ("facts of the reference answers that are stated", "nugget_recall"),
        ("citations proven at their offsets", "citation_validity"),
        ("questions without an answer that are answered all the same", "false_answers"),
    ],
)
def test_the_readme_shows_the_figures_of_the_pinned_run(words: str, measure: str) -> None:
    mean, bounds = describe_pinned(measure)
    assert f"| {words} | {mean} | {bounds} |" in (ROOT / "README.md").read_text("utf-8")


def test_the_page_on_quoted_answers_shows_the_figures_of_the_pinned_run() -> None:
    figures = {
        name: "{} ({})".format(*describe_pinned(name)) for name in ("nugget_recall", "answered", "false_answers")
    }
    expected = (
        f"quotes state {figures['nugget_recall']} of the facts, answer {figures['answered']} of the questions that "
        f"have an answer and {figures['false_answers']} of those that have none"
    )
    assert expected in " ".join((ROOT / "docs" / "12_EXTRACTIVE.md").read_text("utf-8").split())


def test_the_pinned_run_is_one_of_this_set() -> None:
    ids = {case.id for case in load_golden(PATH).cases}
    assert set(json.loads(BASELINE.read_text("utf-8"))["scores"]["R@5"]) <= ids


def test_the_plans_file_is_this_set() -> None:
    link = ROOT / "tests" / "golden_dataset.json"
    assert os.path.samefile(link, PATH)
