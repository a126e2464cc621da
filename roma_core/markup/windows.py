"""Windows: the sentences of a passage that hold most of a question, which is what the cross-encoder reads of it. Pure.

A cross-encoder takes as long as its text. Most of a passage is about something else than the question, and what is
about it stands together: a window ranks as well as the whole passage in half the time (``docs/benchmarks``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.markup.questions import content_words, count_tokens
from roma_core.markup.sentences import split_sentences
from roma_core.types import Chunk

WINDOW_TOKENS: Final = 96
"""Tokens of a passage that are read, as ``count_tokens`` estimates them; a sentence is never cut. On 240 questions over
7,658 passages windows of some 80 true tokens ranked like whole passages; ones of 48 cost answers of the golden set."""


@dataclass(frozen=True)
class _SizedSentence:
    start: int
    end: int
    tokens: int
    words: frozenset[str]
    """The words of the question that it holds."""


def cut_windows(question: str, chunks: Sequence[Chunk], tokens: int = WINDOW_TOKENS) -> list[str]:
    """Return what to read of each passage: its context, and its run of sentences that holds most of the question.

    A word counts the more the fewer of the passages hold it. A passage of at most ``tokens`` stays whole.
    """
    asked = content_words(question)
    held = [asked & content_words(chunk.text) for chunk in chunks]
    weights = {word: math.log(1 + len(chunks) / (1 + sum(word in words for words in held))) for word in asked}
    texts: list[str] = []
    for chunk in chunks:
        window = _choose_window(chunk.text, weights, tokens)
        texts.append(f"{chunk.context}\n{window}" if chunk.context else window)
    return texts


def _choose_window(text: str, weights: Mapping[str, float], tokens: int) -> str:
    """Return the run of sentences with the weightiest words, the first of several that are equal."""
    if count_tokens(text) <= tokens:
        return text
    sentences = _size_sentences(text, frozenset(weights))
    best, window = -1.0, text
    for first, opening in enumerate(sentences):
        room, last = tokens, opening
        words: frozenset[str] = frozenset()
        for sentence in sentences[first:]:
            room -= sentence.tokens
            if room < 0 and sentence is not opening:
                break
            words |= sentence.words
            last = sentence
        weight = sum(weights[word] for word in sorted(words))
        if weight > best:
            best, window = weight, text[opening.start : last.end]
    return window


def _size_sentences(text: str, asked: frozenset[str]) -> list[_SizedSentence]:
    sized: list[_SizedSentence] = []
    for sentence in split_sentences(text):
        written = sentence.of(text)
        sized.append(
            _SizedSentence(sentence.start, sentence.end, count_tokens(written), asked & content_words(written))
        )
    return sized
