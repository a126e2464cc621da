"""The OpenAI classes of LangChain and LlamaIndex at ROMA's door. Skipped where the frameworks are not installed."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = "When was the rope bridge built?"


async def test_langchains_openai_class_asks_and_streams(service: Any) -> None:
    module = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    model = module.ChatOpenAI(model="roma", api_key="none", base_url=f"{str(service.client.base_url).rstrip('/')}/v1")
    whole = await model.ainvoke(QUESTION)
    pieces = [piece async for piece in model.astream(QUESTION)]
    assert "1902" in str(whole.content)
    assert "".join(str(piece.text) for piece in pieces) == str(whole.text)
    assert whole.usage_metadata["input_tokens"] > 0


async def test_llamaindexs_openai_class_asks_and_streams(service: Any) -> None:
    module = pytest.importorskip("llama_index.llms.openai_like", reason="llama-index-llms-openai-like is not installed")
    base = f"{str(service.client.base_url).rstrip('/')}/v1"
    model = module.OpenAILike(model="roma", api_key="none", api_base=base, is_chat_model=True)
    whole = await model.acomplete(QUESTION)
    last = ""
    async for piece in await model.astream_complete(QUESTION):
        last = piece.text
    assert "1902" in whole.text
    assert last == whole.text
