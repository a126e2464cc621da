"""The router over the wire: a cheap and a strong model behind one server, and which of them answers what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import Roma, build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ConfigError
from roma_core.llm.base import I_DONT_KNOW
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.telemetry import metrics
from roma_core.types import Document, TailorOutput, digest

TEXT = "# Tides\n\nTides follow the moon. The moon pulls the water of the sea towards itself."
EASY = "Why do tides follow the moon?"
HARD = "Compare tides and winds, list all differences between them and say how many there are of each kind?"
RIGHT, WRONG = "Tides follow the moon [1].", "Tides were invented in 1920 by the painter Monet [1]."
PRICES = {
    "openai:cheap": {"input_usd": 1, "output_usd": 2},
    "openai:strong": {"input_usd": 10, "output_usd": 20},
}
Answers = Callable[[str], Script]
"""The script of a model, by its name."""


@asynccontextmanager
async def routing(workspace: Path, answers: Answers, **settings: Any) -> AsyncIterator[tuple[Roma, FakeModelServer]]:
    """Open a ROMA over one document whose two models ``answers`` scripts."""

    def rule(asked: Asked) -> Script:
        return answers(str(asked.body["model"]))

    prices = workspace.parent / "prices.json"
    prices.write_text(json.dumps(PRICES))
    async with FakeModelServer(rule).running() as server:
        values = {
            "workspace": workspace,
            "embedder": "fake",
            "reranker": "none",
            "llm_provider": "openai",
            "llm_model": "strong",
            "llm_base_url": f"{server.url}/v1",
            "llm_fallbacks": "none",
            "llm_max_attempts": 1,
            "prices_file": prices,
            "planner": "off",
            "router": "difficulty",
            "router_model": "openai:cheap",
            "router_threshold": 0.25,
        }
        store, embedder = InMemoryStore(), FakeEmbedder()
        made = {"uri": "tides", "title": "Tides", "text": TEXT, "content_sha256": digest(TEXT), "parser": "t/1"}
        document = Document(id=Document.id_for("tides", "default"), **made)
        pieces = chunk(document, embedder.count_tokens)
        vectors = (await embedder.embed([piece.indexed_text for piece in pieces])).vectors
        await store.put("default", document, pieces, vectors)
        async with build_roma(Settings({**values, **settings}), store=store, embedder=embedder) as roma:
            yield roma, server


async def ask(roma: Roma, question: str) -> TailorOutput:
    output = await roma.query(question)
    assert isinstance(output, TailorOutput), output
    return output


def models_of(server: FakeModelServer) -> list[str]:
    return [str(asked.body["model"]) for asked in server.asked if asked.method == "POST"]


async def test_an_easy_question_goes_to_the_cheap_model_and_a_hard_one_to_the_strong(workspace: Path) -> None:
    async with routing(workspace, lambda model: Script(RIGHT)) as (roma, server):
        easy, hard = await ask(roma, EASY), await ask(roma, HARD)
    assert models_of(server) == ["cheap", "strong"]
    assert easy.route is not None and hard.route is not None
    assert (easy.route.choice, easy.model, easy.degraded) == ("cheap", "openai:cheap", False)
    assert (hard.route.choice, hard.model) == ("strong", "openai:strong")
    assert easy.route.difficulty <= 0.25 < hard.route.difficulty
    assert "at most 0.25" in easy.route.reason and "kind 1.00" in hard.route.reason


async def test_what_was_saved_is_the_strong_models_price_less_the_cost(workspace: Path) -> None:
    before = metrics.REGISTRY.get_sample_value("roma_routed_answers_total", {"choice": "cheap"}) or 0.0
    async with routing(workspace, lambda model: Script(RIGHT)) as (roma, _):
        output = await ask(roma, EASY)
    assert output.route is not None and output.route.saved_usd is not None and output.usage.cost_usd
    assert output.route.saved_usd == pytest.approx(9 * output.usage.cost_usd)
    assert "saved $" in output.route.words
    assert metrics.REGISTRY.get_sample_value("roma_routed_answers_total", {"choice": "cheap"}) == before + 1


@pytest.mark.parametrize(
    ("first", "reason"),
    [(WRONG, "not supported"), (I_DONT_KNOW, "does not know"), ("The moon is far away, they say.", "")],
)
async def test_the_strong_model_writes_where_the_cheap_ones_citations_do_not_hold(
    workspace: Path, first: str, reason: str
) -> None:
    def answers(model: str) -> Script:
        return Script(first if model == "cheap" else RIGHT)

    async with routing(workspace, answers, router="cascade") as (roma, server):
        output = await ask(roma, EASY)
    assert models_of(server) == ["cheap", "strong"]
    assert output.route is not None
    assert output.route.choice == "escalated" and reason in output.route.reason
    assert output.answer == RIGHT
    assert output.usage.calls == 2
    assert output.route.saved_usd is not None and output.route.saved_usd < 0


async def test_nothing_of_a_cheap_answer_that_does_not_hold_is_shown(workspace: Path) -> None:
    def answers(model: str) -> Script:
        return Script(WRONG if model == "cheap" else RIGHT)

    async with routing(workspace, answers, router="cascade") as (roma, _):
        shown = [event.text async for event in roma.stream_query(EASY) if event.type == "token"]
    assert "".join(shown) == RIGHT


async def test_a_cheap_answer_whose_citations_hold_is_given_as_it_is(workspace: Path) -> None:
    async with routing(workspace, lambda model: Script(RIGHT), router="cascade") as (roma, server):
        output = await ask(roma, EASY)
    assert models_of(server) == ["cheap"]
    assert output.route is not None and output.route.choice == "cheap"


@pytest.mark.parametrize("mode", ["difficulty", "cascade"])
async def test_a_cheap_model_that_fails_is_followed_by_the_strong_one_once(workspace: Path, mode: str) -> None:
    def answers(model: str) -> Script:
        return Script(status=400) if model == "cheap" else Script(RIGHT)

    async with routing(workspace, answers, router=mode) as (roma, server):
        output = await ask(roma, EASY)
    assert models_of(server) == ["cheap", "strong"]
    assert output.route is not None
    assert output.route.choice == "strong" and "the cheap model failed" in output.route.reason
    assert not output.degraded


async def test_a_stream_of_the_cheap_model_that_breaks_off_in_a_cascade_is_followed_by_the_strong_one(
    workspace: Path,
) -> None:
    def answers(model: str) -> Script:
        return Script(RIGHT, end="cut", end_after_words=2) if model == "cheap" else Script(RIGHT)

    async with routing(workspace, answers, router="cascade") as (roma, server):
        output = await ask(roma, EASY)
    assert models_of(server) == ["cheap", "strong"]
    assert output.answer == RIGHT


async def test_budgets_count_both_calls_of_a_cascade(workspace: Path) -> None:
    def answers(model: str) -> Script:
        return Script(WRONG if model == "cheap" else RIGHT)

    async with routing(workspace, answers, router="cascade", budget_run_usd=1.0) as (roma, _):
        output = await ask(roma, EASY)
        spent = {row.name: row.cost_usd for row in (await roma.spend("day", by="model")).rows}
    assert set(spent) == {"openai:cheap", "openai:strong"}
    assert output.usage.cost_usd == pytest.approx(sum(cost or 0.0 for cost in spent.values()))


async def test_without_a_threshold_the_strong_model_answers_and_health_says_so(workspace: Path) -> None:
    async with routing(workspace, lambda model: Script(RIGHT), router_threshold=None) as (roma, server):
        output = await ask(roma, EASY)
        health = await roma.health()
    assert models_of(server) == ["strong"]
    assert output.route is not None and "roma calibrate router" in output.route.reason
    tailor = next(component for component in health.components if component.name == "tailor")
    assert tailor.state == "degraded" and "roma calibrate router" in tailor.reason


async def test_a_router_without_a_cheap_model_is_refused_by_name(workspace: Path) -> None:
    async with routing(workspace, lambda model: Script(RIGHT), router_model=None) as (roma, _):
        with pytest.raises(ConfigError, match="ROMA_ROUTER_MODEL"):
            _ = roma.writers


def write_questions(path: Path, count: int) -> Path:
    """Write a golden set of one question in many wordings."""
    evidence = [{"uri": "tides"}]
    items = [
        {
            "id": str(n), "question": f"Why do tides follow the moon on day {n}?", "kind": "single", "cluster": str(n),
            "nuggets": [{"fact": "the moon"}], "evidence": evidence,
        }
        for n in range(count)
    ]  # fmt: skip
    path.write_text(json.dumps(items))
    return path


@pytest.mark.parametrize(
    ("cheap", "choice", "count"),
    [
        ("Tides follow the sun [1].", "strong", 12),
        pytest.param(RIGHT, "cheap", 200, marks=pytest.mark.slow),  # fewer cannot promise 2 points
    ],
)
async def test_calibration_sends_to_the_cheap_model_what_it_answers_no_worse(
    workspace: Path, tmp_path: Path, cheap: str, choice: str, count: int
) -> None:
    def answers(model: str) -> Script:
        return Script(cheap if model == "cheap" else RIGHT)

    golden = write_questions(tmp_path / "golden.json", count)
    async with routing(workspace, answers, router_threshold=None) as (roma, _):
        card = await roma.calibrate_router(golden)
    assert len(card.cases) == count
    async with routing(workspace, answers, router_threshold=None) as (roma, server):
        output = await ask(roma, EASY)
    assert output.route is not None and output.route.choice == choice
    assert models_of(server) == [choice]
    assert "calibrat" in output.route.reason
