"""Tailor: the answer, cut to its reader, out of the passages and nothing else, while it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from roma_core.agents.base import Agent, stream_boundary
from roma_core.agents.followups import MARK, AnswerSplitter, from_headings
from roma_core.agents.prompts import all_prompts
from roma_core.agents.untrusted import neutral, render_passages
from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLM, FinishReason, LLMDelta, LLMRequest, Message
from roma_core.prompts import Prompt
from roma_core.types import Persona, Query, ScoredChunk, Usage, digest


@dataclass(frozen=True)
class Draft:
    """A whole answer as the model gave it, before its markers are resolved."""

    text: str
    follow_ups: tuple[str, ...]
    usage: Usage
    model: str
    reason: str
    finish_reason: FinishReason
    prompt_hash: str
    read: int
    """How many of the passages, from the first on, the model was given."""


class TailorAgent(Agent):
    """Writes for a persona. Works with generative and with extractive models alike."""

    name = "tailor"

    def __init__(
        self, llm: LLM, prompts: Mapping[str, Prompt] | None = None, *, max_output_tokens: int | None = None
    ) -> None:
        self._llm = llm
        self._prompts = prompts or all_prompts()
        self._max_output_tokens = max_output_tokens

    @property
    def llm(self) -> LLM:
        return self._llm

    def request(self, question: str, passages: Sequence[ScoredChunk], query: Query) -> LLMRequest:
        """The request for ``question`` (which stands alone; ``query`` gives persona, session and tenant)."""
        return LLMRequest(
            messages=(
                Message(role="system", content=self._system(query.persona)),
                Message(role="user", content=f"{render_passages(passages)}\n\nQuestion: {neutral(question)}"),
            ),
            max_output_tokens=self._max_output_tokens,
            prompt_hash=self.prompt_hash(query.persona),
            question=question,
            passages=tuple(passages),
            session_id=query.session_id,
            tenant=query.tenant,
        )

    def prompt_hash(self, persona: Persona) -> str:
        return digest(self._prompts["answer"].sha256, self._prompts[f"persona_{persona}"].sha256)

    def _system(self, persona: Persona) -> str:
        style = self._prompts[f"persona_{persona}"].render()
        return self._prompts["answer"].render(style=style, unknown=I_DONT_KNOW, follow_up_mark=MARK)

    @stream_boundary
    async def write(
        self, question: str, passages: Sequence[ScoredChunk], query: Query
    ) -> AsyncGenerator[str | Draft, None]:
        """Pieces of the answer in order, then the ``Draft`` whose text they make up.

        Fails with ``ERR_LLM_TRUNCATED`` when the stream ends without its finish marker and ``ERR_LLM_EMPTY`` when
        it holds no answer. A prompt that is longer than the model reads is tried once more with the better half of
        the passages. Closing this closes the model's stream.
        """
        half = (len(passages) + 1) // 2
        for read in dict.fromkeys((len(passages), half)):
            writing = _Writing(self.request(question, passages[:read], query))
            try:
                async with aclosing(cast(AsyncGenerator[LLMDelta, None], self._llm.stream(writing.request))) as deltas:
                    async for delta in deltas:
                        if shown := writing.take(delta):
                            yield shown
                if rest := writing.rest():
                    yield rest
                yield writing.draft(self._llm.name)
                return
            except LLMError as error:
                if error.code is not ErrorCode.LLM_CONTEXT_LENGTH or writing.pieces or read == half:
                    raise


class _Writing:
    """An answer while it is written."""

    def __init__(self, request: LLMRequest) -> None:
        self.request = request
        self.pieces: list[str] = []
        self._splitter = AnswerSplitter()
        self._usage = Usage()
        self._last: LLMDelta | None = None

    def take(self, delta: LLMDelta) -> str:
        """What of the answer is certain with ``delta``."""
        self._usage = delta.usage or self._usage
        self._last = delta if delta.finish_reason else self._last
        return self._noted(self._splitter.feed(delta.text))

    def rest(self) -> str:
        """What was held back, once nothing follows."""
        return self._noted(self._splitter.rest())

    def _noted(self, shown: str) -> str:
        if shown:
            self.pieces.append(shown)
        return shown

    def draft(self, default_model: str) -> Draft:
        """The whole. Raises ``LLMError`` when there is none."""
        text, last, request = "".join(self.pieces), self._last, self.request
        if last is None or last.finish_reason is None:
            raise LLMError("The model's answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED)
        if not text.strip() and last.finish_reason in {"stop", "tool"}:
            raise LLMError("The model gave an empty answer; ask again.", ErrorCode.LLM_EMPTY)
        model = ":".join(part for part in (last.provider, last.model) if part) or default_model
        return Draft(
            text=text,
            follow_ups=self._splitter.questions() or from_headings(request.question or "", request.passages),
            usage=self._usage,
            model=model,
            reason=last.reason or "",
            finish_reason=last.finish_reason,
            prompt_hash=(request.prompt_hash or "") if last.provider != "extractive" else "",
            read=len(request.passages),
        )
