"""An embedder and a reranker are one spec each, found by their entry points; a key travels to its own address alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roma_core.embeddings import embedder_specs, make_embedder
from roma_core.errors import ConfigError
from roma_core.rerank import make_reranker, reranker_specs
from roma_core.settings import Settings, find_embedding_access, find_model_access

ACME = """
from roma_core.embeddings import EmbedderSpec
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.rerank import FakeReranker, RerankerSpec

class AcmeEmbedder(FakeEmbedder):
    name = "acme"
    def __init__(self, model):
        super().__init__(dim=int(model or 8))

SPEC = EmbedderSpec("acme", make=lambda settings, model: AcmeEmbedder(model))
RANKER = RerankerSpec("acme", make=lambda settings, model: FakeReranker())
"""


def test_the_name_of_each_entry_point_is_that_of_its_spec() -> None:
    for specs in (embedder_specs(), reranker_specs()):
        for name, spec in specs.items():
            assert name == spec.name


def test_an_embedder_of_another_package_is_chosen_by_its_name(install_plugin: Callable[..., None]) -> None:
    install_plugin("roma.embedders", "acme", "acme_models", ACME, acme="acme_models:SPEC")
    assert make_embedder(Settings(embedder="acme")).name == "acme"
    assert make_embedder(Settings(embedder="acme:16")).dim == 16


def test_a_reranker_of_another_package_is_chosen_by_its_name(install_plugin: Callable[..., None]) -> None:
    install_plugin("roma.rerankers", "acme", "acme_models", ACME, acme="acme_models:RANKER")
    reranker = make_reranker(Settings(reranker="acme"))
    assert reranker is not None
    assert reranker.name == "fake"


def test_a_name_of_the_hub_is_a_local_model() -> None:
    assert make_embedder(Settings(embedder="BAAI/bge-base-en-v1.5")).name == "BAAI/bge-base-en-v1.5"


@pytest.mark.parametrize("setting", ["embedder", "reranker"])
def test_an_unknown_name_is_an_error_with_the_nearest(setting: str) -> None:
    make = {"embedder": make_embedder, "reranker": make_reranker}[setting]
    with pytest.raises(
        ConfigError, match=rf"ROMA_{setting.upper()}: There is no {setting} 'locl'\. Did you mean 'local'"
    ):
        make(Settings({setting: "locl"}))


@pytest.mark.parametrize(
    ("values", "model", "embedding"),
    [
        ({"openai_api_key": "own"}, ("own", None), ("own", None)),
        ({"llm_api_key": "general"}, ("general", None), ("general", None)),
        ({"llm_api_key": "general", "openai_api_key": "own"}, ("general", None), ("own", None)),
        # A gateway's key stays with the gateway, which need not have embeddings.
        ({"llm_api_key": "general", "llm_base_url": "http://gate/v1"}, ("general", "http://gate/v1"), (None, None)),
        (
            {"llm_api_key": "general", "llm_base_url": "http://gate/v1", "openai_base_url": "http://gate/v1"},
            ("general", "http://gate/v1"),
            ("general", "http://gate/v1"),
        ),
        # The general key is another vendor's.
        ({"llm_api_key": "general", "llm_provider": "anthropic"}, (None, None), (None, None)),
        ({"llm_api_key": "sk-ant-1"}, (None, None), (None, None)),
    ],
)
def test_a_key_travels_to_its_own_address_alone(
    values: dict[str, object], model: tuple[str | None, str | None], embedding: tuple[str | None, str | None]
) -> None:
    settings = Settings(values)
    for access, expected in (
        (find_model_access(settings, "openai"), model),
        (find_embedding_access(settings, "openai"), embedding),
    ):
        key = access.api_key.get_secret_value() if access.api_key else None
        assert (key, access.base_url) == expected
