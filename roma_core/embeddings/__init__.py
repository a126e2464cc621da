"""Text to vectors: the seam, the models that ship, and those of plug-ins.

>>> embedder = make_embedder(Settings(embedder="fake"))
>>> embedder.name
'fake/1'
"""

from __future__ import annotations

from typing import Final

from roma_core.embeddings.base import Embedder, EmbedderOver, EmbedderSpec, EmbeddingResult, charge_to, paying_tenant
from roma_core.errors import ConfigError
from roma_core.plugins import Specs, load_specs
from roma_core.settings import Settings, find_embedding_access

__all__ = [
    "FAKE",
    "LOCAL",
    "MULTILINGUAL",
    "OPENAI",
    "Embedder",
    "EmbedderOver",
    "EmbedderSpec",
    "EmbeddingResult",
    "charge_to",
    "choose_embedder",
    "embedder_specs",
    "make_embedder",
    "paying_tenant",
]

GROUP: Final = "roma.embedders"
HUB_SIGN: Final = "/"
"""In the name of a model of the hub: ``owner/model``."""


def embedder_specs() -> Specs[EmbedderSpec]:
    """Return every installed embedder's spec by its name."""
    return load_specs(GROUP, EmbedderSpec)


def choose_embedder(settings: Settings) -> tuple[EmbedderSpec, str]:
    """Return the spec that ``ROMA_EMBEDDER`` names and the model: ``name``, ``name:model`` or a model of the hub.

    Raises ``ConfigError`` for a name that no embedder has.
    """
    chosen = settings.retrieval.embedder
    name, _, model = chosen.partition(":")
    if name not in embedder_specs() and HUB_SIGN in chosen:
        return LOCAL, chosen
    try:
        return embedder_specs().require(name), model
    except ConfigError as error:
        raise ConfigError(f"ROMA_EMBEDDER: {error.message}") from None


def make_embedder(settings: Settings) -> Embedder:
    """Return the embedder that ``ROMA_EMBEDDER`` names. Cheap: models are loaded at their first use."""
    spec, model = choose_embedder(settings)
    return spec.make(settings, model)


def _make_local(settings: Settings, model: str) -> Embedder:
    from roma_core.embeddings.local import LocalEmbedder

    retrieval = settings.retrieval
    return LocalEmbedder(model or None, threads=retrieval.embed_threads, provider=retrieval.execution_provider)


def _make_openai(settings: Settings, model: str) -> Embedder:
    from roma_core.embeddings.openai import DEFAULT_MODEL, OpenAIEmbedder

    access = find_embedding_access(settings, "openai")
    if access.api_key is None:
        raise ConfigError("ROMA_EMBEDDER=openai needs OPENAI_API_KEY.")
    return OpenAIEmbedder(model or DEFAULT_MODEL, api_key=access.api_key.get_secret_value(), base_url=access.base_url)


def _make_fake(settings: Settings, model: str) -> Embedder:
    from roma_core.embeddings.fake import FakeEmbedder

    return FakeEmbedder()


def _make_multilingual(settings: Settings, model: str) -> Embedder:
    from roma_core.embeddings.multilingual import MultilingualEmbedder

    return MultilingualEmbedder()


LOCAL = EmbedderSpec("local", make=_make_local)
MULTILINGUAL = EmbedderSpec("multilingual", make=_make_multilingual)
OPENAI = EmbedderSpec("openai", make=_make_openai, priced_as="openai")
FAKE = EmbedderSpec("fake", make=_make_fake)
