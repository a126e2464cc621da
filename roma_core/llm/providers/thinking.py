"""The words of a model beside its answer: thoughts, channels and the tokens of its chat template.

Servers without a parser for a model's template pass these on inside the text. ``AnswerFilter`` takes them out while
the text streams, also when a token is split over several pieces:

- thoughts in ``<think>`` and its relatives, and in the channels of OpenAI's harmony format, are reasoning;
- tokens that end a turn end the answer; other template tokens are left out;
- in Markdown code (an odd number of backticks before it) a token is text like any other.
"""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple

THOUGHTS: dict[str, str] = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "<|think|>": "<|/think|>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<longcat_think>": "</longcat_think>",
    "<|channel>thought": "<channel|>",
    "&lt;think&gt;": "&lt;/think&gt;",
}
"""The marks around thoughts, in lower case: DeepSeek, Qwen, Claude's prompts, Gemini, Seed, Mistral, Kimi, Cohere,
LongCat, Gemma; and the commonest, as a gateway escapes it."""

FIRST_THOUGHTS: dict[str, str] = {
    "<scratchpad>": "</scratchpad>",
    "<scratch_pad>": "</scratch_pad>",
    "<reflection>": "</reflection>",
    "<antthinking>": "</antthinking>",
    "<inner_monologue>": "</inner_monologue>",
    "<thought_process>": "</thought_process>",
    '<details type="reasoning"': "</details>",
}
"""Marks around thoughts that are common words of markup too: they are meant where nothing stands before them."""

ENDS = frozenset(
    {
        "<|im_end|>",
        "<turn|>",
        "<|eom|>",
        "<|user_token|>",
        "<sep>",
        "[end final response]",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|eot|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<|end_of_turn|>",
        "<|end_of_turn_token|>",
        "<|end_of_sentence|>",
        "<｜end▁of▁sentence｜>",
        "<|return|>",
        "<|call|>",
        "<|user|>",
        "<｜user｜>",
        "<|observation|>",
        "<eos>",
        "</s>",
    }
)
"""Tokens that end a turn: what follows is no answer."""

LEFT_OUT = frozenset(
    {
        "<s>",
        "<bos>",
        "<pad>",
        "<|begin_of_text|>",
        "<｜begin▁of▁sentence｜>",
        "<|assistant|>",
        "<｜assistant｜>",
        "<|end|>",
        "<|message|>",
        "<|end_header_id|>",
        "<|header_end|>",
        "<|end_of_role|>",
        "<|im_sep|>",
        "<|start_of_turn_token|>",
        "<|chatbot_token|>",
        "<|begin_of_box|>",
        "<|end_of_box|>",
        "<|begin_of_solution|>",
        "<|end_of_solution|>",
        "<|start_response|>",
        "<|end_response|>",
    }
)
"""Tokens that only frame the answer."""

WRAPPERS: dict[str, str] = {
    "<answer>": "</answer>",
    "<response>": "</response>",
    "<final_answer>": "</final_answer>",
}
"""Tags around a whole answer; elsewhere they are text."""

FINAL_MARKS: frozenset[str] = frozenset({"[begin final response]"})
"""Marks between thoughts that nothing opens and the answer."""

FIRST_LEFT_OUT: frozenset[str] = frozenset({"[/inst]"})
"""Tokens that frame the answer where nothing stands before them; elsewhere they are text."""

HEADERS: dict[str, re.Pattern[str]] = {
    "<|im_start|>": re.compile(r"\s*\w*\n?"),
    "<start_of_turn>": re.compile(r"\s*\w*\n?"),
    "<|turn>": re.compile(r"\s*\w*\n?"),
    "<|start_header_id|>": re.compile(r"\s*\w*(?:<\|end_header_id\|>\s*)?"),
    "<|header_start|>": re.compile(r"\s*\w*(?:<\|header_end\|>\s*)?"),
    "<|start_of_role|>": re.compile(r"\s*\w*(?:<\|end_of_role\|>\s*)?"),
}
"""Tokens behind which the name of a role follows."""

_CLOSES = frozenset(THOUGHTS.values())
_CHANNEL, _START, _MESSAGE = "<|channel|>", "<|start|>", "<|message|>"
_HARMONY_ENDS = ("<|end|>", "<|start|>", "<|return|>", "<|call|>")
_ANALYSIS = "analysis"
_BARE_ANALYSIS = re.compile(r"analysis(?=[A-Z])")
"""Harmony whose tokens the server has removed: ``analysisWe need ...assistantfinalThe answer``."""
_BARE_FINAL = "assistantfinal"
_TOKENS = frozenset(
    {
        *(_CHANNEL, _START, _MESSAGE),
        *(*THOUGHTS, *_CLOSES, *FIRST_THOUGHTS, *FINAL_MARKS),
        *(*ENDS, *LEFT_OUT, *FIRST_LEFT_OUT, *HEADERS, *WRAPPERS, *WRAPPERS.values()),
    }
)
_ELSEWHERE_TEXT = frozenset({*FIRST_THOUGHTS, *WRAPPERS, *WRAPPERS.values(), *FIRST_LEFT_OUT})
_UNKNOWN = r"<\|[a-z0-9_]{2,32}\|>|<｜[^｜<>\n]{2,32}｜>|<unused\d{1,4}>"
"""Tokens of templates that no table names, by their shape."""
_TOKEN = re.compile(
    "|".join([*(re.escape(token) for token in sorted(_TOKENS, key=len, reverse=True)), _UNKNOWN]), re.IGNORECASE
)
_UNKNOWN_BEGUN = re.compile(r"<(?:\|[a-z0-9_]{0,32}\|?|｜[^｜<>\n]{0,32}｜?|u(?:nused\d{0,4})?)?\Z", re.IGNORECASE)
_PREFIXES = frozenset(token[:size] for token in _TOKENS for size in range(1, len(token)))
_LONGEST_ROLE = 16
_LONGEST = max(36, *map(len, _TOKENS))
_SUSPICIOUS = re.compile(r"[<\[◁&]")

Kind = Literal["text", "reasoning", "restart"]


class AnswerPart(NamedTuple):
    """A piece of text, or of reasoning; ``restart`` says that all text before it was reasoning."""

    kind: Kind
    text: str = ""


class AnswerFilter:
    """Tells the answer from all else in the text of one stream.

    ::

        parts = [*filter.feed("<thi"), *filter.feed("nk>so</think>Yes."), *filter.close()]
        assert parts == [AnswerPart("reasoning", "so"), AnswerPart("text", "Yes.")]
    """

    def __init__(self) -> None:
        self.dropped_chars = 0
        """Characters behind the end of the turn, and of tokens that no table names."""
        self._held = ""
        self._begun = False
        """Text that is no blank has been given."""
        self._thought = False
        """There was reasoning before: the blanks behind it belong to nothing."""
        self._ends: tuple[str, ...] = ()
        """Inside of thoughts: what ends them."""
        self._unsure = ""
        """Thoughts that begin in the middle of the text, as they were written; text again when nothing ends them."""
        self._opener_size = 0
        self._blanks = ""
        self._header = False
        self._framed = False
        self._wrapped = ""
        """Closing tag of the one around the whole answer; empty without one."""
        self._struck = 0
        self._ticks = 0
        self._over = False

    def feed(self, text: str) -> list[AnswerPart]:
        """Return what is certain with ``text``."""
        is_plain = self._begun and not (self._held or self._ends or self._header or self._over)
        if is_plain and _SUSPICIOUS.search(text) is None:
            self._ticks += text.count("`")
            return [AnswerPart("text", text)] if text else []
        self._held += text
        return self._read(final=False)

    def close(self) -> list[AnswerPart]:
        """Return what was held back, once nothing follows."""
        parts = self._read(final=True)
        if self._unsure:
            parts.append(AnswerPart("text", self._unsure))
            self._unsure = ""
        return parts

    def _read(self, *, final: bool) -> list[AnswerPart]:
        parts: list[AnswerPart] = []
        while self._held and self._step(parts, final):
            pass
        return parts

    def _step(self, parts: list[AnswerPart], final: bool) -> bool:
        """Read what is held up to the next change of state; False when more has to come first."""
        if self._over:
            self.dropped_chars += len(self._held.strip())
            self._held = ""
            return False
        if self._header:
            return self._read_header(final)
        if self._ends:
            return self._read_thoughts(parts, final)
        return self._read_text(parts, final)

    def _read_header(self, final: bool) -> bool:
        """Read ``<|start|>assistant<|channel|>final<|message|>``: all before the message names it."""
        header, token, rest = self._held.partition(_MESSAGE)
        if not token and not final:
            return False
        self._held, self._header = rest, False
        channel = header.rpartition(_CHANNEL)[2].split()
        is_answer = _CHANNEL not in header or (bool(channel) and channel[0] == "final")
        if token and not is_answer:
            self._ends = _HARMONY_ENDS
        return True

    def _read_thoughts(self, parts: list[AnswerPart], final: bool) -> bool:
        lower = self._held.lower()
        places = [(place, end) for end in self._ends if (place := lower.find(end)) >= 0]
        if not places:
            size = len(self._held) if final else len(self._held) - self._open_tail(self._ends)
            self._add_reasoning(parts, self._held[:size])
            self._held = self._held[size:]
            return False
        place, end = min(places)
        self._add_reasoning(parts, self._held[:place])
        if self._unsure:
            parts.append(AnswerPart("reasoning", self._unsure[self._opener_size :]))
            self._unsure = ""
        begins_next = end == _START
        self._over = end in {"<|return|>", "<|call|>"}
        self._held = self._held[place if begins_next else place + len(end) :]
        self._ends, self._thought = (), True
        return True

    def _add_reasoning(self, parts: list[AnswerPart], text: str) -> None:
        if self._unsure:
            self._unsure += text
        elif text:
            parts.append(AnswerPart("reasoning", text))

    def _read_text(self, parts: list[AnswerPart], final: bool) -> bool:
        if not self._begun:
            start = self._held.lstrip()
            if not start and not final:
                return False
            if _BARE_ANALYSIS.match(start):
                self._held, self._ends = start.removeprefix(_ANALYSIS), (_BARE_FINAL,)
                return True
            if _ANALYSIS.startswith(start) and not final:
                return False
        match = _TOKEN.search(self._held)
        size = match.start() if match else len(self._held)
        if match is None and not final:
            size -= self._open_tail(None)
        text, self._held = self._held[:size], self._held[size:]
        if not self._begun and not text.strip():
            is_last = final and match is None
            if is_last and text and not self._thought:
                parts.append(AnswerPart("text", text))
            elif not is_last:
                self._blanks += text
        else:
            self._add_text(parts, text)
        return match is not None and self._meet(parts, match[0].lower(), final)

    def _meet(self, parts: list[AnswerPart], mark: str, final: bool) -> bool:
        """Act on ``mark``, with which what is held begins."""
        size = len(mark)
        written = self._held[:size]
        if self._ticks % 2:
            self._held = self._held[size:]
            self._add_text(parts, written)
            return True
        if mark in {_CHANNEL, _START}:
            self._header = True
            return True
        if mark in HEADERS:
            return self._pass_role(mark, final)
        self._held = self._held[size:]
        if mark in THOUGHTS:
            self._ends = (THOUGHTS[mark],)
            self._unsure, self._opener_size = (written, size) if self._begun else ("", 0)
        elif mark in FIRST_THOUGHTS and not self._begun:
            self._ends, self._unsure = (FIRST_THOUGHTS[mark],), ""
        elif mark in _CLOSES or mark in FINAL_MARKS:
            if self._begun and not self._thought:
                parts.append(AnswerPart("restart"))
                self._begun, self._ticks = False, 0
            self._thought = True
        elif mark in FIRST_LEFT_OUT and not self._begun:
            self._framed, self._blanks = True, ""
        elif mark in WRAPPERS and not self._begun:
            self._wrapped = WRAPPERS[mark]
        elif mark == self._wrapped:
            self._over = True
        elif mark in _ELSEWHERE_TEXT:
            self._add_text(parts, written)
        elif mark == "<s>" and self._begun:
            self._struck += 1
            self._add_text(parts, written)
        elif mark == "</s>" and self._struck:
            self._struck -= 1
            self._add_text(parts, written)
        elif mark in ENDS:
            self._over = self._begun
        elif mark not in _TOKENS:
            self.dropped_chars += size
        # All that is left only frames the answer.
        return True

    def _pass_role(self, mark: str, final: bool) -> bool:
        """Leave out a mark with the name of the role behind it, which ends at a line end or a mark."""
        rest = self._held[len(mark) :]
        if not final and "\n" not in rest and ">" not in rest and len(rest) < _LONGEST_ROLE:
            return False
        role = HEADERS[mark].match(rest)
        self._held = rest[role.end() :] if role else rest
        return True

    def _add_text(self, parts: list[AnswerPart], text: str) -> None:
        if not text:
            return
        if not self._begun:
            framed = self._thought or self._framed or bool(self._wrapped)
            text = text.lstrip() if framed else self._blanks + text
            self._begun, self._blanks = True, ""
        self._ticks += text.count("`")
        parts.append(AnswerPart("text", text))

    def _open_tail(self, ends: tuple[str, ...] | None) -> int:
        """Return how many of the last characters may be the beginning of a mark."""
        tail = self._held[-_LONGEST:].lower()
        if ends is None and (begun := _UNKNOWN_BEGUN.search(tail)):
            return len(tail) - begun.start()
        prefixes = _PREFIXES if ends is None else _prefixes(ends)
        for start in range(len(tail)):
            if tail[start:] in prefixes:
                return len(tail) - start
        return 0


@functools.cache
def _prefixes(tokens: tuple[str, ...]) -> frozenset[str]:
    return frozenset(mark[:size] for mark in tokens for size in range(1, len(mark)))
