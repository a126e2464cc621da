"""The four parts keep what parts of their kinds promise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roma_plugin_example.connector import LinesConnector
from roma_plugin_example.stage import expand, read_terms

from roma_core.errors import ConfigError
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.testing import ConnectorCase, ConnectorContract, ParserCase, ParserContract
from roma_core.types import Source


class TestLines(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        path = tmp_path / "notes.jsonl"
        rows = [{"id": "a", "title": "Heron", "text": "It eats fish."}, {"id": "b", "text": "It eats frogs."}]
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        connector = LinesConnector()
        yield ConnectorCase(
            connector,
            Source(uri=f"lines://{path}", kind="lines"),
            Source(uri=f"lines://{tmp_path}/none.jsonl", kind="lines"),
            contents=(b"It eats fish.", b"It eats frogs."),
            foreign="https://example.org/",
        )
        await connector.close()


class TestCards(ParserContract):
    @pytest.fixture
    def service(self) -> DolphinParserService:
        return DolphinParserService(InlineSandbox())

    @pytest.fixture
    def case(self) -> ParserCase:
        return ParserCase(
            name="birds.cards",
            data=b"Q: What does the heron eat?\nA: Forty fish a day.\n\nQ: And the stork?\nA: Two frogs.\n",
            include=("What does the heron eat?", "Forty fish a day.", "And the stork?", "Two frogs."),
            exclude=("Q:", "A:"),
            blocks=("heading", "paragraph"),
        )


def test_abbreviations_are_read_in_full() -> None:
    assert expand("How much PTO is left?", read_terms('{"PTO": "paid time off"}')) == "How much paid time off is left?"


def test_a_glossary_that_is_no_object_is_refused() -> None:
    with pytest.raises(ConfigError, match="ROMA_GLOSSARY_TERMS"):
        read_terms("[1]")
