"""The OpenAI classes of LangChain and LlamaIndex at ROMA's door.

They want another version of the ``openai`` SDK than ROMA, so they live in an environment of their own: ``make clients``
makes it, ``CLIENTS_PYTHON`` names another. Skipped where there is none.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from tests.frameworks import find_python

QUESTION = "When was the rope bridge built?"

LANGCHAIN = """
from langchain_openai import ChatOpenAI
model = ChatOpenAI(model="roma", api_key=key, base_url=url)
whole = model.invoke(question)
pieces = "".join(str(piece.text) for piece in model.stream(question))
say(whole=str(whole.text), pieces=pieces, tokens=whole.usage_metadata["input_tokens"])
"""
LLAMAINDEX = """
from llama_index.llms.openai_like import OpenAILike
from llama_index.core.llms import ChatMessage
model = OpenAILike(model="roma", api_key=key, api_base=url, is_chat_model=True)
whole = model.chat([ChatMessage(role="user", content=question)])
last = ""
for piece in model.stream_complete(question):
    last = piece.text
say(whole=str(whole.message.content), pieces=last, tokens=whole.raw.usage.prompt_tokens)
"""
BEGIN = """
import json, sys
url, key, question = sys.argv[1:]
def say(**values):
    print(json.dumps(values))
"""


@pytest.fixture
def clients_python() -> str:
    return find_python("clients")


async def run_client(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a client's script by ``python`` and return what it says."""
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR", "LANG"}}
    process = await asyncio.create_subprocess_exec(
        python,
        *("-c", BEGIN + script, *arguments),
        env={**environment, "NO_PROXY": "127.0.0.1", "LANGSMITH_TRACING": "false"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()[-2000:]
    result: dict[str, Any] = json.loads(said.decode().splitlines()[-1])
    return result


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", [LANGCHAIN, LLAMAINDEX], ids=["LangChain", "LlamaIndex"])
async def test_the_openai_class_of_a_framework_asks_and_streams(service: Any, clients_python: str, script: str) -> None:
    token, _ = service.tokens.create("agent", ("query",), tenant="default")
    url = f"{str(service.client.base_url).rstrip('/')}/v1"
    said = await run_client(clients_python, script, url, token, QUESTION)
    assert "1902" in said["whole"]
    assert said["pieces"] == said["whole"]
    assert said["tokens"] > 0
