"""Experiments over a real store: shared work once, one correction, every kind of variant, and the command."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.app import Roma
from roma_core.cli import main
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ConfigError, EvalError
from roma_core.evals import Variant, evaluate, experiment, grid, load_golden
from roma_core.evals.experiments import estimate_experiment
from roma_core.evals.report.experiment_page import render_experiment_page
from roma_core.llm.providers.fake import FakeLLM, Reply, first_passage
from roma_core.llm.service import LLMService
from roma_core.rerank import FakeReranker
from roma_core.types import Query, TailorOutput
from roma_core.workspace import Workspace

FACTS = {
    "door": "red", "roof": "blue", "gate": "green", "wall": "white", "floor": "brown", "fence": "yellow",
    "bench": "black", "tower": "grey", "bridge": "pink", "mast": "violet",
}  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for thing, colour in FACTS.items():
        filler = " ".join(f"The {thing} was looked at by inspector {n} in {1900 + n}." for n in range(20))
        (folder / f"{thing}.md").write_text(f"# The {thing}\n\nThe colour of the {thing} is {colour}. {filler}\n")
    cases = [
        {
            "id": thing, "question": f"Which colour has the {thing}?", "kind": "single", "nuggets": [{"fact": colour}],
            "evidence": [{"uri": f"{thing}.md", "anchor": f"the {thing} is {colour}"}],
        }
        for thing, colour in FACTS.items()
    ]  # fmt: skip
    (tmp_path / "golden.json").write_text(json.dumps(cases))
    return folder


class CountingEmbedder(FakeEmbedder):
    """Counts the questions that are embedded."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts

    async def embed_query(self, text: str) -> object:  # type: ignore[override]
        self.counts["embedded"] += 1
        return await super().embed_query(text)


class CountingReranker(FakeReranker):
    """Counts the texts that are scored."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.counts["scored"] += len(texts)
        return await super().scores(question, texts)


def build(corpus: Path, counts: Counter[str], llm: object = None, **settings: object) -> Roma:
    loaded = Settings.load(
        workspace=corpus.parent / "w", embedder="fake", reranker="fake", cache="off", parser_workers=1,
        **({} if llm else {"llm_provider": "extractive"}), **settings,
    )  # fmt: skip
    parts = {"llm": llm} if llm else {}
    return build_roma(loaded, embedder=CountingEmbedder(counts), reranker=CountingReranker(counts), **parts)  # type: ignore[typeddict-item]


def answer_briefly(request: object) -> Reply | str:
    reply = first_passage(request)  # type: ignore[arg-type]
    system = request.messages[0].content  # type: ignore[attr-defined]
    return Reply("Nothing is known here.") if "Say nothing." in system else reply


TEXT_S = 0.005


class SlowReranker(FakeReranker):
    """Takes a while for each text."""

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        await asyncio.sleep(TEXT_S * len(texts))
        return await super().scores(question, texts)


async def test_work_that_an_earlier_variant_did_counts_in_the_time_of_a_later_one(corpus: Path) -> None:
    async with build(corpus, Counter()) as roma:
        roma.reranker = SlowReranker()
        await roma.ingest(str(corpus))
        variants = grid(lexical_weight=[0.2, 0.3])
        result = await experiment(variants, corpus.parent / "golden.json", roma, concurrency=1)
    first, second = (variant.report.facts for variant in result.variants)
    assert min(second.case_spared.values()) >= TEXT_S and second.case_spared.keys() == first.case_seconds.keys()
    assert result.variants[1].seconds > min(second.case_spared.values())


@pytest.mark.slow
async def test_twelve_variants_cost_at_most_two_fifths_of_twelve_runs(corpus: Path) -> None:
    variants = grid(rerank_weight=[0.0, 0.3, 0.6, 1.0], lexical_weight=[0.2, 0.5, 0.8])
    shared: Counter[str] = Counter()
    async with build(corpus, shared) as roma:
        await roma.ingest(str(corpus))
        shared.clear()
        result = await experiment(variants, corpus.parent / "golden.json", roma, primary="nugget_recall")
    apart: Counter[str] = Counter()
    for variant in variants[::5]:
        async with build(corpus, apart, **variant.settings) as roma:
            alone = await evaluate(corpus.parent / "golden.json", roma, resume=False)
        assert [row.answer for row in alone.rows] == [row.answer for row in result.report(variant.name).rows]
        assert alone.run_id == result.report(variant.name).run_id
    separate = {name: count * 12 / 3 for name, count in apart.items()}
    assert shared["embedded"] == len(FACTS) and separate["embedded"] == 12 * len(FACTS)
    assert shared["scored"] <= 0.4 * separate["scored"]


async def test_settings_prompts_stages_and_a_rival_are_compared(corpus: Path) -> None:
    async def rival(query: Query) -> TailorOutput:
        return TailorOutput(answer="I cannot tell.", model="rival:1")

    llm = LLMService([FakeLLM(rule=answer_briefly)])
    async with build(corpus, Counter(), llm) as roma:
        await roma.ingest(str(corpus))
        path = roma.prompt_library.create("answer", "mute")
        path.write_text(path.read_text() + "\nSay nothing.\n")
        seen = []
        result = await experiment(
            [
                Variant("base"),
                {"rerank_limit": 0},
                Variant("mute", prompts={"answer": "mute"}),
                {"prompts": {"answer": "mute"}, "rerank_weight": 0.1},
                Variant("blind", pipeline=lambda pipeline: pipeline.without("rerank")),
                rival,
            ],
            corpus.parent / "golden.json",
            roma,
            primary="nugget_recall",
            progress=seen.append,
        )
    assert [v.name for v in result.variants][:3] == ["base", "rerank_limit=0", "mute"]
    assert result.variants[0].score == 1.0 and result.variants[2].score == result.variants[-1].score == 0.0
    assert result.comparison is not None
    compared = {v.name: v.comparison.of("nugget_recall") for v in result.comparison.variants}
    assert compared["mute"].difference.mean == compared["rival"].difference.mean == -1
    assert compared["rerank_limit=0"].decision.value == "same"
    changed = {v.name: set(v.comparison.changed) for v in result.comparison.variants}
    assert "prompt answer" in changed["mute"] and "pipeline" in changed["blind"]
    assert seen[-1].done == seen[-1].total == 6 * len(FACTS) and seen[-1].seconds_left == 0
    page = render_experiment_page(result)
    assert page.count("<svg") >= 7 and "mute against base" in page
    assert next(iter(result.to_frame()["decision"])) == "base"


async def test_another_system_may_return_a_text_and_one_that_fails_loses_no_other_variant(corpus: Path) -> None:
    def plain(query: Query) -> str:
        return "I cannot tell."

    async def broken(query: Query) -> str:
        raise ZeroDivisionError

    async with build(corpus, Counter(), LLMService([FakeLLM(rule=answer_briefly)])) as roma:
        await roma.ingest(str(corpus))
        golden = corpus.parent / "golden.json"
        given = {"base": {}, "plain": plain, "broken": broken}
        result = await experiment(given, golden, roma, primary="nugget_recall")
        again = estimate_experiment(load_golden(golden), 1, roma)
    assert result.comparison is not None and [v.name for v in result.comparison.variants] == ["plain"]
    assert list(result.broken) == ["broken"]
    assert result.broken["broken"].startswith("failed: ERR_EVAL_PARAMETERS: broken raised ZeroDivisionError in broken:")
    assert list(result.to_frame()["decision"]) == ["base", "worse", "no answer"]
    assert "broken has no answer of its own and is not compared" in render_experiment_page(result)
    assert again.basis == "base", "another system's run tells nothing of what a variant costs"


async def test_a_variant_of_the_index_is_made_from_the_same_sources(corpus: Path) -> None:
    async with build(corpus, Counter()) as roma:
        await roma.ingest(str(corpus))
        before = await roma.store.index_sha256("default")
        variants = {"base": {}, "small": {"chunk_tokens": 32}}
        result = await experiment(variants, corpus.parent / "golden.json", roma)
        assert await roma.store.index_sha256("default") == before
    small = result.report("small")
    assert small.index_sha256 != before == result.report("base").index_sha256
    assert max(len(p.chunk.text) for row in small.rows for p in row.passages) < 400
    assert small.is_whole and small.missing_evidence == ()


async def test_the_second_experiment_knows_what_the_first_has_asked(corpus: Path) -> None:
    llm = FakeLLM()
    async with build(corpus, Counter(), LLMService([llm])) as roma:
        await roma.ingest(str(corpus))
        for _ in range(2):
            result = await experiment([{}, {"rerank_weight": 0.0}], corpus.parent / "golden.json", roma)
            calls, llm.requests = llm.calls, []
    assert calls == 0 and [v.known for v in result.variants] == [len(FACTS)] * 2
    assert result.estimate.basis and result.estimate.questions == 2 * len(FACTS)


async def test_what_is_no_experiment_is_refused(corpus: Path) -> None:
    golden = corpus.parent / "golden.json"
    async with build(corpus, Counter()) as roma:
        with pytest.raises(ConfigError, match="Did you mean rerank_weight"):
            await experiment([{}, {"rerank_wieght": 0.0}], golden, roma)
        with pytest.raises(EvalError, match="Two variants are called base"):
            await experiment([{}, {}], golden, roma)
        with pytest.raises(EvalError, match="Did you mean 'base'"):
            await experiment([{}], golden, roma, base="bass")
        with pytest.raises(EvalError, match="none is given"):
            await experiment([{}], golden)
        with pytest.raises(EvalError, match="A margin is greater than 0, not -1"):
            await experiment([{}, {"rerank_weight": 0.0}], golden, roma, margin=-1.0)
        assert not list(Workspace.of(roma.settings).evals.glob("*")), "nothing was asked"
        with pytest.raises(EvalError, match="is no variant"):
            await experiment([3], golden, roma)  # type: ignore[list-item]


def test_an_experiment_in_a_file_is_the_same(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    for name, value in {"EMBEDDER": "fake", "RERANKER": "fake", "WORKSPACE": "w", "PARSER_WORKERS": "1"}.items():
        monkeypatch.setenv(f"ROMA_{name}", value)
    monkeypatch.setenv("LLM_PROVIDER", "extractive")
    (corpus.parent / "lab").mkdir()
    file = corpus.parent / "lab" / "weights.toml"
    file.write_text(
        'dataset = "../golden.json"\nprimary = "nugget_recall"\nbase = "base"\n[variants.base]\n'
        '[variants.blind]\nsettings = { rerank_limit = 0 }\n[variants.rival]\nsystem = "rival:answer"\n'
        "[grid]\nlexical_weight = [0.2, 0.6]\n"
    )
    (corpus.parent / "rival.py").write_text(
        "from roma_core.types import TailorOutput\n\nasync def answer(query):\n    return TailorOutput(answer='No.')\n"
    )
    assert main(["ingest", str(corpus)]) == 0
    capsys.readouterr()
    assert main(["experiment", str(file), "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["questions"] == 5 * len(FACTS)
    assert main(["experiment", str(file), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    names = ["base", "blind", "rival", "lexical_weight=0.2", "lexical_weight=0.6"]
    assert [v["name"] for v in result["variants"]] == names
    assert "<svg" in (corpus.parent / "w" / "evals" / "comparisons" / "experiment-weights.html").read_text()
    file.write_text("dataset = 3\n")
    assert main(["experiment", str(file)]) == 1
    assert "dataset" in capsys.readouterr().err
