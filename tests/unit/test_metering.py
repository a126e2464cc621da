"""An embedder that costs money stays within the budgets of every model call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from roma_core.app import build_roma
from roma_core.embeddings import EmbeddingResult, charge_to
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import EmbeddingError, ErrorCode, LLMError
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Prices
from roma_core.llm.providers.fake import FakeLLM
from roma_core.metering import MeteredEmbedder
from roma_core.settings import Settings
from roma_core.types import Usage

SMALL_USD = 0.02 / 1e6
"""Price of a token of text-embedding-3-small in the dated table."""


class Paid(FakeEmbedder):
    """Counts a token a word; raises the errors in ``faults`` first."""

    name = "openai:text-embedding-3-small"

    def __init__(self, *faults: EmbeddingError) -> None:
        super().__init__(dim=8)
        self.faults = list(faults)
        self.calls = 0

    async def embed(self, texts: Any) -> EmbeddingResult:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        words = sum(len(text.split()) for text in texts)
        return EmbeddingResult((await super().embed(texts)).vectors, Usage(calls=1, input_tokens=words, cost_usd=None))


def meter(embedder: Paid, budgets: Budgets, seen: list[tuple[str, Usage]] | None = None) -> MeteredEmbedder:
    def record(model: str, usage: Usage) -> None:
        if seen is not None:
            seen.append((model, usage))

    return MeteredEmbedder(embedder, "openai", prices=Prices(), budgets=budgets, on_usage=record)


async def test_usage_is_priced_and_reported() -> None:
    seen: list[tuple[str, Usage]] = []
    result = await meter(Paid(), Budgets(), seen).embed(["three words here", "and two"])
    assert result.usage.input_tokens == 5
    assert result.usage.cost_usd == pytest.approx(5 * SMALL_USD)
    assert seen == [("openai:text-embedding-3-small", result.usage)]


async def test_what_was_used_is_spent_and_not_what_was_reserved() -> None:
    budgets = Budgets(tenant_usd=1.0)
    with charge_to("acme"):
        await meter(Paid(), budgets).embed(["three words here"])
    assert budgets.spent_usd("tenant", "acme") == pytest.approx(3 * SMALL_USD, abs=1e-9)
    assert budgets.spent_usd("tenant", "default") == 0


@pytest.mark.parametrize("limit", ["run_usd", "tenant_usd"])
async def test_with_a_budget_of_nothing_nothing_is_sent(limit: str) -> None:
    embedder = Paid()
    budgets = Budgets(**{limit: 0.0})
    for call in (meter(embedder, budgets).embed(["a text"]), meter(embedder, budgets).embed_query("a text")):
        with pytest.raises(LLMError) as caught:
            await call
        assert caught.value.code is ErrorCode.LLM_BUDGET
    assert embedder.calls == 0


async def test_a_refused_call_costs_nothing_and_a_lost_one_all_that_it_could() -> None:
    budgets = Budgets(tenant_usd=1.0)
    refused = EmbeddingError("refused", details={"status": 401})
    lost = EmbeddingError("no connection")
    embedder = meter(Paid(refused, lost), budgets)
    with pytest.raises(EmbeddingError, match="refused"):
        await embedder.embed(["abc"])
    assert budgets.spent_usd("tenant", "default") == 0
    with pytest.raises(EmbeddingError, match="no connection"):
        await embedder.embed(["abc"])
    assert budgets.spent_usd("tenant", "default") == pytest.approx(3 * SMALL_USD, abs=1e-9)


async def test_a_model_without_a_price_is_not_used_under_a_budget() -> None:
    budgets = Budgets(run_usd=1.0)
    embedder = MeteredEmbedder(Paid(), "acme", prices=Prices(), budgets=budgets, on_usage=lambda model, usage: None)
    with pytest.raises(LLMError, match="price of openai:text-embedding-3-small is not known"):
        await embedder.embed(["a text"])


async def test_roma_sends_nothing_to_a_paid_embedder_whose_budget_is_nothing(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    sent: list[Any] = []

    def answer(request: Request) -> Response:
        texts = json.loads(request.data)["input"]
        sent.append(texts)
        rows = [{"index": i, "embedding": [1.0] + [0.0] * 1535, "object": "embedding"} for i, _ in enumerate(texts)]
        usage = {"prompt_tokens": 7 * len(texts), "total_tokens": 7 * len(texts)}
        body = {"object": "list", "model": "m", "data": rows, "usage": usage}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request("/v1/embeddings").respond_with_handler(answer)
    page = tmp_path / "bridge.md"
    page.write_text("# Bridge\n\nThe bridge of Quellfeld spans 48 metres.\n")
    paid = Settings(
        workspace=tmp_path / "w",
        embedder="openai",
        reranker="none",
        parser_workers=1,
        openai_api_key="sk-1",
        openai_base_url=httpserver.url_for("/v1"),
    )
    broke = paid.replace(budget_run_usd=0, budget_session_usd=0, budget_tenant_usd=0)
    async with build_roma(broke, llm=FakeLLM()) as roma:
        report = await roma.ingest(page)
        assert [item.code for item in report.items] == ["ERR_LLM_BUDGET"]
        await roma.query("What does the bridge span?")
    assert sent == []
    async with build_roma(paid.replace(budget_tenant_usd=1), llm=FakeLLM()) as roma:
        report = await roma.ingest(page)
        assert report.worked == "all"
        assert report.usage.input_tokens == 7 * len(sent[0])
        assert report.usage.cost_usd == pytest.approx(report.usage.input_tokens * SMALL_USD)
        assert roma.budgets.spent_usd("tenant", "default") == pytest.approx(report.usage.cost_usd, abs=2e-9)
    assert len(sent) == 1
