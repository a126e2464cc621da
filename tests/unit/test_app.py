"""The front door: what it takes, what it returns, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roma_core import parts
from roma_core.app import Roma, build_roma
from roma_core.cache import Cache
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.types import ErrorEvent, Query


@pytest.fixture
def roma(tmp_path: Path) -> Roma:
    return build_roma(Settings(workspace=tmp_path / "w", embedder="fake", reranker="none"), llm=FakeLLM())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"persona": "tehnical"}, "persona: .*'technical'.*, not 'tehnical'"),
        ({"top_k": 0}, "top_k: .*greater than or equal to 1, not 0"),
        ({"top_k": 51}, "top_k: .*less than or equal to 50, not 51"),
        ({"filters": "all"}, "filters: .*dictionary"),
        ({"principal": 7}, "principal: .*, not 7"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_a_value(roma: Roma, given: dict[str, Any], says: str) -> None:
    failure = await roma.query("When was the bridge built?", **given)
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.INPUT_INVALID
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(failure.message)
    [event] = [event async for event in roma.stream_query("When was the bridge built?", **given)]
    assert isinstance(event, ErrorEvent)
    assert event.failure.code is ErrorCode.INPUT_INVALID


async def test_what_is_given_replaces_fields_of_a_query_and_is_checked(roma: Roma) -> None:
    failure = await roma.query(Query(text="When?"), top_k=0)
    assert isinstance(failure, AgentFailure)
    assert "top_k" in failure.message


@pytest.mark.parametrize("method", ["query", "stream_query"])
def test_a_misspelt_keyword_is_an_error_of_the_call(roma: Roma, method: str) -> None:
    with pytest.raises(TypeError, match="topk"):
        getattr(roma, method)("When was the bridge built?", topk=3)


def test_an_unknown_part_is_an_error_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="embeder"):
        build_roma(Settings(workspace=tmp_path), embeder=FakeEmbedder())  # type: ignore[call-arg]


def test_every_part_can_be_handed_in() -> None:
    named = {part.name for part in parts.list_parts(Roma)}
    assert named | {"prompt_files", "pipeline", "host"} == set(parts.RomaParts.__annotations__)


def test_a_part_that_is_handed_in_is_not_built(tmp_path: Path) -> None:
    embedder = FakeEmbedder(dim=7)
    roma = build_roma(Settings(workspace=tmp_path, embedder="local"), embedder=embedder)
    assert roma.embedder is embedder


def test_a_part_is_built_once(roma: Roma) -> None:
    assert roma.cache is roma.cache
    assert isinstance(roma.cache, Cache)


def test_nothing_is_built_before_it_is_used(roma: Roma) -> None:
    built = [part.name for part in parts.list_parts(Roma) if part.is_built(roma)]
    assert built == ["llm"]  # handed in


async def test_parts_are_closed_before_what_they_use(roma: Roma) -> None:
    closed: list[str] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        async def close(self) -> None:
            closed.append(self.name)

    names = [part.name for part in parts.list_parts(Roma)]
    everything: dict[str, Any] = {name: Recorder(name) for name in names}
    await Roma(roma.settings, **everything).close()
    assert closed == list(reversed(names))
    for user, used in (("ingestion", "store"), ("orchestrator", "llm"), ("store", "embedder"), ("llm", "reranker")):
        assert closed.index(user) < closed.index(used)


async def test_closing_builds_nothing(tmp_path: Path) -> None:
    roma = build_roma(Settings(workspace=tmp_path / "w"))
    await roma.close()
    assert not any(part.is_built(roma) for part in parts.list_parts(Roma))


async def test_health_names_every_part_the_disk_and_the_agents(roma: Roma) -> None:
    report = await roma.health()
    names = {component.name for component in report.components}
    assert {"store", "embedder", "reranker", "llm", "sessions", "disk", "tailor"} <= names
    assert all(component.latency_ms is not None for component in report.components)


async def test_a_broken_plugin_is_one_line_of_health(roma: Roma, install_plugin: Callable[..., None]) -> None:
    source = "import a_package_that_nobody_has\n"
    install_plugin("roma.embedders", "acme-embed", "acme_embed", source, acme="acme_embed:SPEC")
    report = await roma.health()
    [line] = [component for component in report.components if component.name == "plug-in acme"]
    assert (line.state, line.details["group"]) == ("degraded", "roma.embedders")
    assert "a_package_that_nobody_has" in line.reason
