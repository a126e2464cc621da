"""For tests of plug-ins and of what is built on ROMA: conformance classes to inherit, and fakes of every seam.

Needs pytest with pytest-asyncio in its ``auto`` mode (the extra ``testing``)::

    class TestAcmeEmbedder(EmbedderContract):
        @pytest.fixture
        def embedder(self) -> AcmeEmbedder:
            return AcmeEmbedder()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roma_core._lazy import export_lazily

_CONTRACTS = {
    "connectors": ("ConnectorCase", "ConnectorContract"),
    "embedders": ("EmbedderContract", "RerankerContract"),
    "llms": ("ProviderContract",),
    "parsers": ("ParserCase", "ParserContract"),
    "stores": ("StoreContract",),
    "fakes": (
        "FakeConnector",
        "FakeEmbedder",
        "FakeLLM",
        "FakeModelServer",
        "FakeReranker",
        "InMemoryStore",
        "InlineSandbox",
        "Reply",
        "Script",
    ),
}
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _CONTRACTS))

if TYPE_CHECKING:
    from roma_core.testing.connectors import ConnectorCase as ConnectorCase
    from roma_core.testing.connectors import ConnectorContract as ConnectorContract
    from roma_core.testing.embedders import EmbedderContract as EmbedderContract
    from roma_core.testing.embedders import RerankerContract as RerankerContract
    from roma_core.testing.fakes import FakeConnector as FakeConnector
    from roma_core.testing.fakes import FakeEmbedder as FakeEmbedder
    from roma_core.testing.fakes import FakeLLM as FakeLLM
    from roma_core.testing.fakes import FakeModelServer as FakeModelServer
    from roma_core.testing.fakes import FakeReranker as FakeReranker
    from roma_core.testing.fakes import InlineSandbox as InlineSandbox
    from roma_core.testing.fakes import InMemoryStore as InMemoryStore
    from roma_core.testing.fakes import Reply as Reply
    from roma_core.testing.fakes import Script as Script
    from roma_core.testing.llms import ProviderContract as ProviderContract
    from roma_core.testing.parsers import ParserCase as ParserCase
    from roma_core.testing.parsers import ParserContract as ParserContract
    from roma_core.testing.stores import StoreContract as StoreContract
else:
    __getattr__, __dir__ = export_lazily(__name__, _CONTRACTS)

__all__ = [
    "ConnectorCase",
    "ConnectorContract",
    "EmbedderContract",
    "FakeConnector",
    "FakeEmbedder",
    "FakeLLM",
    "FakeModelServer",
    "FakeReranker",
    "InMemoryStore",
    "InlineSandbox",
    "ParserCase",
    "ParserContract",
    "ProviderContract",
    "Reply",
    "RerankerContract",
    "Script",
    "StoreContract",
]
