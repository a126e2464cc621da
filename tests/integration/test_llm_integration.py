"""ROMA with models behind it: a real small one on loopback always, the vendors' own when a key is set."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from roma_core.app import Roma, build_roma
from roma_core.errors import AgentFailure, ErrorCode, LLMError
from roma_core.llm.base import FALLBACK, LLMRequest, Message, Provider, complete
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.llm.service import LLMService
from roma_core.settings import Settings
from roma_core.types import Query, TailorOutput

FACTS = """# Lighthouse

The lamp of the Fastnet lighthouse has a range of 27 nautical miles. It was first lit in 1904.

Its tower is built of Cornish granite and is 54 metres high.
"""
QUESTION = "What range has the lamp of the Fastnet lighthouse?"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "fastnet.md").write_text(FACTS)
    return tmp_path / "fastnet.md"


def asking(workspace: Path, url: str, **values: object) -> Roma:
    """ROMA with the model server at ``url``."""
    settings = Settings(
        workspace=workspace,
        llm_provider="openai",
        llm_base_url=f"{url}/v1",
        llm_model="smollm2-135m",
        llm_max_output_tokens=48,
        llm_stall_timeout_s=60,
        **values,  # type: ignore[arg-type]
    )
    return build_roma(settings)


@pytest.mark.local_llm
@pytest.mark.slow
async def test_end_to_end_query_with_real_llm(workspace: Path, corpus: Path, local_llm: str) -> None:
    """Ingest, retrieve, plan and write with a real model; its words mean nothing, so the way is what is checked."""
    patient = {"llm_first_token_s": 100, "llm_total_s": 150, "query_timeout_s": 200}
    async with asking(workspace, local_llm, llm_fallbacks="", **patient) as roma:
        report = await roma.ingest(corpus)
        assert [item.state for item in report.items] == ["added"]
        output = await roma.query(Query(text=QUESTION, top_k=1))
    assert isinstance(output, TailorOutput), output
    assert output.model == "openai:smollm2-135m"
    assert output.model_reason == "configured"
    assert output.usage.calls >= 1
    assert output.usage.input_tokens > 0
    assert any("27 nautical miles" in p.chunk.text for p in output.passages)
    for citation in output.citations:
        assert FACTS[citation.start : citation.end] == citation.quote


async def test_a_model_that_is_away_leaves_quotes_and_says_so(workspace: Path, corpus: Path) -> None:
    wrong_key = Script(status=401, error={"code": "invalid_api_key"})
    async with FakeModelServer(lambda a: wrong_key).running() as server, asking(workspace, server.url) as roma:
        await roma.ingest(corpus)
        output = await roma.query(QUESTION)
    assert isinstance(output, TailorOutput), output
    assert "27 nautical miles" in output.answer
    assert output.citations
    assert output.model == "extractive"
    assert output.model_reason.startswith(f"{FALLBACK}openai:smollm2-135m ERR_LLM_AUTH")
    assert output.degraded
    assert any("ERR_LLM_AUTH" in reason for reason in output.degraded_reasons)


async def test_an_answer_that_is_cut_is_never_complete(workspace: Path, corpus: Path) -> None:
    cut = Script("The range is 27 nautical", end="cut", end_after_words=3)
    async with FakeModelServer(lambda a: cut).running() as server, asking(workspace, server.url) as roma:
        await roma.ingest(corpus)
        events = [event async for event in roma.stream_query(QUESTION)]
    assert [e.type for e in events if e.type in {"complete", "error"}] == ["error"]
    assert events[-1].type == "error"
    assert events[-1].failure.code is ErrorCode.LLM_TRUNCATED
    assert isinstance(events[-1].failure, AgentFailure)


# --- the vendors themselves ---


@pytest.fixture
def integration_keys() -> Iterator[None]:
    """Lets keys and the network through, for tests that were asked for by setting a key."""
    from pytest_socket import _remove_restrictions

    _remove_restrictions()
    yield


@pytest.fixture(params=["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
async def vendor(request: pytest.FixtureRequest, integration_keys: None) -> AsyncIterator[Provider]:
    key = os.environ.get(request.param)
    if not key:
        pytest.skip(f"{request.param} is not set: the vendor's own API is not asked")
    secret = SecretStr(key)
    made: Provider
    if request.param.startswith("OPENAI"):
        made = OpenAILLM(os.environ.get("ROMA_TEST_OPENAI_MODEL", "gpt-4o-mini"), api_key=secret)
    else:
        made = AnthropicLLM(os.environ.get("ROMA_TEST_ANTHROPIC_MODEL", "claude-sonnet-3.5"), api_key=secret)
    yield made
    await made.aclose()


ASK = LLMRequest(messages=(Message(role="user", content="Answer with the single word: blue"),), max_output_tokens=64)


async def test_the_vendor_answers_with_usage_and_price(vendor: Provider) -> None:
    answer = await LLMService([vendor]).complete(ASK)
    assert "blue" in answer.text.casefold()
    assert not answer.usage.estimated
    assert answer.usage.cost_usd is not None


async def test_the_vendor_refuses_a_wrong_key(vendor: Provider) -> None:
    wrong = type(vendor)(api_key=SecretStr("sk-wrong"))
    with pytest.raises(LLMError) as caught:
        await complete(wrong, ASK)
    await wrong.aclose()
    assert caught.value.code is ErrorCode.LLM_AUTH
