"""Fakes of every seam, which keep the same contracts as the real parts."""

from __future__ import annotations

from roma_core.connectors.fake import FakeConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.rerank import FakeReranker
from roma_core.store.inmemory import InMemoryStore

__all__ = [
    "FakeConnector",
    "FakeEmbedder",
    "FakeLLM",
    "FakeModelServer",
    "FakeReranker",
    "InMemoryStore",
    "InlineSandbox",
    "Reply",
    "Script",
]
