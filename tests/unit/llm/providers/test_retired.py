"""The models that ROMA names by itself are alive, and retired ones are told of with what follows them."""

import re
from pathlib import Path
from typing import Any

import pytest
import structlog

from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.retired import RETIRED, find_retirement
from roma_core.llm.providers.server import FakeModelServer, Script

ADAPTERS = (OpenAILLM, AnthropicLLM)
NAMED = [(make.vendor.name, make.vendor.default_model) for make in ADAPTERS]
NAMED += [(make.vendor.name, model) for make in ADAPTERS for model in make.vendor.aliases.values()]
NAMED += [(row.vendor, row.successor) for row in RETIRED]
DEAD = re.compile(r"\b(?:deprecated|retired|shut ?down|discontinued)\b", re.IGNORECASE)


def listed(vendor: str, model: str) -> Any:
    """Return what the table of prices knows of a model; None when it does not know it."""
    from genai_prices import data

    provider = next(provider for provider in data.providers if provider.id == vendor)
    return next((row for row in provider.models if row.match.is_match(model)), None)


@pytest.mark.parametrize(("vendor", "model"), sorted(set(NAMED)))
def test_defaults_short_names_and_successors_are_alive(vendor: str, model: str) -> None:
    row = listed(vendor, model)
    assert row is not None, f"the table of prices does not know {vendor}:{model}"
    assert not row.deprecated
    assert not DEAD.search(row.price_comments or "")
    assert find_retirement(vendor, model) is None


def test_the_documentation_names_the_defaults() -> None:
    page = (Path(__file__).parents[4] / "docs/models.md").read_text("utf-8")
    assert all(f"(default `{make.vendor.default_model}`)" in page for make in ADAPTERS)


def test_an_older_name_is_told_of_with_its_successor() -> None:
    with structlog.testing.capture_logs() as lines:
        assert AnthropicLLM("claude-opus-3").name == "anthropic:claude-opus-5-5"
    assert [(line["event"], line["asked"], line["model"]) for line in lines] == [
        ("llm_model_renamed", "claude-opus-3", "claude-opus-5-5")
    ]


@pytest.mark.parametrize(
    ("listed", "state"),
    [
        (b'{"data": [{"id": "gpt-4o"}]}', "ok"),
        (b'{"data": [{"id": "gpt-4o-2024-08-06"}]}', "ok"),
        (b'{"data": [{"id": "openai/gpt-4o"}]}', "ok"),
        (b'{"models": [{"name": "gpt-4o:latest"}]}', "ok"),
        (b'{"data": [{"id": "gpt-4o-mini"}, {"id": "gpt-5"}]}', "degraded"),
        (b'{"data": [{"id": "x"}], "has_more": true}', "ok"),
        (b'{"data": [{"id": "/models/x.gguf", "owned_by": "llamacpp"}]}', "ok"),
        (b'{"data": []}', "ok"),
        (b"<html>", "ok"),
    ],
)
async def test_a_model_that_is_not_in_the_servers_list_is_told(listed: bytes, state: str) -> None:
    async with FakeModelServer(lambda a: Script(), models=Script(raw=listed)).running() as server:
        llm = OpenAILLM("gpt-4o", base_url=f"{server.url}/v1")
        status = await llm.health()
        await llm.aclose()
    assert status.state == state
    if state == "degraded":
        assert status.reason.endswith(
            "no model gpt-4o in its list; set LLM_MODEL to one that it has: gpt-4o-mini, gpt-5"
        )
