"""Pictures inside of documents told in words by a vision model: optional, cached, and never at a document's cost.

Runs in ROMA's own process after the parser (a worker has no network); the pictures themselves are decoded and made
small in the sandbox. What a model says is marked as machine-made in the text and in the metadata, and is part of the
document's parse identity, so that switching descriptions on does again exactly the documents that have figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from roma_core.errors import AgentFailure, ErrorCode, LLMError, guarded
from roma_core.llm.base import LLM, LLMRequest, Message, Picture, complete
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.figures import Figure, add_descriptions, list_undescribed
from roma_core.prompts import Prompt, load_prompt
from roma_core.settings import FigureSettings
from roma_core.types import Document, RawDocument, digest

_DEFAULTS = FigureSettings()

AGENT = "captions"
FIGURES = "+figures"
"""Follows the parser in the identity of a document whose figures are not described."""
MADE_BY = "Machine-made description: "
NOTHING = "NONE"
"""What the model answers to a picture that only decorates."""
MAX_OUTPUT_TOKENS = 300
FINAL = frozenset({ErrorCode.LLM_REFUSED, ErrorCode.LLM_EMPTY, ErrorCode.LLM_BAD_REQUEST, ErrorCode.LLM_CONTEXT_LENGTH})
"""Failures that the same picture and the same model give again: it stays without words. Others are met once more."""


class Pictures(Protocol):
    """The part of ``DolphinParserService`` that captions need."""

    async def pictures(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[Figure, ...] | AgentFailure: ...


@dataclass(frozen=True)
class Captions:
    """``model`` None is the configured one; at most ``limit`` figures of a document are described."""

    llm: LLM
    parsers: Pictures
    prompt: Prompt
    model: str | None = None
    limit: int = _DEFAULTS.limit

    @property
    def tag(self) -> str:
        """Follows the parser in the identity of a document whose figures are described."""
        asked = digest("captions", self.prompt.sha256, self.model or self.llm.name, str(self.limit))
        return f"{FIGURES}:{asked[:8]}"

    async def add(self, document: Document, raw: RawDocument, tenant: str) -> Document:
        """``document`` with its figures described; or as it was, with a warning, when that has to be tried again."""
        wanted = list_undescribed(document)
        pictures = await self.parsers.pictures(raw, ParseOptions(tenant=tenant))
        if isinstance(pictures, AgentFailure):
            return _add_warning(document, f"its figures could not be taken out: {pictures.message}", self.tag)
        data = {figure.name: figure.data for figure in pictures}
        names = [name for name in dict.fromkeys(wanted) if name in data]
        chosen = names[: self.limit]
        said = await asyncio.gather(*(guarded(AGENT, self._words(data[name], tenant)) for name in chosen))
        failures = [failure for failure in said if isinstance(failure, AgentFailure)]
        again = next((failure for failure in failures if failure.code not in FINAL), None)
        if again is not None:
            return _add_warning(document, f"its figures were not described: {again.message}", FIGURES)
        words = {name: text for name, text in zip(chosen, said, strict=True) if isinstance(text, str) and text}
        described = add_descriptions(document, {name: MADE_BY + text for name, text in words.items()})
        for message in _notes(failures, len(names) - len(chosen)):
            described = _add_warning(described, message, "")
        made = {"model": self.model or self.llm.name, "prompt": self.prompt.sha256, "figures": sorted(words)}
        return described.model_copy(
            update={
                "parser": document.parser + self.tag,
                "metadata": {**described.metadata, "machine_descriptions": made},
            }
        )

    async def _words(self, png: bytes, tenant: str) -> str:
        """Return a description of the picture; empty when it only decorates. Raises ``LLMError``."""
        request = LLMRequest(
            messages=(Message(role="user", content=self.prompt.render(), pictures=(Picture.of(png),)),),
            model=self.model,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            prompt_hash=self.prompt.sha256,
            purpose="caption",
            tenant=tenant,
        )
        response = await complete(self.llm, request)
        if response.finish_reason in {"refusal", "content_filter"}:
            raise LLMError(f"{response.provider} declined to describe a picture.", ErrorCode.LLM_REFUSED)
        return "" if response.text.strip(" .\n").upper() == NOTHING else response.text


def load_figure_prompt() -> Prompt:
    """Return the prompt that asks a vision model for a figure's description."""
    return load_prompt(Path(__file__).parent / "prompts" / "figure.md")


def base_parser(identity: str | None) -> str | None:
    """Name and version of the parser alone."""
    return identity.partition(FIGURES)[0] if identity else identity


def _add_warning(document: Document, message: str, tag: str) -> Document:
    update = {"warnings": (*document.warnings, message), "parser": document.parser + tag}
    return document.model_copy(update=update)


def _notes(failures: Sequence[AgentFailure], left: int) -> list[str]:
    notes = [f"{len(failures)} figures were not described: {failures[0].message}"] if failures else []
    return [*notes, f"{left} figures more than ROMA_FIGURE_LIMIT were not described"] if left > 0 else notes
