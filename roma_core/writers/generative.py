"""The writer with a language model: a prompt for the persona, the passages as data, the answer as it streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLM, LLMDelta, LLMRequest, Message
from roma_core.prompts import Prompt
from roma_core.types import ComponentHealth, Persona, ScoredChunk, Usage, digest
from roma_core.writers.base import Draft, Piece, Thoughts, WritingContext
from roma_core.writers.followups import MARK, AnswerSplitter
from roma_core.writers.further import find_further_questions
from roma_core.writers.untrusted import neutral, render_passages

THINKING_SIGN_S = 1.0
"""Signs of thinking come this far apart."""


class GenerativeWriter:
    """Writer that lets ``llm`` write by the prompts ``answer`` and ``persona_*``.

    For example::

        writer = GenerativeWriter(llm, all_prompts())
        async for piece in writer.write("When was it built?", passages, context): ...
    """

    def __init__(
        self,
        llm: LLM,
        prompts: Mapping[str, Prompt],
        *,
        max_output_tokens: int | None = None,
        model: str | None = None,
    ) -> None:
        """``model`` is the ``provider:model`` that writes; None for the one that is configured."""
        self._llm = llm
        self._model = model
        self._prompts = prompts
        self._max_output_tokens = max_output_tokens

    @property
    def name(self) -> str:
        return self._model or self._llm.name

    @property
    def fingerprint(self) -> str:
        prompts = sorted(name for name in self._prompts if name == "answer" or name.startswith("persona_"))
        return f"{self.name} {digest(*(self._prompts[name].sha256 for name in prompts))[:12]}"

    async def health(self) -> ComponentHealth:
        """Models report their own health as ``llm``."""
        return ComponentHealth()

    def request(self, question: str, passages: Sequence[ScoredChunk], context: WritingContext) -> LLMRequest:
        """Return the request for ``question`` in the user's own words; the reading of the conversation is added."""
        query = context.query
        asked = f"Question: {neutral(question)}"
        if context.reading:
            asked = f"{asked}\nIn this conversation that means: {neutral(context.reading)}"
        return LLMRequest(
            messages=(
                Message(role="system", content=self._instructions(query.persona)),
                Message(role="user", content=f"{render_passages(passages)}\n\n{asked}"),
            ),
            model=self._model,
            max_output_tokens=self._max_output_tokens,
            prompt_hash=self.prompt_hash(query.persona),
            session_id=query.session_id,
            tenant=query.tenant,
        )

    def prompt_hash(self, persona: Persona) -> str:
        """Return the hash of the prompts that an answer for ``persona`` is written with."""
        return digest(self._prompts["answer"].sha256, self._prompts[f"persona_{persona}"].sha256)

    async def write(
        self, question: str, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> AsyncGenerator[Piece, None]:
        """Yield signs of thinking, the answer and its draft.

        Raises ``LLMError``: ``ERR_LLM_TRUNCATED`` when the stream ends without its finish marker, ``ERR_LLM_EMPTY``
        when it holds no answer. A prompt that is longer than the model reads is tried once more with the better half
        of the passages.
        """
        half = (len(passages) + 1) // 2
        for read in dict.fromkeys((len(passages), half)):
            answer = _AnswerInProgress(self.request(question, passages[:read], context))
            try:
                stream = cast(AsyncGenerator[LLMDelta, None], self._llm.stream(answer.request))
                async with aclosing(stream) as deltas:
                    async for delta in deltas:
                        if text := answer.take(delta):
                            yield text
                        elif delta.reasoning and (thoughts := answer.think(delta.reasoning)) is not None:
                            yield thoughts
                if text := answer.take_rest():
                    yield text
                draft = answer.finish(passages[:read], self.name)
                if not draft.follow_ups:
                    draft = await _offer_further(draft, context.reading or question, passages[:read])
                yield draft
                return
            except LLMError as error:
                if error.code is not ErrorCode.LLM_CONTEXT_LENGTH or answer.pieces or read == half:
                    raise

    def _instructions(self, persona: Persona) -> str:
        style = self._prompts[f"persona_{persona}"].render()
        return self._prompts["answer"].render(style=style, unknown=I_DONT_KNOW, follow_up_mark=MARK)


async def _offer_further(draft: Draft, asked: str, passages: Sequence[ScoredChunk]) -> Draft:
    """Return a draft with questions about what other documents add."""
    return replace(draft, follow_ups=await asyncio.to_thread(find_further_questions, asked, draft.text, passages))


class _AnswerInProgress:
    """An answer while it is written."""

    def __init__(self, request: LLMRequest) -> None:
        self.request = request
        self.pieces: list[str] = []
        self._splitter = AnswerSplitter()
        self._usage = Usage()
        self._last: LLMDelta | None = None
        self._thinking_since: float | None = None
        self._told_at = 0.0
        self._thoughts: list[str] = []

    def think(self, text: str) -> Thoughts | None:
        """Return a sign of thinking, at the first thought and then once a second."""
        now = time.monotonic()
        self._thoughts.append(text)
        if self._thinking_since is None:
            self._thinking_since = now
        elif now - self._told_at < THINKING_SIGN_S:
            return None
        self._told_at = now
        thought = "".join(self._thoughts)
        self._thoughts.clear()
        return Thoughts(now - self._thinking_since, thought)

    def take(self, delta: LLMDelta) -> str:
        """Return the text that is certainly answer once ``delta`` has come."""
        if delta.usage is not None:
            self._usage = delta.usage
        if delta.finish_reason is not None:
            self._last = delta
        if delta.restart:
            self.pieces.clear()
            self._splitter = AnswerSplitter()
        return self._keep(self._splitter.feed(delta.text))

    def take_rest(self) -> str:
        """Return the text that was held back until nothing follows."""
        return self._keep(self._splitter.rest())

    def finish(self, passages: Sequence[ScoredChunk], default_model: str) -> Draft:
        """Return the draft. Raises ``LLMError`` when there is none."""
        text, last = "".join(self.pieces), self._last
        if last is None or last.finish_reason is None:
            raise LLMError("The model's answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED)
        if not text.strip() and last.finish_reason in {"stop", "tool"}:
            raise LLMError("The model gave an empty answer; ask again.", ErrorCode.LLM_EMPTY)
        model = ":".join(part for part in (last.provider, last.model) if part)
        return Draft(
            text=text,
            model=model or default_model,
            reason=last.reason or "",
            follow_ups=self._splitter.questions(),
            usage=self._usage,
            finish_reason=last.finish_reason,
            prompt_hash=self.request.prompt_hash or "",
            passages_read=len(passages),
            prompt=self.request.messages,
        )

    def _keep(self, text: str) -> str:
        if text:
            self.pieces.append(text)
        return text
